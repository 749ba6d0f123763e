/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Client engine against a broker written down in hexadecimal: what it sends, what it believes, what it refuses.
 */

#include "hex.h"

#include "relay/mqttclient.h"

#define CONNACK "20 ?? 00 00 ()"

struct peer {
        struct mqtt_client c;
        uint8_t rx[256], tx[256];
        struct mqtt_client_event event;
        uint64_t now;
};

static void sent(struct peer *p, const char *text)
{
        uint8_t want[HEX_MAX];
        size_t size = hex_bytes(text, want);
        struct span out = mqtt_client_output(&p->c);
        assert_int_equal(out.size, size);
        if (size)
                assert_memory_equal(out.data, want, size);
        mqtt_client_sent(&p->c, out.size, p->now);
}

static void broker(struct peer *p, const char *text)
{
        uint8_t bytes[HEX_MAX];
        size_t size = hex_bytes(text, bytes);
        assert_int_equal(mqtt_client_input(&p->c, span_of(bytes, size), p->now), size);
}

static void event_is(struct peer *p, enum mqtt_client_event_type type)
{
        assert_int_equal(mqtt_client_next(&p->c, &p->event), RELAY_OK);
        assert_int_equal(p->event.type, type);
}

static void no_event(struct peer *p)
{
        assert_int_equal(mqtt_client_next(&p->c, &p->event), RELAY_MORE);
}

static void closed(struct peer *p, uint8_t reason, bool by_peer)
{
        event_is(p, MQTT_CLIENT_EVENT_CLOSED);
        assert_int_equal(p->event.reason, reason);
        assert_int_equal(p->event.by_peer, by_peer);
        assert_int_equal(p->c.state, MQTT_CLIENT_CLOSED);
        no_event(p);
        assert_int_equal(mqtt_client_deadline(&p->c), UINT64_MAX);
}

static void start(struct peer *p)
{
        struct mqtt_client_config config = { .client_id = SPAN_LITERAL("d"),
                                             .clean_start = true,
                                             .keep_alive_s = 10,
                                             .receive_maximum = 2,
                                             .connack_timeout_ms = 5000 };
        memset(p, 0, sizeof(*p));
        p->now = 100;
        mqtt_client_init(&p->c, p->rx, sizeof(p->rx), p->tx, sizeof(p->tx), p->now);
        assert_int_equal(mqtt_client_connect(&p->c, &config, p->now), RELAY_OK);
}

static void connected(struct peer *p, const char *connack)
{
        start(p);
        sent(p, "10 ?? 0004'MQTT' 05 02 000A (210002 2700000100) 0001'd'");
        broker(p, connack);
        event_is(p, MQTT_CLIENT_EVENT_CONNACK);
        no_event(p);
}

static int publish(struct peer *p, uint8_t qos, uint16_t *id)
{
        struct mqtt_publish publish = { .qos = qos, .topic = SPAN_LITERAL("t"), .payload = SPAN_LITERAL("x") };
        return mqtt_client_publish(&p->c, &publish, NULL, id);
}

static void connect_with_everything(void **state)
{
        (void)state;
        static const uint8_t user[] = { 38, 0, 1, 'k', 0, 1, 'v' };
        struct mqtt_client_config config = { .client_id = SPAN_LITERAL("d"),
                                             .session_expiry_s = 9,
                                             .maximum_packet_size = 128,
                                             .has_will = true,
                                             .will_qos = 1,
                                             .will_retain = true,
                                             .will_topic = SPAN_LITERAL("w"),
                                             .will_payload = SPAN_LITERAL("p"),
                                             .user_properties = SPAN_OF(user) };
        struct peer p;
        mqtt_client_init(&p.c, p.rx, sizeof(p.rx), p.tx, sizeof(p.tx), 0);
        assert_int_equal(mqtt_client_deadline(&p.c), UINT64_MAX);
        assert_int_equal(publish(&p, 0, NULL), RELAY_E_STATE);
        assert_int_equal(mqtt_client_connect(&p.c, &config, 0), RELAY_OK);
        sent(&p, "10 ?? 0004'MQTT' 05 2C 0000 (1100000009 2700000080 26 0001'k' 0001'v') 0001'd' () 0001'w' 0001'p'");
        mqtt_client_init(&p.c, p.rx, sizeof(p.rx), p.tx, 20, 0);
        assert_int_equal(mqtt_client_connect(&p.c, &config, 0), RELAY_E_SPACE);
        assert_int_equal(p.c.state, MQTT_CLIENT_IDLE);
}

