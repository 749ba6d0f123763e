/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The hub's side of the uplink, with an uplink that only takes notes. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"
#include "hub/cloud.h"

#define DIGEST "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define EVENT  "sites/s1/devices/device-1/events/soil"

/* ---- the uplink */
struct uplink {
        struct uplink_handler handler;
        enum uplink_state state;
        size_t room, filter_count, news_count;
        struct {
                uint64_t cookie;
                char topic[100], payload[20];
                bool retain;
                uint32_t expiry;
        } sent[32];
        size_t sent_count;
        uint64_t acked[32];
        size_t acked_count;
};
static struct uplink fake_uplink;

int uplink_new(struct uplink **ret, sd_event *event, const struct uplink_options *options)
{
        (void)event;
        fake_uplink = (struct uplink){ .handler = options->handler,
                                       .room = 100,
                                       .filter_count = options->filter_count,
                                       .news_count = options->news_count };
        *ret = &fake_uplink;
        return 0;
}

struct uplink *uplink_free(struct uplink *uplink)
{
        (void)uplink;
        return NULL;
}

int uplink_start(struct uplink *uplink)
{
        (void)uplink;
        return 0;
}

void uplink_stop(struct uplink *uplink)
{
        (void)uplink;
}

enum uplink_state uplink_state(const struct uplink *uplink)
{
        return uplink->state;
}

int uplink_publish(struct uplink *u, const struct mqtt_publish *publish, const struct mqtt_props *props,
                   uint64_t cookie)
{
        if (u->state != UPLINK_UP)
                return UPLINK_NOT_UP;
        if (u->sent_count == u->room)
                return UPLINK_BUSY;
        if (publish->payload.size > 15)
                return UPLINK_RANGE;
        u->sent[u->sent_count].cookie = cookie;
        u->sent[u->sent_count].retain = publish->retain;
        u->sent[u->sent_count].expiry = props->message_expiry;
        assert_true(span_to_string(publish->topic, u->sent[u->sent_count].topic, 100));
        assert_true(span_to_string(publish->payload, u->sent[u->sent_count].payload, 20));
        u->sent_count++;
        return 0;
}

void uplink_ack(struct uplink *u, uint64_t token, uint8_t reason)
{
        assert_int_equal(reason, MQTT_SUCCESS);
        u->acked[u->acked_count++] = token;
}

/* ---- the hub */
struct bench {
        struct harness *h;
        struct cloud *cloud;
        struct fake *device;
        enum reason answer;
        enum access_uplink kind;
        bool again;
        size_t messages, alerts;
        bool up;
};

static enum reason on_message(void *context, enum access_uplink kind, const struct topic_parts *parts,
                              struct span payload, bool again)
{
        struct bench *b = context;

        (void)parts, (void)payload;
        b->messages++;
        b->kind = kind;
        b->again = again;
        return b->answer;
}

static void on_state(void *context, bool up, const char *error)
{
        (void)error;
        ((struct bench *)context)->up = up;
}

static void on_alert(void *context, const char *device, enum reason reason, const char *detail)
{
        (void)device, (void)reason, (void)detail;
        ((struct bench *)context)->alerts++;
}

static void on_before(void *context)
{
        (void)context;
}

static int setup(void **state)
{
        static struct bench bench;
        struct cloud_host host = { &bench, on_message, on_state, on_alert, on_before };
        struct conf conf = { .site = (char *)"s1", .identity = (char *)"relay.s1" };
        void *harness;

        bench = (struct bench){ 0 };
        harness_setup(&harness);
        bench.h = harness;
        assert_int_equal(cloud_new(&bench.cloud, NULL, &conf, bench.h->broker, &host, NULL), 0);
        assert_int_equal(fake_uplink.filter_count, 10);
        assert_int_equal(fake_uplink.news_count, 1);
        bench.device = fake_open(bench.h, "device-1", &(struct fake_connect){ .expiry = 1000 }, NULL);
        *state = &bench;
        return 0;
}

static int teardown(void **state)
{
        struct bench *b = *state;
        void *harness = b->h;

        cloud_free(b->cloud);
        return harness_teardown(&harness);
}

