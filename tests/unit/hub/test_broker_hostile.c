/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The broker against clients that mean harm, and against a store that takes no more. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"

#define EVENT "sites/s1/devices/device-1/events/soil"
#define STATE "sites/s1/devices/device-1/state/relay"

static const struct fake_connect plain = { .clean = true };
static const struct fake_connect durable = { .expiry = 3600 };

/* More QoS 2 publishes without PUBREL than are kept: refused, and the hub still starts again. */
static void too_many_packet_ids(void **state)
{
        struct harness *h = *state;
        struct fake *device = fake_open(h, "device-1", &durable, NULL);

        for (uint16_t i = 1; i <= CLIENT_INBOUND_MAX + 5; i++)
                fake_publish(device, EVENT, "x", 2, i, false);
        harness_turn(h);
        for (uint16_t i = 1; i <= CLIENT_INBOUND_MAX + 5; i++)
                fake_expect_ack(device, MQTT_PUBREC, i, i <= CLIENT_INBOUND_MAX ? MQTT_SUCCESS : MQTT_QUOTA_EXCEEDED);
        harness_restart(h);
        device = fake_open(h, "device-1", &durable, NULL);
        fake_ack(device, MQTT_PUBREL, 1);
        fake_expect_ack(device, MQTT_PUBCOMP, 1, MQTT_SUCCESS);
        fake_ack(device, MQTT_PUBREL, CLIENT_INBOUND_MAX + 1);
        fake_expect_ack(device, MQTT_PUBCOMP, CLIENT_INBOUND_MAX + 1, MQTT_PACKET_ID_NOT_FOUND);
}

/* Whose name begins with mine may call himself what I may call a second session of mine. He has the better claim. */
static void session_of_a_longer_name(void **state)
{
        struct fake_connect as_other = { .client_id = "app.test.a", .expiry = 3600 };
        struct harness *h = *state;
        struct fake *owner = fake_open(h, "app.test.a", &durable, NULL), *f;
        struct mqtt_packet packet;
        bool present;

        fake_subscribe_to(owner, "a", 1);
        broker_closed(h->broker, &owner->link, false);
        fake_publish(fake_open(h, "app.other", &plain, NULL), "a", "kept", 1, 1, false);
        f = fake_new(h, "app.test");
        fake_send_connect(f, &as_other);
        fake_expect(f, MQTT_CONNACK, &packet);
        assert_int_equal(packet.ack.reason, MQTT_BAD_CLIENT_ID);
        owner = fake_open(h, "app.test.a", &durable, &present);
        assert_true(present);
        fake_expect_publish(owner, "a", "kept", 1, NULL);

        /* and the other way round */
        broker_forget_identity(h->broker, "app.test.a");
        f = fake_open(h, "app.test", &as_other, NULL);
        owner = fake_open(h, "app.test.a", &durable, &present);
        assert_false(present);
        assert_int_equal(f->close_reason, MQTT_SESSION_TAKEN_OVER);
}

/* Each session that is kept costs memory and disk. */
static void sessions_of_one_application(void **state)
{
        struct harness *h = *state;
        struct mqtt_packet packet;
        char id[40];

        for (unsigned i = 0; i <= CLIENT_SESSIONS_MAX; i++) {
                struct fake_connect connect = { .client_id = id, .expiry = 3600 };
                struct fake *f = fake_new(h, "app.test");
                snprintf(id, sizeof(id), "app.test.%u", i);
                fake_send_connect(f, &connect);
                fake_expect(f, MQTT_CONNACK, &packet);
                assert_int_equal(packet.ack.reason, i < CLIENT_SESSIONS_MAX ? MQTT_SUCCESS : MQTT_QUOTA_EXCEEDED);
                broker_closed(h->broker, &f->link, false);
                free(f->bytes);
                free(f);
                h->fake_count--;
        }
        /* the ones it has, and other names, are not concerned */
        fake_open(h, "app.test", &(struct fake_connect){ .client_id = "app.test.3", .expiry = 3600 }, NULL);
        fake_open(h, "app.other", &durable, NULL);
}

/* A will is a publish: what its owner may write is asked again when its time comes. */
static void will_under_a_new_role(void **state)
{
        static const char *const write[] = { "b" };
        static const struct access_role role = { NULL, 0, write, 1 };
        struct fake_connect connect = { .expiry = 3600, .will_topic = "a", .will_payload = "gone", .will_delay = 60 };
        struct harness *h = *state;
        struct fake *reader = fake_open(h, "app.other", &plain, NULL), *app;

        fake_subscribe_to(reader, "#", 1);
        app = fake_open(h, "app.test", &connect, NULL);
        broker_closed(h->broker, &app->link, true);
        h->role = &role;
        harness_advance(h, 61);
        fake_expect_nothing(reader);

        connect.will_topic = "b";
        app = fake_open(h, "app.test", &connect, NULL);
        broker_closed(h->broker, &app->link, true);
        harness_advance(h, 61);
        fake_expect_publish(reader, "b", "gone", 1, NULL);

        app = fake_open(h, "app.test", &connect, NULL);
        broker_closed(h->broker, &app->link, true);
        h->role = NULL; /* taken away */
        harness_advance(h, 61);
        fake_expect_nothing(reader);
}

static void fill_store(struct harness *h)
{
        static uint8_t value[4096];
        size_t size = sizeof(value);

        for (uint32_t i = 0; size > 0; i++) {
                int result = store_put(h->store, STORE_AUDIT, span_of(&i, sizeof(i)), span_of(value, size));
                if (result == -ENOSPC) {
                        size /= 2;
                        continue;
                }
                assert_int_equal(result, 0);
                store_commit(h->store);
                assert_int_equal(store_sync(h->store), 0);
        }
}

