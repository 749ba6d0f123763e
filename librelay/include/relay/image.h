/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * How an image travels: 4 KiB blocks, a list of one SHA-256 per block, the list in pieces of 128 digests.
 * The manifest holds the digest of the image and the digest of the whole list.
 */

#include "relay/crypto.h"

#define IMAGE_BLOCK_SIZE   4096u
#define IMAGE_LIST_DIGESTS 128u /* digests in one list piece; the last piece may be shorter */
#define IMAGE_SIZE_MAX     (64u * 1024u * 1024u)

uint32_t image_block_count(uint32_t image_size);                /* 0 for an empty image */
uint32_t image_list_count(uint32_t image_size);                 /* list pieces */
uint32_t image_block_size(uint32_t image_size, uint32_t index); /* bytes of block index, 0 beyond the end */
uint32_t image_list_size(uint32_t image_size, uint32_t index);  /* bytes of list piece index, 0 beyond the end */
/* RELAY_OK if SHA-256(block) equals digests[index] of the (verified) list, else RELAY_E_SIGNATURE */
int image_check_block(struct span list, uint32_t image_size, uint32_t index, struct span block);
