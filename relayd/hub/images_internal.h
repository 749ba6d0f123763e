/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* What the files of the image cache share: images.c fetches and serves, image_import.c takes images out of files. */

#include "hub/image_store.h"
#include "hub/images.h"

struct image {
        uint8_t digest[SHA256_SIZE], list_digest[SHA256_SIZE];
        uint32_t size, blocks, lists;
        uint8_t *list;      /* blocks * SHA256_SIZE */
        uint8_t *have_list; /* one byte for each piece, before the list is verified */
        uint8_t *have;      /* one byte for each block */
        uint32_t list_count, count;
        bool list_ok;
        bool fetch;      /* from the cloud, if there is one */
        uint32_t from;   /* no piece before this one is missing */
        bool whole;      /* every block is staged */
        uint64_t commit; /* that makes it durable */
        bool complete;
        uint64_t pause_until_ms;
        uint32_t pause_ms;
        uint64_t alerted_ms;
};

struct slot {
        struct image *image; /* NULL: free */
        bool list;
        uint32_t index;
        uint64_t deadline_ms;
};

struct images {
        struct store *store;
        struct images_host host;
        struct image *images[IMAGES_MAX];
        size_t count;
        struct slot slots[IMAGES_WINDOW];
        bool up;
        uint64_t fetched, served;
};

struct image *images_find(const struct images *images, const uint8_t digest[SHA256_SIZE]);
/* Gives up what is asked for at the cloud: of this image, or of all (NULL). */
void images_release(struct images *images, const struct image *image);
void images_fill_window(struct images *images, uint64_t now_ms);
bool image_list_is_right(const struct image *image);
void image_forget_list(struct image *image);
/* Is every block staged? Then commits, so that it becomes complete. */
void images_finish(struct images *images, struct image *image);
