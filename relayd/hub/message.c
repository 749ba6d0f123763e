/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages inside the hub; see message.h. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hub/message.h"

#define FLAG_QOS    0x03
#define FLAG_RETAIN 0x04

static void write_stored(struct writer *w, const struct message_parts *parts)
{
        writer_u8(w, MESSAGE_FORMAT);
        writer_u8(w, (uint8_t)(parts->qos | (parts->retain ? FLAG_RETAIN : 0)));
        writer_u64(w, parts->received);
        writer_u64(w, parts->expires);
        writer_u16(w, (uint16_t)parts->topic.size);
        writer_bytes(w, parts->topic);
        writer_u32(w, (uint32_t)parts->properties.size);
        writer_bytes(w, parts->properties);
        writer_bytes(w, parts->payload);
}

static int read_stored(struct message *m)
{
        struct reader r;
        uint8_t format, flags;

        reader_init(&r, m->stored);
        format = reader_u8(&r);
        flags = reader_u8(&r);
        m->received = reader_u64(&r);
        m->expires = reader_u64(&r);
        m->topic = reader_bytes(&r, reader_u16(&r));
        m->properties = reader_bytes(&r, reader_u32(&r));
        m->payload = reader_bytes(&r, reader_left(&r));
        m->qos = flags & FLAG_QOS;
        m->retain = flags & FLAG_RETAIN;
        if (reader_finish(&r) != RELAY_OK || format != MESSAGE_FORMAT || m->qos > 2 || (flags & ~7) || !m->topic.size)
                return -EBADMSG;
        return 0;
}

static struct message *message_allocate(size_t size)
{
        struct message *m = malloc(sizeof(*m) + size);

        if (m)
                *m = (struct message){ .refs = 1, .stored = { m->bytes, size } };
        return m;
}

int message_new(struct message **ret, const struct message_parts *parts)
{
        size_t size = MESSAGE_HEADER_SIZE + parts->topic.size + parts->properties.size + parts->payload.size;
        struct message *m;
        struct writer w;
        int result;

        if (parts->topic.size > UINT16_MAX || size > UINT32_MAX)
                return -EMSGSIZE;
        m = message_allocate(size);
        if (!m)
                return -ENOMEM;
        writer_init(&w, m->bytes, size);
        write_stored(&w, parts);
        result = read_stored(m);
        if (result < 0) {
                free(m);
                return result;
        }
        *ret = m;
        return 0;
}

/* Skips the value of a property; only those of PUBLISH and of a will are known. */
static void skip_property(struct reader *r, uint8_t id)
{
        switch (id) {
        case MQTT_P_PAYLOAD_FORMAT:
                reader_u8(r);
                break;
        case MQTT_P_MESSAGE_EXPIRY:
                reader_u32(r);
                break;
        case MQTT_P_TOPIC_ALIAS:
                reader_u16(r);
                break;
        case MQTT_P_CONTENT_TYPE:
        case MQTT_P_RESPONSE_TOPIC:
        case MQTT_P_CORRELATION_DATA:
                reader_bytes(r, reader_u16(r));
                break;
        case MQTT_P_USER:
                reader_bytes(r, reader_u16(r));
                reader_bytes(r, reader_u16(r));
                break;
        case MQTT_P_SUBSCRIPTION_ID:
                for (int i = 0; i < 4; i++)
                        if (!(reader_u8(r) & 0x80))
                                break;
                break;
        case MQTT_P_WILL_DELAY: /* a will's properties come here, too */
                reader_u32(r);
                break;
        default:
                reader_fail(r, RELAY_E_MALFORMED);
        }
}

static bool is_of_one_hop(uint8_t id)
{
        return id == MQTT_P_MESSAGE_EXPIRY || id == MQTT_P_TOPIC_ALIAS || id == MQTT_P_SUBSCRIPTION_ID ||
               id == MQTT_P_WILL_DELAY;
}

