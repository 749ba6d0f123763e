/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Decoding: well-formed packets of every type, field by field, and every prefix of them; then every kind of bad packet
 * with its reason code.
 */

#include "hex.h"

#include "relay/mqtt.h"

#define MAX 100000

/* Decodes an exact-size heap copy, so that the sanitizer sees a read past the end. */
static int decode(const char *text, int version, struct mqtt_packet *out, uint8_t *reason)
{
        static uint8_t *copy;
        uint8_t bytes[HEX_MAX];
        size_t size = hex_bytes(text, bytes), consumed = 0;
        free(copy);
        copy = malloc(size ? size : 1);
        assert_non_null(copy);
        memcpy(copy, bytes, size);
        int result = mqtt_decode(span_of(copy, size), version, MAX, out, &consumed, reason);
        if (result == RELAY_OK || (result < 0 && consumed > 0)) /* the text means one whole packet */
                assert_int_equal(consumed, size);
        return result;
}

static void decode_ok(const char *text, int version, enum mqtt_type type, struct mqtt_packet *out)
{
        uint8_t reason = 0;
        assert_int_equal(decode(text, version, out, &reason), RELAY_OK);
        assert_int_equal(out->type, type);
}

#define assert_span(span, text) assert_true(span_equal_string((span), (text)))

/* The example of 3.1.1 section 3.1.2.3: user name, password, will QoS 1, clean session, keep-alive 10 */
static void connect_311_example(void **state)
{
        (void)state;
        struct mqtt_packet p;
        decode_ok("10 ?? 0004'MQTT' 04 CE 000A 0002'id' 0004'will' 0002'by' 0004'user' 0002'pw'", 0, MQTT_CONNECT, &p);
        assert_int_equal(p.connect.version, MQTT_V311);
        assert_true(p.connect.clean_start);
        assert_int_equal(p.connect.keep_alive_s, 10);
        assert_span(p.connect.client_id, "id");
        assert_true(p.connect.has_will);
        assert_int_equal(p.connect.will_qos, 1);
        assert_false(p.connect.will_retain);
        assert_span(p.connect.will_topic, "will");
        assert_span(p.connect.will_payload, "by");
        assert_span(p.connect.user_name, "user");
        assert_span(p.connect.password, "pw");
}

/* MQTT 5 section 3.1.2.12: session expiry 10 */
static void connect_5_with_properties(void **state)
{
        (void)state;
        struct mqtt_packet p;
        struct span value;
        decode_ok("10 ?? 0004'MQTT' 05 2E 001E  (110000000A 210014 2700001000 220005 1701 1900 26 0001'k' 0001'v')"
                  "0008'device-1'  (1800000005 0101 03 0001'c') 0003'w/t' 0003'bye'",
                  0, MQTT_CONNECT, &p);
        assert_int_equal(p.connect.version, MQTT_V5);
        assert_int_equal(p.props.session_expiry, 10);
        assert_int_equal(p.props.receive_maximum, 20);
        assert_int_equal(p.props.maximum_packet_size, 4096);
        assert_int_equal(p.props.topic_alias_maximum, 5);
        assert_int_equal(p.props.request_problem_information, 1);
        assert_int_equal(p.props.request_response_information, 0);
        assert_true(mqtt_user_find(&p.props, "k", &value));
        assert_span(value, "v");
        assert_false(mqtt_user_find(&p.props, "v", &value));
        assert_span(p.connect.client_id, "device-1");
        assert_true(p.connect.will_retain);
        assert_int_equal(p.connect.will_props.will_delay, 5);
        assert_int_equal(p.connect.will_props.payload_format, 1);
        assert_span(p.connect.will_props.content_type, "c");
        assert_false(p.connect.will_props.present & MQTT_PROP(MQTT_P_USER));
}

