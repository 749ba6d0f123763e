/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* An image file with its digest and block list. */

#include "cli/cli.h"
#include "relay/image.h"
#include "relay/span.h"

struct image_file {
        uint8_t *bytes, *list; /* list: one SHA-256 a block */
        uint32_t size, blocks, list_pieces;
        uint8_t digest[SHA256_SIZE], list_digest[SHA256_SIZE];
};
int image_file_load(const struct cli *cli, const char *path, struct image_file *out); /* CLI_* with message */
void image_file_done(struct image_file *image);                                       /* for _cleanup_ */
struct span image_file_block(const struct image_file *image, uint32_t index);
struct span image_file_list_piece(const struct image_file *image, uint32_t index);
