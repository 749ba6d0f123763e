/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hub/images_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hub/image_store.h"

#define PIECE_TIMEOUT_MS  10000u /* a retained message that did not come by then is not there, or was lost */
#define PAUSE_MISSING_MS  1000u  /* first pause after that; doubles up to the next */
#define PAUSE_MISSING_MAX 60000u
#define PAUSE_HOSTILE_MS  30000u /* first pause after a piece that does not fit its digest */
#define PAUSE_HOSTILE_MAX 3600000u
#define ALERT_INTERVAL_MS 3600000u /* one alert for each image in this time */
#define NEVER             UINT64_MAX

int images_new(struct images **ret, struct store *store, const struct images_host *host)
{
        struct images *images = calloc(1, sizeof(*images));

        if (!images)
                return -ENOMEM;
        images->store = store;
        images->host = *host;
        *ret = images;
        return 0;
}

static struct image *image_free(struct image *image)
{
        if (image) {
                free(image->list);
                free(image->have_list);
                free(image->have);
                free(image);
        }
        return NULL;
}

struct images *images_free(struct images *images)
{
        if (images) {
                for (size_t i = 0; i < images->count; i++)
                        image_free(images->images[i]);
                free(images);
        }
        return NULL;
}

struct image *images_find(const struct images *images, const uint8_t digest[SHA256_SIZE])
{
        for (size_t i = 0; i < images->count; i++)
                if (memcmp(images->images[i]->digest, digest, SHA256_SIZE) == 0)
                        return images->images[i];
        return NULL;
}

/* ---- the window */

static void slot_topic(const struct slot *slot, char topic[TOPIC_MAX])
{
        if (slot->list)
                topic_image_list(topic, slot->image->digest, slot->index);
        else
                topic_image_block(topic, slot->image->digest, slot->index);
}

static void slot_release(struct images *images, struct slot *slot)
{
        char topic[TOPIC_MAX];

        if (images->up) {
                slot_topic(slot, topic);
                images->host.unwatch(images->host.context, topic);
        }
        *slot = (struct slot){ 0 };
}

void images_release(struct images *images, const struct image *image)
{
        for (size_t i = 0; i < IMAGES_WINDOW; i++)
                if (images->slots[i].image && (!image || images->slots[i].image == image))
                        slot_release(images, &images->slots[i]);
}

static struct slot *find_slot(struct images *images, const struct image *image, bool list, uint32_t index)
{
        for (size_t i = 0; i < IMAGES_WINDOW; i++)
                if (images->slots[i].image == image && images->slots[i].list == list && images->slots[i].index == index)
                        return &images->slots[i];
        return NULL;
}

/* the first piece that is neither here nor on its way; false if there is none */
static bool next_missing(struct images *images, struct image *image, uint32_t *index)
{
        const uint8_t *have = image->list_ok ? image->have : image->have_list;
        uint32_t of = image->list_ok ? image->blocks : image->lists;

        while (image->from < of && have[image->from])
                image->from++;
        for (uint32_t i = image->from; i < of; i++) {
                if (!have[i] && !find_slot(images, image, !image->list_ok, i)) {
                        *index = i;
                        return true;
                }
        }
        return false;
}

void images_fill_window(struct images *images, uint64_t now_ms)
{
        size_t at = 0;

        for (size_t i = 0; i < IMAGES_WINDOW && images->up; i++) {
                struct slot *slot = &images->slots[i];
                struct image *image = NULL;
                char topic[TOPIC_MAX];
                uint32_t index = 0;

                if (slot->image)
                        continue;
                for (; at < images->count && !image; at += image ? 0 : 1)
                        if (images->images[at]->fetch && !images->images[at]->whole &&
                            images->images[at]->pause_until_ms <= now_ms &&
                            next_missing(images, images->images[at], &index))
                                image = images->images[at];
                if (!image)
                        return;
                *slot = (struct slot){ image, !image->list_ok, index, now_ms + PIECE_TIMEOUT_MS };
                slot_topic(slot, topic);
                if (images->host.watch(images->host.context, topic) != 0) {
                        *slot = (struct slot){ 0 };
                        image->pause_until_ms = now_ms + PAUSE_MISSING_MS;
                        return;
                }
        }
}