static void publish_and_puback(void **state)
{
        (void)state;
        struct peer p;
        uint16_t id = 0;
        connected(&p, CONNACK);
        assert_int_equal(publish(&p, 1, &id), RELAY_OK);
        assert_int_equal(id, 1);
        sent(&p, "32 ?? 0001't' 0001 () 'x'");
        assert_int_equal(publish(&p, 1, &id), RELAY_OK);
        sent(&p, "32 ?? 0001't' 0002 () 'x'");
        broker(&p, "40 02 0001 40 03 0002 97");
        event_is(&p, MQTT_CLIENT_EVENT_PUBACK);
        assert_int_equal(p.event.reason, 0);
        event_is(&p, MQTT_CLIENT_EVENT_PUBACK);
        assert_int_equal(p.event.packet.ack.packet_id, 2);
        assert_int_equal(p.event.reason, MQTT_QUOTA_EXCEEDED);
        assert_int_equal(p.c.in_flight, 0);
        broker(&p, "40 02 0001"); /* once more */
        closed(&p, MQTT_PROTOCOL_ERROR, false);
        sent(&p, "E0 01 82");
}

static void packet_ids_in_flight_are_passed_over(void **state)
{
        (void)state;
        struct peer p;
        struct mqtt_publish again = { .qos = 1, .dup = true, .packet_id = 1, .topic = SPAN_LITERAL("t") };
        uint16_t id;
        connected(&p, CONNACK);
        assert_int_equal(mqtt_client_publish(&p.c, &again, NULL, &id), RELAY_OK);
        assert_int_equal(id, 1);
        assert_int_equal(mqtt_client_publish(&p.c, &again, NULL, &id), RELAY_E_STATE);
        p.c.next_packet_id = 65535;
        assert_int_equal(publish(&p, 1, &id), RELAY_OK);
        assert_int_equal(id, 2); /* neither 0 nor 1 */
}

static void limits_of_the_broker(void **state)
{
        (void)state;
        struct peer p;
        struct mqtt_publish retained = { .retain = true, .topic = SPAN_LITERAL("t") };
        connected(&p, "20 ?? 00 00 (130005 210001 2500 2700000009)");
        assert_int_equal(p.c.keep_alive_s, 5);
        assert_int_equal(publish(&p, 1, NULL), RELAY_OK);
        sent(&p, "32 ?? 0001't' 0001 () 'x'");
        assert_int_equal(publish(&p, 1, NULL), RELAY_E_SPACE);
        assert_int_equal(mqtt_client_publish(&p.c, &retained, NULL, NULL), RELAY_E_RANGE);
        retained.retain = false;
        retained.payload = SPAN_LITERAL("12345");
        assert_int_equal(mqtt_client_publish(&p.c, &retained, NULL, NULL), RELAY_E_RANGE);
        retained.qos = 2;
        assert_int_equal(mqtt_client_publish(&p.c, &retained, NULL, NULL), RELAY_E_RANGE);
        connected(&p, "20 ?? 00 00 (2400)");
        assert_int_equal(publish(&p, 1, NULL), RELAY_E_RANGE);
        assert_int_equal(publish(&p, 0, NULL), RELAY_OK);
}

static void a_full_buffer_changes_nothing(void **state)
{
        (void)state;
        struct peer p;
        uint16_t id = 77;
        connected(&p, CONNACK);
        p.c.tx_size = 8;
        assert_int_equal(publish(&p, 1, &id), RELAY_E_SPACE);
        assert_int_equal(id, 77);
        assert_int_equal(p.c.in_flight, 0);
        sent(&p, "");
        p.c.tx_size = sizeof(p.tx);
        assert_int_equal(publish(&p, 1, &id), RELAY_OK);
        assert_int_equal(id, 1);
}

