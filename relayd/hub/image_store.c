/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hub/image_store.h"

#include <errno.h>
#include <string.h>

#include "relay/cursor.h"

#define KEY_SIZE    (SHA256_SIZE + 1 + 4)
#define SWEEP_BATCH 64 /* keys remembered while the walk is on; deleting inside it would disturb it */

static struct span make_key(uint8_t out[KEY_SIZE], const uint8_t image[SHA256_SIZE], enum image_piece piece,
                            uint32_t index)
{
        struct writer w;

        writer_init(&w, out, KEY_SIZE);
        writer_bytes(&w, span_of(image, SHA256_SIZE));
        writer_u8(&w, (uint8_t)piece);
        writer_u32(&w, index);
        return writer_span(&w);
}

int image_store_put(struct store *store, const uint8_t image[SHA256_SIZE], enum image_piece piece, uint32_t index,
                    struct span value)
{
        uint8_t key[KEY_SIZE];

        return store_put(store, STORE_IMAGES, make_key(key, image, piece, index), value);
}

int image_store_get(struct store *store, const uint8_t image[SHA256_SIZE], enum image_piece piece, uint32_t index,
                    uint8_t **ret, size_t *ret_size)
{
        uint8_t key[KEY_SIZE];

        return store_get(store, STORE_IMAGES, make_key(key, image, piece, index), ret, ret_size);
}

struct walk {
        const uint8_t *image;
        enum image_piece piece;
        int (*fn)(void *context, uint32_t index, struct span value);
        void *context;
        int answer;
};

static int walk_record(void *context, struct span key, struct span value)
{
        struct walk *walk = context;
        struct reader r;

        reader_init(&r, key);
        struct span image = reader_bytes(&r, SHA256_SIZE);
        uint8_t piece = reader_u8(&r);
        uint32_t index = reader_u32(&r);
        if (reader_finish(&r) != RELAY_OK || piece != walk->piece ||
            !span_equal(image, span_of(walk->image, SHA256_SIZE)))
                return 1;
        walk->answer = walk->fn(walk->context, index, value);
        return walk->answer == 0 ? 0 : 1;
}

int image_store_walk(struct store *store, const uint8_t image[SHA256_SIZE], enum image_piece piece,
                     int (*fn)(void *context, uint32_t index, struct span value), void *context)
{
        struct walk walk = { .image = image, .piece = piece, .fn = fn, .context = context };
        uint8_t key[KEY_SIZE];
        int r = store_walk(store, STORE_IMAGES, make_key(key, image, piece, 0), walk_record, &walk);

        return r < 0 ? r : walk.answer;
}

void image_store_delete(struct store *store, const uint8_t image[SHA256_SIZE], uint32_t lists, uint32_t blocks)
{
        uint8_t key[KEY_SIZE];

        /* a delete that fails leaves a record that the next image_store_sweep() takes */
        for (uint32_t i = 0; i < lists; i++)
                (void)store_delete(store, STORE_IMAGES, make_key(key, image, IMAGE_PIECE_LIST, i));
        for (uint32_t i = 0; i < blocks; i++)
                (void)store_delete(store, STORE_IMAGES, make_key(key, image, IMAGE_PIECE_BLOCK, i));
}

struct sweep {
        bool (*keep)(void *context, const uint8_t image[SHA256_SIZE]);
        void *context;
        struct {
                uint8_t bytes[STORE_KEY_MAX];
                size_t size;
        } keys[SWEEP_BATCH];
        size_t count;
};

static int sweep_record(void *context, struct span key, struct span value)
{
        struct sweep *sweep = context;

        (void)value;
        if (key.size == KEY_SIZE && sweep->keep(sweep->context, key.data))
                return 0;
        memcpy(sweep->keys[sweep->count].bytes, key.data, key.size);
        sweep->keys[sweep->count].size = key.size;
        return ++sweep->count == SWEEP_BATCH ? 1 : 0;
}

int image_store_sweep(struct store *store, bool (*keep)(void *context, const uint8_t image[SHA256_SIZE]), void *context)
{
        struct sweep sweep = { .keep = keep, .context = context };
        uint8_t last[STORE_KEY_MAX];
        struct span from = SPAN_EMPTY;
        int r;

        do {
                sweep.count = 0;
                r = store_walk(store, STORE_IMAGES, from, sweep_record, &sweep);
                for (size_t i = 0; i < sweep.count && r >= 0; i++) {
                        int deleted = store_delete(store, STORE_IMAGES,
                                                   span_of(sweep.keys[i].bytes, sweep.keys[i].size));
                        if (deleted < 0)
                                r = deleted;
                }
                /* what was deleted stays visible till the commit: go on behind it */
                if (sweep.count == SWEEP_BATCH) {
                        from = span_of(last, sweep.keys[SWEEP_BATCH - 1].size);
                        memcpy(last, sweep.keys[SWEEP_BATCH - 1].bytes, from.size);
                }
        } while (r > 0);
        return r;
}