static void set_state(struct bench *b, enum uplink_state state)
{
        (void)b;
        fake_uplink.state = state;
        fake_uplink.handler.state(fake_uplink.handler.context, state, state == UPLINK_UP ? "" : "cut");
}

static void answer(uint64_t cookie, uint8_t reason)
{
        fake_uplink.handler.acked(fake_uplink.handler.context, cookie, reason);
}

static void turn(struct bench *b)
{
        assert_int_equal(broker_commit(b->h->broker), 0);
        cloud_commit(b->cloud);
        assert_int_equal(store_sync(b->h->store), 0);
        assert_int_equal(broker_durable(b->h->broker), 0);
        cloud_durable(b->cloud);
}

static uint64_t waiting(const struct bench *b)
{
        struct outbox_figures figures;

        outbox_figures(b->h->broker->outbox, &figures);
        return figures.events;
}

static void events(struct bench *b, unsigned from, unsigned to)
{
        char text[10];

        for (unsigned i = from; i <= to; i++) {
                snprintf(text, sizeof(text), "%u", i);
                fake_event(b->device, EVENT, text, (uint16_t)i, "1", text);
        }
        turn(b);
}

static void stored_then_sent_in_order(void **state)
{
        struct bench *b = *state;

        events(b, 1, 20);
        assert_int_equal(fake_uplink.sent_count, 0);
        fake_uplink.room = 15;
        set_state(b, UPLINK_UP);
        assert_true(b->up);
        fake_uplink.room = 32;
        for (size_t i = 0; i < 3; i++)
                answer(fake_uplink.sent[i].cookie, i == 2 ? MQTT_NO_MATCHING_SUBSCRIBERS : MQTT_SUCCESS);
        fake_uplink.handler.ready(fake_uplink.handler.context);
        turn(b);
        for (size_t i = 0; i < fake_uplink.sent_count; i++)
                assert_int_equal(atoi(fake_uplink.sent[i].payload), i + 1);
        assert_int_equal(waiting(b), 17);
        /* a cut: everything that was not answered again */
        set_state(b, UPLINK_DOWN);
        fake_uplink.sent_count = 0;
        set_state(b, UPLINK_UP);
        assert_string_equal(fake_uplink.sent[0].payload, "4");
}

static void refused_by_the_cloud(void **state)
{
        struct bench *b = *state;

        set_state(b, UPLINK_UP);
        events(b, 1, 3);
        assert_int_equal(fake_uplink.sent_count, 3);
        answer(fake_uplink.sent[0].cookie, MQTT_NOT_AUTHORIZED); /* for good: told, counted, the next goes on */
        answer(fake_uplink.sent[1].cookie, MQTT_QUOTA_EXCEEDED); /* for now */
        answer(fake_uplink.sent[2].cookie, MQTT_SUCCESS);
        turn(b);
        assert_int_equal(b->alerts, 1);
        assert_int_equal(waiting(b), 1);
        events(b, 4, 4);
        assert_int_equal(fake_uplink.sent_count, 3); /* paused */
        broker_time(b->h->broker, b->h->broker->now_ms + CLOUD_PAUSE_MS, b->h->broker->time + 5);
        cloud_tick(b->cloud);
        assert_int_equal(fake_uplink.sent_count, 5);
        assert_string_equal(fake_uplink.sent[3].payload, "2");
        assert_string_equal(fake_uplink.sent[4].payload, "4");
}

static void too_large_for_the_cloud(void **state)
{
        struct bench *b = *state;

        set_state(b, UPLINK_UP);
        fake_event(b->device, EVENT, "larger than the cloud takes", 1, "1", "1");
        events(b, 2, 2);
        assert_int_equal(b->alerts, 1);
        assert_int_equal(fake_uplink.sent_count, 1);
        assert_int_equal(waiting(b), 1);
}