static void connack_both_versions(void **state)
{
        (void)state;
        struct mqtt_packet p;
        decode_ok("20 02 01 00", 4, MQTT_CONNACK, &p);
        assert_true(p.ack.session_present);
        decode_ok("20 02 00 05", 4, MQTT_CONNACK, &p);
        assert_int_equal(p.ack.reason, 5);
        decode_ok("20 2C 00 00 29 1100000000 210001 2400 2501 2700010000 12 0001'x' 220000 1F 0001'r' 2800 2900 2A00"
                  "13003C 1A 0001'i'",
                  5, MQTT_CONNACK, &p);
        assert_int_equal(p.props.server_keep_alive, 60);
        assert_span(p.props.assigned_client_id, "x");
        assert_span(p.props.reason_string, "r");
        assert_span(p.props.response_information, "i");
        assert_true(p.props.present & MQTT_PROP(MQTT_P_SHARED_AVAILABLE));
        assert_int_equal(p.props.retain_available, 1);
        decode_ok("20 0A 00 9C 07 1C 0004'host'", 5, MQTT_CONNACK, &p);
        assert_int_equal(p.ack.reason, MQTT_USE_ANOTHER_SERVER);
        assert_span(p.props.server_reference, "host");
}

static void publish_311(void **state)
{
        (void)state;
        struct mqtt_packet p;
        decode_ok("3D 09 0003'a/b' 000A 'hi'", 4, MQTT_PUBLISH, &p);
        assert_true(p.publish.dup && p.publish.retain);
        assert_int_equal(p.publish.qos, 2);
        assert_int_equal(p.publish.packet_id, 10);
        assert_span(p.publish.topic, "a/b");
        assert_span(p.publish.payload, "hi");
        decode_ok("30 05 0003'a/b'", 4, MQTT_PUBLISH, &p);
        assert_int_equal(p.publish.packet_id, 0);
        assert_int_equal(p.publish.payload.size, 0);
}

static void publish_5(void **state)
{
        (void)state;
        struct mqtt_packet p;
        struct mqtt_user it;
        struct span name, value;
        decode_ok("32 ?? 0001'a' 0007 (0200000E10 08 0001'r' 09 0002FF00 0B 05 0B 8001 26 0003'seq' 0001'1'"
                  "230003 26 0000 0000) 'p'",
                  5, MQTT_PUBLISH, &p);
        assert_int_equal(p.props.message_expiry, 3600);
        assert_int_equal(p.props.subscription_id, 5);
        assert_int_equal(p.props.topic_alias, 3);
        assert_span(p.props.response_topic, "r");
        assert_int_equal(p.props.correlation_data.size, 2);
        mqtt_user_init(&it, p.props.raw);
        assert_true(mqtt_user_next(&it, &name, &value));
        assert_span(name, "seq");
        assert_span(value, "1");
}

static void publish_alias_without_topic(void **state)
{
        (void)state;
        struct mqtt_packet p;
        decode_ok("30 07 0000 03 230001 'x'", 5, MQTT_PUBLISH, &p);
        assert_int_equal(p.publish.topic.size, 0);
        assert_span(p.publish.payload, "x");
}

static void acks(void **state)
{
        (void)state;
        static const struct {
                uint8_t first;
                enum mqtt_type type;
        } kinds[] = { { 0x40, MQTT_PUBACK }, { 0x50, MQTT_PUBREC }, { 0x62, MQTT_PUBREL }, { 0x70, MQTT_PUBCOMP } };
        for (size_t i = 0; i < 4; i++) {
                struct mqtt_packet p;
                char text[64];
                uint8_t code = i < 2 ? 0x97 : 0x92;
                snprintf(text, sizeof(text), "%02x 02 1234", kinds[i].first);
                decode_ok(text, 4, kinds[i].type, &p);
                decode_ok(text, 5, kinds[i].type, &p);
                assert_int_equal(p.ack.packet_id, 0x1234);
                assert_int_equal(p.ack.reason, 0);
                snprintf(text, sizeof(text), "%02x 03 1234 %02x", kinds[i].first, code);
                decode_ok(text, 5, kinds[i].type, &p);
                assert_int_equal(p.ack.reason, code);
                snprintf(text, sizeof(text), "%02x 08 1234 %02x 04 1F 0001'r'", kinds[i].first, code);
                decode_ok(text, 5, kinds[i].type, &p);
                assert_span(p.props.reason_string, "r");
        }
}

