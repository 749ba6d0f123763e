/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Decoding MQTT control packets. Which reason code answers which mistake: MQTT 5 section 4.13 and the packet's own
 * section; where the standard only says "MUST NOT", a wrong form is 0x81 and a wrong value is 0x82.
 */

#include <string.h>

#include "mqtt_internal.h"

#include "relay/topic.h"

void mqtt_fail(struct mqtt_reader *m, uint8_t reason)
{
        if (m->r.result == RELAY_OK)
                m->reason = reason;
        reader_fail(&m->r, RELAY_E_MALFORMED);
}

uint32_t mqtt_get_varint(struct mqtt_reader *m)
{
        uint32_t value = 0;
        for (unsigned shift = 0; shift < 28; shift += 7) {
                uint8_t byte = reader_u8(&m->r);
                value |= (uint32_t)(byte & 0x7F) << shift;
                if (byte & 0x80)
                        continue;
                if (byte == 0 && shift > 0) /* section 1.5.5: as few bytes as possible */
                        mqtt_fail(m, MQTT_MALFORMED_PACKET);
                return m->r.result == RELAY_OK ? value : 0;
        }
        mqtt_fail(m, MQTT_MALFORMED_PACKET);
        return 0;
}

struct span mqtt_get_binary(struct mqtt_reader *m)
{
        uint16_t size = reader_u16(&m->r);
        return reader_bytes(&m->r, size);
}

struct span mqtt_get_string(struct mqtt_reader *m)
{
        struct span text = mqtt_get_binary(m);
        if (m->r.result == RELAY_OK && !span_is_utf8(text))
                mqtt_fail(m, MQTT_MALFORMED_PACKET);
        return text;
}

uint16_t mqtt_get_packet_id(struct mqtt_reader *m)
{
        uint16_t id = reader_u16(&m->r);
        if (m->r.result == RELAY_OK && id == 0)
                mqtt_fail(m, MQTT_PROTOCOL_ERROR);
        return id;
}

/* ---- CONNECT */

static void get_will(struct mqtt_reader *m, uint8_t flags, struct mqtt_connect *c)
{
        c->has_will = flags & 0x04;
        c->will_qos = (flags >> 3) & 3;
        c->will_retain = flags & 0x20;
        if (!c->has_will)
                return;
        if (c->version == MQTT_V5)
                mqtt_get_props(m, MQTT_WILL, &c->will_props);
        c->will_topic = mqtt_get_string(m);
        c->will_payload = mqtt_get_binary(m);
        if (m->r.result == RELAY_OK && !topic_name_is_valid(c->will_topic))
                mqtt_fail(m, MQTT_BAD_TOPIC_NAME);
}

static bool connect_flags_are_valid(uint8_t flags, enum mqtt_version version)
{
        bool will = flags & 0x04, user_name = flags & 0x80, password = flags & 0x40;
        if (flags & 0x01 || (flags & 0x18) == 0x18)
                return false;
        if (!will && flags & 0x38)
                return false;
        return version == MQTT_V5 || user_name || !password;
}

static void get_connect(struct mqtt_reader *m, struct mqtt_packet *out)
{
        struct mqtt_connect *c = &out->connect;
        struct span name = mqtt_get_binary(m);
        uint8_t level = reader_u8(&m->r);
        if (m->r.result != RELAY_OK)
                return;
        c->version = (enum mqtt_version)level;
        if (!span_equal_string(name, "MQTT") || (level != MQTT_V311 && level != MQTT_V5)) {
                mqtt_fail(m, MQTT_UNSUPPORTED_VERSION);
                return;
        }
        uint8_t flags = reader_u8(&m->r);
        if (!connect_flags_are_valid(flags, c->version))
                mqtt_fail(m, MQTT_MALFORMED_PACKET);
        c->clean_start = flags & 0x02;
        c->keep_alive_s = reader_u16(&m->r);
        if (c->version == MQTT_V5)
                mqtt_get_props(m, MQTT_CONNECT, &out->props);
        c->client_id = mqtt_get_string(m);
        get_will(m, flags, c);
        c->has_user_name = flags & 0x80;
        c->has_password = flags & 0x40;
        if (c->has_user_name)
                c->user_name = mqtt_get_string(m);
        if (c->has_password)
                c->password = mqtt_get_binary(m);
        /* 3.1.1 section 3.1.3.1: without a name there is no session to come back to */
        if (m->r.result == RELAY_OK && c->version == MQTT_V311 && c->client_id.size == 0 && !c->clean_start)
                mqtt_fail(m, MQTT_BAD_CLIENT_ID);
}