static void subscribes(void **state)
{
        (void)state;
        static const uint8_t filter[] = { 0, 1, 'a', 1 };
        struct peer p;
        uint16_t id;
        connected(&p, CONNACK);
        assert_int_equal(mqtt_client_subscribe(&p.c, SPAN_OF(filter), 1, &id), RELAY_OK);
        sent(&p, "82 ?? 0001 () 0001'a' 01");
        broker(&p, "90 ?? 0001 () 87");
        event_is(&p, MQTT_CLIENT_EVENT_SUBACK);
        assert_int_equal(p.event.packet.suback.reasons.data[0], 0x87);
        assert_int_equal(mqtt_client_unsubscribe(&p.c, span_of(filter, 3), 1, &id), RELAY_OK);
        sent(&p, "A2 ?? 0002 () 0001'a'");
        broker(&p, "90 ?? 0002 () 00"); /* not the answer to this one */
        closed(&p, MQTT_PROTOCOL_ERROR, false);
}

static void takes_publishes(void **state)
{
        (void)state;
        struct peer p;
        connected(&p, CONNACK);
        broker(&p, "30 05 0001'a' 00 'x' 32 07 0001'a' 0005 00 'y' 34 07 0001'a' 0006 00 'z' 62 02 0006 D0 00");
        event_is(&p, MQTT_CLIENT_EVENT_PUBLISH);
        assert_int_equal(p.event.packet.publish.qos, 0);
        event_is(&p, MQTT_CLIENT_EVENT_PUBLISH);
        assert_int_equal(p.event.packet.publish.packet_id, 5);
        no_event(&p);
        sent(&p, "50 03 0006 83 70 03 0006 92"); /* QoS 2 is refused */
        assert_int_equal(mqtt_client_puback(&p.c, 5, 0), RELAY_OK);
        assert_int_equal(mqtt_client_puback(&p.c, 5, 0), RELAY_E_STATE);
        sent(&p, "40 02 0005");
        broker(&p, "32 06 0001'a' 0005 00 32 06 0001'a' 0006 00 32 06 0001'a' 0007 00");
        event_is(&p, MQTT_CLIENT_EVENT_PUBLISH);
        event_is(&p, MQTT_CLIENT_EVENT_PUBLISH);
        closed(&p, MQTT_RECEIVE_MAXIMUM_EXCEEDED, false);
        sent(&p, "E0 01 93");
}

static void a_broker_that_breaks_the_rules(void **state)
{
        (void)state;
        static const struct {
                const char *bytes, *answer;
                uint8_t reason;
        } rows[] = {
                { "20 03 00 00 00", "E0 01 82", 0x82 }, /* CONNACK twice */
                { "10 ?? 0004'MQTT' 06 02 003C () 0001'd'", "E0 01 82", 0x84 },
                { "50 02 0001", "E0 01 82", 0x82 },
                { "C0 00", "E0 01 82", 0x82 },
                { "F0 00", "E0 01 82", 0x82 },
                { "82 07 0001 00 0001'a' 00", "E0 01 82", 0x82 },
                { "30 ?? 0001'a' (230001)", "E0 01 94", 0x94 },
                { "36 00", "E0 01 81", 0x81 },
                { "30 FF01", "E0 01 95", 0x95 },
                { "E0 ?? 00 (1100000001)", "E0 01 82", 0x82 },
        };
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                struct peer p;
                connected(&p, CONNACK);
                broker(&p, rows[i].bytes);
                closed(&p, rows[i].reason, false);
                sent(&p, rows[i].answer);
                assert_int_equal(publish(&p, 0, NULL), RELAY_E_STATE);
        }
}

static void refused(void **state)
{
        (void)state;
        struct peer p;
        start(&p);
        broker(&p, "20 ?? 00 87 (1F 0002'no')");
        event_is(&p, MQTT_CLIENT_EVENT_CONNACK);
        assert_int_equal(p.event.reason, MQTT_NOT_AUTHORIZED);
        assert_true(span_equal_string(p.event.packet.props.reason_string, "no"));
        closed(&p, MQTT_NOT_AUTHORIZED, true);
        start(&p);
        broker(&p, "D0 00");
        closed(&p, MQTT_PROTOCOL_ERROR, false);
        start(&p);
        broker(&p, "20 02 00 01"); /* a 3.1.1 broker */
        closed(&p, MQTT_PROTOCOL_ERROR, false);
}

