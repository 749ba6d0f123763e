/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who is it? Enhanced authentication at the broker (MQTT 5 section 4.12): nothing of a CONNECT happens before. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"

#define STATE "sites/s1/devices/device-1/state/relay"
#define EVENT "sites/s1/devices/device-1/events/soil"

static const struct fake_connect plain = { .clean = true };
static const struct fake_connect proving = { .clean = true, .method = "m", .data = "hello" };

static const struct broker_answer refused = { BROKER_REFUSED, MQTT_BANNED, { 0 } };
static const struct broker_answer proven = { .step = BROKER_PROVEN };

static struct broker_answer asks(const char *question)
{
        return (struct broker_answer){ .step = BROKER_CONTINUE, .data = span_of_string(question) };
}

static void host_says(struct harness *h, struct broker_answer first, struct broker_answer second)
{
        h->answers[0] = first;
        h->answers[1] = second;
        h->answer_count = 2;
        h->answer_at = 0;
}

static int setup(void **state)
{
        struct harness *h;

        assert_int_equal(harness_setup(state), 0);
        h = *state;
        broker_free(h->broker);
        h->asks_who = true;
        harness_open_broker(h);
        return 0;
}

static void expect_connack(struct fake *f, uint8_t reason)
{
        struct mqtt_packet packet;

        fake_expect(f, MQTT_CONNACK, &packet);
        assert_int_equal(packet.ack.reason, reason);
        if (reason == MQTT_SUCCESS && *f->link.method)
                assert_true(span_equal_string(packet.props.authentication_method, f->link.method));
        else
                assert_false(packet.props.present & MQTT_PROP(MQTT_P_AUTH_METHOD));
        assert_int_equal(f->closed_by_hub, reason != MQTT_SUCCESS);
        if (reason != MQTT_SUCCESS)
                assert_int_equal(f->close_reason, reason);
}

static void expect_auth(struct fake *f, uint8_t reason, const char *data)
{
        struct mqtt_packet packet;

        fake_expect(f, MQTT_AUTH, &packet);
        assert_int_equal(packet.ack.reason, reason);
        assert_true(span_equal_string(packet.props.authentication_method, "m"));
        assert_true(span_equal_string(packet.props.authentication_data, data));
}

static void expect_closed(struct fake *f, uint8_t reason)
{
        assert_true(f->closed_by_hub);
        assert_int_equal(f->close_reason, reason);
        fake_expect_nothing(f);
}

/* A device that was asked who it is, and has not answered yet. */
static struct fake *asked(struct harness *h, const char *identity)
{
        struct fake *f = fake_new(h, identity);

        host_says(h, asks("who?"), proven);
        fake_send_connect(f, &proving);
        expect_auth(f, MQTT_CONTINUE_AUTHENTICATION, "who?");
        return f;
}

static struct fake *open_proven(struct harness *h)
{
        struct fake *f = asked(h, "device-1");

        fake_auth(f, MQTT_CONTINUE_AUTHENTICATION, "m", "it is me");
        expect_connack(f, MQTT_SUCCESS);
        return f;
}

static void plain_is_asked_too(void **state)
{
        struct harness *h = *state;
        struct fake *f = fake_new(h, "device-1");

        host_says(h, refused, refused);
        fake_send_connect(f, &plain);
        assert_string_equal(h->method, "");
        expect_connack(f, MQTT_BANNED);
        host_says(h, asks("who?"), proven); /* whom should it ask? */
        f = fake_new(h, "device-1");
        fake_send_connect(f, &plain);
        expect_connack(f, MQTT_NOT_AUTHORIZED);
        host_says(h, proven, refused);
        f = fake_new(h, "device-1");
        fake_send_connect(f, &plain);
        expect_connack(f, MQTT_SUCCESS);
}

