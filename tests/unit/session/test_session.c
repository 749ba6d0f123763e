/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A session's life: admission, CONNECT and CONNACK in both versions, translation, limits, time, memory.
 */

#include "talk.h"

static void opens_in_both_versions(void **state)
{
        (void)state;
        struct talk t;
        talk_open_5(&t);
        talk_end(&t);
        talk_open_4(&t);
        talk_end(&t);
}

static void input_before_admission_is_kept(void **state)
{
        (void)state;
        struct talk t;
        talk_new(&t);
        from_client(&t, CONNECT_5 /* and at once: */);
        from_client(&t, "32 ?? 0001'a' 0001 () 'x' C0 00");
        nothing_more(&t);
        assert_int_equal(session_admit(t.s, span_of_string("d"), t.now), 0);
        to_hub(&t, CONNECT_5_NORMAL);
        nothing_more(&t);
        from_hub(&t, HUB_CONNACK);
        to_client(&t, CONNACK_5);
        talk_end(&t);
}

/* hex.h fills in only one length, so the packets of one segment come without ?? */
static void packets_in_one_segment(void **state)
{
        (void)state;
        struct talk t;
        talk_open_5(&t);
        uint8_t bytes[HEX_MAX];
        size_t size = hex_bytes("32 07 0001'a' 0001 00 'x' C0 00 32 07 0001'b' 0002 00 'y' C0 00 30 05", bytes), at = 0;
        at += session_input(t.s, span_of(bytes, size), t.now);
        assert_int_equal(at, 9);
        assert_int_equal(session_input(t.s, span_of(bytes + at, size - at), t.now), 0); /* the event is not taken yet */
        to_hub(&t, "32 07 0001'a' 0001 00 'x'");
        at += session_input(t.s, span_of(bytes + at, size - at), t.now);
        to_hub(&t, "32 07 0001'b' 0002 00 'y'");
        to_client(&t, "D0 00");
        at += session_input(t.s, span_of(bytes + at, size - at), t.now);
        assert_int_equal(at, size);
        to_client(&t, "D0 00");
        nothing_more(&t);
        from_client(&t, "0001'c' 00 'z'");
        to_hub(&t, "30 05 0001'c' 00 'z'");
        nothing_more(&t);
        assert_null(t.s->rx.data);
        talk_end(&t);
}

static void kept_input_is_bounded(void **state)
{
        (void)state;
        struct talk t;
        static uint8_t flood[10000];
        talk_new(&t);
        assert_int_equal(session_input(t.s, SPAN_OF(flood), t.now), talk_limits.packet_max);
        assert_false(session_takes_input(t.s));
        assert_int_equal(session_input(t.s, SPAN_OF(flood), t.now), 0);
        session_refuse(t.s, MQTT_NOT_AUTHORIZED);
        assert_true(session_takes_input(t.s));
        talk_end(&t);
}

static void refused_by_the_hub(void **state)
{
        (void)state;
        struct talk t;
        talk_new(&t);
        from_client(&t, CONNECT_5);
        session_refuse(t.s, MQTT_NOT_AUTHORIZED);
        struct session_event event;
        assert_int_equal(session_next(t.s, &event), 0);
        assert_int_equal(event.type, SESSION_EVENT_CLOSE);
        to_client(&t, "20 03 00 87 00");
        talk_end(&t);
        talk_new(&t);
        session_refuse(t.s, MQTT_NOT_AUTHORIZED);
        nothing_more(&t);
        from_client(&t, CONNECT_4);
        to_client(&t, "20 02 00 05");
        ends(&t, MQTT_NOT_AUTHORIZED, false);
        talk_end(&t);
}

static void refused_in_connack(void **state)
{
        (void)state;
        struct talk t;
        talk_admitted(&t);
        from_client(&t, CONNECT_5);
        to_hub(&t, CONNECT_5_NORMAL);
        from_hub(&t, "20 ?? 00 85 (1F 0002'no')");
        to_client(&t, "20 ?? 00 85 (1F 0002'no')");
        ends(&t, MQTT_BAD_CLIENT_ID, false);
        talk_end(&t);
        talk_admitted(&t);
        from_client(&t, CONNECT_4);
        to_hub(&t, CONNECT_5_NORMAL);
        from_hub(&t, "20 ?? 00 85 (1F 0002'no')");
        to_client(&t, "20 02 00 02");
        ends(&t, MQTT_BAD_CLIENT_ID, false);
        talk_end(&t);
}