static uint8_t from_cloud(const char *topic, const char *payload, uint64_t token)
{
        struct mqtt_publish publish = { .qos = 1, .topic = span_of_string(topic), .payload = span_of_string(payload) };
        struct mqtt_props props = { 0 };
        struct uplink_message message = { &publish, &props, token };

        return fake_uplink.handler.message(fake_uplink.handler.context, &message);
}

static void what_the_cloud_may_say(void **state)
{
        struct bench *b = *state;
        struct fake *app = fake_open(b->h, "app.test", &(struct fake_connect){ .clean = true }, NULL);

        set_state(b, UPLINK_UP);
        assert_int_equal(fake_subscribe_to(b->device, "sites/s1/devices/device-1/#", 1), 1);
        fake_subscribe_to(app, "#", 1);
        /* a device's events and states are its own word, never the cloud's */
        assert_int_equal(from_cloud(EVENT, "forged", 1), MQTT_NOT_AUTHORIZED);
        assert_int_equal(from_cloud("sites/s1/devices/device-1/state/relay", "forged", 2), MQTT_NOT_AUTHORIZED);
        assert_int_equal(from_cloud("sites/s2/devices/device-1/commands", "x", 3), MQTT_NOT_AUTHORIZED);
        assert_int_equal(from_cloud("sites/s1/relay/state", "forged", 4), MQTT_NOT_AUTHORIZED);
        assert_int_equal(b->messages, 0);
        fake_expect_nothing(b->device);
        fake_expect_nothing(app);
        /* an offer goes to the updates, and to nobody else */
        assert_int_equal(from_cloud("sites/s1/devices/device-1/updates/offer", "x", 5), UPLINK_HOLD);
        assert_int_equal(b->messages, 1);
        fake_expect_nothing(b->device);
        b->answer = REASON_STORE_FULL;
        assert_int_equal(from_cloud("sites/s1/devices/device-1/updates/offer", "x", 6), MQTT_QUOTA_EXCEEDED);
        /* acknowledged when it is on the disk */
        assert_int_equal(fake_uplink.acked_count, 0);
        turn(b);
        assert_int_equal(fake_uplink.acked_count, 1);
        assert_int_equal(fake_uplink.acked[0], 5);
}

/* whoever holds the cloud must not reach a device that cannot check signatures itself */
static void commands_that_nobody_verified_do_not_pass(void **state)
{
        struct bench *b = *state;
        const char *topic = "sites/s1/devices/device-1/commands";

        set_state(b, UPLINK_UP);
        fake_subscribe_to(b->device, topic, 1);
        b->answer = REASON_BAD_SIGNATURE;
        assert_int_equal(from_cloud(topic, "water", 1), MQTT_NOT_AUTHORIZED);
        assert_int_equal(b->kind, ACCESS_UPLINK_COMMAND);
        b->answer = REASON_QUOTA;
        assert_int_equal(from_cloud(topic, "water", 2), MQTT_QUOTA_EXCEEDED);
        /* taken: told to the cloud when it is on the disk, and still nobody but its keeper has it */
        b->answer = REASON_NONE;
        assert_int_equal(from_cloud(topic, "water", 3), UPLINK_HOLD);
        turn(b);
        assert_int_equal(fake_uplink.acked[0], 3);
        fake_expect_nothing(b->device);
}

static void gate_requests_and_tickets_of_the_cloud(void **state)
{
        struct bench *b = *state;

        set_state(b, UPLINK_UP);
        assert_int_equal(from_cloud("sites/s1/devices/device-1/gate/request", "x", 1), UPLINK_HOLD);
        assert_int_equal(b->kind, ACCESS_UPLINK_GATE_REQUEST);
        assert_int_equal(from_cloud("sites/s1/devices/device-1/gate/ticket", "x", 2), UPLINK_HOLD);
        assert_int_equal(b->kind, ACCESS_UPLINK_TICKET);
        assert_int_equal(b->messages, 2);
}

