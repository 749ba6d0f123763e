/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The uplink against a cloud that is a socket pair and this test's hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tls/tls.h"
#include "uplink/transport.h"
#include "uplink/uplink.h"

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))
#define TURNS       20000 /* turns of the loop before a test gives up; each waits 5 ms at most */

struct lab {
        sd_event *event;
        struct uplink *uplink;
        int cloud; /* our end of the connection, or -1 */
        unsigned dials;
        bool refuse_dial, stall_handshake;
        uint8_t in[512 * 1024];
        size_t in_fill;

        enum uplink_state state;
        unsigned ups, downs, readies;
        char error[UPLINK_ERROR_SIZE];
        uint64_t acked[64];
        uint8_t acked_reasons[64];
        size_t acked_count;
        char topic[100];
        unsigned messages;
        uint64_t token;
        uint8_t answer;
};

/* ---- the transport: bytes as they are */

static int fake_dial(void *context)
{
        struct lab *l = context;
        int pair[2];

        l->dials++;
        if (l->refuse_dial)
                return -ECONNREFUSED;
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
        if (l->cloud >= 0)
                close(l->cloud);
        l->cloud = pair[1];
        l->in_fill = 0;
        return pair[0];
}

struct link {
        int fd;
        struct lab *lab;
};

static int link_open(void *context, int fd, const char *host, void **ret)
{
        struct link *link = malloc(sizeof(*link));

        (void)host;
        assert_non_null(link);
        *link = (struct link){ fd, context };
        *ret = link;
        return 0;
}

static void link_close(void *link)
{
        free(link);
}

static int link_handshake(void *context)
{
        struct link *link = context;

        return link->lab->stall_handshake ? TLS_WANT_READ : 0;
}

static int link_read(void *context, void *data, size_t size, size_t *done)
{
        struct link *link = context;
        ssize_t n = read(link->fd, data, size);

        if (n == 0)
                return TLS_CLOSED;
        if (n < 0)
                return errno == EAGAIN ? TLS_WANT_READ : -errno;
        *done = (size_t)n;
        return 0;
}

static int link_write(void *context, struct span data, size_t *done)
{
        struct link *link = context;
        ssize_t n = send(link->fd, data.data, data.size, MSG_NOSIGNAL);

        if (n < 0)
                return errno == EAGAIN ? TLS_WANT_WRITE : -errno;
        *done = (size_t)n;
        return 0;
}

static int link_pending(void *link)
{
        (void)link;
        return 0;
}

static const char *link_error(void *link)
{
        (void)link;
        return "as the test wants";
}

/* ---- what the uplink tells */

static void on_state(void *context, enum uplink_state state, const char *error)
{
        struct lab *l = context;

        l->state = state;
        *(state == UPLINK_UP ? &l->ups : &l->downs) += 1;
        snprintf(l->error, sizeof(l->error), "%s", error);
}

static void on_acked(void *context, uint64_t cookie, uint8_t reason)
{
        struct lab *l = context;

        assert_true(l->acked_count < ROWS(l->acked));
        l->acked_reasons[l->acked_count] = reason;
        l->acked[l->acked_count++] = cookie;
}

static void on_ready(void *context)
{
        ((struct lab *)context)->readies++;
}

static uint8_t on_message(void *context, const struct uplink_message *message)
{
        struct lab *l = context;

        assert_true(span_to_string(message->publish->topic, l->topic, sizeof(l->topic)));
        l->messages++;
        l->token = message->token;
        return l->answer;
}

/* ---- the cloud's hand */

static void turn(struct lab *l)
{
        assert_true(sd_event_run(l->event, 5000) >= 0);
        if (l->cloud < 0)
                return;
        ssize_t n = read(l->cloud, l->in + l->in_fill, sizeof(l->in) - l->in_fill);
        if (n > 0)
                l->in_fill += (size_t)n;
}

/* Waits for the next packet of the uplink; its spans are valid until the next call. */
static struct mqtt_packet receive(struct lab *l, enum mqtt_type type)
{
        static uint8_t whole[512 * 1024];
        struct mqtt_packet packet = { 0 };
        size_t consumed = 0;
        uint8_t reason = 0;

