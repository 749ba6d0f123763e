/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An image file with its digest and block list. */

#include "image.h"

#include <errno.h>
#include <stdlib.h>

#include "cli/io.h"

struct span image_file_block(const struct image_file *image, uint32_t index)
{
        return span_of(image->bytes + (size_t)index * IMAGE_BLOCK_SIZE, image_block_size(image->size, index));
}

struct span image_file_list_piece(const struct image_file *image, uint32_t index)
{
        size_t from = (size_t)index * IMAGE_LIST_DIGESTS * SHA256_SIZE;

        return span_of(image->list + from, image_list_size(image->size, index));
}

static int make_list(struct image_file *image)
{
        int r = crypto_sha256(span_of(image->bytes, image->size), image->digest);

        for (uint32_t i = 0; i < image->blocks && r == RELAY_OK; i++)
                r = crypto_sha256(image_file_block(image, i), image->list + (size_t)i * SHA256_SIZE);
        if (r == RELAY_OK)
                r = crypto_sha256(span_of(image->list, (size_t)image->blocks * SHA256_SIZE), image->list_digest);
        return r;
}

int image_file_load(const struct cli *cli, const char *path, struct image_file *out)
{
        size_t size;
        int r = cli_read(cli, path, IMAGE_SIZE_MAX, &out->bytes, &size);

        if (r != CLI_OK)
                return r;
        out->size = (uint32_t)size;
        out->blocks = image_block_count(out->size);
        out->list_pieces = image_list_count(out->size);
        out->list = malloc((size_t)out->blocks * SHA256_SIZE + 1);
        if (!out->list)
                return cli_errno(cli, -ENOMEM, path);
        return make_list(out) == RELAY_OK ? CLI_OK : cli_fail(cli, CLI_FAILED, "%s: SHA-256 failed", path);
}

void image_file_done(struct image_file *image)
{
        free(image->bytes);
        free(image->list);
        *image = (struct image_file){ 0 };
}