/* 3.1.1 section 3.8.3.1, and the options of MQTT 5 section 3.8.3.1 */
static void subscribe_both_versions(void **state)
{
        (void)state;
        struct mqtt_packet p;
        struct mqtt_filters it;
        struct mqtt_filter f;
        decode_ok("82 0E 000A 0003'a/b' 01 0003'c/d' 02", 4, MQTT_SUBSCRIBE, &p);
        assert_int_equal(p.subscribe.count, 2);
        assert_int_equal(p.subscribe.packet_id, 10);
        mqtt_filters_init(&it, &p);
        assert_true(mqtt_filters_next(&it, &f));
        assert_span(f.filter, "a/b");
        assert_int_equal(f.qos, 1);
        assert_true(mqtt_filters_next(&it, &f));
        assert_span(f.filter, "c/d");
        assert_int_equal(f.qos, 2);
        assert_false(mqtt_filters_next(&it, &f));

        decode_ok("82 ?? 000A (0B07) 0003'a/#' 00", 5, MQTT_SUBSCRIBE, &p);
}

static void subscribe_options(void **state)
{
        (void)state;
        struct mqtt_packet p;
        struct mqtt_filters it;
        struct mqtt_filter f;
        decode_ok("82 0D 000A 02 0B07 0005'a/+/#' 2D", 5, MQTT_SUBSCRIBE, &p);
        assert_int_equal(p.props.subscription_id, 7);
        mqtt_filters_init(&it, &p);
        assert_true(mqtt_filters_next(&it, &f));
        assert_int_equal(f.qos, 1);
        assert_true(f.no_local && f.retain_as_published);
        assert_int_equal(f.retain_handling, 2);
}

static void suback_unsubscribe_unsuback(void **state)
{
        (void)state;
        struct mqtt_packet p;
        struct mqtt_filters it;
        struct mqtt_filter f;
        decode_ok("90 05 000A 00 02 80", 4, MQTT_SUBACK, &p);
        assert_int_equal(p.suback.reasons.size, 3);
        decode_ok("90 05 000A 00 01 9E", 5, MQTT_SUBACK, &p);
        assert_int_equal(p.suback.reasons.size, 2);
        decode_ok("A2 0C 000A 0003'a/b' 0003'c/d'", 4, MQTT_UNSUBSCRIBE, &p);
        assert_int_equal(p.subscribe.count, 2);
        mqtt_filters_init(&it, &p);
        assert_true(mqtt_filters_next(&it, &f));
        assert_true(mqtt_filters_next(&it, &f));
        assert_span(f.filter, "c/d");
        decode_ok("A2 08 000A 00 0003'a/b'", 5, MQTT_UNSUBSCRIBE, &p);
        decode_ok("B0 02 000A", 4, MQTT_UNSUBACK, &p);
        assert_int_equal(p.suback.reasons.size, 0);
        decode_ok("B0 05 000A 00 00 11", 5, MQTT_UNSUBACK, &p);
        assert_int_equal(p.suback.reasons.size, 2);
}

static void ping_disconnect_auth(void **state)
{
        (void)state;
        struct mqtt_packet p;
        decode_ok("C0 00", 4, MQTT_PINGREQ, &p);
        decode_ok("D0 00", 5, MQTT_PINGRESP, &p);
        decode_ok("E0 00", 4, MQTT_DISCONNECT, &p);
        decode_ok("E0 00", 5, MQTT_DISCONNECT, &p);
        assert_int_equal(p.ack.reason, 0);
        decode_ok("E0 01 04", 5, MQTT_DISCONNECT, &p);
        assert_int_equal(p.ack.reason, MQTT_DISCONNECT_WITH_WILL);
        decode_ok("E0 07 00 05 1100000009", 5, MQTT_DISCONNECT, &p);
        assert_int_equal(p.props.session_expiry, 9);
        decode_ok("F0 00", 5, MQTT_AUTH, &p);
        decode_ok("F0 0B 18 09 15 0001'm' 16 0002 0102", 5, MQTT_AUTH, &p);
        assert_span(p.props.authentication_method, "m");
        assert_int_equal(p.props.authentication_data.size, 2);
}