        for (int i = 0; i < TURNS; i++) {
                int r = mqtt_decode(span_of(l->in, l->in_fill), MQTT_V5, sizeof(l->in), &packet, &consumed, &reason);
                if (r == RELAY_OK) {
                        memcpy(whole, l->in, consumed);
                        assert_int_equal(mqtt_decode(span_of(whole, consumed), MQTT_V5, sizeof(whole), &packet,
                                                     &consumed, &reason),
                                         RELAY_OK);
                        l->in_fill -= consumed;
                        memmove(l->in, l->in + consumed, l->in_fill);
                        /* the last words of a connection that failed */
                        if (packet.type == MQTT_DISCONNECT && type == MQTT_CONNECT)
                                continue;
                        if (packet.type == MQTT_PINGREQ && type != MQTT_PINGREQ)
                                continue;
                        assert_int_equal(packet.type, type);
                        return packet;
                }
                assert_int_equal(r, RELAY_MORE);
                turn(l);
        }
        fail_msg("no %s came", mqtt_type_string(type));
        return packet;
}

static void send_bytes(struct lab *l, struct span bytes)
{
        assert_int_equal(send(l->cloud, bytes.data, bytes.size, MSG_NOSIGNAL), bytes.size);
}

static void send_packet(struct lab *l, const struct mqtt_packet *packet)
{
        uint8_t out[2000];
        struct writer w;

        writer_init(&w, out, sizeof(out));
        assert_int_equal(mqtt_encode(&w, MQTT_V5, packet), RELAY_OK);
        send_bytes(l, writer_span(&w));
}

static void send_connack(struct lab *l, uint8_t reason, uint16_t receive_maximum)
{
        struct mqtt_packet packet = { .type = MQTT_CONNACK, .ack = { .reason = reason } };

        if (receive_maximum) {
                packet.props.present = MQTT_PROP(MQTT_P_RECEIVE_MAXIMUM);
                packet.props.receive_maximum = receive_maximum;
        }
        send_packet(l, &packet);
}

static void send_suback(struct lab *l, uint16_t id, const uint8_t *reasons, size_t count)
{
        const struct mqtt_packet packet = { .type = MQTT_SUBACK, .suback = { id, span_of(reasons, count) } };

        send_packet(l, &packet);
}

static void send_puback(struct lab *l, uint16_t id, uint8_t reason)
{
        const struct mqtt_packet packet = { .type = MQTT_PUBACK, .ack = { .packet_id = id, .reason = reason } };

        send_packet(l, &packet);
}

static void send_publish(struct lab *l, const char *topic, uint8_t qos, uint16_t id)
{
        const struct mqtt_packet packet = {
                .type = MQTT_PUBLISH,
                .publish = { .qos = qos, .packet_id = id, .topic = span_of_string(topic), .payload = SPAN_LITERAL("x") }
        };

        send_packet(l, &packet);
}

#define WAIT(l, condition)                           \
        do {                                         \
                int _i = 0;                          \
                while (!(condition) && _i++ < TURNS) \
                        turn(l);                     \
                assert_true(condition);              \
        } while (0)

static void accept_session(struct lab *l, uint16_t receive_maximum)
{
        static const uint8_t granted[] = { 1, 1 };

        receive(l, MQTT_CONNECT);
        send_connack(l, 0, receive_maximum);
        struct mqtt_packet packet = receive(l, MQTT_SUBSCRIBE);
        send_suback(l, packet.subscribe.packet_id, granted, 2);
        WAIT(l, l->state == UPLINK_UP);
}

static int publish(struct lab *l, uint64_t cookie)
{
        const struct mqtt_publish message = { .qos = 1,
                                              .topic = SPAN_LITERAL("a/b"),
                                              .payload = SPAN_LITERAL("hello") };

        return uplink_publish(l->uplink, &message, NULL, cookie);
}

/* ---- set-up */