static void proven_by_an_answer(void **state)
{
        struct harness *h = *state;
        struct fake *f = asked(h, "device-1");

        assert_string_equal(h->method, "m");
        assert_string_equal(h->proof, "hello");
        assert_false(h->asked_open);
        assert_int_equal(h->online_count, 0);
        fake_auth(f, MQTT_CONTINUE_AUTHENTICATION, "m", "it is me");
        assert_string_equal(h->proof, "it is me");
        expect_connack(f, MQTT_SUCCESS);
        assert_int_equal(h->online_count, 1);
        assert_int_equal(h->broker->proofs.count, 0);
        assert_int_equal(h->broker->proofs.bytes, 0);
        fake_publish(f, STATE, "{}", 1, 1, false);
        harness_turn(h);
        fake_expect_ack(f, MQTT_PUBACK, 1, MQTT_SUCCESS);
}

/* What the host must not forget is on the disk before the client hears of it. */
static void proven_when_it_is_on_the_disk(void **state)
{
        static const struct broker_answer staged = { .step = BROKER_PROVEN, .staged = true };
        struct harness *h = *state;
        struct fake *owner = open_proven(h), *f = fake_new(h, "device-1");

        host_says(h, asks("who?"), staged);
        fake_send_connect(f, &proving);
        expect_auth(f, MQTT_CONTINUE_AUTHENTICATION, "who?");
        store_put(h->store, STORE_META, SPAN_LITERAL("test"), SPAN_EMPTY);
        fake_auth(f, MQTT_CONTINUE_AUTHENTICATION, "m", "it is me");
        fake_expect_nothing(f);
        assert_false(owner->closed_by_hub);
        assert_int_equal(broker_commit(h->broker), 0);
        fake_expect_nothing(f);
        harness_turn(h);
        expect_connack(f, MQTT_SUCCESS);
        expect_closed(owner, MQTT_SESSION_TAKEN_OVER);
        assert_int_equal(h->broker->proofs.count, 0);
        assert_int_equal(h->broker->proofs.staged, 0);
}

static void a_disk_that_takes_too_long(void **state)
{
        static const struct broker_answer staged = { .step = BROKER_PROVEN, .staged = true };
        struct harness *h = *state;
        struct fake *f = fake_new(h, "device-1"), *gone = fake_new(h, "device-2");

        for (int i = 0; i < 2; i++) {
                struct fake *one = i ? gone : f;
                host_says(h, asks("who?"), staged);
                fake_send_connect(one, &proving);
                expect_auth(one, MQTT_CONTINUE_AUTHENTICATION, "who?");
                fake_auth(one, MQTT_CONTINUE_AUTHENTICATION, "m", "it is me");
        }
        broker_closed(h->broker, &gone->link, true);
        assert_int_equal(h->broker->proofs.staged, 1);
        broker_time(h->broker, h->broker->now_ms + BROKER_PROOF_MS, h->broker->time + 10);
        broker_tick(h->broker);
        expect_connack(f, MQTT_SERVER_BUSY);
        assert_int_equal(h->alert_count, 0);
        assert_int_equal(h->broker->proofs.staged, 0);
}

/* Revoked while its proof waits for the client, or for the disk. */
static void forgotten_meanwhile(void **state)
{
        static const struct broker_answer staged = { .step = BROKER_PROVEN, .staged = true };
        struct harness *h = *state;
        struct fake *other = asked(h, "device-2"), *f = asked(h, "device-1"), *g = fake_new(h, "device-1");

        host_says(h, asks("who?"), staged);
        fake_send_connect(g, &proving);
        expect_auth(g, MQTT_CONTINUE_AUTHENTICATION, "who?");
        fake_auth(g, MQTT_CONTINUE_AUTHENTICATION, "m", "it is me");
        broker_forget_identity(h->broker, "device-1");
        expect_connack(f, MQTT_NOT_AUTHORIZED);
        expect_connack(g, MQTT_NOT_AUTHORIZED);
        harness_turn(h);
        assert_int_equal(h->online_count, 0);
        assert_int_equal(h->broker->proofs.staged, 0);
        assert_false(other->closed_by_hub);
}

