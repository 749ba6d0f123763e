/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Durable sessions in the store.
 *
 * STORE_SESSIONS, client id: u8 format (1) | u8 size + identity | u32 expiry | u64 expires (0: was there) | u32 will
 *     delay | u32 size + stored form of the will (0: none) | u16 n, n x (u16 size + filter, u8 options, u32 id)
 * STORE_QUEUE, client id NUL number: u8 format (1) | u8 flags (bits 0-1 QoS, 2 retain, 3 released) | u8 n, n x u32 id |
 *     stored form of the message (none if released)
 * STORE_QUEUE, client id NUL (2^63 + packet id): a QoS 2 packet id of the client between PUBLISH and PUBREL; u8 format
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hub/broker.h"

#define RECORD_FORMAT 1
#define INBOUND_BIT   (UINT64_C(1) << 63)
#define KEY_SIZE      (CLIENT_ID_MAX + 1 + 8)

#define FLAG_QOS      0x03
#define FLAG_RETAIN   0x04
#define FLAG_RELEASED 0x08

#define OPTION_NO_LOCAL            0x04
#define OPTION_RETAIN_AS_PUBLISHED 0x08

static struct span queue_key(const struct client *c, uint64_t number, uint8_t out[KEY_SIZE])
{
        struct writer w;

        writer_init(&w, out, KEY_SIZE);
        writer_bytes(&w, span_of_string(c->id));
        writer_u8(&w, 0);
        writer_u64(&w, number);
        return writer_span(&w);
}

/* ---- queue */
int client_store_delivery(struct broker *b, struct client *c, const struct delivery *d)
{
        bool released = d->state == DELIVERY_RELEASED;
        uint8_t key[KEY_SIZE];
        struct writer w;

        writer_init(&w, b->packet, sizeof(b->packet));
        writer_u8(&w, RECORD_FORMAT);
        writer_u8(&w, (uint8_t)(d->qos | (d->retain ? FLAG_RETAIN : 0) | (released ? FLAG_RELEASED : 0)));
        writer_u8(&w, d->id_count);
        for (size_t i = 0; i < d->id_count; i++)
                writer_u32(&w, d->ids[i]);
        if (!released)
                writer_bytes(&w, d->message->stored);
        if (writer_finish(&w) != RELAY_OK)
                return -E2BIG;
        return store_put(b->store, STORE_QUEUE, queue_key(c, d->number, key), writer_span(&w));
}

int client_forget_delivery(struct broker *b, struct client *c, uint64_t number)
{
        uint8_t key[KEY_SIZE];

        return store_delete(b->store, STORE_QUEUE, queue_key(c, number, key));
}

static int read_delivery(struct client *c, uint64_t number, struct span value)
{
        struct delivery_queue *q = &c->queue;
        uint32_t ids[MESSAGE_IDS_MAX];
        uint8_t format, flags, id_count;
        struct delivery *d;
        struct reader r;
        int result = 0;

        reader_init(&r, value);
        format = reader_u8(&r);
        flags = reader_u8(&r);
        id_count = reader_u8(&r);
        if (format != RECORD_FORMAT || id_count > MESSAGE_IDS_MAX || number < q->next_number)
                return -EBADMSG;
        for (size_t i = 0; i < id_count; i++)
                ids[i] = reader_u32(&r);
        d = calloc(1, sizeof(*d) + id_count * sizeof(*ids));
        if (!d)
                return -ENOMEM;
        *d = (struct delivery){ .number = number,
                                .qos = flags & FLAG_QOS,
                                .retain = flags & FLAG_RETAIN,
                                .stored = true,
                                .dup = true,
                                .id_count = id_count };
        memcpy(d->ids, ids, id_count * sizeof(*ids));
        if (!(flags & FLAG_RELEASED))
                result = message_from_stored(&d->message, reader_bytes(&r, reader_left(&r)));
        if (result < 0 || reader_finish(&r) != RELAY_OK) {
                message_unref(d->message);
                free(d);
                return result < 0 ? result : -EBADMSG;
        }
        d->size = d->message ? (uint32_t)d->message->stored.size : 0;
        d->previous = q->last;
        if (q->last)
                q->last->next = d;
        else
                q->first = q->unsent = d;
        q->last = d;
        q->count++;
        q->bytes += d->size;
        q->next_number = number + 1;
        return 0;
}