static int setup(void **state)
{
        static const char *const filters[] = { "sites/s1/devices/+/commands", "sites/s1/approvals/#" };
        struct lab *l = calloc(1, sizeof(*l));
        assert_non_null(l);
        const struct uplink_transport transport = { l,         fake_dial,  link_open,    link_close, link_handshake,
                                                    link_read, link_write, link_pending, link_error };
        const struct uplink_options options = {
                .identity = "relay.s1",
                .host = "cloud.example",
                .port = 8883,
                .keep_alive_s = 1,
                .connect_timeout_ms = 100,
                .retry_min_ms = 1,
                .retry_max_ms = 5,
                .filters = filters,
                .filter_count = 2,
                .handler = { l, on_state, on_acked, on_ready, on_message },
                .transport = &transport,
        };

        l->cloud = -1;
        assert_int_equal(sd_event_new(&l->event), 0);
        assert_int_equal(uplink_new(&l->uplink, l->event, &options), 0);
        assert_int_equal(uplink_start(l->uplink), 0);
        *state = l;
        return 0;
}

static int teardown(void **state)
{
        struct lab *l = *state;

        uplink_free(l->uplink);
        if (l->cloud >= 0)
                close(l->cloud);
        sd_event_unref(l->event);
        free(l);
        return 0;
}

/* ---- the good cloud */

static void connects_and_subscribes(void **state)
{
        struct lab *l = *state;
        struct mqtt_filters filters;
        struct mqtt_filter filter;

        struct mqtt_packet packet = receive(l, MQTT_CONNECT);
        assert_true(span_equal_string(packet.connect.client_id, "relay.s1"));
        assert_false(packet.connect.clean_start);
        assert_int_equal(packet.props.session_expiry, UPLINK_SESSION_EXPIRY);
        assert_int_equal(packet.connect.keep_alive_s, 1);
        send_connack(l, 0, 0);
        packet = receive(l, MQTT_SUBSCRIBE);
        mqtt_filters_init(&filters, &packet);
        assert_true(mqtt_filters_next(&filters, &filter));
        assert_true(span_equal_string(filter.filter, "sites/s1/devices/+/commands"));
        assert_int_equal(filter.qos, 1);
        assert_true(mqtt_filters_next(&filters, &filter));
        assert_false(mqtt_filters_next(&filters, &filter));
        assert_int_equal(l->ups, 0); /* not before the cloud hears us */
        static const uint8_t granted[] = { 1, 1 };
        send_suback(l, packet.subscribe.packet_id, granted, 2);
        WAIT(l, l->ups == 1);
        assert_string_equal(uplink_error(l->uplink), "");
        assert_int_equal(uplink_state(l->uplink), UPLINK_UP);
}

static void a_refused_subscription_is_said(void **state)
{
        static const uint8_t refused[] = { 1, MQTT_NOT_AUTHORIZED };
        struct lab *l = *state;

        receive(l, MQTT_CONNECT);
        send_connack(l, 0, 0);
        struct mqtt_packet packet = receive(l, MQTT_SUBSCRIBE);
        send_suback(l, packet.subscribe.packet_id, refused, 2);
        WAIT(l, l->ups == 1);
        assert_non_null(strstr(l->error, "sites/s1/approvals/#"));
}

static void publishes_are_acknowledged_by_cookie(void **state)
{
        struct lab *l = *state;
        uint16_t ids[3];

        assert_int_equal(publish(l, 1), UPLINK_NOT_UP);
        accept_session(l, 0);
        for (uint64_t i = 0; i < 3; i++)
                assert_int_equal(publish(l, 100 + i), 0);
        for (size_t i = 0; i < 3; i++)
                ids[i] = receive(l, MQTT_PUBLISH).publish.packet_id;
        send_puback(l, ids[0], 0);
        send_puback(l, ids[1], MQTT_NO_MATCHING_SUBSCRIBERS);
        send_puback(l, ids[2], MQTT_NOT_AUTHORIZED);
        WAIT(l, l->acked_count == 3);
        for (size_t i = 0; i < 3; i++)
                assert_int_equal(l->acked[i], 100 + i);
        assert_int_equal(l->acked_reasons[2], MQTT_NOT_AUTHORIZED);
}

static void the_receive_maximum_is_kept(void **state)
{
        struct lab *l = *state;

        accept_session(l, 2);
        assert_int_equal(publish(l, 1), 0);
        assert_int_equal(publish(l, 2), 0);
        assert_int_equal(publish(l, 3), UPLINK_BUSY);
        uint16_t id = receive(l, MQTT_PUBLISH).publish.packet_id;
        receive(l, MQTT_PUBLISH);
        unsigned before = l->readies;
        send_puback(l, id, 0);
        WAIT(l, l->readies > before && l->acked_count == 1);
        assert_int_equal(publish(l, 3), 0);
}