static void more_questions(void **state)
{
        struct harness *h = *state;
        struct fake *f = asked(h, "device-1");

        host_says(h, asks("really?"), proven);
        fake_auth(f, MQTT_CONTINUE_AUTHENTICATION, "m", "it is me");
        expect_auth(f, MQTT_CONTINUE_AUTHENTICATION, "really?");
        fake_auth(f, MQTT_CONTINUE_AUTHENTICATION, "m", "really");
        expect_connack(f, MQTT_SUCCESS);
}

/* Whoever cannot finish his CONNECT takes nothing from who has the session. */
static void nothing_happens_before(void **state)
{
        struct harness *h = *state;
        struct fake_connect with_will = { .expiry = 3600, .will_topic = STATE, .will_payload = "gone" };
        struct fake_connect taking = { .clean = true, .method = "m", .will_topic = STATE, .will_payload = "mine" };
        struct fake *watcher, *owner, *thief;

        host_says(h, proven, proven);
        watcher = fake_open(h, "app.test", &plain, NULL);
        fake_subscribe_to(watcher, STATE, 0);
        owner = fake_open(h, "device-1", &with_will, NULL);
        fake_subscribe_to(owner, "sites/s1/devices/device-1/updates/offer", 1);
        thief = fake_new(h, "device-1");
        host_says(h, asks("who?"), refused);
        fake_send_connect(thief, &taking);
        expect_auth(thief, MQTT_CONTINUE_AUTHENTICATION, "who?");
        assert_false(owner->closed_by_hub);
        fake_auth(thief, MQTT_CONTINUE_AUTHENTICATION, "m", "nobody");
        expect_connack(thief, MQTT_BANNED);
        assert_true(thief->released);
        assert_false(owner->closed_by_hub);
        fake_expect_nothing(watcher);
        assert_int_equal(h->offline_count, 0);

        /* and who can does */
        thief = fake_new(h, "device-1");
        host_says(h, asks("who?"), proven);
        fake_send_connect(thief, &taking);
        expect_auth(thief, MQTT_CONTINUE_AUTHENTICATION, "who?");
        fake_auth(thief, MQTT_CONTINUE_AUTHENTICATION, "m", "me");
        expect_connack(thief, MQTT_SUCCESS);
        expect_closed(owner, MQTT_SESSION_TAKEN_OVER);
        fake_expect_publish(watcher, STATE, "gone", 0, NULL);
        broker_closed(h->broker, &thief->link, true);
        fake_expect_publish(watcher, STATE, "mine", 0, NULL);
}

static void what_may_not_come(void **state)
{
        struct harness *h = *state;
        static const struct {
                uint8_t reason;
                const char *method;
                uint8_t answer;
        } rows[] = {
                { MQTT_CONTINUE_AUTHENTICATION, "n", MQTT_BAD_AUTH_METHOD },
                { MQTT_CONTINUE_AUTHENTICATION, "mm", MQTT_BAD_AUTH_METHOD },
                { MQTT_REAUTHENTICATE, "m", MQTT_PROTOCOL_ERROR },
                { MQTT_SUCCESS, "m", MQTT_PROTOCOL_ERROR },
        };
        struct fake *f;

        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                f = asked(h, "device-1");
                fake_auth(f, rows[i].reason, rows[i].method, "it is me");
                expect_connack(f, rows[i].answer);
        }
        f = asked(h, "device-1");
        fake_publish(f, STATE, "{}", 1, 1, false);
        expect_closed(f, MQTT_PROTOCOL_ERROR);
        f = asked(h, "device-1");
        fake_send_connect(f, &proving);
        expect_closed(f, MQTT_PROTOCOL_ERROR);
        f = fake_new(h, "device-1");
        fake_auth(f, MQTT_CONTINUE_AUTHENTICATION, "m", "it is me");
        expect_closed(f, MQTT_PROTOCOL_ERROR);
        assert_int_equal(h->broker->proofs.count, 0);
        assert_int_equal(h->online_count, 0);
}

