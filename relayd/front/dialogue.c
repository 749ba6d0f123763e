/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Between one client's session and the hub: input to packets, packets to output, and who has to wait.
 */
#include "front/connection.h"

#include <string.h>

#include "util/cleanup.h"
#include "util/time.h"

#define READS_PER_TURN 4

void connection_block(struct connection *c)
{
        c->blocked = true;
        if (!front_hub_takes(c->front))
                connection_list_add(c, LIST_BLOCKED);
        connection_watch(c);
}

bool connection_hub_takes(const struct connection *c)
{
        return c->credit > 0 && front_hub_takes(c->front);
}

static void packet_to_hub(struct connection *c, struct span packet)
{
        struct channel_message message = { .type = CHANNEL_PACKET, .session = c->number, .packet = packet };

        if (!c->hub_knows)
                return;
        if (!front_send(c->front, &message)) /* too large once normalised */
                session_close(c->session, MQTT_PACKET_TOO_LARGE);
        else if (c->credit != CREDIT_UNLIMITED)
                c->credit--;
}

/* false: the hub takes no more now, events may be left */
bool connection_events_to_hub(struct connection *c)
{
        struct session_event event;

        while (c->state == STATE_TALKING) {
                if (!connection_hub_takes(c) && c->hub_knows)
                        return false;
                if (session_next(c->session, &event) != 0)
                        return true;
                switch (event.type) {
                case SESSION_EVENT_PACKET:
                        packet_to_hub(c, event.packet);
                        break;
                case SESSION_EVENT_CLOSE:
                        connection_tell_hub_closed(c, event.mqtt_reason,
                                                   event.with_will ? CHANNEL_CLOSE_WITH_WILL : CHANNEL_CLOSE_NORMAL);
                        connection_begin_closing(c);
                        break;
                }
        }
        return true;
}

/* false: connection lost for want of memory */
static bool hold(struct connection *c, struct span rest)
{
        uint8_t *copy = rest.size ? malloc(rest.size) : NULL;

        if (rest.size && !copy)
                return false;
        if (rest.size)
                memcpy(copy, rest.data, rest.size);
        free(c->held);
        c->held = copy;
        c->held_size = rest.size;
        return true;
}

/* Input to the session and its events to the hub, in turns; what hub or session do not take yet is kept. */
static bool feed(struct connection *c, struct span input)
{
        while (c->state == STATE_TALKING) {
                size_t taken = session_input(c->session, input, time_monotonic_ms());
                input = span_slice(input, taken, input.size - taken);
                if (!connection_events_to_hub(c) || (input.size > 0 && !session_takes_input(c->session))) {
                        connection_block(c);
                        return hold(c, input);
                }
                if (input.size == 0)
                        break;
        }
        return true;
}

void connection_read(struct connection *c)
{
        for (int i = 0; c->state == STATE_TALKING && (i < READS_PER_TURN || tls_pending(c->tls)); i++) {
                size_t size = 0;
                if (!session_takes_input(c->session) || (c->hub_knows && !connection_hub_takes(c))) {
                        connection_block(c);
                        break;
                }
                int r = tls_read(c->tls, c->front->read_buffer, READ_SIZE, &size);
                if (r == TLS_WANT_READ)
                        break;
                if (r == TLS_WANT_WRITE) {
                        c->want_write = true;
                        connection_watch(c);
                        break;
                }
                if (r != 0 || !feed(c, span_of(c->front->read_buffer, size))) {
                        connection_lose(c);
                        return;
                }
        }
        connection_mark_dirty(c);
}

void connection_unblock(struct connection *c)
{
        connection_list_remove(c, LIST_BLOCKED);
        if (!c->blocked || !connection_hub_takes(c) || !session_takes_input(c->session))
                return;
        uint8_t *held = steal_pointer(c->held);
        struct span input = span_of(held, c->held_size);
        c->held_size = 0; /* the next block may have nothing to hold */
        c->blocked = false;
        bool good = feed(c, input);
        free(held);
        if (!good) {
                connection_lose(c);
                return;
        }
        connection_watch(c);
        connection_mark_dirty(c);
}

/* 0 or -ENOMEM; the hub has answered OPEN */
static int start_session(struct connection *c)
{
        int r = session_new(&c->session, &c->front->limits, time_monotonic_ms());

        if (r < 0)
                return r;
        c->state = STATE_TALKING;
        connection_arm(c, session_deadline(c->session));
        return 0;
}

static void admit(struct connection *c, const struct channel_admit *message)
{
        if (c->state != STATE_ASKING || start_session(c) < 0 ||
            session_admit(c->session, message->identity, time_monotonic_ms()) < 0) {
                connection_lose(c);
                return;
        }
        connection_watch(c);
}

/* the client still gets a CONNACK that says why */
static void refuse(struct connection *c, const struct channel_refuse *message)
{
        char why[64];

        span_to_string(message->reason, why, sizeof(why));
        connection_log_refusal(c, why);
        c->hub_knows = false;
        if (c->state != STATE_ASKING || start_session(c) < 0) {
                connection_destroy(c);
                return;
        }
        session_refuse(c->session, message->mqtt_reason);
        connection_watch(c);
}

static bool is_qos_0_publish(struct span packet)
{
        return packet.data[0] >> 4 == MQTT_PUBLISH && !(packet.data[0] & 0x06);
}

static void packet_to_client(struct connection *c, struct span packet)
{
        if (c->state != STATE_TALKING)
                return;
        if (session_output_full(c->session)) {
                if (!is_qos_0_publish(packet)) /* the receive maximum bounds the others: this client does not read */
                        session_close(c->session, MQTT_QUOTA_EXCEEDED);
        } else if (session_from_hub(c->session, packet, time_monotonic_ms()) < 0) {
                log_error("%s: the hub sent a packet that is none; closing the session", c->peer);
                session_close(c->session, MQTT_IMPLEMENTATION_ERROR);
        }
        connection_mark_dirty(c);
}

static void close_for_hub(struct connection *c, uint8_t mqtt_reason)
{
        c->hub_knows = false;
        if (!c->session) {
                connection_destroy(c);
                return;
        }
        if (c->state != STATE_TALKING)
                return;
        session_close(c->session, mqtt_reason);
        connection_mark_dirty(c);
}

void connection_message(struct connection *c, const struct channel_message *message)
{
        switch (message->type) {
        case CHANNEL_ADMIT:
                admit(c, &message->admit);
                break;
        case CHANNEL_REFUSE:
                refuse(c, &message->refuse);
                break;
        case CHANNEL_PACKET:
                packet_to_client(c, message->packet);
                break;
        case CHANNEL_CLOSE:
                close_for_hub(c, message->close.mqtt_reason);
                break;
        case CHANNEL_CREDIT:
                c->credit = message->credit;
                connection_unblock(c);
                break;
        case CHANNEL_HELLO:
        case CHANNEL_OPEN:
        case CHANNEL_STOP:
                break; /* not of a session */
        }
}
