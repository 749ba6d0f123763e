/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory of a session that exists only while bytes are in it, and packets written into it.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "session/internal.h"

#define BUFFER_FIRST 128

struct span buffer_span(const struct buffer *b)
{
        return span_of(b->data ? b->data + b->at : NULL, b->fill - b->at);
}

static int buffer_reserve(struct buffer *b, size_t bytes)
{
        if (b->at > 0) {
                b->fill -= b->at;
                memmove(b->data, b->data + b->at, b->fill);
                b->at = 0;
        }
        if (b->size - b->fill >= bytes)
                return 0;
        size_t size = b->size ? b->size : BUFFER_FIRST;
        while (size - b->fill < bytes)
                size *= 2;
        uint8_t *data = realloc(b->data, size);
        if (!data)
                return -ENOMEM;
        b->data = data;
        b->size = size;
        return 0;
}

int buffer_append(struct buffer *b, struct span bytes)
{
        if (bytes.size == 0)
                return 0;
        int r = buffer_reserve(b, bytes.size);
        if (r < 0)
                return r;
        memcpy(b->data + b->fill, bytes.data, bytes.size);
        b->fill += bytes.size;
        return 0;
}

void buffer_drop(struct buffer *b, size_t bytes)
{
        b->at += bytes < b->fill - b->at ? bytes : b->fill - b->at;
        if (b->at == b->fill)
                buffer_clear(b);
}

void buffer_clear(struct buffer *b)
{
        free(b->data);
        *b = (struct buffer){ 0 };
}

static int result_to_errno(int result)
{
        return result == RELAY_OK ? 0 : -EBADMSG;
}

int session_send(struct session *s, const struct mqtt_packet *packet)
{
        struct writer w;
        writer_init(&w, NULL, 0);
        (void)mqtt_encode(&w, s->version, packet);
        size_t size = writer_needed(&w);
        if (s->client_packet_max && size > s->client_packet_max)
                return -EMSGSIZE;
        int r = buffer_reserve(&s->tx, size);
        if (r < 0)
                return r;
        writer_init(&w, s->tx.data + s->tx.fill, size);
        r = result_to_errno(mqtt_encode(&w, s->version, packet));
        if (r == 0)
                s->tx.fill += size;
        return r;
}

int session_send_ack(struct session *s, enum mqtt_type type, uint16_t packet_id, uint8_t reason)
{
        struct mqtt_packet p = { .type = type, .ack = { .packet_id = packet_id, .reason = reason } };
        return session_send(s, &p);
}

int session_give(struct session *s, const struct mqtt_packet *packet)
{
        struct writer w;
        writer_init(&w, NULL, 0);
        (void)mqtt_encode(&w, MQTT_V5, packet);
        size_t size = writer_needed(&w);
        if (size > s->limits.packet_max)
                return -EMSGSIZE;
        uint8_t *normal = malloc(size);
        if (!normal)
                return -ENOMEM;
        writer_init(&w, normal, size);
        int r = result_to_errno(mqtt_encode(&w, MQTT_V5, packet));
        if (r < 0) {
                free(normal);
                return r;
        }
        free(s->normal);
        s->normal = normal;
        s->packet = span_of(normal, size);
        return 0;
}