/* Every prefix of a good packet asks for more, and says how much as soon as the length is there. */
static void every_prefix_is_more(void **state)
{
        (void)state;
        static const char *const packets[] = {
                "10 ?? 0004'MQTT' 04 CE 000A 0002'id' 0004'will' 0002'by' 0004'user' 0002'pw'",
                "20 0A 00 9C 07 1C 0004'host'",
                "32 0A 0003'a/b' 0007 00 'pp'",
                "40 08 1234 97 04 1F 0001'r'",
                "62 03 1234 92",
                "82 0D 000A 02 0B07 0005'a/+/#' 2D",
                "90 05 000A 00 01 9E",
                "A2 08 000A 00 0003'a/b'",
                "B0 05 000A 00 00 11",
                "E0 07 00 05 1100000009",
                "F0 0B 18 09 15 0001'm' 16 0002 0102",
        };
        for (size_t i = 0; i < sizeof(packets) / sizeof(packets[0]); i++) {
                uint8_t bytes[HEX_MAX];
                size_t size = hex_bytes(packets[i], bytes);
                for (size_t prefix = 0; prefix < size; prefix++) {
                        struct mqtt_packet p;
                        size_t consumed = 99;
                        uint8_t reason = 0;
                        uint8_t *copy = malloc(prefix + 1);
                        memcpy(copy, bytes, prefix);
                        int result = mqtt_decode(span_of(copy, prefix), i ? 5 : 0, MAX, &p, &consumed, &reason);
                        free(copy);
                        assert_int_equal(result, RELAY_MORE);
                        assert_int_equal(consumed, prefix < 2 ? 0 : size);
                }
        }
}

/* A packet that says it is shorter than its fields is refused, wherever it is cut. */
static void every_cut_inside_is_refused(void **state)
{
        (void)state;
        static const struct {
                const char *text;
                int version;
        } rows[] = {
                { "10 ?? 0004'MQTT' 04 CE 000A 0002'id' 0004'will' 0002'by' 0004'user' 0002'pw'", 0 },
                { "20 0A 00 9C 07 1C 0004'host'", 5 },
                { "82 0D 000A 02 0B07 0005'a/+/#' 2D", 5 },
                { "A2 08 000A 00 0003'a/b'", 5 },
                { "90 04 000A 00 01", 5 },
                { "B0 04 000A 00 00", 5 },
                { "F0 0B 18 09 15 0001'm' 16 0002 0102", 5 },
        };
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                uint8_t bytes[HEX_MAX], reason;
                size_t size = hex_bytes(rows[i].text, bytes), consumed;
                for (size_t cut = 1; cut < size - 2; cut++) {
                        struct mqtt_packet p;
                        bytes[1] = (uint8_t)cut;
                        reason = 0;
                        int result = mqtt_decode(span_of(bytes, cut + 2), rows[i].version, MAX, &p, &consumed, &reason);
                        assert_true(result < 0);
                        assert_true(reason == MQTT_MALFORMED_PACKET || reason == MQTT_PROTOCOL_ERROR);
                }
        }
}

static void decodes_the_first_of_two(void **state)
{
        (void)state;
        static const uint8_t bytes[] = { 0xC0, 0, 0xE0, 0 };
        struct mqtt_packet p;
        size_t consumed;
        uint8_t reason;
        assert_int_equal(mqtt_decode(SPAN_OF(bytes), 5, MAX, &p, &consumed, &reason), RELAY_OK);
        assert_int_equal(consumed, 2);
        assert_int_equal(p.type, MQTT_PINGREQ);
}

static void too_large_is_told_at_the_header(void **state)
{
        (void)state;
        static const uint8_t bytes[] = { 0x30, 0xFF, 0xFF, 0xFF, 0x7F };
        struct mqtt_packet p;
        size_t consumed;
        uint8_t reason = 0;
        assert_int_equal(mqtt_decode(SPAN_OF(bytes), 5, MAX, &p, &consumed, &reason), RELAY_E_RANGE);
        assert_int_equal(reason, MQTT_PACKET_TOO_LARGE);
        assert_int_equal(mqtt_decode(SPAN_OF(bytes), 5, 268435460, &p, &consumed, &reason), RELAY_MORE);
        assert_int_equal(consumed, 268435460);
        assert_int_equal(mqtt_decode(SPAN_OF(bytes), 5, 268435459, &p, &consumed, &reason), RELAY_E_RANGE);
}

struct bad {
        const char *text;
        int version;
        uint8_t reason;
};