/* "Acknowledged" means kept, also for who has no cloud: what no durable queue took is refused and comes again. */
static void full_store_is_no_acknowledgement(void **state)
{
        struct harness *h = *state;
        struct fake *app, *volatile_one, *device;

        broker_free(h->broker);
        h->air_gapped = true;
        harness_open_broker(h);
        app = fake_open(h, "app.test", &durable, NULL);
        volatile_one = fake_open(h, "app.other", &plain, NULL);
        fake_subscribe_to(app, "sites/s1/devices/+/events/#", 1);
        fake_subscribe_to(volatile_one, "sites/s1/devices/+/events/#", 1);
        broker_closed(h->broker, &app->link, false);
        device = fake_open(h, "device-1", &plain, NULL);
        harness_turn(h);
        fill_store(h);
        fake_event(device, EVENT, "lost?", 1, "1", "1");
        harness_turn(h);
        fake_expect_ack(device, MQTT_PUBACK, 1, MQTT_QUOTA_EXCEEDED);
        fake_expect_nothing(volatile_one);
        app = fake_open(h, "app.test", &durable, NULL);
        fake_expect_nothing(app);
}

/* A refused publish did not go anywhere, not to the cloud either. */
static void refused_retained_does_not_go_up(void **state)
{
        struct harness *h = *state;
        struct fake *device = fake_open(h, "device-1", &plain, NULL);
        struct outbox_figures figures;

        h->broker->retained.bytes_max = 10;
        fake_publish(device, STATE, "{\"online\":true}", 1, 1, true);
        harness_turn(h);
        fake_expect_ack(device, MQTT_PUBACK, 1, MQTT_QUOTA_EXCEEDED);
        outbox_figures(h->broker->outbox, &figures);
        assert_int_equal(figures.events, 0);
}

/* The record of a session with all it may have is written: otherwise its queue would be lost with a power cut. */
static void largest_session(void **state)
{
        enum { FILTER = 400 };
        static char topic[300], will[60000], filter[FILTER + 1];
        struct fake_connect connect = { .expiry = 3600, .will_topic = topic, .will_payload = will };
        struct harness *h = *state;
        struct fake *app;
        uint8_t reason = 0;
        bool present;

        memset(topic, 't', sizeof(topic) - 1);
        memset(will, 'w', sizeof(will) - 1);
        app = fake_open(h, "app.test", &connect, NULL);
        for (unsigned i = 0; i < CLIENT_SUBSCRIPTIONS_MAX && reason != MQTT_QUOTA_EXCEEDED; i++) {
                memset(filter, 'f', FILTER);
                snprintf(filter, sizeof(filter), "%u", i);
                filter[strlen(filter)] = 'f';
                reason = fake_subscribe_to(app, filter, 1);
        }
        assert_int_equal(reason, MQTT_QUOTA_EXCEEDED);
        fake_subscribe_to(app, "a", 1);
        fake_publish(fake_open(h, "app.other", &plain, NULL), "a", "kept", 1, 1, false);
        harness_turn(h);
        harness_restart(h);
        app = fake_open(h, "app.test", &durable, &present);
        assert_true(present);
        fake_expect_publish(app, "a", "kept", 1, NULL);
}

/* One device, broken into, fills what it can: the others do not notice. */
static void one_device_fills_its_share_only(void **state)
{
        struct harness *h = *state;
        struct fake *device = fake_open(h, "device-1", &plain, NULL), *other = fake_open(h, "device-2", &plain, NULL);
        static char large[30000];
        char topic[100];

        memset(large, 'x', sizeof(large) - 1);
        for (uint16_t i = 1; i <= 2 * RETAINED_SHARE_COUNT; i++) {
                snprintf(topic, sizeof(topic), "sites/s1/devices/device-1/events/%u", i);
                fake_publish(device, topic, "x", 1, i, true);
                harness_turn(h);
                fake_expect_ack(device, MQTT_PUBACK, i, i <= RETAINED_SHARE_COUNT ? MQTT_SUCCESS : MQTT_QUOTA_EXCEEDED);
        }
        assert_int_equal(h->broker->retained.count, RETAINED_SHARE_COUNT);
        assert_string_equal(h->alerts[0], "device-1 quota");
        fake_publish(device, "sites/s1/devices/device-1/events/1", "", 1, 1, true); /* gives one back */
        fake_publish(device, STATE, "{}", 1, 2, true);
        fake_publish(device, STATE, "{\"online\":true}", 1, 3, true);
        harness_turn(h);
        for (uint16_t i = 1; i <= 3; i++)
                fake_expect_ack(device, MQTT_PUBACK, i, MQTT_SUCCESS);

        /* large ones: by bytes */
        for (uint16_t i = 2; i <= 30; i++) {
                snprintf(topic, sizeof(topic), "sites/s1/devices/device-1/events/%u", i);
                fake_publish(device, topic, large, 1, i, true);
        }
        harness_turn(h);
        assert_true(h->broker->retained.bytes <= RETAINED_SHARE_BYTES);
        fake_publish(other, "sites/s1/devices/device-2/state/relay", "{}", 1, 1, true);
        harness_turn(h);
        fake_expect_ack(other, MQTT_PUBACK, 1, MQTT_SUCCESS);
}

#define test(name) cmocka_unit_test_setup_teardown(name, harness_setup, harness_teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                test(too_many_packet_ids),
                test(session_of_a_longer_name),
                test(sessions_of_one_application),
                test(will_under_a_new_role),
                test(full_store_is_no_acknowledgement),
                test(refused_retained_does_not_go_up),
                test(largest_session),
                test(one_device_fills_its_share_only),
        };
        return cmocka_run_group_tests_name("broker_hostile", tests, NULL, NULL);
}
