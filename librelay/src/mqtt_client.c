/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MQTT client engine: connecting, sending, time.
 */

#include <string.h>

#include "mqtt_client_internal.h"

void mqtt_client_init(struct mqtt_client *c, uint8_t *rx, size_t rx_size, uint8_t *tx, size_t tx_size, uint64_t now_ms)
{
        *c = (struct mqtt_client){ .rx = rx, .rx_size = rx_size, .tx = tx, .tx_size = tx_size, .now_ms = now_ms };
}

int mqtt_client_queue(struct mqtt_client *c, const struct mqtt_packet *packet)
{
        struct writer w;
        writer_init(&w, c->tx + c->tx_fill, c->tx_size - c->tx_fill);
        int result = mqtt_encode(&w, MQTT_V5, packet);
        if (result != RELAY_OK)
                return result;
        if (c->send_packet_maximum && writer_needed(&w) > c->send_packet_maximum)
                return RELAY_E_RANGE;
        c->tx_fill += writer_needed(&w);
        return RELAY_OK;
}

static void fill_connect(struct mqtt_packet *p, const struct mqtt_client *c, const struct mqtt_client_config *config)
{
        *p = (struct mqtt_packet){ .type = MQTT_CONNECT };
        p->connect = (struct mqtt_connect){
                .version = MQTT_V5,
                .clean_start = config->clean_start,
                .keep_alive_s = config->keep_alive_s,
                .client_id = config->client_id,
                .has_will = config->has_will,
                .will_qos = config->will_qos,
                .will_retain = config->will_retain,
                .will_topic = config->will_topic,
                .will_payload = config->will_payload,
        };
        p->props.present = MQTT_PROP(MQTT_P_MAXIMUM_PACKET_SIZE);
        p->props.maximum_packet_size = c->packet_maximum;
        if (config->session_expiry_s) {
                p->props.present |= MQTT_PROP(MQTT_P_SESSION_EXPIRY);
                p->props.session_expiry = config->session_expiry_s;
        }
        if (config->receive_maximum) {
                p->props.present |= MQTT_PROP(MQTT_P_RECEIVE_MAXIMUM);
                p->props.receive_maximum = config->receive_maximum;
        }
        if (config->user_properties.size) {
                p->props.present |= MQTT_PROP(MQTT_P_USER);
                p->props.user = config->user_properties;
        }
        if (config->authentication_method.size) {
                p->props.present |= MQTT_PROP(MQTT_P_AUTH_METHOD);
                p->props.authentication_method = config->authentication_method;
        }
}

int mqtt_client_connect(struct mqtt_client *c, const struct mqtt_client_config *config, uint64_t now_ms)
{
        struct mqtt_packet p;
        uint16_t next_packet_id = c->next_packet_id;
        size_t maximum = config->maximum_packet_size;
        size_t rx_size = config->rx_size_later > c->rx_size ? config->rx_size_later : c->rx_size;
        mqtt_client_init(c, c->rx, c->rx_size, c->tx, c->tx_size, now_ms);
        c->next_packet_id = next_packet_id;
        c->keep_alive_s = config->keep_alive_s;
        c->receive_maximum = config->receive_maximum ? config->receive_maximum : UINT16_MAX;
        c->packet_maximum = (uint32_t)(maximum && maximum < rx_size ? maximum : rx_size);
        c->send_maximum = UINT16_MAX;
        c->maximum_qos = 2;
        c->retain_available = true;
        c->connack_timeout_ms = config->connack_timeout_ms;
        c->authentication_method = config->authentication_method;
        c->connect_sent_ms = c->last_sent_ms = c->last_received_ms = now_ms;
        fill_connect(&p, c, config);
        int result = mqtt_client_queue(c, &p);
        if (result == RELAY_OK)
                c->state = MQTT_CLIENT_CONNECTING;
        return result;
}

/* ---- packet ids in flight */

static size_t find_flight(const struct mqtt_client *c, uint16_t packet_id)
{
        size_t i = 0;
        while (i < MQTT_CLIENT_FLIGHTS && c->flights[i] != packet_id)
                i++;
        return i;
}

static uint16_t free_packet_id(const struct mqtt_client *c)
{
        uint16_t id = c->next_packet_id;
        do
                id++;
        while (id == 0 || find_flight(c, id) < MQTT_CLIENT_FLIGHTS);
        return id;
}

