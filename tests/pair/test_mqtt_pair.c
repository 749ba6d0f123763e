/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Client engine and session engine talk in memory, with a small hub behind the session: under pieces of every size,
 * loss at every byte, simulated time, full windows and refusals.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "relay/mqttclient.h"
#include "session/session.h"

#define MESSAGES 12

static const struct session_limits limits = {
        .packet_max = 2048,
        .receive_maximum = 5,
        .topic_alias_maximum = 2,
        .keep_alive_max_s = 0,
        .connect_timeout_ms = 5000,
        .output_max = 4096,
};

/* The hub of this test: remembers over connections what arrived; hands each message back to a subscriber. */
struct hub {
        unsigned arrived[MESSAGES], repeats;
        bool subscribed, silent; /* silent: acknowledges nothing */
        uint8_t refusal;         /* of publishes */
        uint16_t next_id;
        unsigned unacknowledged;
        bool present; /* a session is kept */
};

struct pair {
        struct mqtt_client client;
        uint8_t rx[2048], tx[2048];
        struct session *session;
        struct hub *hub;
        uint64_t now;
        size_t chunk;      /* bytes moved at once in one direction */
        size_t budget;     /* bytes the line carries before it breaks; counts both directions */
        bool cut;          /* the line is broken */
        bool stalled;      /* the line moves nothing, but is not broken */
        size_t carried;    /* both directions */
        bool session_done; /* CLOSE came */
        struct session_event close;
        unsigned acknowledged[MESSAGES], received; /* at the client */
        uint16_t ids[MESSAGES];                    /* packet id of message n in flight; 0: none */
        struct mqtt_client_event closed;
        bool client_done, session_present, subscribed;
        uint8_t puback_reason;
};

/* ---- the hub */

static void hub_sends(struct pair *p, const struct mqtt_packet *packet)
{
        uint8_t bytes[512];
        struct writer w;
        writer_init(&w, bytes, sizeof(bytes));
        assert_int_equal(mqtt_encode(&w, MQTT_V5, packet), RELAY_OK);
        assert_int_equal(session_from_hub(p->session, writer_span(&w), p->now), 0);
}

static void hub_takes_publish(struct pair *p, const struct mqtt_packet *packet)
{
        struct hub *hub = p->hub;
        unsigned n = packet->publish.payload.data[0];
        assert_in_range(n, 0, MESSAGES - 1);
        if (hub->silent)
                return;
        if (!hub->refusal) {
                hub->repeats += hub->arrived[n] > 0;
                hub->arrived[n]++;
        }
        if (packet->publish.qos == 0)
                return;
        struct mqtt_packet ack = { .type = MQTT_PUBACK, .ack = { packet->publish.packet_id, hub->refusal, false } };
        hub_sends(p, &ack);
        if (!hub->subscribed || hub->refusal)
                return;
        struct mqtt_packet copy = *packet;
        copy.publish.packet_id = ++hub->next_id;
        copy.publish.dup = false;
        hub->unacknowledged++;
        hub_sends(p, &copy);
}

static void hub_takes(struct pair *p, struct span bytes)
{
        struct mqtt_packet packet;
        size_t consumed;
        uint8_t reason;
        assert_int_equal(mqtt_decode(bytes, MQTT_V5, 4096, &packet, &consumed, &reason), RELAY_OK);
        assert_int_equal(consumed, bytes.size);
        if (packet.type == MQTT_CONNECT) {
                struct mqtt_packet answer = { .type = MQTT_CONNACK, .ack = { .session_present = p->hub->present } };
                assert_true(span_equal_string(packet.connect.user_name, "device-1"));
                p->hub->present = true;
                hub_sends(p, &answer);
        } else if (packet.type == MQTT_SUBSCRIBE) {
                static const uint8_t granted[] = { 1 };
                struct mqtt_packet answer = { .type = MQTT_SUBACK };
                answer.suback = (struct mqtt_suback){ packet.subscribe.packet_id, SPAN_OF(granted) };
                p->hub->subscribed = true;
                hub_sends(p, &answer);
        } else if (packet.type == MQTT_PUBLISH) {
                hub_takes_publish(p, &packet);
        } else {
                assert_int_equal(packet.type, MQTT_PUBACK);
                assert_true(p->hub->unacknowledged > 0);
                p->hub->unacknowledged--;
        }
}

/* ---- the line */

static void session_events(struct pair *p)
{
        struct session_event event;
        while (session_next(p->session, &event) == 0) {
                assert_false(p->session_done);
                if (event.type == SESSION_EVENT_PACKET) {
                        hub_takes(p, event.packet);
                } else {
                        p->session_done = true;
                        p->close = event;
                }
        }
}