static void bad_connects(void **state)
{
        (void)state;
        static const struct {
                const char *sent, *answer;
                uint8_t reason;
        } rows[] = {
                { "10 ?? 0004'MQTT' 05 03 003C () 0001'd'", "20 03 00 81 00", 0x81 },
                { "10 ?? 0004'MQTT' 05 02 003C (210000) 0001'd'", "20 03 00 82 00", 0x82 },
                { "10 ?? 0004'MQTT' 04 03 003C 0001'd'", "", 0x81 },
                { "10 ?? 0004'MQTT' 04 00 003C 0000", "20 02 00 02", 0x85 },
                { "10 ?? 0006'MQIsdp' 03 02 003C 0001'd'", "20 02 00 01", 0x84 },
                { "10 ?? 0004'MQTT' 06 02 003C () 0001'd'", "20 03 00 84 00", 0x84 },
                { "10 FFFF7F", "", 0x95 },
                { "C0 00", "", 0x82 },
                { "32 06 0001'a' 0001 'x'", "", 0x82 },
                { "00 00", "", 0x81 },
                { "'GET / HTTP/1.1'", "", 0x81 },
                { "16 03 01 00", "", 0x81 },
                { "10 ?? 0004'MQTT' 05 02 003C (15 0000) 0001'd'", "20 03 00 8C 00", 0x8C },
                { "10 ?? 0004'MQTT' 05 02 003C (15 "
                  "0041'this-is-no-method-of-ours-but-the-beginning-of-a-longer-story-yes'"
                  ") 0001'd'",
                  "20 03 00 8C 00", 0x8C },
        };
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                struct talk t;
                talk_admitted(&t);
                from_client(&t, rows[i].sent);
                to_client(&t, rows[i].answer);
                ends(&t, rows[i].reason, false);
                talk_end(&t);
        }
}

static void connect_is_normalised(void **state)
{
        (void)state;
        static const struct {
                const char *sent, *given;
        } rows[] = {
                /* 3.1.1: a session to be kept never expires by itself; the password ends here */
                { "10 ?? 0004'MQTT' 04 C0 003C 0001'd' 0001'u' 0001'p'",
                  "10 ?? 0004'MQTT' 05 80 003C (11FFFFFFFF) 0001'd' 0001'd'" },
                { "10 ?? 0004'MQTT' 04 02 0000 0000", "10 ?? 0004'MQTT' 05 82 0000 () 0000 0001'd'" },
                { "10 ?? 0004'MQTT' 04 2E 003C 0001'd' 0001't' 0001'w'",
                  "10 ?? 0004'MQTT' 05 AE 003C () 0001'd' () 0001't' 0001'w' 0001'd'" },
                { "10 ?? 0004'MQTT' 05 04 003C (110000000A 210005) 0001'd' (1800000001) 0001't' 0001'w'",
                  "10 ?? 0004'MQTT' 05 84 003C (110000000A 210005) 0001'd' (1800000001) 0001't' 0001'w' 0001'd'" },
        };
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                struct talk t;
                talk_admitted(&t);
                from_client(&t, rows[i].sent);
                to_hub(&t, rows[i].given);
                nothing_more(&t);
                talk_end(&t);
        }
}

static void connack_tells_the_limits(void **state)
{
        (void)state;
        struct talk t;
        talk_admitted(&t);
        from_client(&t, "10 ?? 0004'MQTT' 05 02 0000 () 0000"); /* no keep-alive asked */
        to_hub(&t, "10 ?? 0004'MQTT' 05 82 0000 () 0000 0001'd'");
        from_hub(&t, "20 ?? 01 00 (1100000005 12 0001'd')");
        to_client(&t, "20 ?? 01 00 (1100000005 12 0001'd' 130258 210004 220003 2700001000 2A00)");
        assert_int_equal(session_deadline(t.s), t.now + 900000);
        talk_end(&t);
}

