/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The broker: sessions, QoS, retained, wills, acknowledgements after the disk, repeats, outbox, restarts. */

#include <stdio.h>
#include <string.h>

#include "harness.h"

#define EVENT "sites/s1/devices/device-1/events/soil"

static const struct fake_connect plain = { .clean = true };
static const struct fake_connect durable = { .expiry = 3600 };

static void puback_after_the_disk(void **state)
{
        struct harness *h = *state;
        struct fake *device = fake_open(h, "device-1", &plain, NULL);
        struct fake *app = fake_open(h, "app.test", &plain, NULL);
        struct outbox_entry entry;

        assert_int_equal(fake_subscribe_to(app, "sites/s1/devices/+/events/#", 1), 1);
        fake_event(device, EVENT, "41", 9, "1", "1");
        fake_expect_publish(app, EVENT, "41", 1, NULL);
        fake_expect_nothing(device);
        assert_int_equal(broker_commit(h->broker), 0);
        fake_expect_nothing(device);
        harness_turn(h);
        fake_expect_ack(device, MQTT_PUBACK, 9, MQTT_SUCCESS);
        assert_true(outbox_next(h->broker->outbox, h->broker->durable, &entry));
        assert_true(span_equal_string(entry.message->topic, EVENT));
        assert_true(span_equal_string(entry.message->payload, "41"));
        assert_true(h->broker->work_for_cloud);
}

static void pubacks_in_order(void **state)
{
        struct harness *h = *state;
        struct fake *device = fake_open(h, "device-1", &plain, NULL);
        char seq[10];

        for (uint16_t i = 1; i <= 2000; i++) {
                snprintf(seq, sizeof(seq), "%u", i);
                fake_event(device, EVENT, "x", i, "1", seq);
        }
        harness_turn(h);
        for (uint16_t i = 1; i <= 2000; i++)
                fake_expect_ack(device, MQTT_PUBACK, i, MQTT_SUCCESS);
}

static void topic_of_another_device(void **state)
{
        struct harness *h = *state;
        struct fake *device = fake_open(h, "device-1", &plain, NULL);
        struct fake *app = fake_open(h, "app.test", &plain, NULL);

        fake_subscribe_to(app, "#", 1);
        fake_publish(device, "sites/s1/devices/device-2/events/soil", "1", 1, 5, false);
        fake_publish(device, "sites/s1/devices/device-1/commands", "1", 1, 6, false);
        harness_turn(h);
        fake_expect_ack(device, MQTT_PUBACK, 5, MQTT_NOT_AUTHORIZED);
        fake_expect_ack(device, MQTT_PUBACK, 6, MQTT_NOT_AUTHORIZED);
        fake_expect_nothing(app);
        assert_int_equal(h->alert_count, 1); /* bounded rate */
        assert_string_equal(h->alerts[0], "device-1 topic");
        assert_int_equal(fake_subscribe_to(device, "sites/s1/devices/device-2/commands", 1), MQTT_NOT_AUTHORIZED);
        assert_int_equal(fake_subscribe_to(device, "#", 1), MQTT_NOT_AUTHORIZED);
        assert_int_equal(fake_subscribe_to(app, "$share/g/#", 1), MQTT_NO_SHARED_SUBSCRIPTIONS);
}

static void client_ids(void **state)
{
        static const struct {
                const char *identity, *id;
                uint8_t reason;
        } rows[] = {
                { "device-1", "device-1", MQTT_SUCCESS },         { "device-1", "", MQTT_SUCCESS },
                { "device-1", "device-2", MQTT_BAD_CLIENT_ID },   { "device-1", "device-1.x", MQTT_BAD_CLIENT_ID },
                { "device-1", "device-11", MQTT_BAD_CLIENT_ID },  { "app.test", "app.test", MQTT_SUCCESS },
                { "app.test", "app.test.a", MQTT_SUCCESS },       { "app.test", "app.test.", MQTT_BAD_CLIENT_ID },
                { "app.test", "app.tester", MQTT_BAD_CLIENT_ID }, { "app.test", "device-1", MQTT_BAD_CLIENT_ID },
        };
        struct harness *h = *state;

        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                struct fake_connect connect = { .client_id = rows[i].id, .clean = true };
                struct fake *f = fake_new(h, rows[i].identity);
                struct mqtt_packet packet;

                fake_send_connect(f, &connect);
                fake_expect(f, MQTT_CONNACK, &packet);
                assert_int_equal(packet.ack.reason, rows[i].reason);
                assert_int_equal(f->closed_by_hub, rows[i].reason != MQTT_SUCCESS);
                if (rows[i].id[0] == 0)
                        assert_true(span_equal_string(packet.props.assigned_client_id, "device-1"));
                broker_closed(h->broker, &f->link, false);
        }
}