static void too_much_is_not_looked_at(void **state)
{
        struct harness *h = *state;
        static char long_data[BROKER_PROOF_DATA_MAX + 2];
        struct fake_connect connect = { .clean = true, .method = "m", .data = long_data };
        struct fake *f = fake_new(h, "device-1");

        memset(long_data, 'x', sizeof(long_data) - 1);
        host_says(h, proven, proven);
        fake_send_connect(f, &connect);
        expect_connack(f, MQTT_PACKET_TOO_LARGE);
        f = asked(h, "device-1");
        fake_auth(f, MQTT_CONTINUE_AUTHENTICATION, "m", long_data);
        expect_connack(f, MQTT_PACKET_TOO_LARGE);
        assert_int_equal(h->answer_at, 1);
        connect = (struct fake_connect){ .clean = true, .method = "a method too long" };
        f = fake_new(h, "device-1");
        fake_send_connect(f, &connect);
        expect_connack(f, MQTT_BAD_AUTH_METHOD);
}

static void silence_ends_it(void **state)
{
        struct harness *h = *state;
        struct fake *f = asked(h, "device-1");

        harness_advance(h, 9);
        assert_false(f->closed_by_hub);
        harness_advance(h, 1);
        expect_connack(f, MQTT_NOT_AUTHORIZED);
        assert_int_equal(h->alert_count, 1);
        assert_string_equal(h->alerts[0], "device-1 not-attested");
        /* more questions give no more time */
        f = asked(h, "device-1");
        host_says(h, asks("really?"), proven);
        harness_advance(h, 9);
        fake_auth(f, MQTT_CONTINUE_AUTHENTICATION, "m", "it is me");
        expect_auth(f, MQTT_CONTINUE_AUTHENTICATION, "really?");
        harness_advance(h, 1);
        expect_connack(f, MQTT_NOT_AUTHORIZED);
}

static void who_leaves_leaves_nothing(void **state)
{
        struct harness *h = *state;
        struct fake *f = asked(h, "device-1");

        broker_closed(h->broker, &f->link, true);
        assert_true(f->released);
        assert_int_equal(h->broker->proofs.count, 0);
        f = asked(h, "device-1");
        broker_close(h->broker, &f->link, MQTT_SHUTTING_DOWN, true);
        assert_int_equal(h->broker->proofs.count, 0);
        asked(h, "device-1"); /* and at the end of the relay */
}

static void one_device_takes_not_all_places(void **state)
{
        struct harness *h = *state;
        struct fake *f;

        for (int i = 0; i < BROKER_PROOFS_IDENTITY; i++)
                asked(h, "device-1");
        host_says(h, asks("who?"), proven);
        f = fake_new(h, "device-1");
        fake_send_connect(f, &proving);
        expect_connack(f, MQTT_SERVER_BUSY);
        asked(h, "device-2");
        harness_advance(h, 10);
        assert_int_equal(h->broker->proofs.count, 0);
        open_proven(h);
}

static void memory_is_bounded(void **state)
{
        struct harness *h = *state;
        static char payload[60001];
        struct fake_connect big = { .clean = true, .method = "m", .will_payload = payload };
        char identity[20], topic[60];

        memset(payload, 'x', sizeof(payload) - 1);
        for (size_t i = 0;; i++) {
                struct fake *f;
                snprintf(identity, sizeof(identity), "device-%zu", i);
                snprintf(topic, sizeof(topic), "sites/s1/devices/device-%zu/state/relay", i);
                big.will_topic = topic;
                f = fake_new(h, identity);
                host_says(h, asks("who?"), proven);
                fake_send_connect(f, &big);
                if (f->closed_by_hub) {
                        expect_connack(f, MQTT_SERVER_BUSY);
                        assert_true(i > 60);
                        break;
                }
        }
        assert_true(h->broker->proofs.bytes <= BROKER_PROOFS_BYTES_MAX);
}

