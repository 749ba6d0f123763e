/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Encoding MQTT control packets. Bodies are written twice: once to measure, because the length comes first.
 */

#include "mqtt_internal.h"

void mqtt_put_varint(struct writer *w, size_t value)
{
        if (value > MQTT_VARINT_MAX) {
                writer_fail(w, RELAY_E_RANGE);
                return;
        }
        for (; value > 0x7F; value >>= 7)
                writer_u8(w, (uint8_t)(value | 0x80));
        writer_u8(w, (uint8_t)value);
}

void mqtt_put_binary(struct writer *w, struct span bytes)
{
        if (bytes.size > MQTT_STRING_MAX) {
                writer_fail(w, RELAY_E_RANGE);
                return;
        }
        writer_u16(w, (uint16_t)bytes.size);
        writer_bytes(w, bytes);
}

static void put_connect(struct writer *w, const struct mqtt_packet *packet)
{
        const struct mqtt_connect *c = &packet->connect;
        uint8_t flags = c->clean_start ? 0x02 : 0;
        if (c->has_will)
                flags |= (uint8_t)(0x04 | (c->will_qos & 3) << 3 | (c->will_retain ? 0x20 : 0));
        flags |= (uint8_t)((c->has_user_name ? 0x80 : 0) | (c->has_password ? 0x40 : 0));
        mqtt_put_binary(w, SPAN_LITERAL("MQTT"));
        writer_u8(w, (uint8_t)c->version);
        writer_u8(w, flags);
        writer_u16(w, c->keep_alive_s);
        if (c->version == MQTT_V5)
                mqtt_put_props(w, MQTT_CONNECT, &packet->props);
        mqtt_put_binary(w, c->client_id);
        if (c->has_will && c->version == MQTT_V5)
                mqtt_put_props(w, MQTT_WILL, &c->will_props);
        if (c->has_will) {
                mqtt_put_binary(w, c->will_topic);
                mqtt_put_binary(w, c->will_payload);
        }
        if (c->has_user_name)
                mqtt_put_binary(w, c->user_name);
        if (c->has_password)
                mqtt_put_binary(w, c->password);
}

/* 3.1.1 section 3.2.2.3; codes below 0x80 are return codes already */
static uint8_t return_code(uint8_t reason)
{
        if (reason < 0x80)
                return reason;
        switch (reason) {
        case MQTT_UNSUPPORTED_VERSION:
                return 1;
        case MQTT_BAD_CLIENT_ID:
                return 2;
        case MQTT_BAD_USER_NAME:
        case MQTT_BAD_AUTH_METHOD:
                return 4;
        case MQTT_NOT_AUTHORIZED:
        case MQTT_BANNED:
        case MQTT_BAD_TOPIC_NAME:
                return 5;
        }
        return 3;
}

static void put_connack(struct writer *w, int version, const struct mqtt_packet *packet)
{
        writer_u8(w, packet->ack.session_present ? 1 : 0);
        writer_u8(w, version == MQTT_V5 ? packet->ack.reason : return_code(packet->ack.reason));
        if (version == MQTT_V5)
                mqtt_put_props(w, MQTT_CONNACK, &packet->props);
}

static void put_publish(struct writer *w, int version, const struct mqtt_packet *packet)
{
        mqtt_put_binary(w, packet->publish.topic);
        if (packet->publish.qos > 0)
                writer_u16(w, packet->publish.packet_id);
        if (version == MQTT_V5)
                mqtt_put_props(w, MQTT_PUBLISH, &packet->props);
        writer_bytes(w, packet->publish.payload);
}

static void put_ack(struct writer *w, int version, const struct mqtt_packet *packet)
{
        if (packet->type != MQTT_DISCONNECT && packet->type != MQTT_AUTH)
                writer_u16(w, packet->ack.packet_id);
        if (version != MQTT_V5 || (packet->ack.reason == MQTT_SUCCESS && packet->props.present == 0))
                return;
        writer_u8(w, packet->ack.reason);
        if (packet->props.present != 0 || packet->type == MQTT_AUTH)
                mqtt_put_props(w, packet->type, &packet->props);
}

static void put_suback(struct writer *w, int version, const struct mqtt_packet *packet)
{
        writer_u16(w, packet->suback.packet_id);
        if (version == MQTT_V5) {
                mqtt_put_props(w, packet->type, &packet->props);
                writer_bytes(w, packet->suback.reasons);
                return;
        }
        if (packet->type == MQTT_UNSUBACK)
                return;
        for (size_t i = 0; i < packet->suback.reasons.size; i++) {
                uint8_t code = packet->suback.reasons.data[i];
                writer_u8(w, code < 0x80 ? code : 0x80);
        }
}

static void put_subscribe(struct writer *w, int version, const struct mqtt_packet *packet)
{
        struct mqtt_filters it;
        struct mqtt_filter filter;
        writer_u16(w, packet->subscribe.packet_id);
        if (version == MQTT_V5)
                mqtt_put_props(w, packet->type, &packet->props);
        if (version == MQTT_V5 || packet->type == MQTT_UNSUBSCRIBE) {
                writer_bytes(w, packet->subscribe.filters);
                return;
        }
        mqtt_filters_init(&it, packet);
        while (mqtt_filters_next(&it, &filter)) {
                mqtt_put_binary(w, filter.filter);
                writer_u8(w, filter.qos);
        }
}

static void put_body(struct writer *w, int version, const struct mqtt_packet *packet)
{
        switch (packet->type) {
        case MQTT_CONNECT:
                put_connect(w, packet);
                break;
        case MQTT_CONNACK:
                put_connack(w, version, packet);
                break;
        case MQTT_PUBLISH:
                put_publish(w, version, packet);
                break;
        case MQTT_AUTH:
                if (version != MQTT_V5)
                        writer_fail(w, RELAY_E_UNSUPPORTED);
                put_ack(w, version, packet);
                break;
        case MQTT_PUBACK:
        case MQTT_PUBREC:
        case MQTT_PUBREL:
        case MQTT_PUBCOMP:
        case MQTT_DISCONNECT:
                put_ack(w, version, packet);
                break;
        case MQTT_SUBSCRIBE:
        case MQTT_UNSUBSCRIBE:
                put_subscribe(w, version, packet);
                break;
        case MQTT_SUBACK:
        case MQTT_UNSUBACK:
                put_suback(w, version, packet);
                break;
        case MQTT_PINGREQ:
        case MQTT_PINGRESP:
                break;
        }
}

static uint8_t first_byte(const struct mqtt_packet *packet)
{
        const struct mqtt_publish *p = &packet->publish;
        uint8_t flags = 0;
        if (packet->type == MQTT_PUBLISH)
                flags = (uint8_t)((p->dup ? 8 : 0) | (p->qos & 3) << 1 | (p->retain ? 1 : 0));
        else if (packet->type == MQTT_PUBREL || packet->type == MQTT_SUBSCRIBE || packet->type == MQTT_UNSUBSCRIBE)
                flags = 2;
        return (uint8_t)(packet->type << 4 | flags);
}

int mqtt_encode(struct writer *w, int version, const struct mqtt_packet *packet)
{
        struct writer measure;
        writer_init(&measure, NULL, 0);
        put_body(&measure, version, packet);
        writer_u8(w, first_byte(packet));
        mqtt_put_varint(w, writer_needed(&measure));
        put_body(w, version, packet);
        return writer_finish(w);
}
