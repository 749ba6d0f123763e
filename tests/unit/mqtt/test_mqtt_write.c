/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Encoding: what decodes encodes to the same bytes; packets built by hand; translation to 3.1.1; too little room.
 */

#include "hex.h"

#include "relay/mqtt.h"

static void encode_is(const struct mqtt_packet *packet, int version, const char *expected)
{
        uint8_t out[HEX_MAX], want[HEX_MAX];
        struct writer w;
        size_t size = hex_bytes(expected, want);
        writer_init(&w, out, sizeof(out));
        assert_int_equal(mqtt_encode(&w, version, packet), RELAY_OK);
        assert_int_equal(writer_span(&w).size, size);
        assert_memory_equal(out, want, size);
        for (size_t room = 0; room < size; room++) {
                writer_init(&w, out, room);
                assert_int_equal(mqtt_encode(&w, version, packet), RELAY_E_SPACE);
                assert_int_equal(writer_needed(&w), size);
        }
}

static const struct {
        int version;
        const char *text;
} canonical[] = {
        { 4, "10 ?? 0004'MQTT' 04 CE 000A 0002'id' 0004'will' 0002'by' 0004'user' 0002'pw'" },
        { 4, "10 ?? 0004'MQTT' 04 02 0000 0000" },
        { 5,
          "10 ?? 0004'MQTT' 05 2E 001E (110000000A 1701 1900 210014 220005 2700001000 26 0001'k' 0001'v' 26 0000 0000)"
          "0008'device-1' (0101 03 0001'c' 1800000005 26 0001'w' 0001'x') 0003'w/t' 0003'bye'" },
        { 5, "10 ?? 0004'MQTT' 05 40 0000 (15 0001'm' 16 0001'd') 0000 0003 00FF10" },
        { 4, "20 02 01 00" },
        { 4, "20 02 00 05" },
        { 5, "20 ?? 00 00 (1100000000 12 0001'x' 13003C 1A 0001'i' 1F 0001'r' 210001 220000 2400 2501 2700010000 2800 "
             "2900 2A00)" },
        { 5, "20 ?? 00 9C (1C 0004'host')" },
        { 4, "3D ?? 0003'a/b' 000A 'hi'" },
        { 5, "30 ?? 0003'a/b' () 'hi'" },
        { 5,
          "32 ?? 0001'a' 0007 (0200000E10 08 0001'r' 09 0002FF00 0B05 0B8001 0B7F 230003 26 0003'seq' 0001'1') 'p'" },
        /* the example of docs/protocol.md */
        { 5,
          "32 3f 00 25 73 69 74 65 73 2f 73 31 2f 64 65 76 69 63 65 73 2f 64 65 76 69 63 65 2d 31 2f 65 76 65 6e 74 73"
          "2f 73 6f 69 6c 00 0a 13 26 00 03 73 65 71 00 01 37 26 00 04 62 6f 6f 74 00 01 32 34 32" },
        { 4, "40 02 1234" },
        { 5, "40 02 1234" },
        { 5, "40 03 1234 97" },
        { 5, "50 ?? 1234 00 (1F 0001'r')" },
        { 5, "62 03 1234 92" },
        { 5, "70 ?? 1234 92 (26 0001'a' 0001'b')" },
        { 4, "82 ?? 000A 0003'a/b' 01 0003'c/d' 02" },
        { 5, "82 ?? 000A (0B8001) 0005'a/+/#' 2D" },
        { 4, "90 ?? 000A 00 02 80" },
        { 5, "90 ?? 000A (1F 0001'r') 00 9E" },
        { 4, "A2 ?? 000A 0003'a/b' 0003'c/d'" },
        { 5, "A2 ?? 000A () 0003'a/b'" },
        { 4, "B0 02 000A" },
        { 5, "B0 ?? 000A () 00 11" },
        { 4, "C0 00" },
        { 5, "D0 00" },
        { 4, "E0 00" },
        { 5, "E0 00" },
        { 5, "E0 01 04" },
        { 5, "E0 ?? 00 (1100000009)" },
        { 5, "F0 ?? 18 (15 0001'm' 16 0002 0102)" },
};

static void what_decodes_encodes_the_same(void **state)
{
        (void)state;
        for (size_t i = 0; i < sizeof(canonical) / sizeof(canonical[0]); i++) {
                uint8_t bytes[HEX_MAX], reason;
                struct mqtt_packet p;
                size_t size = hex_bytes(canonical[i].text, bytes), consumed;
                if (mqtt_decode(span_of(bytes, size), canonical[i].version, HEX_MAX, &p, &consumed, &reason) !=
                    RELAY_OK)
                        fail_msg("does not decode: %s", canonical[i].text);
                encode_is(&p, canonical[i].version, canonical[i].text);
        }
}

static void built_by_hand(void **state)
{
        (void)state;
        uint8_t list[100];
        struct writer w;
        writer_init(&w, list, sizeof(list));
        mqtt_user_put(&w, SPAN_LITERAL("seq"), SPAN_LITERAL("7"));
        mqtt_user_put(&w, SPAN_LITERAL("boot"), SPAN_LITERAL("2"));
        struct mqtt_packet p = { .type = MQTT_PUBLISH };
        p.publish = (struct mqtt_publish){
                .qos = 1, .packet_id = 3, .topic = SPAN_LITERAL("t"), .payload = SPAN_LITERAL("xy")
        };
        p.props.present = MQTT_PROP(MQTT_P_USER) | MQTT_PROP(MQTT_P_SUBSCRIPTION_ID);
        p.props.subscription_id = 300;
        p.props.user = writer_span(&w);
        encode_is(&p, 5, "32 ?? 0001't' 0003 (0BAC02 26 0003'seq' 0001'7' 26 0004'boot' 0001'2') 'xy'");
        encode_is(&p, 4, "32 07 0001't' 0003 'xy'");
}