/* What was allowed when it began may be gone: the CONNECT is judged again. */
static void what_changed_meanwhile_counts(void **state)
{
        struct harness *h = *state;
        struct fake_connect connect = { .client_id = "app.test.a", .clean = true, .method = "m" };
        struct fake *f = fake_new(h, "app.test");

        host_says(h, asks("who?"), proven);
        fake_send_connect(f, &connect);
        expect_auth(f, MQTT_CONTINUE_AUTHENTICATION, "who?");
        host_says(h, proven, proven);
        fake_open(h, "app.test.a", &plain, NULL); /* whose own name it is */
        fake_auth(f, MQTT_CONTINUE_AUTHENTICATION, "m", "it is me");
        expect_connack(f, MQTT_BAD_CLIENT_ID);
}

/* ---- quarantine: what is left of a session, said to the device in codes, and told to nobody again */
static void in_quarantine(void **state)
{
        const struct fake_connect durable = { .expiry = 1000, .will_topic = STATE, .will_payload = "gone" };
        const struct fake_connect event_will = { .expiry = 1000, .will_topic = EVENT, .will_payload = "gone" };
        struct harness *h = *state;
        struct fake *app, *f;
        struct mqtt_packet packet;
        bool present;

        host_says(h, proven, proven);
        app = fake_open(h, "app.test", &plain, NULL);
        f = fake_open(h, "device-1", &durable, NULL);
        assert_int_equal(fake_subscribe_to(f, "sites/s1/devices/device-1/commands", 1), 1);
        assert_int_equal(fake_subscribe_to(f, "sites/s1/devices/device-1/updates/offer", 1), 1);
        assert_int_equal(fake_subscribe_to(app, "sites/s1/devices/#", 1), 1);
        broker_closed(h->broker, &f->link, false);
        assert_int_equal(
                broker_publish(h->broker, "sites/s1/devices/device-1/updates/offer", SPAN_LITERAL("offer"), true), 0);
        harness_turn(h);
        fake_expect_publish(app, "sites/s1/devices/device-1/updates/offer", "offer", 1, &packet);

        f = fake_new(h, "device-1");
        f->link.quarantined = true; /* as the host would say */
        host_says(h, proven, proven);
        fake_send_connect(f, &event_will);
        fake_expect(f, MQTT_CONNACK, &packet);
        present = packet.ack.session_present;
        assert_true(present);
        fake_expect_publish(f, "sites/s1/devices/device-1/updates/offer", "offer", 1, &packet);
        fake_expect_nothing(f);
        fake_event(f, EVENT, "1", 1, "1", "1");
        fake_publish(f, "sites/s1/devices/device-1/commands/result", "{}", 1, 2, false);
        fake_publish(f, STATE, "{}", 1, 3, false);
        harness_turn(h);
        fake_expect_ack(f, MQTT_PUBACK, 1, MQTT_QUOTA_EXCEEDED);
        fake_expect_ack(f, MQTT_PUBACK, 2, MQTT_NOT_AUTHORIZED);
        fake_expect_ack(f, MQTT_PUBACK, 3, MQTT_SUCCESS);
        fake_expect_publish(app, STATE, "{}", 1, &packet);
        assert_int_equal(fake_subscribe_to(f, "sites/s1/devices/device-1/commands", 1), MQTT_NOT_AUTHORIZED);
        assert_int_equal(h->alert_count, 0);
        broker_closed(h->broker, &f->link, true); /* and its will was no event either */
        harness_advance(h, 2000);
        fake_expect_nothing(app);
}

