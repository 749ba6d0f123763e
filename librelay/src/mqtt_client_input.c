/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MQTT client engine: receiving, and checking what the broker does.
 */

#include <string.h>

#include "mqtt_client_internal.h"

/* answers of one packet type to another */
enum outcome { OUTCOME_NONE, OUTCOME_EVENT };

static bool is_open(const struct mqtt_client *c)
{
        return c->state == MQTT_CLIENT_CONNECTING || c->state == MQTT_CLIENT_CONNECTED;
}

size_t mqtt_client_space(struct mqtt_client *c, uint8_t **at)
{
        c->rx_fill -= c->rx_at;
        memmove(c->rx, c->rx + c->rx_at, c->rx_fill);
        c->rx_at = 0;
        *at = c->rx + c->rx_fill;
        return c->rx_size - c->rx_fill;
}

void mqtt_client_received(struct mqtt_client *c, size_t size, uint64_t now_ms)
{
        c->now_ms = now_ms;
        if (size > 0 && is_open(c))
                c->last_received_ms = now_ms;
        c->rx_fill += size;
}

int mqtt_client_move(struct mqtt_client *c, uint8_t *rx, size_t rx_size)
{
        size_t unread = c->rx_fill - c->rx_at;

        if (unread > rx_size)
                return RELAY_E_SPACE;
        memmove(rx, c->rx + c->rx_at, unread);
        c->rx = rx;
        c->rx_size = rx_size;
        c->rx_fill = unread;
        c->rx_at = 0;
        return RELAY_OK;
}

size_t mqtt_client_input(struct mqtt_client *c, struct span bytes, uint64_t now_ms)
{
        uint8_t *at;

        c->now_ms = now_ms;
        if (!is_open(c))
                return bytes.size;
        size_t space = mqtt_client_space(c, &at);
        struct span taken = span_slice(bytes, 0, space);
        if (taken.size > 0)
                memcpy(at, taken.data, taken.size);
        mqtt_client_received(c, taken.size, now_ms);
        return taken.size;
}

static enum outcome refuse(struct mqtt_client *c, uint8_t reason)
{
        mqtt_client_close(c, reason, false);
        return OUTCOME_NONE;
}

static enum outcome answer(struct mqtt_client *c, enum mqtt_type type, uint16_t packet_id, uint8_t reason)
{
        struct mqtt_packet p = { .type = type, .ack = { .packet_id = packet_id, .reason = reason } };
        if (mqtt_client_queue(c, &p) != RELAY_OK)
                return refuse(c, MQTT_IMPLEMENTATION_ERROR);
        return OUTCOME_NONE;
}

/* The method stands in every packet of the exchange (section 4.12): ours, or none if we asked for none. */
static bool method_fits(const struct mqtt_client *c, const struct mqtt_props *props)
{
        if (c->authentication_method.size == 0)
                return !(props->present & (MQTT_PROP(MQTT_P_AUTH_METHOD) | MQTT_PROP(MQTT_P_AUTH_DATA)));
        return span_equal(props->authentication_method, c->authentication_method);
}

static enum outcome on_auth(struct mqtt_client *c, struct mqtt_client_event *event)
{
        if (c->authentication_method.size == 0 || c->authentication_asked ||
            event->packet.ack.reason != MQTT_CONTINUE_AUTHENTICATION || !method_fits(c, &event->packet.props))
                return refuse(c, MQTT_PROTOCOL_ERROR);
        c->authentication_asked = true;
        event->type = MQTT_CLIENT_EVENT_AUTH;
        return OUTCOME_EVENT;
}

static enum outcome on_connack(struct mqtt_client *c, struct mqtt_client_event *event)
{
        const struct mqtt_props *props = &event->packet.props;
        event->type = MQTT_CLIENT_EVENT_CONNACK;
        event->reason = event->packet.ack.reason;
        if (event->reason != MQTT_SUCCESS) {
                mqtt_client_close(c, event->reason, true);
                return OUTCOME_EVENT;
        }
        if (c->authentication_asked || !method_fits(c, props))
                return refuse(c, MQTT_PROTOCOL_ERROR);
        c->state = MQTT_CLIENT_CONNECTED;
        if (props->present & MQTT_PROP(MQTT_P_SERVER_KEEP_ALIVE))
                c->keep_alive_s = props->server_keep_alive;
        if (props->present & MQTT_PROP(MQTT_P_RECEIVE_MAXIMUM))
                c->send_maximum = props->receive_maximum;
        if (props->present & MQTT_PROP(MQTT_P_MAXIMUM_PACKET_SIZE))
                c->send_packet_maximum = props->maximum_packet_size;
        if (props->present & MQTT_PROP(MQTT_P_MAXIMUM_QOS))
                c->maximum_qos = props->maximum_qos;
        if (props->present & MQTT_PROP(MQTT_P_RETAIN_AVAILABLE))
                c->retain_available = props->retain_available;
        return OUTCOME_EVENT;
}