static void filters_by_hand(void **state)
{
        (void)state;
        uint8_t list[100];
        struct writer w;
        struct mqtt_filter f = { SPAN_LITERAL("a/#"), 1, true, true, 2 };
        writer_init(&w, list, sizeof(list));
        mqtt_filter_put(&w, &f, true);
        struct mqtt_packet p = { .type = MQTT_SUBSCRIBE };
        p.subscribe = (struct mqtt_subscribe){ .packet_id = 9, .filters = writer_span(&w), .count = 1 };
        encode_is(&p, 5, "82 ?? 0009 () 0003'a/#' 2D");
        encode_is(&p, 4, "82 ?? 0009 0003'a/#' 01");
        writer_init(&w, list, sizeof(list));
        mqtt_filter_put(&w, &f, false);
        p.type = MQTT_UNSUBSCRIBE;
        p.subscribe.filters = writer_span(&w);
        encode_is(&p, 5, "A2 ?? 0009 () 0003'a/#'");
}

/* MQTT 5 reason codes in the words of 3.1.1 */
static void translation_to_311(void **state)
{
        (void)state;
        static const struct {
                uint8_t reason, code;
        } rows[] = { { 0x00, 0 }, { 0x84, 1 }, { 0x85, 2 }, { 0x88, 3 }, { 0x89, 3 }, { 0x97, 3 },
                     { 0x80, 3 }, { 0x86, 4 }, { 0x8C, 4 }, { 0x87, 5 }, { 0x8A, 5 }, { 0x05, 5 } };
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                struct mqtt_packet p = { .type = MQTT_CONNACK, .ack.reason = rows[i].reason };
                char expected[32];
                p.props.present = MQTT_PROP(MQTT_P_RECEIVE_MAXIMUM);
                snprintf(expected, sizeof(expected), "20 02 00 %02x", rows[i].code);
                encode_is(&p, 4, expected);
        }
        static const uint8_t codes[] = { 0, 1, 0x87, 0x9E };
        struct mqtt_packet p = { .type = MQTT_SUBACK };
        p.suback = (struct mqtt_suback){ 5, SPAN_OF(codes) };
        encode_is(&p, 4, "90 06 0005 00 01 80 80");
        p.type = MQTT_UNSUBACK;
        encode_is(&p, 4, "B0 02 0005");
        p = (struct mqtt_packet){ .type = MQTT_PUBREC, .ack = { 5, 0x97, false } };
        encode_is(&p, 4, "50 02 0005");
        p = (struct mqtt_packet){ .type = MQTT_DISCONNECT, .ack = { 0, 0x8B, false } };
        encode_is(&p, 4, "E0 00");
}

static void what_cannot_be_written(void **state)
{
        (void)state;
        static uint8_t out[70000], large[65536];
        struct writer w;
        struct mqtt_packet p = { .type = MQTT_PUBACK, .ack = { .packet_id = 1 } };
        p.props.present = MQTT_PROP(MQTT_P_TOPIC_ALIAS);
        writer_init(&w, out, sizeof(out));
        assert_int_equal(mqtt_encode(&w, 5, &p), RELAY_E_RANGE);
        p = (struct mqtt_packet){ .type = MQTT_AUTH };
        writer_init(&w, out, sizeof(out));
        assert_int_equal(mqtt_encode(&w, 4, &p), RELAY_E_UNSUPPORTED);
        p = (struct mqtt_packet){ .type = MQTT_PUBLISH };
        p.publish.topic = SPAN_OF(large);
        writer_init(&w, out, sizeof(out));
        assert_int_equal(mqtt_encode(&w, 5, &p), RELAY_E_RANGE);
}

/* lengths around each border of the variable byte integer, section 2.1.4 */
static void length_borders(void **state)
{
        (void)state;
        static const struct {
                size_t size, header;
        } rows[] = { { 127, 2 }, { 128, 3 }, { 16383, 3 }, { 16384, 4 }, { 2097151, 4 }, { 2097152, 5 } };
        uint8_t *out = malloc(2200000), *payload = calloc(1, 2200000);
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                struct mqtt_packet p = { .type = MQTT_PUBLISH }, back;
                struct writer w;
                size_t consumed;
                uint8_t reason;
                p.publish.topic = SPAN_LITERAL("t");
                p.publish.payload = span_of(payload, rows[i].size - 3);
                writer_init(&w, out, 2200000);
                assert_int_equal(mqtt_encode(&w, 4, &p), RELAY_OK);
                assert_int_equal(writer_needed(&w), rows[i].size + rows[i].header);
                assert_int_equal(mqtt_decode(writer_span(&w), 4, 2200000, &back, &consumed, &reason), RELAY_OK);
                assert_int_equal(back.publish.payload.size, rows[i].size - 3);
        }
        free(out);
        free(payload);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(what_decodes_encodes_the_same),
                cmocka_unit_test(built_by_hand),
                cmocka_unit_test(filters_by_hand),
                cmocka_unit_test(translation_to_311),
                cmocka_unit_test(what_cannot_be_written),
                cmocka_unit_test(length_borders),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