static void take_over(void **state)
{
        struct harness *h = *state;
        struct fake *first = fake_open(h, "device-1", &durable, NULL), *second;
        bool present;

        second = fake_open(h, "device-1", &durable, &present);
        assert_true(present);
        assert_true(first->closed_by_hub);
        assert_int_equal(first->close_reason, MQTT_SESSION_TAKEN_OVER);
        assert_false(second->closed_by_hub);
        /* what the front end says late about the first one changes nothing */
        broker_closed(h->broker, &first->link, true);
        assert_ptr_equal(second->link.client->link, &second->link);
        assert_int_equal(h->broker->clients.online, 1);
}

static void session_survives_restart(void **state)
{
        struct harness *h = *state;
        struct fake *app = fake_open(h, "app.test", &durable, NULL), *device;
        struct mqtt_packet packet;
        uint16_t id;
        bool present;

        fake_subscribe_to(app, "sites/s1/devices/+/events/#", 2);
        device = fake_open(h, "device-1", &plain, NULL);
        fake_event(device, EVENT, "a", 1, "1", "1");
        fake_expect_publish(app, EVENT, "a", 1, &packet);
        id = packet.publish.packet_id;
        fake_publish(device, EVENT, "b", 2, 2, false);
        harness_turn(h);
        fake_expect_publish(app, EVENT, "b", 2, &packet);
        fake_ack(app, MQTT_PUBREC, packet.publish.packet_id);
        fake_expect_ack(app, MQTT_PUBREL, packet.publish.packet_id, MQTT_SUCCESS);
        harness_turn(h);

        harness_restart(h);
        app = fake_open(h, "app.test", &durable, &present);
        assert_true(present);
        fake_expect_publish(app, EVENT, "a", 1, &packet);
        assert_int_equal(packet.publish.packet_id, id);
        assert_true(packet.publish.dup);
        fake_expect_ack(app, MQTT_PUBREL, id + 1, MQTT_SUCCESS);
        fake_ack(app, MQTT_PUBACK, id);
        fake_ack(app, MQTT_PUBCOMP, id + 1);
        device = fake_open(h, "device-1", &plain, NULL);
        fake_event(device, EVENT, "c", 1, "1", "3");
        fake_expect_publish(app, EVENT, "c", 1, &packet);
        harness_turn(h);

        /* acknowledged ones do not come again */
        harness_restart(h);
        app = fake_open(h, "app.test", &durable, &present);
        fake_expect_publish(app, EVENT, "c", 1, &packet);
        fake_expect_nothing(app);
}

static void repeats_are_dropped(void **state)
{
        struct harness *h = *state;
        struct fake *device = fake_open(h, "device-1", &plain, NULL);
        struct outbox_figures figures;

        fake_event(device, EVENT, "a", 1, "7", "41");
        harness_turn(h);
        fake_event(device, EVENT, "a", 2, "7", "41");
        fake_event(device, EVENT, "b", 3, "7", "42");
        harness_turn(h);
        fake_expect_ack(device, MQTT_PUBACK, 1, 0);
        fake_expect_ack(device, MQTT_PUBACK, 2, 0);
        fake_expect_ack(device, MQTT_PUBACK, 3, 0);
        harness_restart(h);
        device = fake_open(h, "device-1", &plain, NULL);
        fake_event(device, EVENT, "b", 4, "7", "42");
        fake_event(device, EVENT, "a", 5, "8", "42");
        harness_turn(h);
        fake_expect_ack(device, MQTT_PUBACK, 4, 0);
        outbox_figures(h->broker->outbox, &figures);
        assert_int_equal(figures.events, 3);
        assert_int_equal(h->broker->counters.repeated, 1);
}