static void take_off(struct mqtt_client *c, uint16_t packet_id, enum mqtt_type answer)
{
        size_t i = find_flight(c, 0);
        c->flights[i] = packet_id;
        c->flight_types[i] = (uint8_t)answer;
        if (answer == MQTT_PUBACK)
                c->in_flight++;
}

bool mqtt_client_land(struct mqtt_client *c, uint16_t packet_id, enum mqtt_type answer)
{
        size_t i = find_flight(c, packet_id);
        if (i == MQTT_CLIENT_FLIGHTS || c->flight_types[i] != answer)
                return false;
        c->flights[i] = 0;
        if (answer == MQTT_PUBACK)
                c->in_flight--;
        return true;
}

/* ---- sending */

static int queue_publish_1(struct mqtt_client *c, struct mqtt_packet *p, uint16_t *packet_id)
{
        if (c->in_flight >= c->send_maximum || c->in_flight >= MQTT_CLIENT_PUBLISHES_MAX ||
            find_flight(c, 0) == MQTT_CLIENT_FLIGHTS)
                return RELAY_E_SPACE;
        if (!p->publish.dup)
                p->publish.packet_id = free_packet_id(c);
        else if (p->publish.packet_id == 0 || find_flight(c, p->publish.packet_id) < MQTT_CLIENT_FLIGHTS)
                return RELAY_E_STATE;
        int result = mqtt_client_queue(c, p);
        if (result != RELAY_OK)
                return result;
        if (!p->publish.dup)
                c->next_packet_id = p->publish.packet_id;
        take_off(c, p->publish.packet_id, MQTT_PUBACK);
        if (packet_id)
                *packet_id = p->publish.packet_id;
        return RELAY_OK;
}

int mqtt_client_publish(struct mqtt_client *c, const struct mqtt_publish *publish, const struct mqtt_props *props,
                        uint16_t *packet_id)
{
        struct mqtt_packet p = { .type = MQTT_PUBLISH };
        if (c->state != MQTT_CLIENT_CONNECTED)
                return RELAY_E_STATE;
        if (publish->qos > 1 || publish->qos > c->maximum_qos || (publish->retain && !c->retain_available))
                return RELAY_E_RANGE;
        p.publish = *publish;
        if (props)
                p.props = *props;
        return publish->qos ? queue_publish_1(c, &p, packet_id) : mqtt_client_queue(c, &p);
}

int mqtt_client_puback(struct mqtt_client *c, uint16_t packet_id, uint8_t reason)
{
        struct mqtt_packet p = { .type = MQTT_PUBACK, .ack = { .packet_id = packet_id, .reason = reason } };
        if (c->state != MQTT_CLIENT_CONNECTED || c->unacknowledged == 0)
                return RELAY_E_STATE;
        int result = mqtt_client_queue(c, &p);
        if (result == RELAY_OK)
                c->unacknowledged--;
        return result;
}

static int queue_filters(struct mqtt_client *c, enum mqtt_type type, enum mqtt_type answer, struct span filters,
                         size_t count, uint16_t *packet_id)
{
        struct mqtt_packet p = { .type = type };
        if (c->state != MQTT_CLIENT_CONNECTED)
                return RELAY_E_STATE;
        if (find_flight(c, 0) == MQTT_CLIENT_FLIGHTS)
                return RELAY_E_SPACE;
        p.subscribe = (struct mqtt_subscribe){ free_packet_id(c), filters, count };
        int result = mqtt_client_queue(c, &p);
        if (result != RELAY_OK)
                return result;
        c->next_packet_id = p.subscribe.packet_id;
        take_off(c, p.subscribe.packet_id, answer);
        if (packet_id)
                *packet_id = p.subscribe.packet_id;
        return RELAY_OK;
}

int mqtt_client_subscribe(struct mqtt_client *c, struct span filters, size_t count, uint16_t *packet_id)
{
        return queue_filters(c, MQTT_SUBSCRIBE, MQTT_SUBACK, filters, count, packet_id);
}

int mqtt_client_unsubscribe(struct mqtt_client *c, struct span filters, size_t count, uint16_t *packet_id)
{
        return queue_filters(c, MQTT_UNSUBSCRIBE, MQTT_UNSUBACK, filters, count, packet_id);
}

