/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The broker and the gate: commands, what is handed to one device, gate requests, a stand-alone gate. */

#include <string.h>

#include "harness.h"
#include "relay/ticket.h"

static const struct fake_connect plain = { .clean = true };

static void commands_of_applications_go_to_who_verifies_them(void **state)
{
        struct harness *h = *state;
        struct fake *device = fake_open(h, "device-1", &plain, NULL);
        struct fake *app = fake_open(h, "app.test", &plain, NULL);
        const char *topic = "sites/s1/devices/device-1/commands";

        fake_subscribe_to(device, "sites/s1/devices/device-1/#", 1);
        fake_publish(app, topic, "signed", 1, 5, true);
        harness_turn(h);
        fake_expect_ack(app, MQTT_PUBACK, 5, MQTT_SUCCESS);
        assert_string_equal(h->commanded, "device-1");
        assert_string_equal(h->command, "signed");
        fake_expect_nothing(device); /* and nowhere else, not even retained */
        fake_subscribe_to(device, topic, 1);
        fake_expect_nothing(device);
        h->command_reason = REASON_BAD_SIGNATURE;
        fake_publish(app, topic, "not", 1, 6, false);
        fake_publish(app, topic, "not", 0, 0, false);
        fake_publish(app, topic, "not", 2, 7, false);
        h->command_reason = REASON_QUOTA;
        fake_publish(app, topic, "too many", 1, 8, false);
        h->command_reason = REASON_NONE;
        fake_publish(app, topic, "exactly once", 2, 9, false);
        h->command[0] = '\0';
        fake_publish(app, topic, "exactly once", 2, 9, false);
        harness_turn(h);
        fake_expect_ack(app, MQTT_PUBACK, 6, MQTT_NOT_AUTHORIZED);
        fake_expect_ack(app, MQTT_PUBREC, 7, MQTT_NOT_AUTHORIZED);
        fake_expect_ack(app, MQTT_PUBACK, 8, MQTT_QUOTA_EXCEEDED);
        fake_expect_ack(app, MQTT_PUBREC, 9, MQTT_SUCCESS);
        fake_expect_ack(app, MQTT_PUBREC, 9, MQTT_SUCCESS);
        assert_string_equal(h->command, "");
        fake_expect_nothing(device);
}

/* A will is published when its client is gone: nobody would verify it. */
static void no_will_is_a_command_or_a_ticket(void **state)
{
        static const char *const topics[] = { "sites/s1/devices/device-1/commands",
                                              "sites/s1/devices/device-1/gate/ticket" };
        struct harness *h = *state;
        struct fake *device = fake_open(h, "device-1", &plain, NULL);

        fake_subscribe_to(device, "sites/s1/devices/device-1/#", 1);
        for (size_t i = 0; i < 2; i++) {
                struct fake_connect with_will = { .clean = true, .will_topic = topics[i], .will_payload = "unsigned" };
                struct fake *app = fake_new(h, "app.test");
                fake_send_connect(app, &with_will);
                assert_int_equal(app->close_reason, MQTT_NOT_AUTHORIZED);
                broker_closed(h->broker, &app->link, true);
        }
        harness_turn(h);
        fake_expect_nothing(device);
        assert_string_equal(h->command, "");
}

static void tickets_of_applications(void **state)
{
        struct harness *h = *state;
        struct fake *device = fake_open(h, "device-1", &plain, NULL);
        struct fake *app = fake_open(h, "app.test", &plain, NULL);
        const char *topic = "sites/s1/devices/device-1/gate/ticket";
        char large[TICKET_MAX + 2];

        memset(large, 'x', sizeof(large) - 1);
        large[sizeof(large) - 1] = 0;
        fake_subscribe_to(device, topic, 1);
        fake_publish(app, topic, "ticket", 1, 1, false);
        fake_publish(app, topic, "ticket", 1, 2, true);
        fake_publish(app, topic, large, 1, 3, false);
        harness_turn(h);
        fake_expect_ack(app, MQTT_PUBACK, 1, MQTT_SUCCESS);
        fake_expect_ack(app, MQTT_PUBACK, 2, MQTT_NOT_AUTHORIZED);
        fake_expect_ack(app, MQTT_PUBACK, 3, MQTT_NOT_AUTHORIZED);
        fake_expect_publish(device, topic, "ticket", 1, NULL);
        fake_expect_nothing(device);
}