static void client_events(struct pair *p)
{
        struct mqtt_client_event event;
        while (mqtt_client_next(&p->client, &event) == RELAY_OK) {
                assert_false(p->client_done);
                switch (event.type) {
                case MQTT_CLIENT_EVENT_CONNACK:
                        p->session_present = event.packet.ack.session_present;
                        break;
                case MQTT_CLIENT_EVENT_PUBLISH:
                        p->received++;
                        assert_int_equal(mqtt_client_puback(&p->client, event.packet.publish.packet_id, 0), RELAY_OK);
                        break;
                case MQTT_CLIENT_EVENT_PUBACK:
                        for (unsigned n = 0; n < MESSAGES; n++)
                                if (p->ids[n] == event.packet.ack.packet_id) {
                                        p->acknowledged[n]++;
                                        p->ids[n] = 0;
                                }
                        p->puback_reason = event.reason;
                        break;
                case MQTT_CLIENT_EVENT_SUBACK:
                        p->subscribed = true;
                        break;
                case MQTT_CLIENT_EVENT_AUTH:
                        fail_msg("nobody asked for AUTH");
                        break;
                case MQTT_CLIENT_EVENT_UNSUBACK:
                        break;
                case MQTT_CLIENT_EVENT_CLOSED:
                        p->client_done = true;
                        p->closed = event;
                        break;
                }
        }
}

static size_t may_carry(struct pair *p, size_t size)
{
        if (p->cut || p->stalled)
                return 0;
        if (size > p->chunk)
                size = p->chunk;
        if (size > p->budget)
                size = p->budget;
        p->budget -= size;
        p->carried += size;
        p->cut = p->budget == 0;
        return size;
}

static bool to_session(struct pair *p)
{
        struct span out = mqtt_client_output(&p->client);
        size_t size = may_carry(p, out.size), at = 0;
        if (size == 0)
                return false;
        uint8_t *copy = malloc(size);
        memcpy(copy, out.data, size);
        mqtt_client_sent(&p->client, size, p->now);
        while (at < size && !p->session_done) {
                at += session_input(p->session, span_of(copy + at, size - at), p->now);
                session_events(p);
        }
        free(copy);
        return true;
}

static bool to_client(struct pair *p)
{
        struct span out = session_output(p->session);
        size_t size = may_carry(p, out.size), at = 0;
        if (size == 0)
                return false;
        uint8_t *copy = malloc(size);
        memcpy(copy, out.data, size);
        session_sent(p->session, size, p->now);
        session_events(p);
        while (at < size && !p->client_done) {
                at += mqtt_client_input(&p->client, span_of(copy + at, size - at), p->now);
                client_events(p);
        }
        free(copy);
        return true;
}

static void run_line(struct pair *p)
{
        bool moved;
        do {
                moved = to_session(p);
                moved = to_client(p) || moved;
        } while (moved);
}

/* ---- the device */

static void pair_connect(struct pair *p, struct hub *hub, size_t chunk, size_t budget, uint16_t keep_alive_s)
{
        struct mqtt_client_config config = {
                .client_id = SPAN_LITERAL("device-1"),
                .clean_start = false,
                .session_expiry_s = 3600,
                .keep_alive_s = keep_alive_s,
                .receive_maximum = 20,
                .connack_timeout_ms = 5000,
                .has_will = true,
                .will_qos = 1,
                .will_topic = SPAN_LITERAL("state"),
                .will_payload = SPAN_LITERAL("gone"),
        };
        p->hub = hub;
        p->now = 1000;
        p->chunk = chunk;
        p->budget = budget;
        mqtt_client_init(&p->client, p->rx, sizeof(p->rx), p->tx, sizeof(p->tx), p->now);
        assert_int_equal(mqtt_client_connect(&p->client, &config, p->now), RELAY_OK);
        assert_int_equal(session_new(&p->session, &limits, p->now), 0);
        assert_int_equal(session_admit(p->session, span_of_string("device-1"), p->now), 0);
        run_line(p);
}

static int send_message(struct pair *p, unsigned n, uint8_t qos)
{
        uint8_t payload[20] = { (uint8_t)n };
        struct mqtt_publish publish = { .qos = qos, .topic = SPAN_LITERAL("events/soil"), .payload = SPAN_OF(payload) };
        return mqtt_client_publish(&p->client, &publish, NULL, &p->ids[n]);
}

/* sends what is not acknowledged yet, as the window allows, until the line does no more */
static void send_all(struct pair *p)
{
        bool sent;
        do {
                sent = false;
                for (unsigned n = 0; n < MESSAGES; n++)
                        if (!p->acknowledged[n] && !p->ids[n] && send_message(p, n, 1) == RELAY_OK)
                                sent = true;
                run_line(p);
        } while (sent && !p->cut);
}