static void prefix_events_of_3_1_1(void **state)
{
        struct harness *h = *state;
        struct fake *device = fake_open(h, "device-1", &plain, NULL);
        static const uint8_t payload[] = { 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9, 'x' };
        struct mqtt_packet packet = { .type = MQTT_PUBLISH };

        packet.publish = (struct mqtt_publish){ .qos = 1,
                                                .packet_id = 1,
                                                .payload = SPAN_OF(payload),
                                                .topic = SPAN_LITERAL("sites/s1/devices/device-1/events1/soil") };
        fake_send(device, &packet);
        fake_send(device, &packet);
        assert_int_equal(h->broker->counters.repeated, 1);
}

static void retained(void **state)
{
        struct harness *h = *state;
        struct fake *device = fake_open(h, "device-1", &plain, NULL);
        struct fake *app = fake_open(h, "app.test", &plain, NULL);
        struct mqtt_filter filter = { .filter = SPAN_LITERAL("sites/s1/devices/+/state/relay"), .qos = 1 };
        const char *topic = "sites/s1/devices/device-1/state/relay";
        struct mqtt_packet packet;

        fake_publish(device, topic, "{}", 1, 1, true);
        harness_turn(h);
        harness_restart(h);
        app = fake_open(h, "app.test", &plain, NULL);
        device = fake_open(h, "device-1", &plain, NULL);
        fake_subscribe(app, filter, 5);
        fake_expect_publish(app, topic, "{}", 1, &packet);
        assert_true(packet.publish.retain);
        assert_int_equal(packet.props.subscription_id, 5);
        filter.retain_handling = 1;
        fake_subscribe(app, filter, 0); /* existed already */
        fake_expect_nothing(app);
        filter.retain_handling = 2;
        fake_subscribe(app, filter, 0);
        fake_expect_nothing(app);
        fake_publish(device, topic, "new", 1, 1, true);
        fake_expect_publish(app, topic, "new", 1, &packet);
        assert_false(packet.publish.retain);
        filter.retain_as_published = true;
        fake_subscribe(app, filter, 0);
        fake_publish(device, topic, "", 1, 2, true);
        fake_expect_publish(app, topic, "", 1, &packet);
        assert_true(packet.publish.retain);
        filter.retain_handling = 0;
        fake_subscribe(app, filter, 0);
        fake_expect_nothing(app);
}

static void overlapping_and_no_local(void **state)
{
        struct harness *h = *state;
        struct fake *app = fake_open(h, "app.test", &plain, NULL);
        struct fake *other = fake_open(h, "app.other", &plain, NULL);
        struct mqtt_packet packet;

        fake_subscribe(app, (struct mqtt_filter){ .filter = SPAN_LITERAL("a/#"), .qos = 1, .no_local = true }, 1);
        fake_subscribe(app, (struct mqtt_filter){ .filter = SPAN_LITERAL("a/+"), .qos = 2, .no_local = true }, 2);
        fake_publish(app, "a/b", "own", 1, 1, false);
        fake_expect_nothing(app);
        fake_publish(other, "a/b", "1", 1, 1, false);
        fake_expect_publish(app, "a/b", "1", 1, &packet);
        assert_int_equal(packet.props.subscription_id, 1); /* the first; all are in raw: 0x0B id 0x0B id */
        assert_int_equal(packet.props.raw.size, 4);
        fake_publish(other, "a", "parent", 0, 0, false);
        fake_expect_publish(app, "a", "parent", 0, NULL);
        fake_publish(other, "b", "x", 1, 2, false);
        fake_expect_nothing(app);
}

