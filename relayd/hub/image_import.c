/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Images that come in files: the same checks as for the cloud's, the list first. */

#include <errno.h>
#include <string.h>

#include "hub/images_internal.h"

uint32_t images_next(const struct images *images, const uint8_t digest[SHA256_SIZE])
{
        const struct image *image = images_find(images, digest);
        uint32_t i = 0;

        if (!image || !image->list_ok)
                return 0;
        while (i < image->blocks && image->have[i])
                i++;
        return i;
}

static int put_list(struct images *images, struct image *image, struct span list)
{
        memcpy(image->list, list.data, list.size);
        image->list_count = image->lists;
        if (!image_list_is_right(image)) {
                image_forget_list(image);
                return IMAGES_WRONG;
        }
        for (uint32_t i = 0; i < image->lists; i++) {
                struct span piece = span_slice(list, (size_t)i * IMAGE_LIST_DIGESTS * SHA256_SIZE,
                                               image_list_size(image->size, i));
                int r = image_store_put(images->store, image->digest, IMAGE_PIECE_LIST, i, piece);
                if (r < 0) {
                        image_forget_list(image);
                        return r;
                }
        }
        memset(image->have_list, 1, image->lists);
        image->list_ok = true;
        image->from = 0;
        return 0;
}

int images_import_list(struct images *images, const uint8_t digest[SHA256_SIZE], struct span list, uint64_t now_ms)
{
        struct image *image = images_find(images, digest);
        int r = 0;

        if (!image)
                return -ENOENT;
        if (list.size != (size_t)image->blocks * SHA256_SIZE)
                return IMAGES_WRONG;
        if (!image->list_ok) {
                images_release(images, image);
                r = put_list(images, image, list);
        }
        images_fill_window(images, now_ms);
        return r;
}

static int put_block(struct images *images, struct image *image, uint32_t index, struct span block)
{
        struct span list = span_of(image->list, (size_t)image->blocks * SHA256_SIZE);
        int r;

        if (image_check_block(list, image->size, index, block) != RELAY_OK)
                return IMAGES_WRONG;
        if (image->have[index])
                return 0;
        r = image_store_put(images->store, image->digest, IMAGE_PIECE_BLOCK, index, block);
        if (r < 0)
                return r;
        image->have[index] = 1;
        image->count++;
        return 0;
}

int images_import(struct images *images, const uint8_t digest[SHA256_SIZE], uint32_t *index, struct span bytes,
                  uint64_t now_ms)
{
        struct image *image = images_find(images, digest);
        int r = 0;

        if (!image || !image->list_ok)
                return -ENOENT;
        if (!image->whole)
                images_release(images, image); /* it may have asked the cloud for one of these */
        while (r == 0 && bytes.size > 0) {
                uint32_t size = *index < image->blocks ? image_block_size(image->size, *index) : 0;

                r = size == 0 || bytes.size < size ? IMAGES_WRONG
                                                   : put_block(images, image, *index, span_slice(bytes, 0, size));
                if (r == 0) {
                        bytes = span_slice(bytes, size, bytes.size);
                        ++*index;
                }
        }
        images_finish(images, image);
        images->host.progress(images->host.context, image->digest);
        images_fill_window(images, now_ms);
        return r;
}
