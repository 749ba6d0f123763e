/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Session engine: its life, its input and output, its time.
 */

#include "session/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "session/internal.h"

int session_new(struct session **ret, const struct session_limits *limits, uint64_t now_ms)
{
        struct session *s = calloc(1, sizeof(*s));
        if (!s)
                return -ENOMEM;
        s->limits = *limits;
        s->started_ms = s->last_received_ms = now_ms;
        *ret = s;
        return 0;
}

static void free_aliases(struct session *s)
{
        for (size_t i = 0; s->aliases && i < s->limits.topic_alias_maximum; i++)
                free((void *)s->aliases[i].data);
        free(s->aliases);
        s->aliases = NULL;
}

struct session *session_free(struct session *s)
{
        if (!s)
                return NULL;
        buffer_clear(&s->rx);
        buffer_clear(&s->tx);
        flights_clear(&s->from_client);
        flights_clear(&s->to_client);
        free_aliases(s);
        free(s->acks);
        free(s->normal);
        free(s->identity);
        free(s->method);
        free(s);
        return NULL;
}

int session_admit(struct session *s, struct span identity, uint64_t now_ms)
{
        (void)now_ms;
        if (s->state != STATE_NEW)
                return 0;
        s->identity = malloc(identity.size ? identity.size : 1);
        if (!s->identity)
                return -ENOMEM;
        if (identity.size)
                memcpy(s->identity, identity.data, identity.size);
        s->identity_size = identity.size;
        s->state = STATE_ADMITTED;
        return 0;
}

void session_refuse(struct session *s, uint8_t mqtt_reason)
{
        if (s->state != STATE_NEW)
                return;
        s->refusal = mqtt_reason;
        s->state = STATE_REFUSED;
}

void session_finish(struct session *s, uint8_t reason, bool with_will)
{
        s->state = STATE_CLOSED;
        s->close_pending = true;
        s->close_reason = reason;
        s->close_with_will = with_will;
}

void session_fail(struct session *s, uint8_t reason)
{
        uint8_t told = mqtt_reason_fits(MQTT_DISCONNECT, reason) ? reason : MQTT_UNSPECIFIED_ERROR;
        if (s->state == STATE_OPEN && s->version == MQTT_V5)
                (void)session_send_ack(s, MQTT_DISCONNECT, 0, told); /* without memory the end alone tells it */
        session_finish(s, reason, true);
}

void session_close(struct session *s, uint8_t mqtt_reason)
{
        if (s->state == STATE_CLOSED)
                return;
        if (s->state == STATE_CONNECTING || s->state == STATE_PROVING)
                (void)session_refuse_connect(s, mqtt_reason);
        session_fail(s, mqtt_reason);
}

/* ---- input */

static bool interprets(const struct session *s)
{
        return s->state == STATE_REFUSED || s->state == STATE_ADMITTED || s->state == STATE_PROVING ||
               s->state == STATE_OPEN;
}

static bool has_event(const struct session *s)
{
        return s->packet.size > 0 || s->ack_count > 0 || s->close_pending;
}

bool session_takes_input(const struct session *s)
{
        if (s->state == STATE_CLOSED)
                return true;
        return !session_output_full(s) && (interprets(s) || s->rx.fill - s->rx.at < s->limits.packet_max);
}

/* The last event's packet is not needed any more. */
static void release(struct session *s)
{
        if (s->packet.size > 0)
                return;
        free(s->normal);
        s->normal = NULL;
        if (s->rx.data && s->rx.at == s->rx.fill)
                buffer_clear(&s->rx);
}

/* rx.at moves on, but the bytes stay until release(): an event may point to them */
static void interpret_rx(struct session *s)
{
        size_t consumed;
        while (interprets(s) && !has_event(s) && s->rx.fill > s->rx.at && !session_output_full(s)) {
                if (session_interpret(s, buffer_span(&s->rx), &consumed) == RELAY_MORE)
                        return;
                s->rx.at += consumed;
        }
}

static size_t keep(struct session *s, struct span bytes)
{
        size_t held = s->rx.fill - s->rx.at;
        struct span part = span_slice(bytes, 0, s->limits.packet_max > held ? s->limits.packet_max - held : 0);
        if (buffer_append(&s->rx, part) < 0) {
                session_fail(s, MQTT_UNSPECIFIED_ERROR);
                return bytes.size;
        }
        return part.size;
}