static void a_slow_cloud_makes_it_busy_not_large(void **state)
{
        static uint8_t payload[60000];
        const struct mqtt_publish message = { .qos = 1, .topic = SPAN_LITERAL("a/b"), .payload = SPAN_OF(payload) };
        struct lab *l = *state;
        uint64_t sent = 0;

        accept_session(l, 0);
        while (sent < 1000 && uplink_publish(l->uplink, &message, NULL, sent) == 0)
                sent++;
        assert_true(sent >= 3 && sent < 10);
        for (uint64_t i = 0; i < sent; i++)
                send_puback(l, receive(l, MQTT_PUBLISH).publish.packet_id, 0);
        WAIT(l, l->acked_count == sent && l->readies > 0);
}

static void what_the_cloud_cannot_take_is_refused_at_once(void **state)
{
        static uint8_t payload[UPLINK_PACKET_MAX];
        struct lab *l = *state;
        struct mqtt_publish message = { .qos = 1, .topic = SPAN_LITERAL("a/b"), .payload = SPAN_OF(payload) };

        accept_session(l, 0);
        assert_int_equal(uplink_publish(l->uplink, &message, NULL, 1), UPLINK_RANGE);
        message.payload.size = 1;
        message.qos = 2;
        assert_int_equal(uplink_publish(l->uplink, &message, NULL, 1), UPLINK_RANGE);
}

static void messages_are_acknowledged_when_taken(void **state)
{
        struct lab *l = *state;

        accept_session(l, 0);
        send_publish(l, "sites/s1/devices/device-1/commands", 1, 9);
        struct mqtt_packet packet = receive(l, MQTT_PUBACK);
        assert_int_equal(packet.ack.packet_id, 9);
        assert_string_equal(l->topic, "sites/s1/devices/device-1/commands");

        l->answer = UPLINK_HOLD;
        send_publish(l, "sites/s1/devices/device-1/commands", 1, 10);
        WAIT(l, l->messages == 2);
        uint64_t held = l->token;
        l->answer = 0x87;
        send_publish(l, "sites/s1/approvals/a/b", 1, 11);
        packet = receive(l, MQTT_PUBACK);
        assert_int_equal(packet.ack.packet_id, 11);
        assert_int_equal(packet.ack.reason, 0x87);
        uplink_ack(l->uplink, held, 0);
        packet = receive(l, MQTT_PUBACK);
        assert_int_equal(packet.ack.packet_id, 10);
        assert_int_equal(packet.ack.reason, 0);
}

static void a_token_of_an_old_connection_does_nothing(void **state)
{
        struct lab *l = *state;

        accept_session(l, 0);
        l->answer = UPLINK_HOLD;
        send_publish(l, "sites/s1/approvals/a/b", 1, 10);
        WAIT(l, l->messages == 1);
        shutdown(l->cloud, SHUT_RDWR);
        WAIT(l, l->downs == 1);
        uint64_t held = l->token;
        accept_session(l, 0);
        uplink_ack(l->uplink, held, 0);
        assert_int_equal(publish(l, 1), 0);
        receive(l, MQTT_PUBLISH); /* and no PUBACK before it */
}

static void named_topics_have_a_window(void **state)
{
        struct lab *l = *state;
        struct mqtt_filters filters;
        struct mqtt_filter filter;
        char topic[32];

        assert_int_equal(uplink_watch(l->uplink, "images/a/0"), UPLINK_NOT_UP);
        accept_session(l, 0);
        assert_int_equal(uplink_watch(l->uplink, "images/+/0"), -EINVAL);
        for (int i = 0; i < UPLINK_WINDOW_MAX; i++) {
                snprintf(topic, sizeof(topic), "images/a/%d", i);
                assert_int_equal(uplink_watch(l->uplink, topic), 0);
                assert_int_equal(uplink_watch(l->uplink, topic), 0); /* once is enough */
                struct mqtt_packet packet = receive(l, MQTT_SUBSCRIBE);
                mqtt_filters_init(&filters, &packet);
                assert_true(mqtt_filters_next(&filters, &filter));
                assert_true(span_equal_string(filter.filter, topic));
        }
        assert_int_equal(uplink_watch(l->uplink, "images/a/8"), UPLINK_BUSY);
        send_publish(l, "images/a/3", 0, 0);
        WAIT(l, l->messages == 1);
        uplink_unwatch(l->uplink, "images/a/3");
        uplink_unwatch(l->uplink, "images/a/33");
        receive(l, MQTT_UNSUBSCRIBE);
        assert_int_equal(uplink_watch(l->uplink, "images/a/8"), 0);
}