static void subscribe(struct pair *p)
{
        uint8_t list[32];
        struct writer w;
        struct mqtt_filter filter = { .filter = SPAN_LITERAL("events/#"), .qos = 1 };
        writer_init(&w, list, sizeof(list));
        mqtt_filter_put(&w, &filter, true);
        (void)mqtt_client_subscribe(&p->client, writer_span(&w), 1, NULL); /* not connected: the line is cut */
        run_line(p);
}

static size_t whole_day(struct hub *hub, size_t chunk, size_t budget, struct pair *p)
{
        memset(p, 0, sizeof(*p));
        pair_connect(p, hub, chunk, budget, 60);
        subscribe(p);
        send_all(p);
        return p->carried;
}

/* ---- tests */

static void pieces_of_every_size(void **state)
{
        (void)state;
        static struct pair p;
        size_t expected = 0;
        for (size_t chunk = 1; chunk <= 120; chunk++) {
                struct hub hub = { 0 };
                size_t carried = whole_day(&hub, chunk, SIZE_MAX, &p);
                for (unsigned n = 0; n < MESSAGES; n++) {
                        assert_int_equal(hub.arrived[n], 1);
                        assert_int_equal(p.acknowledged[n], 1);
                }
                assert_int_equal(p.received, MESSAGES);
                assert_int_equal(hub.unacknowledged, 0);
                if (chunk > 1)
                        assert_int_equal(carried, expected);
                expected = carried;
                assert_int_equal(mqtt_client_disconnect(&p.client, 0), RELAY_OK);
                run_line(&p);
                assert_true(p.session_done);
                assert_false(p.close.with_will);
                assert_false(p.client_done);
                p.session = session_free(p.session);
        }
}

/* The line breaks after each number of bytes; the device connects again and sends again: nothing is lost. */
static void loss_at_every_byte(void **state)
{
        (void)state;
        static struct pair first, second;
        struct hub whole = { 0 };
        size_t carried = whole_day(&whole, 7, SIZE_MAX, &first);
        session_free(first.session);
        unsigned repeats = 0;
        for (size_t budget = 1; budget <= carried; budget++) {
                struct hub hub = { 0 };
                whole_day(&hub, 7, budget, &first);
                assert_true(first.cut);
                session_free(first.session);
                hub.unacknowledged = 0; /* of the old connection; this hub does not send again */
                memset(&second, 0, sizeof(second));
                memcpy(second.acknowledged, first.acknowledged, sizeof(first.acknowledged));
                pair_connect(&second, &hub, 100, SIZE_MAX, 60);
                send_all(&second);
                for (unsigned n = 0; n < MESSAGES; n++) {
                        assert_in_range(hub.arrived[n], 1, 2);
                        assert_int_equal(second.acknowledged[n], 1);
                        if (first.acknowledged[n])
                                assert_int_equal(hub.arrived[n], 1);
                }
                repeats += hub.repeats;
                session_free(second.session);
        }
        assert_true(repeats > 0); /* else the cut never fell between a publish and its PUBACK */
}

/* Lets simulated time go on to each deadline until the end. */
static void live_until(struct pair *p, uint64_t end)
{
        while (p->now < end && !p->client_done && !p->session_done) {
                uint64_t a = mqtt_client_deadline(&p->client), b = session_deadline(p->session);
                uint64_t next = a < b ? a : b;
                p->now = next < end ? next : end;
                mqtt_client_tick(&p->client, p->now);
                client_events(p);
                run_line(p);
                session_tick(p->session, p->now);
                session_events(p);
                run_line(p);
        }
}

static void pings_keep_an_idle_pair_alive(void **state)
{
        (void)state;
        static struct pair p;
        struct hub hub = { 0 };
        memset(&p, 0, sizeof(p));
        pair_connect(&p, &hub, 100, SIZE_MAX, 60);
        size_t before = p.carried;
        live_until(&p, p.now + 3600 * 1000);
        assert_false(p.client_done || p.session_done);
        assert_int_equal(p.carried - before, 60 * 4); /* PINGREQ and PINGRESP each minute */
        session_free(p.session);
}