/* ---- QoS 2 packet ids of the client */
static int inbound_append(struct client *c, uint16_t packet_id)
{
        uint16_t *ids;

        ids = realloc(c->inbound, (c->inbound_count + 1) * sizeof(*ids));
        if (!ids)
                return -ENOMEM;
        ids[c->inbound_count++] = packet_id;
        c->inbound = ids;
        return 0;
}

int client_inbound_add(struct broker *b, struct client *c, uint16_t packet_id)
{
        const uint8_t format[1] = { RECORD_FORMAT };
        uint8_t key[KEY_SIZE];
        int result = 0;

        if (c->inbound_count >= CLIENT_INBOUND_MAX)
                return -ENOSPC;
        if (c->durable)
                result = store_put(b->store, STORE_QUEUE, queue_key(c, INBOUND_BIT | packet_id, key), SPAN_OF(format));
        return result < 0 ? result : inbound_append(c, packet_id);
}

bool client_inbound_remove(struct broker *b, struct client *c, uint16_t packet_id)
{
        for (uint32_t i = 0; i < c->inbound_count; i++)
                if (c->inbound[i] == packet_id) {
                        c->inbound[i] = c->inbound[--c->inbound_count];
                        if (c->durable)
                                client_forget_delivery(b, c, INBOUND_BIT | packet_id);
                        return true;
                }
        return false;
}

/* ---- the session's record */
static void write_subscriptions(struct writer *w, const struct client *c)
{
        uint16_t count = 0;
        size_t count_at = w->at;

        writer_u16(w, 0);
        for (const struct subscription *s = c->subscriptions.first; s; s = s->client_next) {
                struct topic_parts parts;
                enum topic_kind kind = topic_parse(span_of(s->filter, s->size), &parts);
                /* a device walks through thousands of blocks, and names its window again when it comes back */
                if (kind == TOPIC_IMAGE_BLOCK || kind == TOPIC_IMAGE_LIST)
                        continue;
                writer_u16(w, s->size);
                writer_bytes(w, span_of(s->filter, s->size));
                writer_u8(w, (uint8_t)(s->qos | (s->no_local ? OPTION_NO_LOCAL : 0) |
                                       (s->retain_as_published ? OPTION_RETAIN_AS_PUBLISHED : 0)));
                writer_u32(w, s->id);
                count++;
        }
        if (w->result == RELAY_OK && count_at + 2 <= w->size) {
                w->out[count_at] = (uint8_t)(count >> 8);
                w->out[count_at + 1] = (uint8_t)count;
        }
}

_Static_assert(CHANNEL_PACKET_MAX + MESSAGE_HEADER_SIZE + CLIENT_FILTERS_BYTES_MAX + 7 * CLIENT_SUBSCRIPTIONS_MAX +
                               IDENTITY_SIZE + 24 <=
                       STORE_VALUE_MAX,
               "the record of the largest session does not fit a value");

static int write_record(struct broker *b, const struct client *c)
{
        uint8_t record[STORE_VALUE_MAX];
        struct writer w;

        writer_init(&w, record, sizeof(record));
        writer_u8(&w, RECORD_FORMAT);
        writer_u8(&w, (uint8_t)strlen(c->identity));
        writer_bytes(&w, span_of_string(c->identity));
        writer_u32(&w, c->expiry_s);
        writer_u64(&w, c->link ? 0 : c->expires);
        writer_u32(&w, c->will_delay_s);
        writer_u32(&w, c->will ? (uint32_t)c->will->stored.size : 0);
        if (c->will)
                writer_bytes(&w, c->will->stored);
        write_subscriptions(&w, c);
        if (writer_finish(&w) != RELAY_OK)
                return -E2BIG;
        return store_put(b->store, STORE_SESSIONS, span_of_string(c->id), writer_span(&w));
}

void client_mark_changed(struct broker *b, struct client *c)
{
        if (!c->durable || c->changed)
                return;
        c->changed = true;
        c->changed_next = b->clients.changed;
        b->clients.changed = c;
}

int clients_write_changed(struct broker *b)
{
        while (b->clients.changed) {
                struct client *c = b->clients.changed;
                int result;

                b->clients.changed = c->changed_next;
                c->changed = false;
                result = c->durable ? write_record(b, c) : 0;
                /* without room the session lives on in memory; alerts about the full store come from publishes */
                if (result < 0 && result != -ENOSPC && result != -E2BIG)
                        return result;
        }
        return 0;
}

static void unmark(struct broker *b, struct client *c)
{
        struct client **at = &b->clients.changed;

        while (*at && *at != c)
                at = &(*at)->changed_next;
        if (*at)
                *at = c->changed_next;
        c->changed = false;
}