int mqtt_client_auth(struct mqtt_client *c, struct span data)
{
        struct mqtt_packet p = { .type = MQTT_AUTH, .ack = { .reason = MQTT_CONTINUE_AUTHENTICATION } };

        if (c->state != MQTT_CLIENT_CONNECTING || !c->authentication_asked)
                return RELAY_E_STATE;
        p.props.present = MQTT_PROP(MQTT_P_AUTH_METHOD) | MQTT_PROP(MQTT_P_AUTH_DATA);
        p.props.authentication_method = c->authentication_method;
        p.props.authentication_data = data;
        int result = mqtt_client_queue(c, &p);
        if (result == RELAY_OK)
                c->authentication_asked = false;
        return result;
}

void mqtt_client_refuse(struct mqtt_client *c, uint8_t reason)
{
        mqtt_client_close(c, reason, false);
}

int mqtt_client_disconnect(struct mqtt_client *c, uint8_t reason)
{
        struct mqtt_packet p = { .type = MQTT_DISCONNECT, .ack = { .reason = reason } };
        if (c->state != MQTT_CLIENT_CONNECTED)
                return RELAY_E_STATE;
        int result = mqtt_client_queue(c, &p);
        if (result != RELAY_OK)
                return result;
        c->state = MQTT_CLIENT_CLOSED;
        c->closed_reported = true;
        return RELAY_OK;
}

void mqtt_client_close(struct mqtt_client *c, uint8_t reason, bool by_peer)
{
        struct mqtt_packet p = { .type = MQTT_DISCONNECT, .ack = { .reason = reason } };
        if (c->state == MQTT_CLIENT_CLOSED)
                return;
        if (!mqtt_reason_fits(MQTT_DISCONNECT, reason)) /* 0x84 for a CONNECT where none may come */
                p.ack.reason = MQTT_PROTOCOL_ERROR;
        if (!by_peer && c->state == MQTT_CLIENT_CONNECTED)
                (void)mqtt_client_queue(c, &p); /* no room: the closed connection says enough */
        c->state = MQTT_CLIENT_CLOSED;
        c->close_reason = reason;
        c->closed_by_peer = by_peer;
}

struct span mqtt_client_output(const struct mqtt_client *c)
{
        return span_of(c->tx, c->tx_fill);
}

void mqtt_client_sent(struct mqtt_client *c, size_t bytes, uint64_t now_ms)
{
        if (bytes > c->tx_fill)
                bytes = c->tx_fill;
        if (bytes == 0)
                return;
        c->tx_fill -= bytes;
        memmove(c->tx, c->tx + bytes, c->tx_fill);
        c->now_ms = c->last_sent_ms = now_ms;
}

/* ---- time */

static uint64_t ping_due(const struct mqtt_client *c)
{
        uint64_t first = c->last_sent_ms < c->last_received_ms ? c->last_sent_ms : c->last_received_ms;
        return c->ping_outstanding ? UINT64_MAX : first + c->keep_alive_s * UINT64_C(1000);
}

static uint64_t broker_is_dead(const struct mqtt_client *c)
{
        return c->last_received_ms + c->keep_alive_s * UINT64_C(1500);
}

void mqtt_client_ping(struct mqtt_client *c)
{
        static const struct mqtt_packet ping = { .type = MQTT_PINGREQ };

        if (c->state != MQTT_CLIENT_CONNECTED || c->ping_outstanding)
                return;
        /* without room the ping counts as sent: what fills tx tells the broker that we live */
        if (mqtt_client_queue(c, &ping) == RELAY_OK || c->tx_fill > 0) {
                c->ping_outstanding = true;
                c->ping_sent_ms = c->now_ms;
        }
}

void mqtt_client_tick(struct mqtt_client *c, uint64_t now_ms)
{
        c->now_ms = now_ms;
        if (now_ms < mqtt_client_deadline(c))
                return;
        if (c->state == MQTT_CLIENT_CONNECTING || now_ms >= broker_is_dead(c)) {
                mqtt_client_close(c, MQTT_KEEP_ALIVE_TIMEOUT, false);
                return;
        }
        mqtt_client_ping(c);
}

uint64_t mqtt_client_deadline(const struct mqtt_client *c)
{
        switch (c->state) {
        case MQTT_CLIENT_CONNECTING:
                return c->connack_timeout_ms ? c->connect_sent_ms + c->connack_timeout_ms : UINT64_MAX;
        case MQTT_CLIENT_CONNECTED:
                if (c->keep_alive_s == 0)
                        return UINT64_MAX;
                return ping_due(c) < broker_is_dead(c) ? ping_due(c) : broker_is_dead(c);
        case MQTT_CLIENT_IDLE:
        case MQTT_CLIENT_CLOSED:
                break;
        }
        return UINT64_MAX;
}