/* Writes what is forwarded of an encoded property list; gives 0 or -EBADMSG. */
static int filter_properties(struct writer *w, struct span raw)
{
        struct reader r;

        reader_init(&r, raw);
        while (reader_left(&r) > 0) {
                size_t start = r.at;
                uint8_t id = reader_u8(&r);

                skip_property(&r, id);
                if (r.result == RELAY_OK && !is_of_one_hop(id))
                        writer_bytes(w, span_slice(raw, start, r.at - start));
        }
        return r.result == RELAY_OK ? 0 : -EBADMSG;
}

int message_from_publish(struct message **ret, const struct mqtt_publish *publish, const struct mqtt_props *props,
                         uint64_t now)
{
        struct message_parts parts = { publish->qos, publish->retain, .received = now, .topic = publish->topic,
                                       .payload = publish->payload };
        uint8_t kept[65536];
        struct writer w;
        int result;

        if (props->raw.size > sizeof(kept))
                return -EMSGSIZE;
        writer_init(&w, kept, sizeof(kept));
        result = filter_properties(&w, props->raw);
        if (result < 0)
                return result;
        parts.properties = span_of(kept, w.at);
        if (props->present & MQTT_PROP(MQTT_P_MESSAGE_EXPIRY))
                parts.expires = now + (props->message_expiry ? props->message_expiry : 1);
        return message_new(ret, &parts);
}

int message_from_stored(struct message **ret, struct span stored)
{
        struct message *m = message_allocate(stored.size);
        int result;

        if (!m)
                return -ENOMEM;
        if (stored.size)
                memcpy(m->bytes, stored.data, stored.size);
        result = read_stored(m);
        if (result < 0) {
                free(m);
                return result;
        }
        *ret = m;
        return 0;
}

struct message *message_ref(struct message *m)
{
        m->refs++;
        return m;
}

struct message *message_unref(struct message *m)
{
        if (m && --m->refs == 0)
                free(m);
        return NULL;
}

size_t message_packet_size(const struct message *m)
{
        return m->topic.size + m->properties.size + m->payload.size + MESSAGE_PACKET_EXTRA;
}

static size_t variable_size(uint32_t value)
{
        return value < 128 ? 1 : value < 16384 ? 2 : value < 2097152 ? 3 : 4;
}

static void write_variable(struct writer *w, uint32_t value)
{
        do {
                uint8_t byte = value & 0x7F;
                value >>= 7;
                writer_u8(w, value ? byte | 0x80 : byte);
        } while (value);
}

static uint32_t expiry_left(const struct message *m, uint64_t now)
{
        uint64_t left = m->expires > now ? m->expires - now : 1;
        return left > UINT32_MAX ? UINT32_MAX : (uint32_t)left;
}

void message_write_publish(struct writer *w, const struct message *m, const struct message_delivery *delivery,
                           uint64_t now)
{
        uint32_t properties = (uint32_t)m->properties.size + (m->expires ? 5 : 0);
        size_t remaining;

        for (size_t i = 0; i < delivery->id_count; i++)
                properties += 1 + (uint32_t)variable_size(delivery->ids[i]);
        remaining = 2 + m->topic.size + (delivery->qos ? 2 : 0) + variable_size(properties) + properties +
                    m->payload.size;
        writer_u8(w, (uint8_t)(MQTT_PUBLISH << 4 | delivery->dup << 3 | delivery->qos << 1 | delivery->retain));
        write_variable(w, (uint32_t)remaining);
        writer_u16(w, (uint16_t)m->topic.size);
        writer_bytes(w, m->topic);
        if (delivery->qos)
                writer_u16(w, delivery->packet_id);
        write_variable(w, properties);
        writer_bytes(w, m->properties);
        if (m->expires) {
                writer_u8(w, MQTT_P_MESSAGE_EXPIRY);
                writer_u32(w, expiry_left(m, now));
        }
        for (size_t i = 0; i < delivery->id_count; i++) {
                writer_u8(w, MQTT_P_SUBSCRIPTION_ID);
                write_variable(w, delivery->ids[i]);
        }
        writer_bytes(w, m->payload);
}