static void disconnects(void **state)
{
        (void)state;
        struct peer p;
        connected(&p, CONNACK);
        broker(&p, "E0 01 8B");
        closed(&p, MQTT_SHUTTING_DOWN, true);
        sent(&p, "");
        connected(&p, CONNACK);
        assert_int_equal(mqtt_client_disconnect(&p.c, MQTT_DISCONNECT_WITH_WILL), RELAY_OK);
        sent(&p, "E0 01 04");
        no_event(&p);
        assert_int_equal(mqtt_client_disconnect(&p.c, 0), RELAY_E_STATE);
}

static void keep_alive(void **state)
{
        (void)state;
        struct peer p;
        connected(&p, CONNACK); /* 10 s, at 100 ms */
        assert_int_equal(mqtt_client_deadline(&p.c), 10100);
        mqtt_client_tick(&p.c, 10099);
        sent(&p, "");
        p.now = 10100;
        mqtt_client_tick(&p.c, p.now);
        sent(&p, "C0 00");
        assert_int_equal(mqtt_client_deadline(&p.c), 15100);
        p.now = 12000;
        broker(&p, "D0 00");
        no_event(&p);
        assert_int_equal(mqtt_client_deadline(&p.c), 20100); /* from the PINGREQ */
        /* publishing alone does not hide a broker that is gone */
        for (p.now = 15000; p.now < 27000; p.now += 3000) {
                assert_int_equal(publish(&p, 0, NULL), RELAY_OK);
                mqtt_client_tick(&p.c, p.now);
                mqtt_client_sent(&p.c, mqtt_client_output(&p.c).size, p.now);
                no_event(&p);
        }
        assert_true(p.c.ping_outstanding);
        mqtt_client_tick(&p.c, 27000);
        closed(&p, MQTT_KEEP_ALIVE_TIMEOUT, false);
}

/* The caller's own question: one at a time, and none without a session. */
static void ping_on_demand(void **state)
{
        (void)state;
        struct peer p;
        start(&p);
        size_t connect = mqtt_client_output(&p.c).size;
        mqtt_client_ping(&p.c);
        assert_int_equal(mqtt_client_output(&p.c).size, connect);
        connected(&p, CONNACK);
        mqtt_client_ping(&p.c);
        mqtt_client_ping(&p.c);
        sent(&p, "C0 00");
        broker(&p, "D0 00");
        no_event(&p);
        mqtt_client_ping(&p.c);
        sent(&p, "C0 00");
}

static void a_broker_that_never_answers(void **state)
{
        (void)state;
        struct peer p;
        start(&p);
        mqtt_client_tick(&p.c, 5099);
        no_event(&p);
        mqtt_client_tick(&p.c, 5100);
        closed(&p, MQTT_KEEP_ALIVE_TIMEOUT, false);
}

static void takes_what_fits(void **state)
{
        (void)state;
        static uint8_t zeros[300] = { 0x30, 0xFC, 0x01, 0, 1, 'a', 0 }; /* a packet of 255 bytes */
        struct peer p;
        connected(&p, CONNACK);
        assert_int_equal(mqtt_client_input(&p.c, span_of(zeros, 200), 0), 200);
        no_event(&p);
        assert_int_equal(mqtt_client_input(&p.c, span_of(zeros + 200, 100), 0), 56);
        event_is(&p, MQTT_CLIENT_EVENT_PUBLISH);
        assert_int_equal(p.event.packet.publish.payload.size, 248);
        assert_int_equal(mqtt_client_input(&p.c, span_of(zeros + 256, 44), 0), 44);
}

static void connects_again(void **state)
{
        (void)state;
        struct mqtt_client_config config = { .client_id = SPAN_LITERAL("d"), .keep_alive_s = 10 };
        struct peer p;
        uint16_t id;
        connected(&p, CONNACK);
        assert_int_equal(publish(&p, 1, &id), RELAY_OK);
        broker(&p, "30 05 0001");
        assert_int_equal(mqtt_client_connect(&p.c, &config, 0), RELAY_OK);
        assert_int_equal(p.c.in_flight, 0);
        sent(&p, "10 ?? 0004'MQTT' 05 00 000A (2700000100) 0001'd'");
        broker(&p, CONNACK);
        event_is(&p, MQTT_CLIENT_EVENT_CONNACK);
        assert_int_equal(publish(&p, 1, &id), RELAY_OK);
        assert_int_equal(id, 2); /* ids go on, so that a late answer cannot be mistaken */
}

