/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Clouds that refuse, stall, lie or close: each ends in a sentence and a new, good session. */
#include "lab.h"

static void hangs_up_at_once(struct lab *l)
{
        WAIT(l, l->cloud >= 0);
        shutdown(l->cloud, SHUT_RDWR);
}

static void stalls_before_connack(struct lab *l)
{
        lab_receive(l, MQTT_CONNECT);
}

static void refuses(struct lab *l)
{
        lab_receive(l, MQTT_CONNECT);
        lab_send_connack(l, MQTT_NOT_AUTHORIZED, 0);
}

static void talks_garbage(struct lab *l)
{
        static const uint8_t garbage[64] = { 0xff, 0xff, 0xff, 0xff };

        lab_receive(l, MQTT_CONNECT);
        lab_send_bytes(l, SPAN_OF(garbage));
}

static void sends_connack_twice(struct lab *l)
{
        lab_receive(l, MQTT_CONNECT);
        lab_send_connack(l, 0, 0);
        lab_send_connack(l, 0, 0);
}

static void stalls_before_suback(struct lab *l)
{
        lab_receive(l, MQTT_CONNECT);
        lab_send_connack(l, 0, 0);
        lab_receive(l, MQTT_SUBSCRIBE);
}

static void begins_a_packet_without_end(struct lab *l)
{
        static const uint8_t head[] = { 0x30, 0xff, 0xff, 0xff, 0x7f };

        lab_receive(l, MQTT_CONNECT);
        lab_send_connack(l, 0, 0);
        lab_send_bytes(l, SPAN_OF(head));
}

static void acknowledges_what_was_never_sent(struct lab *l)
{
        lab_accept_session(l, 0);
        lab_send_puback(l, 777, 0);
}

static void falls_silent(struct lab *l)
{
        lab_accept_session(l, 0);
        lab_receive(l, MQTT_PINGREQ);
}

static void ends_the_session(struct lab *l)
{
        const struct mqtt_packet packet = { .type = MQTT_DISCONNECT, .ack = { .reason = MQTT_SESSION_TAKEN_OVER } };

        lab_accept_session(l, 0);
        lab_send_packet(l, &packet);
}

static void closes_with_publishes_in_flight(struct lab *l)
{
        lab_accept_session(l, 0);
        assert_int_equal(lab_publish(l, 1), 0);
        lab_receive(l, MQTT_PUBLISH);
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
                assert_int_equal(lab_publish(l, 1), UPLINK_NOT_UP);
                ups = l->ups;
                lab_accept_session(l, 0);
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
        lab_accept_session(l, 0);
}

static void refused_connections_are_tried_again(void **state)
{
        struct lab *l = *state;

        l->refuse_dial = true;
        WAIT(l, l->dials >= 5);
        l->refuse_dial = false;
        lab_accept_session(l, 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                ROW(hostile_clouds_end_in_a_new_session),
                ROW(a_stalled_handshake_times_out),
                ROW(refused_connections_are_tried_again),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
