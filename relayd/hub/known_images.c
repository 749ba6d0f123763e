/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Known images; see known_images.h. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hub/known_images.h"
#include "util/array.h"

#define RECORD_FORMAT 1

static bool image_equal(const struct table_entry *entry, const void *key)
{
        return memcmp(container_of(entry, const struct known_image, entry)->image, key, SHA256_SIZE) == 0;
}

static struct known_image *find(const struct known_images *images, const uint8_t image[SHA256_SIZE])
{
        struct table_entry *e = table_find(&images->by_image, table_hash(span_of(image, SHA256_SIZE)), image_equal,
                                           image);

        return e ? container_of(e, struct known_image, entry) : NULL;
}

const struct known_image *known_images_find(const struct known_images *images, const uint8_t image[SHA256_SIZE])
{
        return find(images, image);
}

static int insert(struct known_images *images, const struct known_image *from)
{
        struct known_image *image = malloc(sizeof(*image));
        size_t place = images->count;

        if (!image)
                return -ENOMEM;
        *image = *from;
        if (array_reserve(images->sorted, images->count, images->size) < 0 ||
            table_insert(&images->by_image, &image->entry, table_hash(SPAN_OF(image->image))) < 0) {
                free(image);
                return -ENOMEM;
        }
        for (; place > 0 && images->sorted[place - 1]->time > image->time; place--)
                images->sorted[place] = images->sorted[place - 1];
        images->sorted[place] = image;
        images->count++;
        return 0;
}

static void take_out(struct known_images *images, size_t place)
{
        struct known_image *image = images->sorted[place];

        /* deletes are always taken, or the store has failed for good, which its owner hears of elsewhere */
        (void)store_delete(images->store, STORE_KNOWN, SPAN_OF(image->image));
        table_remove(&images->by_image, &image->entry);
        memmove(&images->sorted[place], &images->sorted[place + 1],
                (--images->count - place) * sizeof(*images->sorted));
        free(image);
}

/* ---- records */
void known_image_encode(struct writer *w, const struct known_image *image)
{
        writer_u8(w, RECORD_FORMAT);
        writer_u8(w, (uint8_t)image->source);
        writer_u64(w, image->time);
        writer_bytes(w, SPAN_OF(image->manifest));
        writer_u64(w, image->sequence);
        writer_u8(w, (uint8_t)strlen(image->version));
        writer_bytes(w, span_of_string(image->version));
}

int known_image_decode(struct span key, struct span value, struct known_image *out)
{
        struct known_image image = { 0 };
        uint8_t format, source;
        struct span manifest;
        struct reader r;

        reader_init(&r, value);
        format = reader_u8(&r);
        source = reader_u8(&r);
        image.time = reader_u64(&r);
        manifest = reader_bytes(&r, SHA256_SIZE);
        image.sequence = reader_u64(&r);
        if (!span_to_string(reader_bytes(&r, reader_u8(&r)), image.version, sizeof(image.version)) ||
            reader_finish(&r) != RELAY_OK || format != RECORD_FORMAT || source > IMAGE_ADDED || key.size != SHA256_SIZE)
                return -EBADMSG;
        image.source = (enum image_source)source;
        memcpy(image.image, key.data, SHA256_SIZE);
        memcpy(image.manifest, manifest.data, SHA256_SIZE);
        *out = image;
        return 0;
}

static int write_record(struct known_images *images, const struct known_image *image)
{
        uint8_t record[KNOWN_IMAGE_RECORD_MAX];
        struct writer w;

        writer_init(&w, record, sizeof(record));
        known_image_encode(&w, image);
        return store_put(images->store, STORE_KNOWN, SPAN_OF(image->image), writer_span(&w));
}

static int load_one(void *context, struct span key, struct span value)
{
        struct known_image image;
        int result = known_image_decode(key, value, &image);

        return result < 0 ? result : insert(context, &image);
}

int known_images_load(struct known_images *images, struct store *store)
{
        *images = (struct known_images){ .store = store };
        return store_walk(store, STORE_KNOWN, SPAN_EMPTY, load_one, images);
}

void known_images_release(struct known_images *images)
{
        for (size_t i = 0; i < images->count; i++)
                free(images->sorted[i]);
        free(images->sorted);
        table_release(&images->by_image);
}

/* ---- changes */
/* The oldest one of an approved update: factory lists and people are asked before what they said is forgotten. */
static bool make_room(struct known_images *images)
{
        for (size_t i = 0; i < images->count; i++) {
                if (images->sorted[i]->source != IMAGE_APPROVED)
                        continue;
                take_out(images, i);
                return true;
        }
        return false;
}

int known_images_add(struct known_images *images, const struct known_image *image)
{
        int result;

        if (find(images, image->image))
                return KNOWN_IMAGES_THERE;
        if (images->count >= KNOWN_IMAGES_MAX && !make_room(images))
                return -EDQUOT;
        result = write_record(images, image);
        return result < 0 ? result : insert(images, image);
}

int known_images_remove(struct known_images *images, const uint8_t image[SHA256_SIZE])
{
        for (size_t i = 0; i < images->count; i++) {
                if (memcmp(images->sorted[i]->image, image, SHA256_SIZE) != 0)
                        continue;
                take_out(images, i);
                return KNOWN_IMAGES_THERE;
        }
        return 0;
}

void known_image_view(const struct known_image *image, struct image_view *out)
{
        static const uint8_t none[SHA256_SIZE];

        *out = (struct image_view){
                .source = image->source, .time = image->time, .sequence = image->sequence, .version = image->version
        };
        span_to_hex(SPAN_OF(image->image), out->image, sizeof(out->image));
        if (memcmp(image->manifest, none, SHA256_SIZE) != 0)
                span_to_hex(SPAN_OF(image->manifest), out->manifest, sizeof(out->manifest));
}