static const struct bad bad_packets[] = {
        /* fixed header */
        { "00 00", 5, 0x81 },
        { "0F 00", 4, 0x81 },
        { "11 00", 0, 0x81 },
        { "21 03 00 00 00", 5, 0x81 },
        { "36 06 0001'a' 0001 00", 5, 0x81 }, /* QoS 3 */
        { "38 04 0001'a' 00", 5, 0x81 },      /* DUP with QoS 0 */
        { "38 03 0001'a'", 4, 0x81 },
        { "39 03 0001'a'", 4, 0x81 },
        { "41 02 0001", 5, 0x81 },
        { "52 02 0001", 5, 0x81 },
        { "60 02 0001", 5, 0x81 },
        { "63 02 0001", 4, 0x81 },
        { "72 02 0001", 5, 0x81 },
        { "80 07 0001 00 0001'a' 00", 5, 0x81 },
        { "91 04 0001 00 00", 5, 0x81 },
        { "A0 06 0001 00 0001'a'", 5, 0x81 },
        { "B8 04 0001 00 00", 5, 0x81 },
        { "C1 00", 5, 0x81 },
        { "D2 00", 5, 0x81 },
        { "E8 00", 5, 0x81 },
        { "F1 00", 5, 0x81 },
        { "F0 00", 4, 0x81 },          /* no AUTH in 3.1.1 */
        { "C0 FFFFFFFF 7F", 5, 0x81 }, /* a fifth byte of length */
        { "C0 80 00", 5, 0x81 },       /* not the shortest form */
        { "40 82 00 0001", 5, 0x81 },
        /* other packets before CONNECT */
        { "C0 00", 0, 0x82 },
        { "32 06 0001'a' 0001 00", 0, 0x82 },
        /* CONNECT */
        { "10 0D 0004'MQTT' 05 03 003C 00 0000", 0, 0x81 }, /* reserved flag */
        { "10 0C 0004'MQTT' 04 03 003C 0000", 0, 0x81 },
        { "10 0D 0004'MQTX' 05 02 003C 00 0000", 0, 0x84 }, /* protocol name */
        { "10 0E 0006'MQIsdp' 03 02 003C 0000", 0, 0x84 },  /* 3.1 */
        { "10 0D 0004'MQTT' 06 02 003C 00 0000", 0, 0x84 }, /* level */
        { "10 0C 0004'MQTT' 84 02 003C 0000", 0, 0x84 },    /* bridge bit */
        { "10 0B 0003'MQT' 05 02 003C 0000", 0, 0x84 },
        { "10 14 0004'MQTT' 05 1E 003C 00 0000 00 0001't' 0001'p'", 0, 0x81 }, /* will QoS 3 */
        { "10 0D 0004'MQTT' 05 0A 003C 00 0000", 0, 0x81 },                    /* will QoS without will */
        { "10 0D 0004'MQTT' 05 22 003C 00 0000", 0, 0x81 },                    /* will retain without will */
        { "10 13 0004'MQTT' 05 06 003C 00 0000 00 0001'#' 0000", 0, 0x90 },    /* will topic with a wildcard */
        { "10 12 0004'MQTT' 05 06 003C 00 0000 00 0000 0000", 0, 0x90 },       /* empty will topic */
        { "10 11 0004'MQTT' 04 42 003C 0002'id' 0001'p'", 0, 0x81 },           /* password without name, 3.1.1 */
        { "10 0C 0004'MQTT' 04 00 003C 0000", 0, 0x85 },                       /* empty id, session to be kept, 3.1.1 */
        { "10 0D 0004'MQTT' 05 82 003C 00 0000", 0, 0x81 },                    /* user name missing */
        { "10 0E 0004'MQTT' 05 02 003C 00 0000 00", 0, 0x81 },                 /* bytes left */
        { "10 0D 0004'MQTT' 04 02 003C 0000 00", 0, 0x81 },
        { "10 0F 0004'MQTT' 05 02 003C 00 0002 C328", 0, 0x81 },          /* not UTF-8 */
        { "10 0E 0004'MQTT' 05 02 003C 00 0001 00", 0, 0x81 },            /* NUL in a string */
        { "10 10 0004'MQTT' 05 02 003C 00 0003 EDA080", 0, 0x81 },        /* surrogate */
        { "10 10 0004'MQTT' 05 02 003C 03 210000 0000", 0, 0x82 },        /* receive maximum 0 */
        { "10 12 0004'MQTT' 05 02 003C 05 2700000000 0000", 0, 0x82 },    /* maximum packet size 0 */
        { "10 0F 0004'MQTT' 05 02 003C 02 1702 0000", 0, 0x82 },          /* request problem 2 */
        { "10 0F 0004'MQTT' 05 02 003C 02 1902 0000", 0, 0x82 },          /* request response 2 */
        { "10 13 0004'MQTT' 05 02 003C 06 210001 210001 0000", 0, 0x82 }, /* repeated */
        { "10 17 0004'MQTT' 05 02 003C 0A 1100000001 1100000001 0000", 0, 0x82 },
        { "10 11 0004'MQTT' 05 02 003C 04 16 0001'd' 0000", 0, 0x82 },                 /* data without method */
        { "10 0F 0004'MQTT' 05 02 003C 02 2400 0000", 0, 0x81 },                       /* maximum QoS is CONNACK's */
        { "10 12 0004'MQTT' 05 02 003C 05 1800000001 0000", 0, 0x81 },                 /* will delay outside the will */
        { "10 18 0004'MQTT' 05 06 003C 00 0000 05 1100000001 0001't' 0000", 0, 0x81 }, /* session expiry in a will */
        { "10 15 0004'MQTT' 05 06 003C 00 0000 02 0102 0001't' 0000", 0, 0x82 },       /* payload format 2 in a will */
        { "10 0F 0004'MQTT' 05 02 003C 02 0001 0000", 0, 0x81 },                       /* property 0 */
        { "10 0F 0004'MQTT' 05 02 003C 02 2B01 0000", 0, 0x81 },                       /* property 43 */
        { "10 0F 0004'MQTT' 05 02 003C 02 FF7F 0000", 0, 0x81 },                       /* property 16,383 */
        { "10 0E 0004'MQTT' 05 02 003C 01 21 0000", 0, 0x81 },                         /* property without value */
        { "10 0D 0004'MQTT' 05 02 003C 7F 0000", 0, 0x81 },                            /* property length too large */
        { "10 0E 0004'MQTT' 05 02 003C 8000 0000", 0, 0x81 },                          /* property length too long */
        { "10 8D00 0004'MQTT' 05 02 003C 00 0000", 0, 0x81 },                          /* padded length, MQTT 5 */
        /* CONNACK */
        { "20 03 02 00 00", 5, 0x81 },
        { "20 02 02 00", 4, 0x81 },
        { "20 03 01 87 00", 5, 0x82 }, /* session present in a refusal */
        { "20 02 01 05", 4, 0x82 },
        { "20 03 00 8B 00", 5, 0x82 }, /* no CONNACK code */
        { "20 03 00 01 00", 5, 0x82 },
        { "20 02 00 06", 4, 0x82 },
        { "20 03 00 00 00", 4, 0x81 },
        { "20 02 00 00", 5, 0x81 }, /* property length missing */
        { "20 06 00 00 03 210000", 5, 0x82 },
        { "20 05 00 00 02 2402", 5, 0x82 },
        { "20 05 00 00 02 2502", 5, 0x82 },
        { "20 05 00 00 02 2802", 5, 0x82 },
        { "20 05 00 00 02 2902", 5, 0x82 },
        { "20 05 00 00 02 2A02", 5, 0x82 },
        { "20 07 00 00 04 2400 2400", 5, 0x82 },
        { "20 05 00 00 02 1701", 5, 0x81 },
        { "20 06 00 00 03 230001", 5, 0x81 },
        /* PUBLISH */
        { "32 06 0001'a' 0000 00", 5, 0x82 }, /* packet id 0 */
        { "32 05 0001'a' 0000", 4, 0x82 },
        { "30 06 0003'a/#' 00", 5, 0x90 },
        { "30 06 0003'+/a' 00", 5, 0x90 },
        { "30 05 0003'a/+'", 4, 0x90 },
        { "30 03 0000 00", 5, 0x82 }, /* neither topic nor alias */
        { "30 02 0000", 4, 0x82 },
        { "30 06 0000 03 230000", 5, 0x94 }, /* alias 0 */
        { "30 0A 0001'a' 06 230001 230001", 5, 0x82 },
        { "30 06 0001'a' 02 0102", 5, 0x82 }, /* payload format 2 */
        { "30 06 0001'a' 02 0B00", 5, 0x82 }, /* subscription id 0 */
        { "30 0B 0001'a' 07 0B8080808001 00", 5, 0x81 },
        { "30 08 0001'a' 04 08 0001'#'", 5, 0x82 }, /* response topic with a wildcard */
        { "30 08 0001'a' 04 03 0001 FF", 5, 0x81 }, /* content type not UTF-8 */
        { "30 04 0003'a' 00", 5, 0x81 },
        { "30 05 0002 FFFE 00", 5, 0x81 },
        { "30 04 0001 00 00", 5, 0x81 },
        { "30 09 0001'a' 05 1100000001", 5, 0x81 }, /* session expiry */
        { "30 09 0001'a' 05 26 0001'k' 00", 5, 0x81 },
        { "30 08 0001'a' 04 0101 0101", 5, 0x82 },
        /* PUBACK and its like */
        { "40 02 0000", 5, 0x82 },
        { "50 02 0000", 4, 0x82 },
        { "62 02 0000", 4, 0x82 },
        { "70 02 0000", 5, 0x82 },
        { "40 01 00", 4, 0x81 },
        { "40 00", 5, 0x81 },
        { "40 03 0001 00", 4, 0x81 },
        { "62 03 0001 00", 4, 0x81 },
        { "40 03 0001 92", 5, 0x82 },
        { "50 03 0001 01", 5, 0x82 },
        { "62 03 0001 10", 5, 0x82 },
        { "70 03 0001 97", 5, 0x82 },
        { "40 03 0001 7F", 5, 0x82 },
        { "40 05 0001 00 00 00", 5, 0x81 },
        { "40 06 0001 00 02 0101", 5, 0x81 },
        { "50 0C 0001 00 08 1F 0001'r' 1F 0001's'", 5, 0x82 },
        /* SUBSCRIBE, UNSUBSCRIBE */
        { "82 02 0001", 4, 0x82 }, /* no filter */
        { "82 03 0001 00", 5, 0x82 },
        { "82 07 0000 00 0001'a' 00", 5, 0x82 },
        { "82 07 0001 00 0001'a' 03", 5, 0x82 }, /* QoS 3 */
        { "82 06 0001 0001'a' 03", 4, 0x81 },
        { "82 06 0001 0001'a' 04", 4, 0x81 }, /* 3.1.1 has no options but QoS */
        { "82 06 0001 0001'a' 80", 4, 0x81 },
        { "82 07 0001 00 0001'a' 40", 5, 0x81 },
        { "82 07 0001 00 0001'a' 80", 5, 0x81 },
        { "82 07 0001 00 0001'a' 30", 5, 0x82 },          /* retain handling 3 */
        { "82 10 0001 00 000A'$share/g/a' 04", 5, 0x82 }, /* no local on a shared subscription */
        { "82 06 0001 00 0000 00", 5, 0x8F },             /* empty filter */
        { "82 09 0001 00 0003'a#b' 00", 5, 0x8F },
        { "82 09 0001 00 0003'#/a' 00", 5, 0x8F },
        { "82 08 0001 00 0002'a+' 00", 5, 0x8F },
        { "82 08 0001 0003'a+b' 00", 4, 0x8F },
        { "82 07 0001 00 0001 FF 00", 5, 0x81 },
        { "82 06 0001 00 0001'a'", 5, 0x81 }, /* options missing */
        { "82 09 0001 02 0B00 0001'a' 00", 5, 0x82 },
        { "82 0B 0001 04 0B01 0B02 0001'a' 00", 5, 0x82 }, /* two subscription ids */
        { "82 0B 0001 04 1F 0001'r' 0001'a' 00", 5, 0x81 },
        { "A2 02 0001", 4, 0x82 },
        { "A2 03 0001 00", 5, 0x82 },
        { "A2 06 0000 00 0001'a'", 5, 0x82 },
        { "A2 05 0001 00 0000", 5, 0x8F },
        { "A2 08 0001 00 0003'a#b'", 5, 0x8F },
        { "A2 07 0001 00 0001'a' 00", 5, 0x81 },
        { "A2 08 0001 02 0B01 0001'a'", 5, 0x81 },
        /* SUBACK, UNSUBACK */
        { "90 02 0001", 4, 0x82 },
        { "90 03 0001 00", 5, 0x82 },
        { "90 03 0000 00", 4, 0x82 },
        { "90 03 0001 03", 4, 0x82 },
        { "90 04 0001 00 03", 5, 0x82 },
        { "90 04 0001 00 11", 5, 0x82 },
        { "B0 03 0001 00", 4, 0x81 },
        { "B0 03 0001 00", 5, 0x82 },
        { "B0 04 0001 00 01", 5, 0x82 },
        { "B0 02 0000", 4, 0x82 },
        /* PINGREQ, PINGRESP, DISCONNECT, AUTH */
        { "C0 01 00", 4, 0x81 },
        { "D0 01 00", 5, 0x81 },
        { "E0 01 00", 4, 0x81 },
        { "E0 01 01", 5, 0x82 },
        { "E0 01 92", 5, 0x82 },
        { "E0 03 00 00 00", 5, 0x81 },
        { "E0 05 00 03 210001", 5, 0x81 },
        { "E0 0C 00 0A 1100000001 1100000001", 5, 0x82 },
        { "F0 01 18", 5, 0x81 },
        { "F0 02 18 00", 5, 0x82 }, /* no method */
        { "F0 02 87 00", 5, 0x82 },
        { "F0 06 18 04 16 0001'd'", 5, 0x82 },
        { "F0 0A 18 08 15 0001'm' 15 0001'm'", 5, 0x82 },
};

