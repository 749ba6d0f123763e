/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Decoding: well-formed packets of every type, field by field, and every prefix of them. Bad packets: test_mqtt_bad.c.
 */

#include "decode.h"

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
                cmocka_unit_test(a_refused_connect_tells_its_version),
                cmocka_unit_test(padded_length_in_311),
                cmocka_unit_test(names),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
