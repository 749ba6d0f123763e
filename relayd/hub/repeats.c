/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Windows of seen events; see repeats.h. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hub/repeats.h"

#define KEY_PREFIX "repeat/"

struct repeat_entry {
        struct table_entry entry;
        char device[IDENTITY_MAX + 1];
        struct repeat window;
        bool is_changed;
        struct repeat_entry *changed_next;
};

static bool entry_equal(const struct table_entry *entry, const void *key)
{
        return span_equal_string(*(const struct span *)key,
                                 container_of(entry, const struct repeat_entry, entry)->device);
}

static struct repeat_entry *find(const struct repeats *repeats, struct span device)
{
        struct table_entry *e = table_find(&repeats->by_device, table_hash(device), entry_equal, &device);

        return e ? container_of(e, struct repeat_entry, entry) : NULL;
}

static struct repeat_entry *make(struct repeats *repeats, struct span device)
{
        struct repeat_entry *e = find(repeats, device);

        if (e)
                return e;
        e = calloc(1, sizeof(*e));
        if (!e)
                return NULL;
        if (!span_to_string(device, e->device, sizeof(e->device)) ||
            table_insert(&repeats->by_device, &e->entry, table_hash(device)) < 0) {
                free(e);
                return NULL;
        }
        return e;
}

static int load_one(void *context, struct span key, struct span value)
{
        struct span prefix = SPAN_LITERAL(KEY_PREFIX);
        struct repeat_entry *e;

        if (key.size < prefix.size || memcmp(key.data, prefix.data, prefix.size) != 0)
                return 1;
        e = make(context, span_slice(key, prefix.size, key.size));
        if (!e)
                return -ENOMEM;
        return repeat_decode(value, &e->window) ? 0 : -EBADMSG;
}

int repeats_load(struct repeats *repeats, struct store *store)
{
        int result;

        *repeats = (struct repeats){ .store = store };
        result = store_walk(store, STORE_META, SPAN_LITERAL(KEY_PREFIX), load_one, repeats);
        return result < 0 ? result : 0;
}

void repeats_release(struct repeats *repeats)
{
        for (struct table_entry *e = table_next(&repeats->by_device, NULL), *next; e; e = next) {
                next = table_next(&repeats->by_device, e);
                free(container_of(e, struct repeat_entry, entry));
        }
        table_release(&repeats->by_device);
}

static bool parse_decimal(struct span text, uint64_t max, uint64_t *out)
{
        uint64_t value = 0;

        if (text.size == 0 || text.size > 20)
                return false;
        for (size_t i = 0; i < text.size; i++) {
                uint8_t digit = (uint8_t)(text.data[i] - '0');
                if (digit > 9 || value > (max - digit) / 10)
                        return false;
                value = 10 * value + digit;
        }
        *out = value;
        return true;
}

static bool starts_with(struct span text, struct span prefix)
{
        return text.size > prefix.size && memcmp(text.data, prefix.data, prefix.size) == 0;
}

static bool key_of_properties(const struct mqtt_packet *packet, uint32_t *boot, uint64_t *seq)
{
        struct span text;
        uint64_t value;

        if (!mqtt_user_find(&packet->props, "boot", &text) || !parse_decimal(text, UINT32_MAX, &value))
                return false;
        *boot = (uint32_t)value;
        return mqtt_user_find(&packet->props, "seq", &text) && parse_decimal(text, UINT64_MAX, seq);
}

bool repeats_key(const struct mqtt_packet *packet, const struct topic_parts *parts, uint32_t *boot, uint64_t *seq)
{
        struct reader r;

        if (starts_with(parts->rest, SPAN_LITERAL("events/")))
                return key_of_properties(packet, boot, seq);
        if (!starts_with(parts->rest, SPAN_LITERAL("events1/")))
                return false;
        reader_init(&r, packet->publish.payload);
        *boot = reader_u32(&r);
        *seq = reader_u64(&r);
        return r.result == RELAY_OK;
}

bool repeats_seen(const struct repeats *repeats, struct span device, uint32_t boot, uint64_t seq)
{
        const struct repeat_entry *e = find(repeats, device);
        struct repeat probe;

        if (!e)
                return false;
        probe = e->window;
        return repeat_check(&probe, boot, seq) == REPEAT_SEEN;
}

int repeats_mark(struct repeats *repeats, struct span device, uint32_t boot, uint64_t seq)
{
        struct repeat_entry *e = make(repeats, device);

        if (!e)
                return -ENOMEM;
        repeat_check(&e->window, boot, seq);
        if (!e->is_changed) {
                e->is_changed = true;
                e->changed_next = repeats->changed;
                repeats->changed = e;
        }
        return 0;
}

static int write_one(struct repeats *repeats, const struct repeat_entry *e)
{
        uint8_t key[sizeof(KEY_PREFIX) + IDENTITY_MAX], record[REPEAT_RECORD_SIZE];
        struct writer w;

        writer_init(&w, key, sizeof(key));
        writer_bytes(&w, SPAN_LITERAL(KEY_PREFIX));
        writer_bytes(&w, span_of_string(e->device));
        repeat_encode(&e->window, record);
        return store_put(repeats->store, STORE_META, writer_span(&w), SPAN_OF(record));
}

int repeats_write_changed(struct repeats *repeats)
{
        while (repeats->changed) {
                struct repeat_entry *e = repeats->changed;
                int result = write_one(repeats, e);
                /* a full store refuses events, so their windows did not change: what is left over here waits */
                if (result < 0)
                        return result == -ENOSPC ? 0 : result;
                repeats->changed = e->changed_next;
                e->is_changed = false;
        }
        return 0;
}