static void every_bad_packet_has_its_reason(void **state)
{
        (void)state;
        for (size_t i = 0; i < sizeof(bad_packets) / sizeof(bad_packets[0]); i++) {
                struct mqtt_packet p;
                uint8_t reason = 0;
                int result = decode(bad_packets[i].text, bad_packets[i].version, &p, &reason);
                if (result >= 0 || reason != bad_packets[i].reason)
                        fail_msg("\"%s\" (version %d): result %d, reason 0x%02x, expected 0x%02x", bad_packets[i].text,
                                 bad_packets[i].version, result, reason, bad_packets[i].reason);
        }
}

static void a_refused_connect_tells_its_version(void **state)
{
        (void)state;
        struct mqtt_packet p;
        uint8_t reason;
        assert_true(decode("10 0D 0004'MQTT' 06 02 003C 00 0000", 0, &p, &reason) < 0);
        assert_int_equal(p.connect.version, 6);
        assert_true(decode("10 0D 0004'MQTT' 05 03 003C 00 0000", 0, &p, &reason) < 0);
        assert_int_equal(p.connect.version, 5);
        assert_true(decode("10 02 0004", 0, &p, &reason) < 0);
        assert_int_equal(p.connect.version, 0);
}

/* 3.1.1 does not say that the length must be short; some modules pad it. */
static void padded_length_in_311(void **state)
{
        (void)state;
        struct mqtt_packet p;
        decode_ok("30 8500 0003'a/b'", 4, MQTT_PUBLISH, &p);
        decode_ok("10 8C8000 0004'MQTT' 04 02 003C 0000", 0, MQTT_CONNECT, &p);
        decode_ok("C0 8000", 4, MQTT_PINGREQ, &p);
}