static void pause_image(struct images *images, struct image *image, uint32_t least, uint32_t most, uint64_t now_ms)
{
        images_release(images, image);
        image->pause_ms = image->pause_ms < least ? least : image->pause_ms >= most / 2 ? most : image->pause_ms * 2;
        image->pause_until_ms = now_ms + image->pause_ms;
}

static void complain(struct images *images, struct image *image, enum reason reason, const char *detail,
                     uint64_t now_ms)
{
        if (image->alerted_ms == 0 || now_ms - image->alerted_ms >= ALERT_INTERVAL_MS) {
                image->alerted_ms = now_ms == 0 ? 1 : now_ms;
                images->host.alert(images->host.context, image->digest, reason, detail);
        }
        pause_image(images, image, PAUSE_HOSTILE_MS, PAUSE_HOSTILE_MAX, now_ms);
}

/* ---- what the store has already */

void image_forget_list(struct image *image)
{
        memset(image->have_list, 0, image->lists);
        image->list_count = 0;
        image->from = 0;
        image->list_ok = false;
}

static int load_list_piece(void *context, uint32_t index, struct span value)
{
        struct image *image = context;

        if (index >= image->lists || value.size != image_list_size(image->size, index))
                return 1;
        memcpy(image->list + (size_t)index * IMAGE_LIST_DIGESTS * SHA256_SIZE, value.data, value.size);
        image->have_list[index] = 1;
        image->list_count++;
        return 0;
}

static int load_block(void *context, uint32_t index, struct span value)
{
        struct image *image = context;

        if (index >= image->blocks || value.size != image_block_size(image->size, index))
                return 1;
        image->have[index] = 1;
        image->count++;
        return 0;
}

bool image_list_is_right(const struct image *image)
{
        uint8_t digest[SHA256_SIZE];

        return image->list_count == image->lists &&
               crypto_sha256(span_of(image->list, (size_t)image->blocks * SHA256_SIZE), digest) == RELAY_OK &&
               memcmp(digest, image->list_digest, SHA256_SIZE) == 0;
}

/* What is damaged or foreign is fetched again, so only a failing store is an error. */
static int load(struct images *images, struct image *image)
{
        int r = image_store_walk(images->store, image->digest, IMAGE_PIECE_LIST, load_list_piece, image);

        if (r < 0 && r != -EBADMSG)
                return r;
        image->list_ok = image_list_is_right(image);
        if (!image->list_ok) {
                image_forget_list(image);
                return 0;
        }
        r = image_store_walk(images->store, image->digest, IMAGE_PIECE_BLOCK, load_block, image);
        if (r < 0 && r != -EBADMSG)
                return r;
        image->whole = image->complete = image->count == image->blocks;
        return 0;
}

static struct image *image_new(const uint8_t digest[SHA256_SIZE], uint32_t size, const uint8_t list_digest[SHA256_SIZE])
{
        struct image *image = calloc(1, sizeof(*image));

        if (!image)
                return NULL;
        memcpy(image->digest, digest, SHA256_SIZE);
        memcpy(image->list_digest, list_digest, SHA256_SIZE);
        image->size = size;
        image->blocks = image_block_count(size);
        image->lists = image_list_count(size);
        image->list = malloc((size_t)image->blocks * SHA256_SIZE + 1);
        image->have_list = calloc(image->lists + 1, 1);
        image->have = calloc(image->blocks + 1, 1);
        return image->list && image->have_list && image->have ? image : image_free(image);
}

int images_keep(struct images *images, const uint8_t image[SHA256_SIZE], uint32_t size,
                const uint8_t list_digest[SHA256_SIZE])
{
        if (images_find(images, image))
                return 0;
        if (images->count == IMAGES_MAX || size > IMAGE_SIZE_MAX)
                return -E2BIG;
        struct image *next = image_new(image, size, list_digest);
        if (!next)
                return -ENOMEM;
        int r = load(images, next);
        if (r < 0) {
                image_free(next);
                return r;
        }
        images->images[images->count++] = next;
        return 0;
}