static void wills(void **state)
{
        struct harness *h = *state;
        struct fake *app = fake_open(h, "app.test", &plain, NULL), *device;
        const char *topic = "sites/s1/devices/device-1/state/relay";
        struct fake_connect connect = { .clean = true, .will_topic = topic, .will_payload = "gone" };
        struct mqtt_packet disconnect = { .type = MQTT_DISCONNECT };

        fake_subscribe_to(app, topic, 1);
        device = fake_open(h, "device-1", &connect, NULL);
        broker_closed(h->broker, &device->link, true);
        fake_expect_publish(app, topic, "gone", 1, NULL);
        device = fake_open(h, "device-1", &connect, NULL);
        fake_send(device, &disconnect);
        broker_closed(h->broker, &device->link, true);
        fake_expect_nothing(app);
        connect = (struct fake_connect){ .expiry = 100, .will_topic = topic, .will_payload = "late", .will_delay = 10 };
        device = fake_open(h, "device-1", &connect, NULL);
        broker_closed(h->broker, &device->link, true);
        harness_advance(h, 5);
        fake_expect_nothing(app);
        device = fake_open(h, "device-1", &connect, NULL); /* back in time */
        harness_advance(h, 20);
        fake_expect_nothing(app);
        broker_closed(h->broker, &device->link, true);
        harness_advance(h, 11);
        fake_expect_publish(app, topic, "late", 1, NULL);
        connect.will_topic = "sites/s1/devices/device-2/state/relay";
        device = fake_new(h, "device-1");
        fake_send_connect(device, &connect);
        assert_int_equal(device->close_reason, MQTT_NOT_AUTHORIZED);
}

static void qos2_in(void **state)
{
        struct harness *h = *state;
        struct fake *device = fake_open(h, "device-1", &durable, NULL);
        struct fake *app = fake_open(h, "app.test", &plain, NULL);

        fake_subscribe_to(app, "#", 2);
        fake_publish(device, EVENT, "once", 2, 3, false);
        fake_expect_nothing(device);
        harness_turn(h);
        fake_expect_ack(device, MQTT_PUBREC, 3, MQTT_SUCCESS);
        fake_expect_publish(app, EVENT, "once", 2, NULL);
        fake_publish(device, EVENT, "once", 2, 3, false);
        harness_turn(h);
        fake_expect_ack(device, MQTT_PUBREC, 3, MQTT_SUCCESS);
        fake_expect_nothing(app);
        harness_restart(h);
        device = fake_open(h, "device-1", &durable, NULL);
        app = fake_open(h, "app.test", &plain, NULL);
        fake_subscribe_to(app, "#", 2);
        fake_publish(device, EVENT, "once", 2, 3, false);
        harness_turn(h);
        fake_expect_ack(device, MQTT_PUBREC, 3, MQTT_SUCCESS);
        fake_expect_nothing(app);
        fake_ack(device, MQTT_PUBREL, 3);
        fake_expect_ack(device, MQTT_PUBCOMP, 3, MQTT_SUCCESS);
        fake_ack(device, MQTT_PUBREL, 3);
        fake_expect_ack(device, MQTT_PUBCOMP, 3, MQTT_PACKET_ID_NOT_FOUND);
}

static void receive_maximum_and_expiry(void **state)
{
        struct harness *h = *state;
        struct fake_connect connect = { .expiry = 100, .receive_maximum = 2 };
        struct fake *app = fake_open(h, "app.test", &connect, NULL), *other = fake_open(h, "app.other", &plain, NULL);
        struct mqtt_packet packet = { .type = MQTT_PUBLISH }, got;

        fake_subscribe_to(app, "a/#", 1);
        for (uint16_t i = 1; i <= 4; i++) {
                packet.publish = (struct mqtt_publish){
                        .qos = 1, .packet_id = i, .topic = SPAN_LITERAL("a/b"), .payload = SPAN_LITERAL("m")
                };
                packet.props.present = i == 3 ? MQTT_PROP(MQTT_P_MESSAGE_EXPIRY) : 0;
                packet.props.message_expiry = 5;
                fake_send(other, &packet);
        }
        fake_expect_publish(app, "a/b", "m", 1, &got);
        fake_expect_publish(app, "a/b", "m", 1, NULL);
        fake_expect_nothing(app);
        harness_advance(h, 6);
        fake_ack(app, MQTT_PUBACK, got.publish.packet_id);
        fake_expect_publish(app, "a/b", "m", 1, &packet);
        assert_int_equal(packet.publish.packet_id, got.publish.packet_id + 3); /* the third is too old */
        assert_false(packet.props.present & MQTT_PROP(MQTT_P_MESSAGE_EXPIRY));
}