/* ---- answers */

static void get_connack(struct mqtt_reader *m, int version, struct mqtt_packet *out)
{
        uint8_t flags = reader_u8(&m->r);
        out->ack.reason = reader_u8(&m->r);
        out->ack.session_present = flags & 1;
        if (flags > 1)
                mqtt_fail(m, MQTT_MALFORMED_PACKET);
        bool known = version == MQTT_V5 ? mqtt_reason_fits(MQTT_CONNACK, out->ack.reason) : out->ack.reason <= 5;
        if (!known || (flags == 1 && out->ack.reason != 0))
                mqtt_fail(m, MQTT_PROTOCOL_ERROR);
        if (version == MQTT_V5)
                mqtt_get_props(m, MQTT_CONNACK, &out->props);
}

static void get_reason(struct mqtt_reader *m, struct mqtt_packet *out)
{
        out->ack.reason = reader_u8(&m->r);
        if (m->r.result == RELAY_OK && !mqtt_reason_fits(out->type, out->ack.reason))
                mqtt_fail(m, MQTT_PROTOCOL_ERROR);
}

/* PUBACK, PUBREC, PUBREL, PUBCOMP and DISCONNECT: MQTT 5 allows leaving out the tail */
static void get_ack(struct mqtt_reader *m, int version, struct mqtt_packet *out)
{
        if (out->type != MQTT_DISCONNECT)
                out->ack.packet_id = mqtt_get_packet_id(m);
        if (version != MQTT_V5)
                return;
        if (reader_left(&m->r) > 0)
                get_reason(m, out);
        if (reader_left(&m->r) > 0)
                mqtt_get_props(m, out->type, &out->props);
}

static void get_auth(struct mqtt_reader *m, struct mqtt_packet *out)
{
        if (reader_left(&m->r) == 0)
                return;
        get_reason(m, out);
        mqtt_get_props(m, MQTT_AUTH, &out->props);
        if (m->r.result == RELAY_OK && !(out->props.present & MQTT_PROP(MQTT_P_AUTH_METHOD)))
                mqtt_fail(m, MQTT_PROTOCOL_ERROR);
}

static void get_suback(struct mqtt_reader *m, int version, struct mqtt_packet *out)
{
        out->suback.packet_id = mqtt_get_packet_id(m);
        if (version == MQTT_V5)
                mqtt_get_props(m, out->type, &out->props);
        else if (out->type == MQTT_UNSUBACK)
                return;
        struct span reasons = reader_bytes(&m->r, reader_left(&m->r));
        if (m->r.result == RELAY_OK && reasons.size == 0)
                mqtt_fail(m, MQTT_PROTOCOL_ERROR);
        for (size_t i = 0; i < reasons.size; i++) {
                uint8_t code = reasons.data[i];
                bool known = version == MQTT_V5 ? mqtt_reason_fits(out->type, code) : code <= 2 || code == 0x80;
                if (!known)
                        mqtt_fail(m, MQTT_PROTOCOL_ERROR);
        }
        out->suback.reasons = reasons;
}

/* ---- PUBLISH, SUBSCRIBE, UNSUBSCRIBE */