int images_want(struct images *images, const uint8_t image[SHA256_SIZE], uint32_t size,
                const uint8_t list_digest[SHA256_SIZE], uint64_t now_ms)
{
        int r = images_keep(images, image, size, list_digest);

        if (r < 0)
                return r;
        images_find(images, image)->fetch = true;
        images_fill_window(images, now_ms);
        return 0;
}

void images_drop(struct images *images, const uint8_t digest[SHA256_SIZE])
{
        for (size_t i = 0; i < images->count; i++) {
                struct image *image = images->images[i];

                if (memcmp(image->digest, digest, SHA256_SIZE) != 0)
                        continue;
                images_release(images, image);
                image_store_delete(images->store, digest, image->lists, image->blocks);
                image_free(image);
                images->images[i] = images->images[--images->count];
                return;
        }
}

static bool is_wanted(void *context, const uint8_t digest[SHA256_SIZE])
{
        return images_find(context, digest) != NULL;
}

int images_sweep(struct images *images)
{
        return image_store_sweep(images->store, is_wanted, images);
}

/* ---- what comes in */

void images_uplink(struct images *images, bool up, uint64_t now_ms)
{
        if (!up) {
                images->up = false; /* the watches ended with the connection */
                images_release(images, NULL);
                return;
        }
        images->up = true;
        images_fill_window(images, now_ms);
}

static void store_failed(struct images *images, struct image *image, int r, uint64_t now_ms)
{
        complain(images, image, r == -ENOSPC ? REASON_STORE_FULL : REASON_STORE_FAILED, "the image cannot be kept",
                 now_ms);
}

static void take_list_piece(struct images *images, struct image *image, uint32_t index, struct span payload,
                            uint64_t now_ms)
{
        memcpy(image->list + (size_t)index * IMAGE_LIST_DIGESTS * SHA256_SIZE, payload.data, payload.size);
        image->have_list[index] = 1;
        image->list_count++;
        if (image->list_count < image->lists)
                return;
        if (!image_list_is_right(image)) {
                image_forget_list(image);
                complain(images, image, REASON_BLOCK_LIST_DIGEST,
                         "the cloud serves a block list that is not the one "
                         "of the manifest; tried again later",
                         now_ms);
                return;
        }
        for (uint32_t i = 0; i < image->lists; i++) {
                struct span piece = span_of(image->list + (size_t)i * IMAGE_LIST_DIGESTS * SHA256_SIZE,
                                            image_list_size(image->size, i));
                int r = image_store_put(images->store, image->digest, IMAGE_PIECE_LIST, i, piece);
                if (r < 0) {
                        image_forget_list(image);
                        store_failed(images, image, r, now_ms);
                        return;
                }
        }
        image->list_ok = true;
        image->from = 0;
}

static void take_block(struct images *images, struct image *image, uint32_t index, struct span payload, uint64_t now_ms)
{
        struct span list = span_of(image->list, (size_t)image->blocks * SHA256_SIZE);
        char detail[160];

        if (image_check_block(list, image->size, index, payload) != RELAY_OK) {
                snprintf(detail, sizeof(detail), "the cloud serves block %u with a wrong digest; tried again later",
                         index);
                complain(images, image, REASON_BLOCK_DIGEST, detail, now_ms);
                return;
        }
        int r = image_store_put(images->store, image->digest, IMAGE_PIECE_BLOCK, index, payload);
        if (r < 0) {
                store_failed(images, image, r, now_ms);
                return;
        }
        image->have[index] = 1;
        image->count++;
        image->pause_ms = 0;
}

void images_finish(struct images *images, struct image *image)
{
        if (!image->list_ok || image->whole || image->count < image->blocks)
                return;
        image->whole = true;
        image->commit = store_commit(images->store);
}

