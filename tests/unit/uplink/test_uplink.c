/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The uplink and a cloud that does as it should. */
#include "lab.h"

#include <errno.h>

/* ---- the good cloud */

static void connects_and_subscribes(void **state)
{
        struct lab *l = *state;
        struct mqtt_filters filters;
        struct mqtt_filter filter;

        struct mqtt_packet packet = lab_receive(l, MQTT_CONNECT);
        assert_true(span_equal_string(packet.connect.client_id, "relay.s1"));
        assert_false(packet.connect.clean_start);
        assert_int_equal(packet.props.session_expiry, UPLINK_SESSION_EXPIRY);
        assert_int_equal(packet.connect.keep_alive_s, 1);
        lab_send_connack(l, 0, 0);
        packet = lab_receive(l, MQTT_SUBSCRIBE);
        mqtt_filters_init(&filters, &packet);
        assert_true(mqtt_filters_next(&filters, &filter));
        assert_true(span_equal_string(filter.filter, "sites/s1/devices/+/commands"));
        assert_int_equal(filter.qos, 1);
        assert_true(mqtt_filters_next(&filters, &filter));
        assert_false(mqtt_filters_next(&filters, &filter));
        assert_int_equal(l->ups, 0); /* not before the cloud hears us */
        static const uint8_t granted[] = { 1, 1 };
        lab_send_suback(l, packet.subscribe.packet_id, granted, 2);
        WAIT(l, l->ups == 1);
        assert_int_equal(uplink_state(l->uplink), UPLINK_UP);
}

static void a_refused_subscription_is_said(void **state)
{
        static const uint8_t refused[] = { 1, MQTT_NOT_AUTHORIZED };
        struct lab *l = *state;

        lab_receive(l, MQTT_CONNECT);
        lab_send_connack(l, 0, 0);
        struct mqtt_packet packet = lab_receive(l, MQTT_SUBSCRIBE);
        lab_send_suback(l, packet.subscribe.packet_id, refused, 2);
        WAIT(l, l->ups == 1);
        assert_non_null(strstr(l->error, "sites/s1/approvals/#"));
}

static void publishes_are_acknowledged_by_cookie(void **state)
{
        struct lab *l = *state;
        uint16_t ids[3];

        assert_int_equal(lab_publish(l, 1), UPLINK_NOT_UP);
        lab_accept_session(l, 0);
        for (uint64_t i = 0; i < 3; i++)
                assert_int_equal(lab_publish(l, 100 + i), 0);
        for (size_t i = 0; i < 3; i++)
                ids[i] = lab_receive(l, MQTT_PUBLISH).publish.packet_id;
        lab_send_puback(l, ids[0], 0);
        lab_send_puback(l, ids[1], MQTT_NO_MATCHING_SUBSCRIBERS);
        lab_send_puback(l, ids[2], MQTT_NOT_AUTHORIZED);
        WAIT(l, l->acked_count == 3);
        for (size_t i = 0; i < 3; i++)
                assert_int_equal(l->acked[i], 100 + i);
        assert_int_equal(l->acked_reasons[2], MQTT_NOT_AUTHORIZED);
}

static void the_receive_maximum_is_kept(void **state)
{
        struct lab *l = *state;

        lab_accept_session(l, 2);
        assert_int_equal(lab_publish(l, 1), 0);
        assert_int_equal(lab_publish(l, 2), 0);
        assert_int_equal(lab_publish(l, 3), UPLINK_BUSY);
        uint16_t id = lab_receive(l, MQTT_PUBLISH).publish.packet_id;
        lab_receive(l, MQTT_PUBLISH);
        unsigned before = l->readies;
        lab_send_puback(l, id, 0);
        WAIT(l, l->readies > before && l->acked_count == 1);
        assert_int_equal(lab_publish(l, 3), 0);
}

static void a_slow_cloud_makes_it_busy_not_large(void **state)
{
        static uint8_t payload[60000];
        const struct mqtt_publish message = { .qos = 1, .topic = SPAN_LITERAL("a/b"), .payload = SPAN_OF(payload) };
        struct lab *l = *state;
        uint64_t sent = 0;

        lab_accept_session(l, 0);
        while (sent < 1000 && uplink_publish(l->uplink, &message, NULL, sent) == 0)
                sent++;
        assert_true(sent >= 3 && sent < 10);
        for (uint64_t i = 0; i < sent; i++)
                lab_send_puback(l, lab_receive(l, MQTT_PUBLISH).publish.packet_id, 0);
        WAIT(l, l->acked_count == sent && l->readies > 0);
}

static void what_the_cloud_cannot_take_is_refused_at_once(void **state)
{
        static uint8_t payload[UPLINK_PACKET_MAX];
        struct lab *l = *state;
        struct mqtt_publish message = { .qos = 1, .topic = SPAN_LITERAL("a/b"), .payload = SPAN_OF(payload) };

        lab_accept_session(l, 0);
        assert_int_equal(uplink_publish(l->uplink, &message, NULL, 1), UPLINK_RANGE);
        message.payload.size = 1;
        message.qos = 2;
        assert_int_equal(uplink_publish(l->uplink, &message, NULL, 1), UPLINK_RANGE);
}