static enum outcome on_publish(struct mqtt_client *c, struct mqtt_client_event *event)
{
        if (event->packet.props.present & MQTT_PROP(MQTT_P_TOPIC_ALIAS)) /* we allow none */
                return refuse(c, MQTT_BAD_TOPIC_ALIAS);
        if (event->packet.publish.qos == 2)
                return answer(c, MQTT_PUBREC, event->packet.publish.packet_id, MQTT_IMPLEMENTATION_ERROR);
        if (event->packet.publish.qos == 1) {
                if (c->unacknowledged >= c->receive_maximum)
                        return refuse(c, MQTT_RECEIVE_MAXIMUM_EXCEEDED);
                c->unacknowledged++;
        }
        event->type = MQTT_CLIENT_EVENT_PUBLISH;
        return OUTCOME_EVENT;
}

static enum outcome on_answer(struct mqtt_client *c, struct mqtt_client_event *event, uint16_t packet_id,
                              enum mqtt_client_event_type type)
{
        if (!mqtt_client_land(c, packet_id, event->packet.type))
                return refuse(c, MQTT_PROTOCOL_ERROR);
        event->type = type;
        return OUTCOME_EVENT;
}

static enum outcome on_packet(struct mqtt_client *c, struct mqtt_client_event *event)
{
        switch (event->packet.type) {
        case MQTT_PUBLISH:
                return on_publish(c, event);
        case MQTT_PUBACK:
                event->reason = event->packet.ack.reason;
                return on_answer(c, event, event->packet.ack.packet_id, MQTT_CLIENT_EVENT_PUBACK);
        case MQTT_SUBACK:
                return on_answer(c, event, event->packet.suback.packet_id, MQTT_CLIENT_EVENT_SUBACK);
        case MQTT_UNSUBACK:
                return on_answer(c, event, event->packet.suback.packet_id, MQTT_CLIENT_EVENT_UNSUBACK);
        case MQTT_PUBREL: /* of an older program's session */
                return answer(c, MQTT_PUBCOMP, event->packet.ack.packet_id, MQTT_PACKET_ID_NOT_FOUND);
        case MQTT_PINGRESP:
                c->ping_outstanding = false;
                return OUTCOME_NONE;
        case MQTT_DISCONNECT:
                if (event->packet.props.present & MQTT_PROP(MQTT_P_SESSION_EXPIRY)) /* section 3.14.2.2.2 */
                        return refuse(c, MQTT_PROTOCOL_ERROR);
                mqtt_client_close(c, event->packet.ack.reason, true);
                return OUTCOME_NONE;
        case MQTT_CONNECT:
        case MQTT_CONNACK:
        case MQTT_PUBREC:
        case MQTT_PUBCOMP:
        case MQTT_SUBSCRIBE:
        case MQTT_UNSUBSCRIBE:
        case MQTT_PINGREQ:
        case MQTT_AUTH:
                break;
        }
        return refuse(c, MQTT_PROTOCOL_ERROR);
}

static int report_closed(struct mqtt_client *c, struct mqtt_client_event *event)
{
        if (c->closed_reported)
                return RELAY_MORE;
        c->closed_reported = true;
        event->type = MQTT_CLIENT_EVENT_CLOSED;
        event->reason = c->close_reason;
        event->by_peer = c->closed_by_peer;
        return RELAY_OK;
}

int mqtt_client_next(struct mqtt_client *c, struct mqtt_client_event *event)
{
        event->reason = 0;
        event->by_peer = false;
        while (is_open(c)) {
                struct span in = span_of(c->rx + c->rx_at, c->rx_fill - c->rx_at);
                size_t consumed;
                uint8_t reason = MQTT_UNSPECIFIED_ERROR;
                size_t maximum = c->packet_maximum < c->rx_size ? c->packet_maximum : c->rx_size;
                int result = mqtt_decode(in, MQTT_V5, maximum, &event->packet, &consumed, &reason);
                if (result == RELAY_MORE)
                        return RELAY_MORE;
                if (result != RELAY_OK) {
                        mqtt_client_close(c, reason, false);
                        break;
                }
                c->rx_at += consumed;
                enum outcome outcome = OUTCOME_NONE;
                if (c->state == MQTT_CLIENT_CONNECTED)
                        outcome = on_packet(c, event);
                else if (event->packet.type == MQTT_CONNACK)
                        outcome = on_connack(c, event);
                else if (event->packet.type == MQTT_AUTH)
                        outcome = on_auth(c, event);
                else
                        mqtt_client_close(c, MQTT_PROTOCOL_ERROR, false);
                if (outcome == OUTCOME_EVENT)
                        return RELAY_OK;
        }
        return c->state == MQTT_CLIENT_CLOSED ? report_closed(c, event) : RELAY_MORE;
}