static void session_expiry(void **state)
{
        struct harness *h = *state;
        struct fake *app = fake_open(h, "app.test", &durable, NULL);
        bool present;

        fake_subscribe_to(app, "a/#", 1);
        broker_closed(h->broker, &app->link, true);
        harness_advance(h, 3599);
        app = fake_open(h, "app.test", &durable, &present);
        assert_true(present);
        broker_closed(h->broker, &app->link, true);
        harness_advance(h, 3601);
        app = fake_open(h, "app.test", &durable, &present);
        assert_false(present);
        assert_int_equal(h->broker->subscriptions.count, 0);
}

static void full_outbox_refuses(void **state)
{
        struct harness *h = *state;
        struct outbox_figures figures;
        struct fake *device;

        h->outbox_max = 340; /* room for four: one device alone leaves an eighth to others */
        harness_restart(h);
        device = fake_open(h, "device-1", &plain, NULL);
        for (uint16_t i = 1; i <= 6; i++)
                fake_publish(device, EVENT, "0123456789", 1, i, false);
        harness_turn(h);
        for (uint16_t i = 1; i <= 6; i++)
                fake_expect_ack(device, MQTT_PUBACK, i, i <= 4 ? MQTT_SUCCESS : MQTT_QUOTA_EXCEEDED);
        outbox_figures(h->broker->outbox, &figures);
        assert_int_equal(figures.events, 4);
        assert_int_equal(outbox_done(h->broker->outbox, 1, true), 0);
        fake_publish(device, EVENT, "0123456789", 1, 7, false);
        harness_turn(h);
        fake_expect_ack(device, MQTT_PUBACK, 7, MQTT_SUCCESS);
}

static void image_pieces(void **state)
{
        struct harness *h = *state;
        struct fake *device = fake_open(h, "device-1", &durable, NULL);
        struct mqtt_packet packet;
        const char *topic = "images/00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff/3";

        assert_int_equal(fake_subscribe_to(device, topic, 1), 1);
        fake_expect_nothing(device);
        h->image_payload = "block";
        assert_int_equal(fake_subscribe_to(device, topic, 1), 1);
        fake_expect_publish(device, topic, "block", 1, &packet);
        assert_true(packet.publish.retain);
        assert_int_equal(fake_subscribe_to(device, "images/+/3", 1), MQTT_NOT_AUTHORIZED);
}

static void forgotten_identity(void **state)
{
        struct harness *h = *state;
        struct fake *device = fake_open(h, "device-1", &durable, NULL);
        bool present;

        broker_forget_identity(h->broker, "device-1");
        assert_int_equal(device->close_reason, MQTT_ADMINISTRATIVE_ACTION);
        harness_turn(h);
        harness_restart(h);
        fake_open(h, "device-1", &durable, &present);
        assert_false(present);
}

static void garbage_closes_one_session(void **state)
{
        struct harness *h = *state;
        struct fake *device = fake_open(h, "device-1", &plain, NULL), *other = fake_open(h, "app.test", &plain, NULL);
        static const uint8_t garbage[] = { 0x30, 0x7F, 0x00 };

        broker_packet(h->broker, &device->link, SPAN_OF(garbage));
        assert_true(device->closed_by_hub);
        broker_packet(h->broker, &device->link, SPAN_OF(garbage)); /* what was on its way */
        fake_send_connect(other, &plain);                          /* a second CONNECT */
        assert_int_equal(other->close_reason, MQTT_PROTOCOL_ERROR);
}

/* A gateway without a clock of its own: it was 1970 for a while, then NTP came. */
static void clock_is_set_late(void **state)
{
        struct harness *h = *state;
        struct fake *app = fake_open(h, "app.test", &durable, NULL);
        bool present;

        fake_subscribe_to(app, "a/#", 1);
        broker_closed(h->broker, &app->link, true);
        broker_time(h->broker, 2000, 1000);
        broker_tick(h->broker);
        broker_time(h->broker, 3000, HARNESS_TIME);
        broker_tick(h->broker);
        app = fake_open(h, "app.test", &durable, &present);
        assert_true(present);
}

static void exactly_once_waits_for_the_disk(void **state)
{
        struct harness *h = *state;
        struct fake *app = fake_open(h, "app.test", &durable, NULL);
        struct fake *other = fake_open(h, "app.other", &plain, NULL);

        fake_subscribe_to(app, "a", 2);
        fake_publish(other, "a", "x", 2, 1, false);
        fake_expect_nothing(app);
        harness_turn(h);
        fake_expect_publish(app, "a", "x", 2, NULL);
}