static void both_notice_a_dead_line(void **state)
{
        (void)state;
        static struct pair p;
        struct hub hub = { 0 };
        memset(&p, 0, sizeof(p));
        pair_connect(&p, &hub, 100, SIZE_MAX, 60);
        p.stalled = true;
        uint64_t start = p.now;
        live_until(&p, start + 3600 * 1000);
        assert_true(p.client_done);
        assert_int_equal(p.closed.reason, MQTT_KEEP_ALIVE_TIMEOUT);
        assert_false(p.closed.by_peer);
        assert_int_equal(p.now, start + 90 * 1000);
        session_tick(p.session, p.now);
        session_events(&p);
        assert_true(p.session_done && p.close.with_will);
        assert_int_equal(p.close.mqtt_reason, MQTT_KEEP_ALIVE_TIMEOUT);
        session_free(p.session);
}

static void a_silent_relay_is_given_up(void **state)
{
        (void)state;
        static struct pair p;
        struct hub hub = { 0 };
        memset(&p, 0, sizeof(p));
        p.stalled = true;
        pair_connect(&p, &hub, 100, SIZE_MAX, 60);
        assert_int_equal(mqtt_client_deadline(&p.client), 6000);
        mqtt_client_tick(&p.client, 5999);
        client_events(&p);
        assert_false(p.client_done);
        mqtt_client_tick(&p.client, 6000);
        client_events(&p);
        assert_true(p.client_done);
        session_free(p.session);
}

static void the_window_is_kept(void **state)
{
        (void)state;
        static struct pair p;
        struct hub hub = { .silent = true };
        memset(&p, 0, sizeof(p));
        pair_connect(&p, &hub, 100, SIZE_MAX, 60);
        for (unsigned n = 0; n < limits.receive_maximum; n++)
                assert_int_equal(send_message(&p, n, 1), RELAY_OK);
        assert_int_equal(send_message(&p, 5, 1), RELAY_E_SPACE);
        assert_int_equal(send_message(&p, 6, 0), RELAY_OK);
        run_line(&p);
        assert_false(p.session_done || p.client_done);
        session_free(p.session);
}

static void a_refusal_reaches_the_device(void **state)
{
        (void)state;
        static struct pair p;
        struct hub hub = { .refusal = MQTT_QUOTA_EXCEEDED };
        memset(&p, 0, sizeof(p));
        pair_connect(&p, &hub, 100, SIZE_MAX, 60);
        assert_int_equal(send_message(&p, 0, 1), RELAY_OK);
        run_line(&p);
        assert_int_equal(p.acknowledged[0], 1);
        assert_int_equal(p.puback_reason, MQTT_QUOTA_EXCEEDED);
        assert_int_equal(p.client.in_flight, 0);
        session_free(p.session);
}

static void the_relay_says_why_it_ends(void **state)
{
        (void)state;
        static struct pair p;
        struct hub hub = { 0 };
        memset(&p, 0, sizeof(p));
        pair_connect(&p, &hub, 1, SIZE_MAX, 60);
        session_close(p.session, MQTT_SHUTTING_DOWN);
        session_events(&p);
        run_line(&p);
        assert_true(p.client_done && p.closed.by_peer);
        assert_int_equal(p.closed.reason, MQTT_SHUTTING_DOWN);
        assert_int_equal(send_message(&p, 0, 1), RELAY_E_STATE);
        session_free(p.session);
}

static void limits_are_known_to_the_client(void **state)
{
        (void)state;
        static struct pair p;
        static uint8_t large[2100];
        struct hub hub = { 0 };
        memset(&p, 0, sizeof(p));
        pair_connect(&p, &hub, 100, SIZE_MAX, 60);
        struct mqtt_publish publish = { .topic = SPAN_LITERAL("t"), .payload = span_of(large, 2040) };
        assert_int_equal(p.client.send_packet_maximum, 2048);
        assert_int_equal(mqtt_client_publish(&p.client, &publish, NULL, NULL), RELAY_OK);
        run_line(&p);
        publish.payload.size = 2045;
        assert_true(mqtt_client_publish(&p.client, &publish, NULL, NULL) < 0);
        assert_int_equal(mqtt_client_output(&p.client).size, 0);
        publish.qos = 2;
        publish.payload.size = 1;
        assert_int_equal(mqtt_client_publish(&p.client, &publish, NULL, NULL), RELAY_E_RANGE);
        assert_int_equal(hub.arrived[0], 1);
        session_free(p.session);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(pieces_of_every_size),           cmocka_unit_test(loss_at_every_byte),
                cmocka_unit_test(pings_keep_an_idle_pair_alive),  cmocka_unit_test(both_notice_a_dead_line),
                cmocka_unit_test(a_silent_relay_is_given_up),     cmocka_unit_test(the_window_is_kept),
                cmocka_unit_test(a_refusal_reaches_the_device),   cmocka_unit_test(the_relay_says_why_it_ends),
                cmocka_unit_test(limits_are_known_to_the_client),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