/* Completes the packet whose beginning is in rx; gives how many bytes that took. */
static size_t complete_rx(struct session *s, struct span bytes)
{
        size_t at = 0, whole;
        while (at < bytes.size && interprets(s) && !has_event(s) && s->rx.fill > s->rx.at) {
                size_t held = s->rx.fill - s->rx.at;
                if (session_interpret(s, buffer_span(&s->rx), &whole) != RELAY_MORE) {
                        s->rx.at += whole;
                        continue;
                }
                size_t missing = whole > held ? whole - held : 1; /* byte by byte until the length is known */
                struct span part = span_slice(bytes, at, missing);
                if (buffer_append(&s->rx, part) < 0) {
                        session_fail(s, MQTT_UNSPECIFIED_ERROR);
                        return bytes.size;
                }
                at += part.size;
        }
        interpret_rx(s);
        return at;
}

/* Whole packets are interpreted where they lie. */
static size_t interpret_direct(struct session *s, struct span bytes)
{
        size_t at = 0, consumed;
        while (at < bytes.size && interprets(s) && !has_event(s) && !session_output_full(s)) {
                struct span rest = span_slice(bytes, at, bytes.size);
                if (session_interpret(s, rest, &consumed) == RELAY_MORE)
                        return at + keep(s, rest);
                at += consumed;
        }
        return at;
}

size_t session_input(struct session *s, struct span bytes, uint64_t now_ms)
{
        size_t taken = 0;
        if (bytes.size > 0)
                s->last_received_ms = now_ms;
        if (has_event(s))
                return 0;
        release(s);
        if (s->state == STATE_CLOSED)
                return bytes.size;
        if (session_output_full(s))
                return 0;
        if (!interprets(s))
                return keep(s, bytes);
        if (s->rx.fill > s->rx.at)
                taken = complete_rx(s, bytes);
        if (s->rx.fill > s->rx.at || has_event(s))
                return taken;
        release(s);
        if (s->state == STATE_CLOSED)
                return bytes.size;
        struct span rest = span_slice(bytes, taken, bytes.size);
        return taken + (interprets(s) ? interpret_direct(s, rest) : keep(s, rest));
}

/* ---- events */

static void next_ack(struct session *s, struct span *packet)
{
        struct mqtt_packet p = { .type = (enum mqtt_type)s->acks[0].type };
        struct writer w;
        p.ack.packet_id = s->acks[0].packet_id;
        if (p.type == MQTT_PUBREC) /* PUBREC with success would ask for a PUBREL */
                p.ack.reason = MQTT_UNSPECIFIED_ERROR;
        writer_init(&w, s->ack_bytes, sizeof(s->ack_bytes));
        (void)mqtt_encode(&w, MQTT_V5, &p); /* at most 5 bytes */
        *packet = writer_span(&w);
        memmove(s->acks, s->acks + 1, --s->ack_count * sizeof(*s->acks));
        if (s->ack_count == 0) {
                free(s->acks);
                s->acks = NULL;
                s->ack_size = 0;
        }
}

int session_next(struct session *s, struct session_event *event)
{
        release(s);
        if (!has_event(s))
                interpret_rx(s);
        if (!has_event(s))
                return 1;
        *event = (struct session_event){ .type = SESSION_EVENT_PACKET };
        if (s->packet.size > 0) {
                event->packet = s->packet;
                s->packet = SPAN_EMPTY;
        } else if (s->ack_count > 0) {
                next_ack(s, &event->packet);
        } else {
                s->close_pending = false;
                event->type = SESSION_EVENT_CLOSE;
                event->mqtt_reason = s->close_reason;
                event->with_will = s->close_with_will;
        }
        return 0;
}

/* ---- output */

struct span session_output(const struct session *s)
{
        return buffer_span(&s->tx);
}

void session_sent(struct session *s, size_t bytes, uint64_t now_ms)
{
        (void)now_ms;
        buffer_drop(&s->tx, bytes);
}

bool session_output_full(const struct session *s)
{
        return s->tx.fill - s->tx.at >= s->limits.output_max;
}

/* ---- time */

uint64_t session_deadline(const struct session *s)
{
        switch (s->state) {
        case STATE_NEW:
        case STATE_REFUSED:
        case STATE_ADMITTED:
                return s->started_ms + s->limits.connect_timeout_ms;
        case STATE_OPEN:
                return s->keep_alive_s ? s->last_received_ms + s->keep_alive_s * UINT64_C(1500) : UINT64_MAX;
        case STATE_CONNECTING:
        case STATE_PROVING: /* the hub ends it */
        case STATE_CLOSED:
                break;
        }
        return UINT64_MAX;
}

void session_tick(struct session *s, uint64_t now_ms)
{
        if (now_ms >= session_deadline(s))
                session_fail(s, MQTT_KEEP_ALIVE_TIMEOUT);
}