static void translation_for_311(void **state)
{
        (void)state;
        struct talk t;
        talk_open_4(&t);
        from_client(&t, "33 05 0001'a' 0001");
        to_hub(&t, "33 06 0001'a' 0001 00");
        from_hub(&t, "40 03 0001 10");
        to_client(&t, "40 02 0001");
        from_client(&t, "82 0A 0002 0001'a' 01 0001'b' 02");
        to_hub(&t, "82 0B 0002 00 0001'a' 01 0001'b' 02");
        from_hub(&t, "90 ?? 0002 (1F 0001'r') 01 87");
        to_client(&t, "90 04 0002 01 80");
        from_client(&t, "A2 05 0003 0001'a'");
        to_hub(&t, "A2 06 0003 00 0001'a'");
        from_hub(&t, "B0 04 0003 00 11");
        to_client(&t, "B0 02 0003");
        from_hub(&t, "32 ?? 0001'a' 0009 (26 0001'k' 0001'v') 'x'");
        to_client(&t, "32 06 0001'a' 0009 'x'");
        from_client(&t, "40 8200 0009"); /* a padded length stays on this side */
        to_hub(&t, "40 02 0009");
        from_hub(&t, "E0 01 8E");
        ends(&t, MQTT_SESSION_TAKEN_OVER, true);
        talk_end(&t);
}

static void a_refused_publish_ends_a_311_session(void **state)
{
        (void)state;
        static const char *const rows[][2] = { { "32 05 0001'a' 0001", "40 03 0001 87" },
                                               { "34 05 0001'a' 0001", "50 03 0001 97" } };
        for (size_t i = 0; i < 2; i++) {
                struct talk t;
                struct session_event event;
                talk_open_4(&t);
                from_client(&t, rows[i][0]);
                assert_int_equal(session_next(t.s, &event), 0);
                from_hub(&t, rows[i][1]);
                ends(&t, i ? 0x97 : 0x87, true);
                talk_end(&t);
        }
}

static void aliases_are_resolved(void **state)
{
        (void)state;
        struct talk t;
        talk_open_5(&t);
        from_client(&t, "30 ?? 0001'a' (230001) 'x'");
        to_hub(&t, "30 ?? 0001'a' () 'x'");
        from_client(&t, "32 ?? 0000 0007 (230001 26 0001'k' 0001'v') 'y'");
        to_hub(&t, "32 ?? 0001'a' 0007 (26 0001'k' 0001'v') 'y'");
        from_client(&t, "30 ?? 0001'b' (230001) 'x'"); /* a new meaning */
        to_hub(&t, "30 ?? 0001'b' () 'x'");
        from_client(&t, "30 ?? 0000 (230001) 'z'");
        to_hub(&t, "30 ?? 0001'b' () 'z'");
        from_client(&t, "30 ?? 0000 (230002) 'z'"); /* never said */
        to_client(&t, "E0 01 82");
        ends(&t, MQTT_PROTOCOL_ERROR, true);
        talk_end(&t);
        talk_open_5(&t);
        from_client(&t, "30 ?? 0001'a' (230004)"); /* above the maximum */
        to_client(&t, "E0 01 94");
        ends(&t, MQTT_BAD_TOPIC_ALIAS, true);
        talk_end(&t);
}

static void alias_memory_is_bounded(void **state)
{
        (void)state;
        struct talk t;
        talk_open_5(&t);
        uint8_t packet[4000];
        struct session_event event;
        for (uint16_t alias = 1; alias <= 3; alias++) {
                struct mqtt_packet p = { .type = MQTT_PUBLISH };
                static uint8_t topic[3900];
                struct writer w;
                memset(topic, 'a', sizeof(topic));
                p.publish.topic = SPAN_OF(topic);
                p.props.present = MQTT_PROP(MQTT_P_TOPIC_ALIAS);
                p.props.topic_alias = alias;
                writer_init(&w, packet, sizeof(packet));
                assert_int_equal(mqtt_encode(&w, 5, &p), RELAY_OK);
                session_input(t.s, writer_span(&w), t.now);
                assert_int_equal(session_next(t.s, &event), 0);
        }
        assert_int_equal(event.type, SESSION_EVENT_CLOSE);
        assert_int_equal(event.mqtt_reason, MQTT_QUOTA_EXCEEDED);
        talk_end(&t);
}

