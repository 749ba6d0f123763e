/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Images that devices may run: of updates that this site approved once, of factory lists, and of manifests that a
 * person made known. A device that proves to run another one goes into quarantine.
 *
 * STORE_KNOWN, image digest: u8 format (1) | u8 source | u64 time | 32 bytes manifest digest (zeros: of a factory list)
 * | u64 sequence | u8 size + version
 */

#include "hub/table.h"
#include "hub/views.h"
#include "relay/manifest.h"
#include "store/store.h"

#define KNOWN_IMAGES_MAX 4096

struct known_image {
        struct table_entry entry;
        uint8_t image[SHA256_SIZE], manifest[SHA256_SIZE];
        enum image_source source;
        uint64_t time; /* Unix seconds when it became known */
        uint64_t sequence;
        char version[MANIFEST_TEXT_MAX + 1];
};
struct known_images {
        struct store *store;
        struct table by_image;
        struct known_image **sorted; /* ascending by time */
        size_t count, size;
};

/* Reads the store, which is borrowed. 0, -ENOMEM, -EBADMSG (a record is damaged), or the store's error */
int known_images_load(struct known_images *images, struct store *store);
void known_images_release(struct known_images *images);
const struct known_image *known_images_find(const struct known_images *images, const uint8_t image[SHA256_SIZE]);
/*
 * Adds a copy, staged; entry is ignored. KNOWN_IMAGES_THERE: it was known, nothing changes. -EDQUOT: full, and none of
 * an approved update is left to make room; else the store's error.
 */
#define KNOWN_IMAGES_THERE 1
int known_images_add(struct known_images *images, const struct known_image *image);
/* KNOWN_IMAGES_THERE: it was there, and is gone, staged; 0: it was not */
int known_images_remove(struct known_images *images, const uint8_t image[SHA256_SIZE]);
/* The record above. encode: KNOWN_IMAGE_RECORD_MAX bytes; decode: 0 or -EBADMSG */
#define KNOWN_IMAGE_RECORD_MAX (100 + MANIFEST_TEXT_MAX)
void known_image_encode(struct writer *w, const struct known_image *image);
int known_image_decode(struct span key, struct span value, struct known_image *out);
void known_image_view(const struct known_image *image, struct image_view *out); /* borrows */