static void disconnect_changes_expiry(void **state)
{
        struct harness *h = *state;
        struct fake *app = fake_open(h, "app.test", &durable, NULL);
        struct mqtt_packet packet = { .type = MQTT_DISCONNECT };
        bool present;

        packet.props.present = MQTT_PROP(MQTT_P_SESSION_EXPIRY);
        packet.props.session_expiry = 0;
        fake_send(app, &packet);
        broker_closed(h->broker, &app->link, false);
        harness_turn(h);
        harness_restart(h);
        fake_open(h, "app.test", &durable, &present);
        assert_false(present);
}

/* Whoever was there when the power went and does not come back is announced. */
static void will_after_a_power_cut(void **state)
{
        struct harness *h = *state;
        const char *topic = "sites/s1/devices/device-1/state/relay";
        struct fake_connect connect = { .expiry = 1000, .will_topic = topic, .will_payload = "gone" };
        struct fake *app;

        fake_open(h, "device-1", &connect, NULL);
        harness_turn(h);
        harness_restart(h);
        app = fake_open(h, "app.test", &plain, NULL);
        fake_subscribe_to(app, topic, 1);
        harness_advance(h, BROKER_RETURN_S - 1);
        fake_expect_nothing(app);
        harness_advance(h, 2);
        fake_expect_publish(app, topic, "gone", 1, NULL);
}

/* A role that was changed while the application was away holds for its old session, too. */
static void session_under_a_new_role(void **state)
{
        static const char *const read[] = { "b/#" };
        static const struct access_role role = { read, 1, NULL, 0 };
        struct harness *h = *state;
        struct fake *app = fake_open(h, "app.test", &durable, NULL);
        struct fake *other = fake_open(h, "app.other", &plain, NULL);
        struct mqtt_packet packet;

        fake_subscribe_to(app, "a/#", 1);
        fake_subscribe_to(app, "b/#", 1);
        broker_closed(h->broker, &app->link, true);
        fake_publish(other, "a/1", "secret", 1, 1, false);
        fake_publish(other, "b/1", "open", 1, 2, false);
        app = fake_new(h, "app.test");
        app->link.role = &role;
        fake_send_connect(app, &durable);
        fake_expect(app, MQTT_CONNACK, &packet);
        fake_expect_publish(app, "b/1", "open", 1, NULL);
        fake_publish(other, "a/1", "secret", 1, 3, false);
        fake_expect_nothing(app);
}

static void slow_client(void **state)
{
        struct harness *h = *state;
        struct fake *app = fake_open(h, "app.test", &plain, NULL), *other = fake_open(h, "app.other", &plain, NULL);

        fake_subscribe_to(app, "a", 1);
        h->writable = false;
        fake_publish(other, "a", "kept", 1, 1, false);
        fake_publish(other, "a", "dropped", 0, 0, false);
        fake_expect_nothing(app);
        assert_int_equal(h->broker->counters.dropped_slow, 1);
        h->writable = true;
        broker_writable(h->broker, &app->link);
        fake_expect_publish(app, "a", "kept", 1, NULL);
        fake_expect_nothing(app);
}

#define test(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                test(puback_after_the_disk),
                test(pubacks_in_order),
                test(topic_of_another_device),
                test(client_ids),
                test(take_over),
                test(session_survives_restart),
                test(repeats_are_dropped),
                test(prefix_events_of_3_1_1),
                test(retained),
                test(overlapping_and_no_local),
                test(wills),
                test(qos2_in),
                test(receive_maximum_and_expiry),
                test(session_expiry),
                test(full_outbox_refuses),
                test(image_pieces),
                test(clock_is_set_late),
                test(exactly_once_waits_for_the_disk),
                test(disconnect_changes_expiry),
                test(will_after_a_power_cut),
                test(slow_client),
                test(session_under_a_new_role),
                test(forgotten_identity),
                test(garbage_closes_one_session),
        };
        return cmocka_run_group_tests_name("broker", tests, NULL, NULL);
}
