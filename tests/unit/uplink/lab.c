/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "lab.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "tls/tls.h"

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

void lab_turn(struct lab *l)
{
        assert_true(sd_event_run(l->event, 5000) >= 0);
        if (l->cloud < 0)
                return;
        ssize_t n = read(l->cloud, l->in + l->in_fill, sizeof(l->in) - l->in_fill);
        if (n > 0)
                l->in_fill += (size_t)n;
}

struct mqtt_packet lab_receive(struct lab *l, enum mqtt_type type)
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
                lab_turn(l);
        }
        fail_msg("no %s came", mqtt_type_string(type));
        return packet;
}

void lab_send_bytes(struct lab *l, struct span bytes)
{
        assert_int_equal(send(l->cloud, bytes.data, bytes.size, MSG_NOSIGNAL), bytes.size);
}

void lab_send_packet(struct lab *l, const struct mqtt_packet *packet)
{
        uint8_t out[2000];
        struct writer w;

        writer_init(&w, out, sizeof(out));
        assert_int_equal(mqtt_encode(&w, MQTT_V5, packet), RELAY_OK);
        lab_send_bytes(l, writer_span(&w));
}

void lab_send_connack(struct lab *l, uint8_t reason, uint16_t receive_maximum)
{
        struct mqtt_packet packet = { .type = MQTT_CONNACK, .ack = { .reason = reason } };

        if (receive_maximum) {
                packet.props.present = MQTT_PROP(MQTT_P_RECEIVE_MAXIMUM);
                packet.props.receive_maximum = receive_maximum;
        }
        lab_send_packet(l, &packet);
}

void lab_send_suback(struct lab *l, uint16_t id, const uint8_t *reasons, size_t count)
{
        const struct mqtt_packet packet = { .type = MQTT_SUBACK, .suback = { id, span_of(reasons, count) } };

        lab_send_packet(l, &packet);
}

void lab_send_puback(struct lab *l, uint16_t id, uint8_t reason)
{
        const struct mqtt_packet packet = { .type = MQTT_PUBACK, .ack = { .packet_id = id, .reason = reason } };

        lab_send_packet(l, &packet);
}

void lab_send_publish(struct lab *l, const char *topic, uint8_t qos, uint16_t id)
{
        const struct mqtt_packet packet = {
                .type = MQTT_PUBLISH,
                .publish = { .qos = qos, .packet_id = id, .topic = span_of_string(topic), .payload = SPAN_LITERAL("x") }
        };

        lab_send_packet(l, &packet);
}

void lab_accept_session(struct lab *l, uint16_t receive_maximum)
{
        static const uint8_t granted[] = { 1, 1 };

        lab_receive(l, MQTT_CONNECT);
        lab_send_connack(l, 0, receive_maximum);
        struct mqtt_packet packet = lab_receive(l, MQTT_SUBSCRIBE);
        lab_send_suback(l, packet.subscribe.packet_id, granted, 2);
        WAIT(l, l->state == UPLINK_UP);
}

int lab_publish(struct lab *l, uint64_t cookie)
{
        const struct mqtt_publish message = { .qos = 1,
                                              .topic = SPAN_LITERAL("a/b"),
                                              .payload = SPAN_LITERAL("hello") };

        return uplink_publish(l->uplink, &message, NULL, cookie);
}

/* ---- set-up */

int lab_setup(void **state)
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

int lab_teardown(void **state)
{
        struct lab *l = *state;

        uplink_free(l->uplink);
        if (l->cloud >= 0)
                close(l->cloud);
        sd_event_unref(l->event);
        free(l);
        return 0;
}