/* A small buffer until it is known what for; what was promised in CONNECT is held from then on. */
static void moves_to_a_larger_buffer(void **state)
{
        (void)state;
        struct mqtt_client_config config = { .client_id = SPAN_LITERAL("d"), .rx_size_later = 300 };
        uint8_t small[32], large[300], text[200] = { 0x30, 0xC5, 0x01, 0, 1, 'a', 0 }, *at;
        struct peer p = { 0 };
        for (int moved = 0; moved < 2; moved++) {
                mqtt_client_init(&p.c, small, sizeof(small), p.tx, sizeof(p.tx), 0);
                assert_int_equal(mqtt_client_connect(&p.c, &config, 0), RELAY_OK);
                sent(&p, "10 ?? 0004'MQTT' 05 00 0000 (270000012C) 0001'd'");
                broker(&p, CONNACK);
                event_is(&p, MQTT_CLIENT_EVENT_CONNACK);
                broker(&p, "30 04 0001'a' 00 30"); /* and the beginning of the next one */
                if (moved) {
                        assert_int_equal(mqtt_client_move(&p.c, large, 6), RELAY_E_SPACE);
                        assert_int_equal(mqtt_client_move(&p.c, large, sizeof(large)), RELAY_OK);
                        memset(small, 0xff, sizeof(small));
                }
                event_is(&p, MQTT_CLIENT_EVENT_PUBLISH);
                assert_int_equal(mqtt_client_space(&p.c, &at), (moved ? sizeof(large) : sizeof(small)) - 1);
                size_t taken = mqtt_client_input(&p.c, span_of(text + 1, sizeof(text) - 1), 0);
                assert_int_equal(taken, moved ? sizeof(text) - 1 : sizeof(small) - 1);
                if (moved)
                        event_is(&p, MQTT_CLIENT_EVENT_PUBLISH);
                else
                        closed(&p, MQTT_PACKET_TOO_LARGE, false);
        }
}

/* ---- enhanced authentication */

#define AUTH_CHALLENGE "F0 ?? 18 (15 0001'M' 16 0001'c')"

static void start_with_method(struct peer *p)
{
        struct mqtt_client_config config = { .client_id = SPAN_LITERAL("d"),
                                             .connack_timeout_ms = 5000,
                                             .authentication_method = SPAN_LITERAL("M") };

        memset(p, 0, sizeof(*p));
        mqtt_client_init(&p->c, p->rx, sizeof(p->rx), p->tx, sizeof(p->tx), 0);
        assert_int_equal(mqtt_client_connect(&p->c, &config, 0), RELAY_OK);
        sent(p, "10 ?? 0004'MQTT' 05 00 0000 (15 0001'M' 2700000100) 0001'd'");
}

static void proves_itself(void **state)
{
        (void)state;
        uint8_t large[300] = { 0 };
        struct peer p;
        start_with_method(&p);
        assert_int_equal(mqtt_client_auth(&p.c, SPAN_LITERAL("s")), RELAY_E_STATE);
        broker(&p, AUTH_CHALLENGE);
        event_is(&p, MQTT_CLIENT_EVENT_AUTH);
        assert_true(span_equal_string(p.event.packet.props.authentication_data, "c"));
        no_event(&p);
        assert_int_equal(mqtt_client_auth(&p.c, SPAN_OF(large)), RELAY_E_SPACE);
        sent(&p, "");
        assert_int_equal(mqtt_client_auth(&p.c, SPAN_LITERAL("s")), RELAY_OK);
        sent(&p, "F0 ?? 18 (15 0001'M' 16 0001's')");
        assert_int_equal(mqtt_client_auth(&p.c, SPAN_LITERAL("s")), RELAY_E_STATE);
        broker(&p, "20 ?? 00 00 (15 0001'M')");
        event_is(&p, MQTT_CLIENT_EVENT_CONNACK);
        assert_int_equal(p.c.state, MQTT_CLIENT_CONNECTED);
        broker(&p, "F0 ?? 19 (15 0001'M')"); /* only we may begin anew */
        closed(&p, MQTT_PROTOCOL_ERROR, false);
}