static void topics_nobody_asked_for_are_unsubscribed(void **state)
{
        struct lab *l = *state;
        struct mqtt_filters filters;
        struct mqtt_filter filter;

        accept_session(l, 0);
        send_publish(l, "images/of/yesterday", 1, 5);
        struct mqtt_packet packet = receive(l, MQTT_UNSUBSCRIBE);
        mqtt_filters_init(&filters, &packet);
        assert_true(mqtt_filters_next(&filters, &filter));
        assert_true(span_equal_string(filter.filter, "images/of/yesterday"));
        assert_int_equal(receive(l, MQTT_PUBACK).ack.packet_id, 5);
        assert_int_equal(l->messages, 0);
}

static void stopping_says_goodbye_and_nothing_else(void **state)
{
        struct lab *l = *state;

        accept_session(l, 0);
        uplink_stop(l->uplink);
        assert_int_equal(receive(l, MQTT_DISCONNECT).ack.reason, 0);
        assert_int_equal(l->downs, 0);
        assert_int_equal(uplink_state(l->uplink), UPLINK_DOWN);
        unsigned dials = l->dials;
        for (int i = 0; i < 10; i++)
                turn(l);
        assert_int_equal(l->dials, dials);
        assert_int_equal(publish(l, 1), UPLINK_NOT_UP);
        assert_int_equal(uplink_start(l->uplink), 0);
        accept_session(l, 0);
}

/* ---- hostile clouds: each ends in a sentence and a new, good session */

static void hangs_up_at_once(struct lab *l)
{
        WAIT(l, l->cloud >= 0);
        shutdown(l->cloud, SHUT_RDWR);
}

static void stalls_before_connack(struct lab *l)
{
        receive(l, MQTT_CONNECT);
}

static void refuses(struct lab *l)
{
        receive(l, MQTT_CONNECT);
        send_connack(l, MQTT_NOT_AUTHORIZED, 0);
}

static void talks_garbage(struct lab *l)
{
        static const uint8_t garbage[64] = { 0xff, 0xff, 0xff, 0xff };

        receive(l, MQTT_CONNECT);
        send_bytes(l, SPAN_OF(garbage));
}

static void sends_connack_twice(struct lab *l)
{
        receive(l, MQTT_CONNECT);
        send_connack(l, 0, 0);
        send_connack(l, 0, 0);
}

static void stalls_before_suback(struct lab *l)
{
        receive(l, MQTT_CONNECT);
        send_connack(l, 0, 0);
        receive(l, MQTT_SUBSCRIBE);
}

static void begins_a_packet_without_end(struct lab *l)
{
        static const uint8_t head[] = { 0x30, 0xff, 0xff, 0xff, 0x7f };

        receive(l, MQTT_CONNECT);
        send_connack(l, 0, 0);
        send_bytes(l, SPAN_OF(head));
}

static void acknowledges_what_was_never_sent(struct lab *l)
{
        accept_session(l, 0);
        send_puback(l, 777, 0);
}

static void falls_silent(struct lab *l)
{
        accept_session(l, 0);
        receive(l, MQTT_PINGREQ);
}

static void ends_the_session(struct lab *l)
{
        const struct mqtt_packet packet = { .type = MQTT_DISCONNECT, .ack = { .reason = MQTT_SESSION_TAKEN_OVER } };

        accept_session(l, 0);
        send_packet(l, &packet);
}

static void closes_with_publishes_in_flight(struct lab *l)
{
        accept_session(l, 0);
        assert_int_equal(publish(l, 1), 0);
        receive(l, MQTT_PUBLISH);
        shutdown(l->cloud, SHUT_RDWR);
}

