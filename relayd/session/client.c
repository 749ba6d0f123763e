/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packets of the client: checked, answered or made the next event. MQTT 5 packets go on as the very bytes that came,
 * unless an alias has to be resolved.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "session/internal.h"

static int fail(struct session *s, uint8_t reason)
{
        session_fail(s, reason);
        return 0;
}

/* whole: the packet's own bytes */
static int pass_on(struct session *s, const struct mqtt_packet *packet, struct span whole)
{
        if (s->version != MQTT_V5)
                return session_give(s, packet);
        s->packet = whole;
        return 0;
}

/* ---- PUBLISH */

static struct span *alias_slot(struct session *s, uint16_t alias)
{
        if (!s->aliases)
                s->aliases = calloc(s->limits.topic_alias_maximum, sizeof(*s->aliases));
        return s->aliases ? &s->aliases[alias - 1] : NULL;
}

static int alias_learn(struct session *s, struct span *slot, struct span topic)
{
        uint8_t *copy = malloc(topic.size);
        if (!copy)
                return -ENOMEM;
        memcpy(copy, topic.data, topic.size);
        s->alias_bytes += topic.size - slot->size;
        free((void *)slot->data);
        *slot = span_of(copy, topic.size);
        return 0;
}

/* Replaces alias by topic in the packet; 0 also if the session failed. */
static int resolve_alias(struct session *s, struct mqtt_packet *packet)
{
        uint16_t alias = packet->props.topic_alias;
        struct span *topic = &packet->publish.topic;
        if (alias > s->limits.topic_alias_maximum)
                return fail(s, MQTT_BAD_TOPIC_ALIAS);
        struct span *slot = alias_slot(s, alias);
        if (!slot)
                return -ENOMEM;
        if (topic->size == 0 && slot->size == 0)
                return fail(s, MQTT_PROTOCOL_ERROR);
        if (topic->size > 0) {
                if (s->alias_bytes - slot->size + topic->size > SESSION_ALIAS_BYTES_MAX)
                        return fail(s, MQTT_QUOTA_EXCEEDED);
                int r = alias_learn(s, slot, *topic);
                if (r < 0)
                        return r;
        }
        *topic = *slot;
        packet->props.present &= ~MQTT_PROP(MQTT_P_TOPIC_ALIAS);
        return session_give(s, packet);
}

/* Puts a publish in flight; *again: the client repeats one that is, which is answered already or will be. */
static int publish_takes_off(struct session *s, const struct mqtt_publish *publish, bool *again)
{
        enum flight state = flights_find(&s->from_client, publish->packet_id);
        *again = publish->dup && state != FLIGHT_NONE && state != FLIGHT_SUBSCRIBE && state != FLIGHT_UNSUBSCRIBE;
        if (*again)
                return 0;
        if (state != FLIGHT_NONE)
                return fail(s, MQTT_PROTOCOL_ERROR);
        if (s->version == MQTT_V5 && s->client_publishes >= s->limits.receive_maximum)
                return fail(s, MQTT_RECEIVE_MAXIMUM_EXCEEDED);
        int r = flights_set(&s->from_client, publish->packet_id, publish->qos == 1 ? FLIGHT_PUBACK : FLIGHT_PUBREC);
        if (r == 0)
                s->client_publishes++;
        return r;
}

static int on_publish(struct session *s, struct mqtt_packet *packet, struct span whole)
{
        bool again = false;
        if (packet->props.present & MQTT_PROP(MQTT_P_SUBSCRIPTION_ID)) /* section 3.3.4: only a server sends it */
                return fail(s, MQTT_PROTOCOL_ERROR);
        if (packet->publish.qos > 0) {
                int r = publish_takes_off(s, &packet->publish, &again);
                if (r < 0 || s->state == STATE_CLOSED)
                        return r;
        }
        if (packet->props.present & MQTT_PROP(MQTT_P_TOPIC_ALIAS)) {
                int r = resolve_alias(s, packet);
                if (again)
                        s->packet = SPAN_EMPTY;
                return r;
        }
        return again ? 0 : pass_on(s, packet, whole);
}