static void take_piece(struct images *images, struct image *image, const struct topic_parts *topic, struct span payload,
                       uint64_t now_ms)
{
        bool list = topic->kind == TOPIC_IMAGE_LIST;
        uint32_t expected = list ? image_list_size(image->size, topic->index)
                                 : image_block_size(image->size, topic->index);

        if (payload.size != expected) {
                complain(images, image, list ? REASON_BLOCK_LIST_DIGEST : REASON_BLOCK_DIGEST,
                         "the cloud serves a piece of a wrong size; tried again later", now_ms);
                return;
        }
        images->fetched += payload.size;
        if (list)
                take_list_piece(images, image, topic->index, payload, now_ms);
        else
                take_block(images, image, topic->index, payload, now_ms);
}

void images_message(struct images *images, const struct topic_parts *topic, struct span payload, uint64_t now_ms)
{
        struct image *image = images_find(images, topic->digest);

        /* an empty payload clears a retained message: the piece may come yet */
        if (!image || payload.size == 0)
                return;
        struct slot *slot = find_slot(images, image, topic->kind == TOPIC_IMAGE_LIST, topic->index);
        if (!slot)
                return;
        slot_release(images, slot);
        take_piece(images, image, topic, payload, now_ms);
        images_finish(images, image);
        images->host.progress(images->host.context, image->digest);
        images_fill_window(images, now_ms);
}

void images_durable(struct images *images, uint64_t commit)
{
        for (size_t i = 0; i < images->count; i++) {
                struct image *image = images->images[i];

                if (image->whole && !image->complete && image->commit <= commit) {
                        image->complete = true;
                        images->host.complete(images->host.context, image->digest);
                }
        }
}

/* ---- time */

void images_tick(struct images *images, uint64_t now_ms)
{
        for (size_t i = 0; i < IMAGES_WINDOW; i++)
                if (images->slots[i].image && images->slots[i].deadline_ms <= now_ms)
                        pause_image(images, images->slots[i].image, PAUSE_MISSING_MS, PAUSE_MISSING_MAX, now_ms);
        for (size_t i = 0; i < images->count; i++)
                if (images->images[i]->pause_until_ms <= now_ms)
                        images->images[i]->pause_until_ms = 0;
        images_fill_window(images, now_ms);
}

uint64_t images_deadline(const struct images *images)
{
        uint64_t deadline = NEVER;

        for (size_t i = 0; i < IMAGES_WINDOW; i++)
                if (images->slots[i].image && images->slots[i].deadline_ms < deadline)
                        deadline = images->slots[i].deadline_ms;
        for (size_t i = 0; i < images->count && images->up; i++)
                if (!images->images[i]->whole && images->images[i]->pause_until_ms > 0 &&
                    images->images[i]->pause_until_ms < deadline)
                        deadline = images->images[i]->pause_until_ms;
        return deadline;
}

/* ---- what is asked */

bool images_complete(const struct images *images, const uint8_t digest[SHA256_SIZE])
{
        const struct image *image = images_find(images, digest);

        return image && image->complete;
}

bool images_progress(const struct images *images, const uint8_t digest[SHA256_SIZE], uint32_t *have, uint32_t *of)
{
        const struct image *image = images_find(images, digest);

        if (!image)
                return false;
        *have = image->count;
        *of = image->blocks;
        return true;
}

int images_serve(struct images *images, const struct topic_parts *topic, uint8_t **ret, size_t *ret_size)
{
        enum image_piece piece = topic->kind == TOPIC_IMAGE_LIST ? IMAGE_PIECE_LIST : IMAGE_PIECE_BLOCK;

        if (!images_complete(images, topic->digest))
                return -ENOENT;
        int r = image_store_get(images->store, topic->digest, piece, topic->index, ret, ret_size);
        if (r == 0)
                images->served += *ret_size;
        return r;
}

uint64_t images_bytes_fetched(const struct images *images)
{
        return images->fetched;
}

uint64_t images_bytes_served(const struct images *images)
{
        return images->served;
}