/* What fits as it came may not fit the channel in MQTT 5 or with its topic. */
static void a_packet_that_grows_too_large(void **state)
{
        (void)state;
        struct talk t;
        talk_open_5(&t);
        t.s->limits.packet_max = 16;
        from_client(&t, "30 ?? 0006'abcdef' (230001)");
        to_hub(&t, "30 ?? 0006'abcdef' ()");
        from_client(&t, "30 ?? 0000 (230001) '12345678'");
        to_client(&t, "E0 01 95");
        ends(&t, MQTT_PACKET_TOO_LARGE, true);
        talk_end(&t);
}

static void client_packet_maximum(void **state)
{
        (void)state;
        struct talk t;
        talk_admitted(&t);
        from_client(&t, "10 ?? 0004'MQTT' 05 02 003C (2700000028) 0001'd'"); /* 40 bytes */
        struct session_event event;
        assert_int_equal(session_next(t.s, &event), 0);
        from_hub(&t, HUB_CONNACK);
        to_client(&t, CONNACK_5);
        from_hub(&t, "32 ?? 0001'a' 0001 () '1234567890123456789012345678901234567890'");
        to_hub(&t, "40 02 0001");
        from_hub(&t, "30 ?? 0001'a' () '1234567890123456789012345678901234567890'");
        from_hub(&t, "34 ?? 0001'a' 0002 () '1234567890123456789012345678901234567890'");
        to_hub(&t, "50 03 0002 80");
        nothing_more(&t);
        from_hub(&t, "32 ?? 0001'a' 0001 () 'fits'");
        to_client(&t, "32 ?? 0001'a' 0001 () 'fits'");
        from_client(&t, "32 ?? 0001'a' 0001 ()");
        assert_int_equal(session_next(t.s, &event), 0);
        from_hub(&t, "40 ?? 0001 87 (1F 0026'12345678901234567890123456789012345678')");
        to_client(&t, "40 03 0001 87"); /* the text would not fit */
        talk_end(&t);
}

static void no_texts_if_not_wanted(void **state)
{
        (void)state;
        struct talk t;
        struct session_event event;
        talk_admitted(&t);
        from_client(&t, "10 ?? 0004'MQTT' 05 02 003C (1700) 0001'd'");
        assert_int_equal(session_next(t.s, &event), 0);
        from_hub(&t, HUB_CONNACK);
        to_client(&t, CONNACK_5);
        from_client(&t, "32 ?? 0001'a' 0001 ()");
        assert_int_equal(session_next(t.s, &event), 0);
        from_hub(&t, "40 ?? 0001 87 (1F 0001'r' 26 0001'k' 0001'v')");
        to_client(&t, "40 03 0001 87");
        from_hub(&t, "E0 ?? 8E (1F 0001'r')"); /* DISCONNECT may have them */
        to_client(&t, "E0 ?? 8E (1F 0001'r')");
        ends(&t, 0x8E, true);
        talk_end(&t);
}

static void full_output(void **state)
{
        (void)state;
        struct talk t;
        struct session_limits tight = talk_limits;
        tight.output_max = 8;
        talk_open_5(&t);
        t.s->limits = tight;
        from_hub(&t, "32 ?? 0001'a' 0001 () 'x'");
        assert_true(session_output_full(t.s));
        from_hub(&t, "30 ?? 0001'a' () 'lost'");
        from_hub(&t, "32 ?? 0001'a' 0002 () 'y'");
        static const uint8_t ping[] = { 0xC0, 0 };
        assert_int_equal(session_input(t.s, SPAN_OF(ping), t.now), 0);
        assert_false(session_takes_input(t.s));
        struct span out = session_output(t.s);
        assert_int_equal(out.size, 18);
        session_sent(t.s, 9, t.now);
        session_sent(t.s, 9, t.now);
        assert_false(session_output_full(t.s));
        assert_true(session_takes_input(t.s));
        assert_null(t.s->tx.data);
        assert_int_equal(session_input(t.s, SPAN_OF(ping), t.now), 2);
        to_client(&t, "D0 00");
        talk_end(&t);
}