/* What is retained says how it was at some time. */
static void live_states_of_the_direct_way(void **state)
{
        struct bench *b = *state;
        const struct mqtt_publish kept = { .retain = true,
                                           .topic = SPAN_LITERAL("sites/s1/devices/device-1/state/direct"),
                                           .payload = SPAN_LITERAL("{}") };
        struct mqtt_publish live = kept;
        struct mqtt_props props = { 0 };

        live.retain = false;
        set_state(b, UPLINK_UP);
        fake_uplink.handler.message(fake_uplink.handler.context, &(struct uplink_message){ &kept, &props, 1 });
        assert_int_equal(b->messages, 0);
        fake_uplink.handler.message(fake_uplink.handler.context, &(struct uplink_message){ &live, &props, 2 });
        assert_int_equal(b->messages, 1);
        assert_int_equal(b->kind, ACCESS_UPLINK_STATE);
        fake_expect_nothing(b->device);
}

static void what_the_cloud_answered(void **state)
{
        struct bench *b = *state;

        set_state(b, UPLINK_UP);
        assert_false(cloud_answered_after(b->cloud, 0));
        events(b, 1, 2);
        answer(fake_uplink.sent[0].cookie, MQTT_SUCCESS);
        assert_true(cloud_answered_after(b->cloud, fake_uplink.sent[0].cookie - 1));
        assert_false(cloud_answered_after(b->cloud, fake_uplink.sent[0].cookie));
        answer(fake_uplink.sent[1].cookie, MQTT_NOT_AUTHORIZED); /* an answer, too */
        assert_true(cloud_answered_after(b->cloud, fake_uplink.sent[0].cookie));
        /* what was answered on another connection says nothing of this one */
        set_state(b, UPLINK_DOWN);
        set_state(b, UPLINK_UP);
        assert_false(cloud_answered_after(b->cloud, 0));
}

static void a_gate_takes_no_commands_tickets_and_images(void **state)
{
        static const char *const refused[] = { "sites/s1/devices/device-1/commands",
                                               "sites/s1/devices/device-1/gate/ticket", "images/" DIGEST "/0",
                                               "images/" DIGEST "/l0" };
        static const char *const taken[] = { "sites/s1/devices/device-1/updates/offer",
                                             "sites/s1/devices/device-1/gate/request",
                                             "sites/s1/approvals/" DIGEST "/0123456789abcdef",
                                             "sites/s1/policy/2",
                                             "sites/s1/vendor/2",
                                             "sites/s1/revocations" };
        struct bench *b = *state;

        b->h->broker->gate_only = true;
        set_state(b, UPLINK_UP);
        for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
                assert_int_equal(from_cloud(refused[i], "x", i + 1), MQTT_NOT_AUTHORIZED);
        assert_int_equal(b->messages, 0);
        for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
                assert_int_equal(from_cloud(taken[i], "x", i + 10), UPLINK_HOLD);
        assert_int_equal(b->messages, sizeof(taken) / sizeof(taken[0]));
}

/* Alerts of what matters must not drown in those about topics that the broker makes up. */
static void a_cloud_with_many_topics_is_told_of_once(void **state)
{
        struct bench *b = *state;
        char topic[64];

        set_state(b, UPLINK_UP);
        for (unsigned i = 0; i < 5000; i++) {
                snprintf(topic, sizeof(topic), "sites/s1/made/up/%u", i);
                assert_int_equal(from_cloud(topic, "x", i), MQTT_NOT_AUTHORIZED);
        }
        assert_int_equal(b->alerts, 128 + 1);
        for (unsigned i = 0; i < 10; i++)
                from_cloud("sites/s1/made/up/1", "x", i);
        assert_int_equal(b->alerts, 128 + 1);
}

#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                test(stored_then_sent_in_order),
                test(refused_by_the_cloud),
                test(too_large_for_the_cloud),
                test(what_the_cloud_may_say),
                test(commands_that_nobody_verified_do_not_pass),
                test(gate_requests_and_tickets_of_the_cloud),
                test(live_states_of_the_direct_way),
                test(what_the_cloud_answered),
                test(a_gate_takes_no_commands_tickets_and_images),
                test(a_cloud_with_many_topics_is_told_of_once),
        };
        return cmocka_run_group_tests_name("cloud", tests, NULL, NULL);
}