static void names(void **state)
{
        (void)state;
        assert_string_equal(mqtt_type_string(MQTT_AUTH), "AUTH");
        assert_string_equal(mqtt_type_string((enum mqtt_type)0), "unknown");
        assert_string_equal(mqtt_type_string((enum mqtt_type)16), "unknown");
        assert_string_equal(mqtt_reason_string(0x87), "Not authorized");
        assert_string_equal(mqtt_reason_string(0x00), "Success");
        assert_string_equal(mqtt_reason_string(0x03), "unknown");
        assert_string_equal(mqtt_reason_string(0xA2), "Wildcard Subscriptions not supported");
        assert_string_equal(mqtt_reason_string(0xA3), "unknown");
        assert_string_equal(mqtt_reason_string(0xFF), "unknown");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(connect_311_example),
                cmocka_unit_test(connect_5_with_properties),
                cmocka_unit_test(connack_both_versions),
                cmocka_unit_test(publish_311),
                cmocka_unit_test(publish_5),
                cmocka_unit_test(publish_alias_without_topic),
                cmocka_unit_test(acks),
                cmocka_unit_test(subscribe_both_versions),
                cmocka_unit_test(subscribe_options),
                cmocka_unit_test(suback_unsubscribe_unsuback),
                cmocka_unit_test(ping_disconnect_auth),
                cmocka_unit_test(every_prefix_is_more),
                cmocka_unit_test(every_cut_inside_is_refused),
                cmocka_unit_test(decodes_the_first_of_two),
                cmocka_unit_test(too_large_is_told_at_the_header),
                cmocka_unit_test(every_bad_packet_has_its_reason),
                cmocka_unit_test(a_refused_connect_tells_its_version),
                cmocka_unit_test(padded_length_in_311),
                cmocka_unit_test(names),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