static void handing_over(void **state)
{
        struct harness *h = *state;
        struct broker *b = h->broker;
        const char *topic = "sites/s1/devices/device-1/commands";
        struct fake_connect durable = { .expiry = 1000 };
        struct fake *device, *app = fake_open(h, "app.test", &plain, NULL);
        struct mqtt_packet packet;
        bool present;

        fake_subscribe_to(app, "#", 1);
        assert_int_equal(broker_hand(b, "device-1", topic, SPAN_LITERAL("on"), HARNESS_TIME + 60), BROKER_ABSENT);
        device = fake_open(h, "device-1", &durable, NULL);
        assert_int_equal(broker_hand(b, "device-1", topic, SPAN_LITERAL("on"), HARNESS_TIME + 60), BROKER_ABSENT);
        fake_subscribe_to(device, topic, 0);
        assert_int_equal(h->subscribed, 1);
        assert_int_equal(broker_hand(b, "device-1", topic, SPAN_LITERAL("on"), HARNESS_TIME + 60), BROKER_UNSURE);
        fake_expect_publish(device, topic, "on", 0, &packet);
        fake_subscribe_to(device, "sites/s1/devices/device-1/#", 2);
        assert_int_equal(broker_hand(b, "device-1", topic, SPAN_LITERAL("off"), HARNESS_TIME + 60), 0);
        fake_expect_publish(device, topic, "off", 1, &packet);
        assert_true(packet.props.present & MQTT_PROP(MQTT_P_MESSAGE_EXPIRY));
        assert_int_equal(packet.props.message_expiry, 60);
        assert_int_equal(broker_hand(b, "device-1", topic, SPAN_LITERAL("off"), HARNESS_TIME + 60), 0);
        fake_expect_nothing(device); /* it waits for the acknowledgement already */
        fake_expect_nothing(app);
        /* in a resumed session it comes again by itself, and once */
        harness_turn(h);
        harness_restart(h);
        device = fake_open(h, "device-1", &durable, &present);
        assert_true(present);
        fake_expect_publish(device, topic, "off", 1, &packet);
        assert_int_equal(broker_hand(h->broker, "device-1", topic, SPAN_LITERAL("off"), HARNESS_TIME + 60), 0);
        fake_expect_nothing(device);
        fake_ack(device, MQTT_PUBACK, packet.publish.packet_id);
        assert_string_equal(h->delivered, "off");
}

static void what_is_handed_to_a_resumed_session_comes_once_and_last(void **state)
{
        struct harness *h = *state;
        const char *topic = "sites/s1/devices/device-1/commands";
        struct fake_connect durable = { .expiry = 1000 };
        struct fake *device = fake_open(h, "device-1", &durable, NULL);

        fake_subscribe_to(device, topic, 1);
        assert_int_equal(broker_hand(h->broker, "device-1", topic, SPAN_LITERAL("first"), HARNESS_TIME + 60), 0);
        harness_turn(h);
        broker_closed(h->broker, &device->link, true);
        h->hand_topic = topic;
        device = fake_open(h, "device-1", &durable, NULL);
        fake_expect_publish(device, topic, "first", 1, NULL);
        fake_expect_publish(device, topic, "when online", 1, NULL);
        fake_expect_nothing(device);
}

static void a_stand_alone_gate(void **state)
{
        struct harness *h = *state;
        struct fake_connect with_will = { .will_topic = "sites/s1/devices/device-1/state/relay",
                                          .will_payload = "gone" };
        struct fake *device, *app;

        h->broker->gate_only = true;
        device = fake_open(h, "device-1", &with_will, NULL);
        app = fake_open(h, "app.test", &plain, NULL);
        fake_subscribe_to(app, "#", 1);
        fake_subscribe_to(device, "sites/s1/devices/device-1/gate/ticket", 1);
        fake_publish(device, "sites/s1/devices/device-1/gate/request", "?", 1, 1, false);
        fake_publish(device, "sites/s1/devices/device-1/state/relay", "here", 1, 2, true);
        fake_publish(app, "home/lamp", "on", 1, 3, false);
        harness_turn(h);
        fake_expect_ack(device, MQTT_PUBACK, 1, MQTT_SUCCESS);
        fake_expect_ack(device, MQTT_PUBACK, 2, MQTT_NOT_AUTHORIZED);
        assert_int_equal(h->alert_count, 0);
        assert_int_equal(h->published_count, 1);
        assert_int_equal(
                broker_publish_brief(h->broker, "sites/s1/devices/device-1/gate/ticket", SPAN_LITERAL("!"), 120), 0);
        fake_expect_publish(device, "sites/s1/devices/device-1/gate/ticket", "!", 1, NULL);
        broker_closed(h->broker, &device->link, true);
        fake_expect_publish(app, "sites/s1/devices/device-1/gate/request", "?", 1, NULL);
        fake_expect_ack(app, MQTT_PUBACK, 3, MQTT_NOT_AUTHORIZED);
        fake_expect_publish(app, "sites/s1/devices/device-1/gate/ticket", "!", 1, NULL);
        fake_expect_nothing(app); /* no will */
}

static void a_gate_request_goes_up_only_by_the_host(void **state)
{
        struct harness *h = *state;
        struct fake *device = fake_open(h, "device-1", &plain, NULL);
        struct outbox_entry entry;

        fake_publish(device, "sites/s1/devices/device-1/gate/request", "?", 1, 1, false);
        harness_turn(h);
        assert_false(outbox_next(h->broker->outbox, h->broker->durable, &entry));
        assert_int_equal(
                broker_send_up_brief(h->broker, "sites/s1/devices/device-1/gate/request", SPAN_LITERAL("?"), 120), 0);
        harness_turn(h);
        assert_true(outbox_next(h->broker->outbox, h->broker->durable, &entry));
        assert_int_equal(entry.message->expires, HARNESS_TIME + 120);
}

#define test(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                test(commands_of_applications_go_to_who_verifies_them),
                test(no_will_is_a_command_or_a_ticket),
                test(tickets_of_applications),
                test(handing_over),
                test(what_is_handed_to_a_resumed_session_comes_once_and_last),
                test(a_stand_alone_gate),
                test(a_gate_request_goes_up_only_by_the_host),
        };
        return cmocka_run_group_tests_name("broker_gate", tests, NULL, NULL);
}