static void messages_are_acknowledged_when_taken(void **state)
{
        struct lab *l = *state;

        lab_accept_session(l, 0);
        lab_send_publish(l, "sites/s1/devices/device-1/commands", 1, 9);
        struct mqtt_packet packet = lab_receive(l, MQTT_PUBACK);
        assert_int_equal(packet.ack.packet_id, 9);
        assert_string_equal(l->topic, "sites/s1/devices/device-1/commands");

        l->answer = UPLINK_HOLD;
        lab_send_publish(l, "sites/s1/devices/device-1/commands", 1, 10);
        WAIT(l, l->messages == 2);
        uint64_t held = l->token;
        l->answer = 0x87;
        lab_send_publish(l, "sites/s1/approvals/a/b", 1, 11);
        packet = lab_receive(l, MQTT_PUBACK);
        assert_int_equal(packet.ack.packet_id, 11);
        assert_int_equal(packet.ack.reason, 0x87);
        uplink_ack(l->uplink, held, 0);
        packet = lab_receive(l, MQTT_PUBACK);
        assert_int_equal(packet.ack.packet_id, 10);
        assert_int_equal(packet.ack.reason, 0);
}

static void a_token_of_an_old_connection_does_nothing(void **state)
{
        struct lab *l = *state;

        lab_accept_session(l, 0);
        l->answer = UPLINK_HOLD;
        lab_send_publish(l, "sites/s1/approvals/a/b", 1, 10);
        WAIT(l, l->messages == 1);
        shutdown(l->cloud, SHUT_RDWR);
        WAIT(l, l->downs == 1);
        uint64_t held = l->token;
        lab_accept_session(l, 0);
        uplink_ack(l->uplink, held, 0);
        assert_int_equal(lab_publish(l, 1), 0);
        lab_receive(l, MQTT_PUBLISH); /* and no PUBACK before it */
}

static void named_topics_have_a_window(void **state)
{
        struct lab *l = *state;
        struct mqtt_filters filters;
        struct mqtt_filter filter;
        char topic[32];

        assert_int_equal(uplink_watch(l->uplink, "images/a/0"), UPLINK_NOT_UP);
        lab_accept_session(l, 0);
        assert_int_equal(uplink_watch(l->uplink, "images/+/0"), -EINVAL);
        for (int i = 0; i < UPLINK_WINDOW_MAX; i++) {
                snprintf(topic, sizeof(topic), "images/a/%d", i);
                assert_int_equal(uplink_watch(l->uplink, topic), 0);
                assert_int_equal(uplink_watch(l->uplink, topic), 0); /* once is enough */
                struct mqtt_packet packet = lab_receive(l, MQTT_SUBSCRIBE);
                mqtt_filters_init(&filters, &packet);
                assert_true(mqtt_filters_next(&filters, &filter));
                assert_true(span_equal_string(filter.filter, topic));
        }
        assert_int_equal(uplink_watch(l->uplink, "images/a/8"), UPLINK_BUSY);
        lab_send_publish(l, "images/a/3", 0, 0);
        WAIT(l, l->messages == 1);
        uplink_unwatch(l->uplink, "images/a/3");
        uplink_unwatch(l->uplink, "images/a/33");
        lab_receive(l, MQTT_UNSUBSCRIBE);
        assert_int_equal(uplink_watch(l->uplink, "images/a/8"), 0);
}

static void topics_nobody_asked_for_are_unsubscribed(void **state)
{
        struct lab *l = *state;
        struct mqtt_filters filters;
        struct mqtt_filter filter;

        lab_accept_session(l, 0);
        lab_send_publish(l, "images/of/yesterday", 1, 5);
        struct mqtt_packet packet = lab_receive(l, MQTT_UNSUBSCRIBE);
        mqtt_filters_init(&filters, &packet);
        assert_true(mqtt_filters_next(&filters, &filter));
        assert_true(span_equal_string(filter.filter, "images/of/yesterday"));
        assert_int_equal(lab_receive(l, MQTT_PUBACK).ack.packet_id, 5);
        assert_int_equal(l->messages, 0);
}

static void stopping_says_goodbye_and_nothing_else(void **state)
{
        struct lab *l = *state;

        lab_accept_session(l, 0);
        uplink_stop(l->uplink);
        assert_int_equal(lab_receive(l, MQTT_DISCONNECT).ack.reason, 0);
        assert_int_equal(l->downs, 0);
        assert_int_equal(uplink_state(l->uplink), UPLINK_DOWN);
        unsigned dials = l->dials;
        for (int i = 0; i < 10; i++)
                lab_turn(l);
        assert_int_equal(l->dials, dials);
        assert_int_equal(lab_publish(l, 1), UPLINK_NOT_UP);
        assert_int_equal(uplink_start(l->uplink), 0);
        lab_accept_session(l, 0);
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
                ROW(bad_options_are_refused),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