/* ---- an open session */
static void again(void **state)
{
        struct harness *h = *state;
        struct fake *f = open_proven(h);

        host_says(h, asks("still?"), proven);
        fake_auth(f, MQTT_REAUTHENTICATE, "m", "hello again");
        assert_true(h->asked_open);
        expect_auth(f, MQTT_CONTINUE_AUTHENTICATION, "still?");
        fake_publish(f, STATE, "{}", 1, 1, false); /* the session goes on */
        harness_turn(h);
        fake_expect_ack(f, MQTT_PUBACK, 1, MQTT_SUCCESS);
        fake_auth(f, MQTT_CONTINUE_AUTHENTICATION, "m", "still me");
        expect_auth(f, MQTT_SUCCESS, "");
        assert_int_equal(h->online_count, 1);
        assert_int_equal(h->broker->proofs.count, 0);

        /* not in a hurry */
        harness_advance(h, 9);
        host_says(h, proven, proven);
        fake_auth(f, MQTT_REAUTHENTICATE, "m", NULL);
        expect_closed(f, MQTT_RATE_TOO_HIGH);
}

static void not_again(void **state)
{
        struct harness *h = *state;
        struct fake *f = open_proven(h);

        host_says(h, asks("still?"), refused);
        fake_auth(f, MQTT_REAUTHENTICATE, "m", NULL);
        expect_auth(f, MQTT_CONTINUE_AUTHENTICATION, "still?");
        fake_auth(f, MQTT_CONTINUE_AUTHENTICATION, "m", "no more");
        expect_closed(f, MQTT_BANNED);
        assert_int_equal(h->offline_count, 1);
        f = open_proven(h);
        host_says(h, asks("still?"), proven);
        fake_auth(f, MQTT_REAUTHENTICATE, "m", NULL);
        expect_auth(f, MQTT_CONTINUE_AUTHENTICATION, "still?");
        harness_advance(h, 10);
        expect_closed(f, MQTT_NOT_AUTHORIZED);
}

static void what_may_not_come_later(void **state)
{
        struct harness *h = *state;
        static const struct {
                uint8_t reason;
                const char *method;
                uint8_t answer;
        } rows[] = {
                { MQTT_REAUTHENTICATE, "n", MQTT_BAD_AUTH_METHOD },
                { MQTT_CONTINUE_AUTHENTICATION, "m", MQTT_PROTOCOL_ERROR },
                { MQTT_SUCCESS, "m", MQTT_PROTOCOL_ERROR },
        };
        struct fake *f;

        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                f = open_proven(h);
                fake_auth(f, rows[i].reason, rows[i].method, NULL);
                expect_closed(f, rows[i].answer);
        }
        f = open_proven(h);
        host_says(h, asks("still?"), proven);
        fake_auth(f, MQTT_REAUTHENTICATE, "m", NULL);
        fake_auth(f, MQTT_REAUTHENTICATE, "m", NULL);
        expect_auth(f, MQTT_CONTINUE_AUTHENTICATION, "still?");
        expect_closed(f, MQTT_PROTOCOL_ERROR);
        host_says(h, proven, proven);
        f = fake_open(h, "device-1", &plain, NULL);
        fake_auth(f, MQTT_REAUTHENTICATE, "m", NULL); /* CONNECT had no method */
        expect_closed(f, MQTT_PROTOCOL_ERROR);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, harness_teardown)
        const struct CMUnitTest tests[] = {
                TEST(plain_is_asked_too),
                TEST(proven_by_an_answer),
                TEST(proven_when_it_is_on_the_disk),
                TEST(a_disk_that_takes_too_long),
                TEST(forgotten_meanwhile),
                TEST(more_questions),
                TEST(nothing_happens_before),
                TEST(what_may_not_come),
                TEST(too_much_is_not_looked_at),
                TEST(silence_ends_it),
                TEST(who_leaves_leaves_nothing),
                TEST(one_device_takes_not_all_places),
                TEST(memory_is_bounded),
                TEST(what_changed_meanwhile_counts),
                TEST(in_quarantine),
                TEST(again),
                TEST(not_again),
                TEST(what_may_not_come_later),
        };
        return cmocka_run_group_tests_name("broker_auth", tests, NULL, NULL);
}