static void get_publish(struct mqtt_reader *m, uint8_t flags, int version, struct mqtt_packet *out)
{
        struct mqtt_publish *p = &out->publish;
        p->dup = flags & 8;
        p->qos = (flags >> 1) & 3;
        p->retain = flags & 1;
        p->topic = mqtt_get_string(m);
        if (p->qos > 0)
                p->packet_id = mqtt_get_packet_id(m);
        if (version == MQTT_V5)
                mqtt_get_props(m, MQTT_PUBLISH, &out->props);
        p->payload = reader_bytes(&m->r, reader_left(&m->r));
        if (m->r.result != RELAY_OK)
                return;
        bool has_alias = out->props.present & MQTT_PROP(MQTT_P_TOPIC_ALIAS);
        if (p->topic.size == 0 && !has_alias)
                mqtt_fail(m, MQTT_PROTOCOL_ERROR);
        else if (p->topic.size > 0 && !topic_name_is_valid(p->topic))
                mqtt_fail(m, MQTT_BAD_TOPIC_NAME);
}

static bool is_shared(struct span filter)
{
        return span_equal_string(span_slice(filter, 0, 7), "$share/");
}

static void get_options(struct mqtt_reader *m, int version, struct span filter)
{
        uint8_t options = reader_u8(&m->r);
        uint8_t reserved = version == MQTT_V5 ? 0xC0 : 0xFC;
        if (options & reserved)
                mqtt_fail(m, MQTT_MALFORMED_PACKET);
        else if ((options & 3) == 3)
                mqtt_fail(m, version == MQTT_V5 ? MQTT_PROTOCOL_ERROR : MQTT_MALFORMED_PACKET);
        else if ((options & 0x30) == 0x30 || (options & 4 && is_shared(filter)))
                mqtt_fail(m, MQTT_PROTOCOL_ERROR);
}

static void get_subscribe(struct mqtt_reader *m, int version, struct mqtt_packet *out)
{
        struct mqtt_subscribe *s = &out->subscribe;
        s->packet_id = mqtt_get_packet_id(m);
        if (version == MQTT_V5)
                mqtt_get_props(m, out->type, &out->props);
        size_t start = m->r.at;
        while (reader_left(&m->r) > 0) {
                struct span filter = mqtt_get_string(m);
                if (m->r.result == RELAY_OK && !topic_filter_is_valid(filter))
                        mqtt_fail(m, MQTT_BAD_TOPIC_FILTER);
                if (out->type == MQTT_SUBSCRIBE)
                        get_options(m, version, filter);
                s->count++;
        }
        s->filters = span_slice(m->r.in, start, m->r.in.size);
        if (s->count == 0)
                mqtt_fail(m, MQTT_PROTOCOL_ERROR);
}

/* ---- the frame */

static void get_body(struct mqtt_reader *m, uint8_t flags, int version, struct mqtt_packet *out)
{
        if (version == 0 && out->type != MQTT_CONNECT) {
                mqtt_fail(m, MQTT_PROTOCOL_ERROR);
                return;
        }
        switch (out->type) {
        case MQTT_CONNECT:
                get_connect(m, out);
                break;
        case MQTT_CONNACK:
                get_connack(m, version, out);
                break;
        case MQTT_PUBLISH:
                get_publish(m, flags, version, out);
                break;
        case MQTT_PUBACK:
        case MQTT_PUBREC:
        case MQTT_PUBREL:
        case MQTT_PUBCOMP:
        case MQTT_DISCONNECT:
                get_ack(m, version, out);
                break;
        case MQTT_SUBSCRIBE:
        case MQTT_UNSUBSCRIBE:
                get_subscribe(m, version, out);
                break;
        case MQTT_SUBACK:
        case MQTT_UNSUBACK:
                get_suback(m, version, out);
                break;
        case MQTT_PINGREQ:
        case MQTT_PINGRESP:
                break;
        case MQTT_AUTH:
                get_auth(m, out);
                break;
        }
}