/* ---- acknowledgements */

/* Our publish is at its end, or its next step; an id that waits for nothing is an answer that came twice. */
static int on_puback(struct session *s, struct mqtt_packet *packet, struct span whole)
{
        enum flight state = flights_find(&s->to_client, packet->ack.packet_id);
        if (state == FLIGHT_NONE)
                return 0;
        if (state != FLIGHT_PUBACK)
                return fail(s, MQTT_PROTOCOL_ERROR);
        flights_remove(&s->to_client, packet->ack.packet_id);
        return pass_on(s, packet, whole);
}

static int on_pubrec(struct session *s, struct mqtt_packet *packet, struct span whole)
{
        uint16_t id = packet->ack.packet_id;
        switch (flights_find(&s->to_client, id)) {
        case FLIGHT_NONE:
                return packet->ack.reason < 0x80 ? session_send_ack(s, MQTT_PUBREL, id, MQTT_PACKET_ID_NOT_FOUND) : 0;
        case FLIGHT_PUBREC:
                if (packet->ack.reason >= 0x80)
                        flights_remove(&s->to_client, id);
                else
                        (void)flights_set(&s->to_client, id, FLIGHT_PUBREL); /* only a new id needs memory */
                return pass_on(s, packet, whole);
        case FLIGHT_PUBREL:
        case FLIGHT_PUBCOMP:
                return 0;
        case FLIGHT_PUBACK:
        case FLIGHT_SUBSCRIBE:
        case FLIGHT_UNSUBSCRIBE:
                break;
        }
        return fail(s, MQTT_PROTOCOL_ERROR);
}

static int on_pubcomp(struct session *s, struct mqtt_packet *packet, struct span whole)
{
        enum flight state = flights_find(&s->to_client, packet->ack.packet_id);
        if (state == FLIGHT_NONE)
                return 0;
        if (state != FLIGHT_PUBCOMP)
                return fail(s, MQTT_PROTOCOL_ERROR);
        flights_remove(&s->to_client, packet->ack.packet_id);
        return pass_on(s, packet, whole);
}

static int on_pubrel(struct session *s, struct mqtt_packet *packet, struct span whole)
{
        uint16_t id = packet->ack.packet_id;
        switch (flights_find(&s->from_client, id)) {
        case FLIGHT_NONE: /* of an earlier connection: the hub knows */
        case FLIGHT_PUBREL: {
                int r = flights_set(&s->from_client, id, FLIGHT_PUBCOMP);
                return r < 0 ? r : pass_on(s, packet, whole);
        }
        case FLIGHT_PUBCOMP:
                return 0;
        case FLIGHT_PUBACK:
        case FLIGHT_PUBREC:
        case FLIGHT_SUBSCRIBE:
        case FLIGHT_UNSUBSCRIBE:
                break;
        }
        return fail(s, MQTT_PROTOCOL_ERROR);
}

/* ---- SUBSCRIBE, UNSUBSCRIBE */

static bool has_shared(const struct mqtt_packet *packet)
{
        struct mqtt_filters it;
        struct mqtt_filter filter;
        mqtt_filters_init(&it, packet);
        while (mqtt_filters_next(&it, &filter))
                if (span_equal_string(span_slice(filter.filter, 0, 7), "$share/"))
                        return true;
        return false;
}

/* CONNACK said that there are none: MQTT 5 section 3.2.2.3.13. A 3.1.1 client could not know it. */
static int refuse_shared(struct session *s, const struct mqtt_packet *packet)
{
        if (s->version == MQTT_V5)
                return fail(s, MQTT_NO_SHARED_SUBSCRIPTIONS);
        uint8_t *codes = malloc(packet->subscribe.count);
        if (!codes)
                return -ENOMEM;
        memset(codes, MQTT_NO_SHARED_SUBSCRIPTIONS, packet->subscribe.count);
        struct mqtt_packet p = { .type = MQTT_SUBACK };
        p.suback = (struct mqtt_suback){ packet->subscribe.packet_id, span_of(codes, packet->subscribe.count) };
        int r = session_send(s, &p);
        free(codes);
        return r;
}