static void broken_authentication(void **state)
{
        (void)state;
        static const char *const answers[][2] = {
                { "F0 ?? 19 (15 0001'M' 16 0001'c')" },         /* begins anew */
                { "F0 00" },                                    /* success, which CONNACK says */
                { "F0 ?? 18 (15 0001'N' 16 0001'c')" },         /* another method */
                { "F0 ?? 18 (16 0001'c')" },                    /* none */
                { "20 ?? 00 00 ()" },                           /* asked nothing, and forgot the method */
                { "20 ?? 00 00 (15 0001'N')" },                 /* another method */
                { AUTH_CHALLENGE, AUTH_CHALLENGE },             /* asks before we answered */
                { AUTH_CHALLENGE, "20 ?? 00 00 (15 0001'M')" }, /* does not wait for the answer */
        };
        struct peer p;

        for (size_t i = 0; i < sizeof(answers) / sizeof(answers[0]); i++) {
                start_with_method(&p);
                broker(&p, answers[i][0]);
                if (answers[i][1])
                        broker(&p, answers[i][1]);
                assert_int_equal(mqtt_client_next(&p.c, &p.event), RELAY_OK);
                if (p.event.type == MQTT_CLIENT_EVENT_AUTH)
                        assert_int_equal(mqtt_client_next(&p.c, &p.event), RELAY_OK);
                assert_int_equal(p.event.type, MQTT_CLIENT_EVENT_CLOSED);
                assert_int_equal(p.event.reason, MQTT_PROTOCOL_ERROR);
                sent(&p, "");
        }
        start_with_method(&p);
        broker(&p, "20 ?? 00 8C ()");
        event_is(&p, MQTT_CLIENT_EVENT_CONNACK);
        closed(&p, MQTT_BAD_AUTH_METHOD, true);
        start(&p); /* we asked for none */
        broker(&p, AUTH_CHALLENGE);
        closed(&p, MQTT_PROTOCOL_ERROR, false);
        start(&p);
        broker(&p, "20 ?? 00 00 (15 0001'M')");
        closed(&p, MQTT_PROTOCOL_ERROR, false);
}

static void refuses_a_challenge(void **state)
{
        (void)state;
        struct peer p;
        start_with_method(&p);
        broker(&p, AUTH_CHALLENGE);
        event_is(&p, MQTT_CLIENT_EVENT_AUTH);
        mqtt_client_refuse(&p.c, MQTT_NOT_AUTHORIZED);
        closed(&p, MQTT_NOT_AUTHORIZED, false);
        start_with_method(&p);
        broker(&p, AUTH_CHALLENGE);
        event_is(&p, MQTT_CLIENT_EVENT_AUTH);
        mqtt_client_tick(&p.c, 5000); /* the time-out is that of the whole exchange */
        closed(&p, MQTT_KEEP_ALIVE_TIMEOUT, false);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(connect_with_everything),
                cmocka_unit_test(publish_and_puback),
                cmocka_unit_test(packet_ids_in_flight_are_passed_over),
                cmocka_unit_test(limits_of_the_broker),
                cmocka_unit_test(a_full_buffer_changes_nothing),
                cmocka_unit_test(subscribes),
                cmocka_unit_test(takes_publishes),
                cmocka_unit_test(a_broker_that_breaks_the_rules),
                cmocka_unit_test(refused),
                cmocka_unit_test(disconnects),
                cmocka_unit_test(keep_alive),
                cmocka_unit_test(ping_on_demand),
                cmocka_unit_test(a_broker_that_never_answers),
                cmocka_unit_test(takes_what_fits),
                cmocka_unit_test(connects_again),
                cmocka_unit_test(moves_to_a_larger_buffer),
                cmocka_unit_test(proves_itself),
                cmocka_unit_test(broken_authentication),
                cmocka_unit_test(refuses_a_challenge),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