static void keep_alive(void **state)
{
        (void)state;
        struct talk t;
        talk_open_5(&t); /* 60 s */
        assert_int_equal(session_deadline(t.s), 1000 + 90000);
        t.now = 50000;
        from_client(&t, "C0 00");
        to_client(&t, "D0 00");
        session_tick(t.s, 139999);
        nothing_more(&t);
        session_tick(t.s, 140000);
        to_client(&t, "E0 01 8D");
        ends(&t, MQTT_KEEP_ALIVE_TIMEOUT, true);
        assert_int_equal(session_deadline(t.s), UINT64_MAX);
        talk_end(&t);
}

static void connect_timeout(void **state)
{
        (void)state;
        struct talk t;
        talk_admitted(&t);
        from_client(&t, "10 20 0004");
        session_tick(t.s, 5999);
        nothing_more(&t);
        session_tick(t.s, 6000);
        ends(&t, MQTT_KEEP_ALIVE_TIMEOUT, true);
        talk_end(&t);
}

static void closed_by_the_relay(void **state)
{
        (void)state;
        struct talk t;
        talk_open_5(&t);
        session_close(t.s, MQTT_SHUTTING_DOWN);
        to_client(&t, "E0 01 8B");
        ends(&t, MQTT_SHUTTING_DOWN, true);
        session_close(t.s, MQTT_SHUTTING_DOWN);
        nothing_more(&t);
        talk_end(&t);
        talk_admitted(&t);
        from_client(&t, CONNECT_5);
        to_hub(&t, CONNECT_5_NORMAL);
        session_close(t.s, MQTT_SHUTTING_DOWN);
        to_client(&t, "20 03 00 88 00");
        ends(&t, MQTT_SHUTTING_DOWN, true);
        talk_end(&t);
}

static void an_idle_session_is_small(void **state)
{
        (void)state;
        struct talk t;
        talk_open_5(&t);
        from_client(&t, "32 ?? 0001'a' 0001 ()");
        to_hub(&t, "32 ?? 0001'a' 0001 ()");
        from_hub(&t, "40 02 0001");
        to_client(&t, "40 02 0001");
        nothing_more(&t);
        assert_true(sizeof(struct session) < 500);
        assert_null(t.s->rx.data);
        assert_null(t.s->tx.data);
        assert_null(t.s->normal);
        assert_null(t.s->identity);
        assert_null(t.s->from_client.slots);
        talk_end(&t);
        assert_null(session_free(NULL));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(opens_in_both_versions),
                cmocka_unit_test(input_before_admission_is_kept),
                cmocka_unit_test(packets_in_one_segment),
                cmocka_unit_test(kept_input_is_bounded),
                cmocka_unit_test(refused_by_the_hub),
                cmocka_unit_test(refused_in_connack),
                cmocka_unit_test(bad_connects),
                cmocka_unit_test(connect_is_normalised),
                cmocka_unit_test(connack_tells_the_limits),
                cmocka_unit_test(translation_for_311),
                cmocka_unit_test(a_refused_publish_ends_a_311_session),
                cmocka_unit_test(aliases_are_resolved),
                cmocka_unit_test(alias_memory_is_bounded),
                cmocka_unit_test(a_packet_that_grows_too_large),
                cmocka_unit_test(client_packet_maximum),
                cmocka_unit_test(no_texts_if_not_wanted),
                cmocka_unit_test(full_output),
                cmocka_unit_test(keep_alive),
                cmocka_unit_test(connect_timeout),
                cmocka_unit_test(closed_by_the_relay),
                cmocka_unit_test(an_idle_session_is_small),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
