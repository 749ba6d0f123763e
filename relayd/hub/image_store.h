/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Records of the image cache: image digest + 'l' or 'b' + u32 index -> list piece or block.
 */

#include "relay/topic.h"
#include "store/store.h"

enum image_piece { IMAGE_PIECE_LIST = 'l', IMAGE_PIECE_BLOCK = 'b' };

/* Staged. 0, or the store's error (-ENOSPC) */
int image_store_put(struct store *store, const uint8_t image[SHA256_SIZE], enum image_piece piece, uint32_t index,
                    struct span value);
/* malloc'ed copy; -ENOENT, -EBADMSG ... */
int image_store_get(struct store *store, const uint8_t image[SHA256_SIZE], enum image_piece piece, uint32_t index,
                    uint8_t **ret, size_t *ret_size);
/* fn for each piece of this kind in the store, in order; stops when it answers other than 0 and passes that on */
int image_store_walk(struct store *store, const uint8_t image[SHA256_SIZE], enum image_piece piece,
                     int (*fn)(void *context, uint32_t index, struct span value), void *context);
/* Deletes the records of one image of that many list pieces and blocks. */
void image_store_delete(struct store *store, const uint8_t image[SHA256_SIZE], uint32_t lists, uint32_t blocks);
/* Deletes every record of images for which keep() says no. */
int image_store_sweep(struct store *store, bool (*keep)(void *context, const uint8_t image[SHA256_SIZE]),
                      void *context);