static const struct hostile {
        const char *name;
        void (*act)(struct lab *l);
        const char *error; /* part of the sentence */
} hostiles[] = {
        { "hangs up at once", hangs_up_at_once, "before CONNACK" },
        { "stalls before CONNACK", stalls_before_connack, "not answer" },
        { "refuses", refuses, "refuses the session of relay.s1: Not authorized" },
        { "talks garbage", talks_garbage, "protocol" },
        { "sends CONNACK twice", sends_connack_twice, "protocol" },
        { "stalls before SUBACK", stalls_before_suback, "before SUBACK" },
        { "begins a packet without end", begins_a_packet_without_end, "protocol" },
        { "acknowledges what was never sent", acknowledges_what_was_never_sent, "protocol" },
        { "falls silent", falls_silent, "does not answer any more" },
        { "ends the session", ends_the_session, "Session taken over" },
        { "closes with publishes in flight", closes_with_publishes_in_flight, "closed the connection" },
};

static void hostile_clouds_end_in_a_new_session(void **state)
{
        struct lab *l = *state;

        for (size_t i = 0; i < ROWS(hostiles); i++) {
                unsigned downs = l->downs, ups = l->ups;

                hostiles[i].act(l);
                WAIT(l, l->downs > downs);
                if (!strstr(l->error, hostiles[i].error))
                        fail_msg("%s: \"%s\"", hostiles[i].name, l->error);
                assert_int_equal(publish(l, 1), UPLINK_NOT_UP);
                ups = l->ups;
                accept_session(l, 0);
                assert_int_equal(l->ups, ups + 1);
                downs = l->downs;
                shutdown(l->cloud, SHUT_RDWR);
                WAIT(l, l->downs > downs);
        }
        assert_int_equal(l->acked_count, 0);
}

static void a_stalled_handshake_times_out(void **state)
{
        struct lab *l = *state;

        l->stall_handshake = true;
        WAIT(l, l->downs == 1);
        assert_non_null(strstr(l->error, "TLS handshake"));
        l->stall_handshake = false;
        accept_session(l, 0);
}

static void refused_connections_are_tried_again(void **state)
{
        struct lab *l = *state;

        l->refuse_dial = true;
        WAIT(l, l->dials >= 5);
        l->refuse_dial = false;
        accept_session(l, 0);
}

/* ---- options */

static void bad_options_are_refused(void **state)
{
        struct lab *l = *state;
        static const char *const bad_filters[] = { "a/#/b" };
        struct uplink_options options = { .identity = "relay.s1", .host = "127.0.0.1", .port = 1 };
        const struct uplink_transport transport = { .context = l };
        struct uplink *uplink = NULL;

        options.transport = &transport;
        options.filters = bad_filters;
        options.filter_count = 1;
        assert_int_equal(uplink_new(&uplink, l->event, &options), -EINVAL);
        options.filter_count = UPLINK_FILTERS_MAX + 1;
        assert_int_equal(uplink_new(&uplink, l->event, &options), -EINVAL);
        options.filter_count = 0;
        options.host = NULL;
        assert_int_equal(uplink_new(&uplink, l->event, &options), -EINVAL);
        options.host = "127.0.0.1";
        options.transport = NULL;
        options.certificate_file = "/nonexistent/a.crt";
        options.key_file = "/nonexistent/a.key";
        assert_true(uplink_new(&uplink, l->event, &options) < 0);
        assert_null(uplink);
        assert_null(uplink_free(NULL));
}

#define ROW(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                ROW(connects_and_subscribes),
                ROW(a_refused_subscription_is_said),
                ROW(publishes_are_acknowledged_by_cookie),
                ROW(the_receive_maximum_is_kept),
                ROW(a_slow_cloud_makes_it_busy_not_large),
                ROW(what_the_cloud_cannot_take_is_refused_at_once),
                ROW(messages_are_acknowledged_when_taken),
                ROW(a_token_of_an_old_connection_does_nothing),
                ROW(named_topics_have_a_window),
                ROW(topics_nobody_asked_for_are_unsubscribed),
                ROW(stopping_says_goodbye_and_nothing_else),
                ROW(hostile_clouds_end_in_a_new_session),
                ROW(a_stalled_handshake_times_out),
                ROW(refused_connections_are_tried_again),
                ROW(bad_options_are_refused),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