static int on_subscribe(struct session *s, struct mqtt_packet *packet, struct span whole)
{
        uint16_t id = packet->subscribe.packet_id;
        bool subscribe = packet->type == MQTT_SUBSCRIBE;
        if (flights_find(&s->from_client, id) != FLIGHT_NONE)
                return fail(s, MQTT_PROTOCOL_ERROR);
        if (subscribe && has_shared(packet))
                return refuse_shared(s, packet);
        int r = flights_set(&s->from_client, id, subscribe ? FLIGHT_SUBSCRIBE : FLIGHT_UNSUBSCRIBE);
        return r < 0 ? r : pass_on(s, packet, whole);
}

/* ---- DISCONNECT */

static int on_disconnect(struct session *s, struct mqtt_packet *packet, struct span whole)
{
        bool expiry = packet->props.present & MQTT_PROP(MQTT_P_SESSION_EXPIRY);
        if (expiry && s->expires_at_once && packet->props.session_expiry > 0) /* section 3.14.2.2.2 */
                return fail(s, MQTT_PROTOCOL_ERROR);
        int r = expiry ? pass_on(s, packet, whole) : 0;
        session_finish(s, packet->ack.reason, packet->ack.reason != MQTT_SUCCESS);
        return r;
}

/* ---- any packet */

static int on_packet(struct session *s, struct mqtt_packet *packet, struct span whole)
{
        if (s->state == STATE_PROVING)
                return session_on_proof(s, packet, whole);
        if (s->state != STATE_OPEN)
                return session_on_connect(s, packet);
        switch (packet->type) {
        case MQTT_PUBLISH:
                return on_publish(s, packet, whole);
        case MQTT_PUBACK:
                return on_puback(s, packet, whole);
        case MQTT_PUBREC:
                return on_pubrec(s, packet, whole);
        case MQTT_PUBREL:
                return on_pubrel(s, packet, whole);
        case MQTT_PUBCOMP:
                return on_pubcomp(s, packet, whole);
        case MQTT_SUBSCRIBE:
        case MQTT_UNSUBSCRIBE:
                return on_subscribe(s, packet, whole);
        case MQTT_PINGREQ:
                return session_send_ack(s, MQTT_PINGRESP, 0, 0);
        case MQTT_DISCONNECT:
                return on_disconnect(s, packet, whole);
        case MQTT_AUTH:
                return session_on_auth(s, packet, whole);
        case MQTT_CONNECT:
        case MQTT_CONNACK:
        case MQTT_SUBACK:
        case MQTT_UNSUBACK:
        case MQTT_PINGRESP:
                break;
        }
        return fail(s, MQTT_PROTOCOL_ERROR);
}

int session_interpret(struct session *s, struct span bytes, size_t *consumed)
{
        struct mqtt_packet packet;
        uint8_t reason = MQTT_UNSPECIFIED_ERROR;
        int version = s->state == STATE_OPEN || s->state == STATE_PROVING ? s->version : 0;
        packet.connect.version = (enum mqtt_version)0;
        int result = mqtt_decode(bytes, version, s->limits.packet_max, &packet, consumed, &reason);
        if (result == RELAY_MORE)
                return result;
        if (result == RELAY_OK) {
                int r = on_packet(s, &packet, span_slice(bytes, 0, *consumed));
                if (r < 0)
                        session_fail(s, r == -EMSGSIZE ? MQTT_PACKET_TOO_LARGE : MQTT_UNSPECIFIED_ERROR);
                return RELAY_OK;
        }
        *consumed = bytes.size;
        bool connect = bytes.data[0] >> 4 == MQTT_CONNECT;
        if (s->state == STATE_OPEN)
                session_fail(s, connect ? MQTT_PROTOCOL_ERROR : reason);
        else if (s->state == STATE_PROVING)
                (void)session_refuse_connect(s, reason); /* without memory the end alone tells it */
        else
                session_on_bad_connect(s, connect ? (uint8_t)packet.connect.version : 0, reason);
        return RELAY_OK;
}
