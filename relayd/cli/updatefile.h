/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * An update file (relay/bundle.h), opened for reading: its head in memory, its image read in pieces. Functions print
 * their own failure and answer CLI_*.
 */

#include "cli/cli.h"
#include "relay/bundle.h"
#include "relay/vendor.h"

#define UPDATE_FILE_SUFFIX ".relayd-update"

struct update_source {
        int fd;
        const char *path;
        uint8_t *head; /* what the spans of file and manifest point into */
        struct update_file file;
        struct manifest_unverified manifest;
        uint8_t *list; /* of the file's image, once checked */
        uint32_t blocks;
};
#define UPDATE_SOURCE_NONE ((struct update_source){ .fd = -1 })
/* Form of the file and of its manifest, which must name an image of this size. path must outlive it. */
int update_source_open(struct cli *cli, const char *path, struct update_source *out);
void update_source_done(struct update_source *source); /* for _cleanup_ */
/* Both vendor signatures; then the image, from its first byte to its last, against the manifest. Shows progress. */
int update_source_verify(struct cli *cli, struct update_source *source, const struct vendor_keys *vendor);
int update_source_check_image(struct cli *cli, struct update_source *source);
/* Whole blocks, at most room bytes of them, from first on. *size: how many bytes; 0 at the end. */
int update_source_read(struct cli *cli, const struct update_source *source, uint32_t first, uint8_t *out, size_t room,
                       size_t *size);