void client_forget(struct broker *b, struct client *c)
{
        if (c->changed)
                unmark(b, c);
        client_clear_queue(b, c);
        while (c->inbound_count)
                client_inbound_remove(b, c, c->inbound[0]);
        if (c->durable)
                store_delete(b->store, STORE_SESSIONS, span_of_string(c->id));
}

void client_make_volatile(struct broker *b, struct client *c)
{
        if (c->changed)
                unmark(b, c);
        for (struct delivery *d = c->queue.first; d; d = d->next) {
                if (d->stored)
                        client_forget_delivery(b, c, d->number);
                d->stored = false;
                d->commit = 0;
        }
        for (uint32_t i = 0; i < c->inbound_count; i++)
                client_forget_delivery(b, c, INBOUND_BIT | c->inbound[i]);
        store_delete(b->store, STORE_SESSIONS, span_of_string(c->id));
        c->durable = false;
}

/* ---- start */
static int read_subscriptions(struct broker *b, struct client *c, struct reader *r)
{
        uint16_t count = reader_u16(r);

        for (uint16_t i = 0; i < count; i++) {
                struct mqtt_filter filter = { .filter = reader_bytes(r, reader_u16(r)) };
                uint8_t options = reader_u8(r);
                uint32_t id = reader_u32(r);
                int result;

                if (r->result != RELAY_OK || !topic_filter_is_valid(filter.filter))
                        return -EBADMSG;
                filter.qos = options & FLAG_QOS;
                filter.no_local = options & OPTION_NO_LOCAL;
                filter.retain_as_published = options & OPTION_RETAIN_AS_PUBLISHED;
                result = subscriptions_add(&b->subscriptions, c, &c->subscriptions, &filter, id);
                if (result < 0)
                        return result;
        }
        return reader_finish(r) == RELAY_OK ? 0 : -EBADMSG;
}

/* Whoever was there when the relay ended has this long to come back before it counts as absent. */
static void set_absent(struct broker *b, struct client *c, uint64_t expires)
{
        bool comparable = message_time_is_comparable(expires, b->time);

        c->expires = expires && comparable ? expires : b->time + c->expiry_s;
        if (c->will)
                c->will_due = b->time + (c->will_delay_s > BROKER_RETURN_S ? c->will_delay_s : BROKER_RETURN_S);
}

static int read_record(struct broker *b, struct client *c, struct reader *r)
{
        uint64_t expires;
        struct span will;
        int result;

        c->durable = true;
        c->expiry_s = reader_u32(r);
        expires = reader_u64(r);
        c->will_delay_s = reader_u32(r);
        will = reader_bytes(r, reader_u32(r));
        if (r->result != RELAY_OK)
                return -EBADMSG;
        result = will.size ? message_from_stored(&c->will, will) : 0;
        if (result < 0)
                return result;
        set_absent(b, c, expires);
        return read_subscriptions(b, c, r);
}

static int load_session(void *context, struct span key, struct span value)
{
        struct broker *b = context;
        char identity[IDENTITY_SIZE];
        struct client *c;
        struct reader r;
        int result;

        reader_init(&r, value);
        if (reader_u8(&r) != RECORD_FORMAT ||
            !span_to_string(reader_bytes(&r, reader_u8(&r)), identity, sizeof(identity)))
                return -EBADMSG;
        result = client_new(b, &c, key, identity);
        return result < 0 ? result : read_record(b, c, &r);
}

static int load_queue(void *context, struct span key, struct span value)
{
        struct broker *b = context;
        struct client *c;
        struct reader r;
        uint64_t number;

        if (key.size < 9)
                return -EBADMSG;
        c = client_find(&b->clients, span_slice(key, 0, key.size - 9));
        reader_init(&r, span_slice(key, key.size - 8, 8));
        number = reader_u64(&r);
        if (!c || (number & INBOUND_BIT && c->inbound_count >= CLIENT_INBOUND_MAX))
                return store_delete(b->store, STORE_QUEUE, key);
        return number & INBOUND_BIT ? inbound_append(c, (uint16_t)number) : read_delivery(c, number, value);
}

int clients_load(struct broker *b)
{
        int result = store_walk(b->store, STORE_SESSIONS, SPAN_EMPTY, load_session, b);

        return result < 0 ? result : store_walk(b->store, STORE_QUEUE, SPAN_EMPTY, load_queue, b);
}
