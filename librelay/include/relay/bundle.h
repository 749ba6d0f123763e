/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Update file: everything an air-gapped site needs of one update, in one file. Not signed: the manifest inside is.
 *
 *     update-file = [ "relayd-update", 1, manifest envelope (bstr), release notes (tstr), image (bstr) ]
 *
 * The image stands last, so that everything before it can be checked before it is read.
 */

#include "relay/manifest.h"

#define UPDATE_FILE_NOTES_MAX 16384
#define UPDATE_FILE_HEAD_MAX  (MANIFEST_MAX + UPDATE_FILE_NOTES_MAX + 64) /* bytes before the image, at most */

struct update_file {
        struct span envelope, notes; /* notes: UTF-8, may be empty, has no control characters but newline and tab */
        size_t image_offset;         /* bytes from the start of the file */
        uint32_t image_size;
};
/* start: the file's first bytes (UPDATE_FILE_HEAD_MAX, or all of a shorter file); file_size: of the whole file, which
 * must end with the image. RELAY_OK, RELAY_E_MALFORMED, TRUNCATED, RANGE. */
int update_file_decode(struct span start, uint64_t file_size, struct update_file *out);
/* What stands before the image's bytes. */
int update_file_encode_head(struct writer *w, struct span envelope, struct span notes, uint32_t image_size);
