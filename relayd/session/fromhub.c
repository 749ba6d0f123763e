/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packets of the hub: followed, and written in the client's version and within its limits.
 */

#include <errno.h>
#include <stdlib.h>

#include "session/internal.h"
#include "util/array.h"

/* The client shall never miss a refusal silently; 3.1.1 has no words for it but the end of the connection. */
static int acknowledge(struct session *s, const struct mqtt_packet *packet)
{
        if (s->version == MQTT_V311 && packet->ack.reason >= 0x80) {
                session_finish(s, packet->ack.reason, true);
                return 0;
        }
        return session_send(s, packet);
}

static int on_puback(struct session *s, const struct mqtt_packet *packet)
{
        if (flights_find(&s->from_client, packet->ack.packet_id) != FLIGHT_PUBACK)
                return -EBADMSG;
        flights_remove(&s->from_client, packet->ack.packet_id);
        s->client_publishes--;
        return acknowledge(s, packet);
}

static int on_pubrec(struct session *s, const struct mqtt_packet *packet)
{
        uint16_t id = packet->ack.packet_id;
        if (flights_find(&s->from_client, id) != FLIGHT_PUBREC)
                return -EBADMSG;
        if (packet->ack.reason >= 0x80) {
                flights_remove(&s->from_client, id);
                s->client_publishes--;
        } else {
                (void)flights_set(&s->from_client, id, FLIGHT_PUBREL); /* only a new id needs memory */
        }
        return acknowledge(s, packet);
}

static int on_pubrel(struct session *s, const struct mqtt_packet *packet)
{
        enum flight state = flights_find(&s->to_client, packet->ack.packet_id);
        if (state != FLIGHT_PUBREL && state != FLIGHT_NONE) /* none: of an earlier connection */
                return -EBADMSG;
        int r = flights_set(&s->to_client, packet->ack.packet_id, FLIGHT_PUBCOMP);
        return r < 0 ? r : session_send(s, packet);
}

static int on_suback(struct session *s, const struct mqtt_packet *packet)
{
        enum flight state = flights_find(&s->from_client, packet->suback.packet_id);
        if (state != (packet->type == MQTT_SUBACK ? FLIGHT_SUBSCRIBE : FLIGHT_UNSUBSCRIBE))
                return -EBADMSG;
        flights_remove(&s->from_client, packet->suback.packet_id);
        return session_send(s, packet);
}

/* ---- PUBLISH */

/* The engine answers for the client, so that the hub does not wait for ever. */
static int queue_ack(struct session *s, enum mqtt_type type, uint16_t packet_id)
{
        if (array_reserve(s->acks, s->ack_count, s->ack_size) < 0)
                return -ENOMEM;
        s->acks[s->ack_count++] = (struct session_ack){ (uint8_t)type, packet_id };
        return 0;
}

static int drop_publish(struct session *s, const struct mqtt_publish *publish)
{
        if (publish->qos == 0)
                return 0;
        return queue_ack(s, publish->qos == 1 ? MQTT_PUBACK : MQTT_PUBREC, publish->packet_id);
}

static int on_publish(struct session *s, const struct mqtt_packet *packet, struct span whole)
{
        const struct mqtt_publish *publish = &packet->publish;
        if (packet->props.present & MQTT_PROP(MQTT_P_TOPIC_ALIAS))
                return -EBADMSG;
        if (publish->qos == 0 && session_output_full(s))
                return 0;
        if (s->client_packet_max && whole.size > s->client_packet_max)
                return drop_publish(s, publish);
        if (publish->qos > 0) {
                if (flights_find(&s->to_client, publish->packet_id) != FLIGHT_NONE)
                        return -EBADMSG;
                int r = flights_set(&s->to_client, publish->packet_id,
                                    publish->qos == 1 ? FLIGHT_PUBACK : FLIGHT_PUBREC);
                if (r < 0)
                        return r;
        }
        return s->version == MQTT_V5 ? buffer_append(&s->tx, whole) : session_send(s, packet);
}

static int on_disconnect(struct session *s, const struct mqtt_packet *packet)
{
        int r = s->version == MQTT_V5 && s->state == STATE_OPEN ? session_send(s, packet) : 0;
        session_finish(s, packet->ack.reason, true);
        return r;
}

/* ---- any packet */

/* Section 3.1.2.11.4 and .7: texts are left out for a client that wants none or cannot take a packet of this size. */
static void leave_out_texts(const struct session *s, struct mqtt_packet *packet, size_t size)
{
        bool answer = packet->type != MQTT_CONNACK && packet->type != MQTT_DISCONNECT;
        bool large = s->client_packet_max && size > s->client_packet_max;
        if (large || (answer && s->no_problem_texts))
                packet->props.present &= ~(MQTT_PROP(MQTT_P_REASON_STRING) | MQTT_PROP(MQTT_P_USER));
}

static int on_packet(struct session *s, struct mqtt_packet *packet, struct span whole)
{
        switch (packet->type) {
        case MQTT_CONNACK:
                return session_on_connack(s, packet);
        case MQTT_PUBLISH:
                return on_publish(s, packet, whole);
        case MQTT_PUBACK:
                return on_puback(s, packet);
        case MQTT_PUBREC:
                return on_pubrec(s, packet);
        case MQTT_PUBREL:
                return on_pubrel(s, packet);
        case MQTT_PUBCOMP:
                if (flights_find(&s->from_client, packet->ack.packet_id) != FLIGHT_PUBCOMP)
                        return -EBADMSG;
                flights_remove(&s->from_client, packet->ack.packet_id);
                if (s->client_publishes > 0)
                        s->client_publishes--;
                return session_send(s, packet);
        case MQTT_SUBACK:
        case MQTT_UNSUBACK:
                return on_suback(s, packet);
        case MQTT_DISCONNECT:
                return on_disconnect(s, packet);
        case MQTT_AUTH:
                return session_on_hub_auth(s, packet);
        case MQTT_CONNECT:
        case MQTT_SUBSCRIBE:
        case MQTT_UNSUBSCRIBE:
        case MQTT_PINGREQ:
        case MQTT_PINGRESP:
                break;
        }
        return -EBADMSG;
}

int session_from_hub(struct session *s, struct span bytes, uint64_t now_ms)
{
        struct mqtt_packet packet;
        size_t consumed;
        uint8_t reason;
        (void)now_ms;
        if (s->state == STATE_CLOSED)
                return 0;
        if (mqtt_decode(bytes, MQTT_V5, SIZE_MAX, &packet, &consumed, &reason) != RELAY_OK || consumed != bytes.size)
                return -EBADMSG;
        bool early = packet.type == MQTT_CONNACK || packet.type == MQTT_DISCONNECT || packet.type == MQTT_AUTH;
        if (s->state != STATE_OPEN && !early)
                return -EBADMSG;
        if (packet.type != MQTT_PUBLISH)
                leave_out_texts(s, &packet, bytes.size);
        int r = on_packet(s, &packet, bytes);
        if (r != -EMSGSIZE)
                return r;
        session_fail(s, MQTT_PACKET_TOO_LARGE);
        return 0;
}
