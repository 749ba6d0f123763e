/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The image cache: fetches each wanted image once from the cloud (block list first, whole list checked against the
 * manifest, then blocks, each checked against the list), keeps it in STORE_IMAGES and serves it to the devices.
 * No socket, no clock: topics to watch and unwatch go out, messages and time come in.
 */

#include <stdbool.h>
#include <stdint.h>

#include "relay/image.h"
#include "relay/reason.h"
#include "relay/topic.h"
#include "store/store.h"

#define IMAGES_WINDOW 8  /* topics watched at the uplink at a time */
#define IMAGES_MAX    64 /* images known at a time */

struct images;

struct images_host {
        void *context;
        /* named topics at the uplink; watch answers 0, or anything else if it cannot now (asked again later) */
        int (*watch)(void *context, const char *topic);
        void (*unwatch)(void *context, const char *topic);
        /* something is wrong with what the cloud serves, or the store is full: once an hour for each image */
        void (*alert)(void *context, const uint8_t image[SHA256_SIZE], enum reason reason, const char *detail);
        void (*progress)(void *context, const uint8_t image[SHA256_SIZE]); /* another block is in */
        void (*complete)(void *context, const uint8_t image[SHA256_SIZE]); /* whole, checked and durable */
};

/* 0, -ENOMEM */
int images_new(struct images **ret, struct store *store, const struct images_host *host);
struct images *images_free(struct images *images);

/*
 * This image is needed. Looks up what the store already has and goes on at the first missing piece.
 * 0 (also if wanted already), -E2BIG (IMAGES_MAX), -ENOMEM, or the store's error.
 */
int images_want(struct images *images, const uint8_t image[SHA256_SIZE], uint32_t size,
                const uint8_t list_digest[SHA256_SIZE], uint64_t now_ms);
/* The same without asking the cloud for anything: what is there stays, the rest may be imported. */
int images_keep(struct images *images, const uint8_t image[SHA256_SIZE], uint32_t size,
                const uint8_t list_digest[SHA256_SIZE]);
#define IMAGES_WRONG 1 /* does not fit its digest: not kept */
/* The block list of a kept image, whole: 0, IMAGES_WRONG, -ENOENT, or the store's error. */
int images_import_list(struct images *images, const uint8_t image[SHA256_SIZE], struct span list, uint64_t now_ms);
/*
 * Consecutive blocks from *index on; those that are there already are checked, too. *index: the one after the last that
 * was right. 0, IMAGES_WRONG (what stood before it is kept), -ENOENT: not kept or without a list, or the store's error.
 */
int images_import(struct images *images, const uint8_t image[SHA256_SIZE], uint32_t *index, struct span bytes,
                  uint64_t now_ms);
/* the first block that is missing; the number of blocks if there is none */
uint32_t images_next(const struct images *images, const uint8_t image[SHA256_SIZE]);
/* No known update needs it: stops fetching, deletes its records. */
void images_drop(struct images *images, const uint8_t image[SHA256_SIZE]);
/* Deletes the records of every image that is not wanted; call once after the wanted ones are named at start. */
int images_sweep(struct images *images);

/* After "down" what was watched is watched anew at the next "up". */
void images_uplink(struct images *images, bool up, uint64_t now_ms);
/* A message on images/..., from the uplink. Unwanted ones are ignored. */
void images_message(struct images *images, const struct topic_parts *topic, struct span payload, uint64_t now_ms);
/* everything up to this commit is durable (store_durable()) */
void images_durable(struct images *images, uint64_t commit);
/* Blocks that did not come, hostile ones whose pause is over. */
void images_tick(struct images *images, uint64_t now_ms);
uint64_t images_deadline(const struct images *images); /* ms; UINT64_MAX: none */

/* Is every block of it in the store, checked and durable? */
bool images_complete(const struct images *images, const uint8_t image[SHA256_SIZE]);
/* blocks in the cache of how many; false if not wanted */
bool images_progress(const struct images *images, const uint8_t image[SHA256_SIZE], uint32_t *have, uint32_t *of);
/*
 * A list piece or a block for a device, like a retained message: 0 and a malloc'ed copy (caller frees), -ENOENT, or
 * the store's error. Counts ImageBytesServed.
 */
int images_serve(struct images *images, const struct topic_parts *topic, uint8_t **ret, size_t *ret_size);
uint64_t images_bytes_fetched(const struct images *images);
uint64_t images_bytes_served(const struct images *images);