/* Section 2.1.3: type and flags say at the first byte whether the packet can be one at all. */
static bool first_byte_is_valid(uint8_t first, int version)
{
        unsigned type = first >> 4, flags = first & 15;
        if (type == 0 || (type == MQTT_AUTH && version == MQTT_V311))
                return false;
        if (type == MQTT_PUBLISH)
                return (flags & 6) != 6 && flags != 8 && flags != 9; /* QoS 3; DUP with QoS 0 */
        bool two = type == MQTT_PUBREL || type == MQTT_SUBSCRIBE || type == MQTT_UNSUBSCRIBE;
        return flags == (two ? 2 : 0);
}

/*
 * The remaining length: RELAY_OK and its bytes and value, RELAY_MORE, or RELAY_E_MALFORMED for a fifth byte.
 * *padded: more bytes than needed, which only MQTT 5 forbids.
 */
static int get_length(struct span in, size_t *bytes, size_t *value, bool *padded)
{
        size_t sum = 0;
        for (size_t i = 0; i < 4; i++) {
                if (1 + i >= in.size)
                        return RELAY_MORE;
                uint8_t byte = in.data[1 + i];
                sum |= (size_t)(byte & 0x7F) << (7 * i);
                if (byte & 0x80)
                        continue;
                *bytes = 1 + i;
                *value = sum;
                *padded = byte == 0 && i > 0;
                return RELAY_OK;
        }
        return RELAY_E_MALFORMED;
}

static int refuse(uint8_t *reason, uint8_t code, int result)
{
        *reason = code;
        return result;
}

/* Clears what the decoders of this type fill only in part; wiping all of a packet costs more than decoding one. */
static void clear_packet(struct mqtt_packet *out, enum mqtt_type type)
{
        if (type == MQTT_CONNECT)
                memset(out, 0, sizeof(*out));
        else
                memset(out, 0, offsetof(struct mqtt_packet, publish) + sizeof(out->publish));
        out->type = type;
}
_Static_assert(sizeof(struct mqtt_publish) >= sizeof(struct mqtt_ack), "publish is the largest but connect");
_Static_assert(sizeof(struct mqtt_publish) >= sizeof(struct mqtt_subscribe), "publish is the largest but connect");
_Static_assert(sizeof(struct mqtt_publish) >= sizeof(struct mqtt_suback), "publish is the largest but connect");

int mqtt_decode(struct span in, int version, size_t max_size, struct mqtt_packet *out, size_t *consumed,
                uint8_t *reason)
{
        size_t length_bytes, length;
        bool padded;
        *consumed = 0;
        if (in.size == 0)
                return RELAY_MORE;
        if (!first_byte_is_valid(in.data[0], version))
                return refuse(reason, MQTT_MALFORMED_PACKET, RELAY_E_MALFORMED);
        int result = get_length(in, &length_bytes, &length, &padded);
        if (result < 0)
                return refuse(reason, MQTT_MALFORMED_PACKET, result);
        if (result == RELAY_MORE)
                return RELAY_MORE;
        size_t total = 1 + length_bytes + length;
        if (total > max_size)
                return refuse(reason, MQTT_PACKET_TOO_LARGE, RELAY_E_RANGE);
        *consumed = total;
        if (total > in.size)
                return RELAY_MORE;

        struct mqtt_reader m = { 0 };
        clear_packet(out, (enum mqtt_type)(in.data[0] >> 4));
        reader_init(&m.r, span_slice(in, 1 + length_bytes, length));
        get_body(&m, in.data[0] & 15, version, out);
        if (padded && (out->type == MQTT_CONNECT ? out->connect.version == MQTT_V5 : version == MQTT_V5))
                mqtt_fail(&m, MQTT_MALFORMED_PACKET);
        result = reader_finish(&m.r);
        if (result != RELAY_OK)
                return refuse(reason, m.reason ? m.reason : MQTT_MALFORMED_PACKET, result);
        return RELAY_OK;
}
