/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The hub with a guard that is a test's hand: what it is told, what it may say, and what comes of it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#include "../store/folder.h"
#include "channel/peer.h"
#include "guard/message.h"
#include "hub/manager.h"
#include "hub/manager_open.h"
#include "policy/country.h"

#define TURNS_MAX 10000
#define SAID_MAX  16

struct bench {
        struct folder folder;
        char channel[256];
        struct conf conf;
        sd_event *event;
        struct store *store;
        struct manager *manager;
        struct channel_peer *guard;
        bool ready, gone;
        struct {
                struct guard_message message;
                uint8_t record[GUARD_POLICY_MAX];
        } said[SAID_MAX]; /* by the hub */
        size_t said_count, said_at;
        size_t alerts;
        char last_alert[VIEW_TEXT_MAX + 64];
};

static void on_ready(struct channel_peer *peer, void *context)
{
        (void)peer;
        ((struct bench *)context)->ready = true;
}

static int on_message(struct channel_peer *peer, const struct channel_message *message, void *context)
{
        struct bench *b = context;
        struct guard_message *said = &b->said[b->said_count].message;

        (void)peer;
        assert_true(b->said_count < SAID_MAX);
        assert_int_equal(message->type, CHANNEL_PACKET);
        assert_int_equal(message->session, GUARD_SESSION);
        assert_int_equal(guard_message_decode(message->packet, said), RELAY_OK);
        if (said->type == GUARD_POLICY) {
                memcpy(b->said[b->said_count].record, said->policy.policy.data, said->policy.policy.size);
                said->policy.policy.data = b->said[b->said_count].record;
        }
        b->said_count++;
        return 0;
}

static void on_closed(struct channel_peer *peer, int error, void *context)
{
        (void)peer, (void)error;
        ((struct bench *)context)->gone = true;
}

static const struct channel_handlers handlers = { .ready = on_ready, .message = on_message, .closed = on_closed };

static void on_alert(void *context, const struct alert_view *alert)
{
        struct bench *b = context;

        b->alerts++;
        snprintf(b->last_alert, sizeof(b->last_alert), "%s: %s", alert->reason, alert->detail);
}

static void settle(struct bench *b)
{
        for (int i = 0; i < TURNS_MAX && sd_event_run(b->event, 0) > 0; i++)
                ;
}

static void connect_guard(struct bench *b)
{
        b->ready = b->gone = false;
        assert_int_equal(channel_connect(&b->guard, b->event, b->channel, &handlers, b), 0);
        for (int i = 0; i < TURNS_MAX && !b->ready; i++)
                assert_true(sd_event_run(b->event, 10000) >= 0);
        assert_true(b->ready);
}

static void say_bytes(struct bench *b, struct span bytes)
{
        struct channel_message packet = { .type = CHANNEL_PACKET, .session = GUARD_SESSION, .packet = bytes };

        assert_int_equal(channel_send(b->guard, &packet), 0);
        channel_flush(b->guard);
        settle(b);
}

static void say(struct bench *b, const struct guard_message *message)
{
        uint8_t buffer[GUARD_MESSAGE_MAX];
        struct writer w;

        writer_init(&w, buffer, sizeof(buffer));
        assert_int_equal(guard_message_encode(&w, message), RELAY_OK);
        say_bytes(b, writer_span(&w));
}

static void say_ready(struct bench *b)
{
        say(b, &(struct guard_message){ .type = GUARD_READY, .ready = { .database_date = 1763800000 } });
}

static const struct guard_message *expect(struct bench *b, enum guard_type type)
{
        for (int i = 0; i < TURNS_MAX && b->said_at == b->said_count && !b->gone; i++)
                assert_true(sd_event_run(b->event, 10000) >= 0);
        assert_true(b->said_at < b->said_count);
        assert_int_equal(b->said[b->said_at].message.type, type);
        return &b->said[b->said_at++].message;
}

/* UPLINK and POLICY (and another POLICY, if one is on trial): gives the last one's token. */
static uint64_t expect_policies(struct bench *b, size_t count, uint32_t confirm_s)
{
        const struct guard_message *message = NULL;

        assert_true(expect(b, GUARD_UPLINK)->air_gapped);
        for (size_t i = 0; i < count; i++) {
                message = expect(b, GUARD_POLICY);
                if (i + 1 < count)
                        assert_int_equal(message->policy.confirm_seconds, 0);
        }
        assert_in_range(message->policy.confirm_seconds, confirm_s > 0 ? 1 : 0, confirm_s);
        assert_int_equal(b->said_at, b->said_count);
        b->said_at = b->said_count = 0;
        return message->policy.token;
}

static void applied(struct bench *b, uint64_t token, uint32_t result, const char *sentence)
{
        say(b, &(struct guard_message){ .type = GUARD_APPLIED,
                                        .applied = { .token = token,
                                                     .result = result,
                                                     .sentence = span_of_string(sentence),
                                                     .intervals4 = 7,
                                                     .intervals6 = 3 } });
}

static int set(struct bench *b, const char *rule, uint32_t confirm_s)
{
        const struct country_change change = { "inbound", rule };
        const struct country_caller who = { .caller = "uid:0" };
        struct refusal refusal;

        return manager_set_country(b->manager, &who, &change, 1, confirm_s, &refusal);
}

static struct country_view view(struct bench *b)
{
        struct manager_view all;

        manager_view(b->manager, &all);
        return all.country;
}

static int setup(void **state)
{
        struct store_options store = { .size_max = 16 * 1024 * 1024 };
        struct bench *b = calloc(1, sizeof(*b));
        struct manager_options options = { .front_uid = (uid_t)-1, .guard_uid = (uid_t)-1, .listen = true };
        const struct manager_listener listener = { .alert = on_alert, .context = b };
        char detail[200] = "";

        folder_make(&b->folder);
        folder_file(&b->folder, "guard.channel", b->channel);
        b->conf = (struct conf){ .site = (char *)"s1",
                                 .identity = (char *)"relay.s1",
                                 .runtime = b->folder.path,
                                 .roles = (char *)"/nonexistent",
                                 .country_database = (char *)"/nonexistent/country.db",
                                 .sessions_max = 2,
                                 .store_size_max = 1 << 24 };
        assert_int_equal(sd_event_new(&b->event), 0);
        assert_int_equal(store_open(&store, &b->store, detail, sizeof(detail)), 0);
        options.conf = &b->conf;
        options.event = b->event;
        options.store = b->store;
        if (manager_new(&b->manager, &options, detail, sizeof(detail)) < 0)
                fail_msg("%s", detail);
        manager_listen(b->manager, &listener);
        assert_int_equal(manager_start(b->manager), 0);
        connect_guard(b);
        *state = b;
        return 0;
}

static int teardown(void **state)
{
        struct bench *b = *state;

        channel_peer_free(b->guard);
        manager_free(b->manager);
        store_free(b->store);
        sd_event_unref(b->event);
        folder_remove(&b->folder);
        free(b);
        return 0;
}

/* ---- what it is told */
static void a_guard_gets_what_holds(void **state)
{
        struct bench *b = *state;

        assert_string_equal(view(b).guard, "absent");
        say_ready(b);
        uint64_t token = expect_policies(b, 1, 0);
        assert_string_equal(view(b).guard, "applying");
        applied(b, token, 0, "");
        assert_string_equal(view(b).guard, "in-force");
        assert_int_equal(view(b).enforced, COUNTRY_ENFORCED_OFF);
        assert_int_equal(set(b, "deny RU", 0), 0);
        assert_int_equal(view(b).enforced, COUNTRY_ENFORCED_HUB);
        uint64_t next = expect_policies(b, 1, 0);
        assert_true(next > token);
        applied(b, token, 0, ""); /* the answer to an older one */
        assert_string_equal(view(b).guard, "applying");
        applied(b, next, 0, "");
        assert_int_equal(view(b).enforced, COUNTRY_ENFORCED_KERNEL);
        assert_int_equal(view(b).intervals4, 7);
}

static void a_trial_and_its_confirmation(void **state)
{
        struct bench *b = *state;
        struct refusal refusal;

        say_ready(b);
        expect_policies(b, 1, 0);
        assert_int_equal(set(b, "deny RU", 60), 0);
        uint64_t token = expect_policies(b, 2, 60);
        assert_true(view(b).pending_until > 0);
        assert_int_equal(manager_confirm_country(b->manager, "uid:0", &refusal), 0);
        assert_int_equal(expect(b, GUARD_CONFIRM)->confirm, token);
        assert_int_equal(view(b).pending_until, 0);
        assert_int_equal(manager_confirm_country(b->manager, "uid:0", &refusal), MANAGER_REFUSED);
        assert_int_equal(refusal.reason, REASON_NOT_PENDING);
}

static void a_trial_the_guard_gave_up_is_over(void **state)
{
        struct bench *b = *state;

        say_ready(b);
        uint64_t before = expect_policies(b, 1, 0);
        set(b, "deny RU", 60);
        uint64_t token = expect_policies(b, 2, 60);
        say(b, &(struct guard_message){ .type = GUARD_ROLLED_BACK, .rolled_back = { token + 5, before } });
        assert_true(view(b).pending_until > 0); /* not this one */
        say(b, &(struct guard_message){ .type = GUARD_ROLLED_BACK, .rolled_back = { token, before } });
        assert_int_equal(view(b).pending_until, 0);
        assert_int_equal(expect_policies(b, 1, 0), before);
        assert_non_null(strstr(b->last_alert, "no-confirmation"));
}

static void a_guard_that_comes_back_gets_the_trial_too(void **state)
{
        struct bench *b = *state;

        set(b, "deny RU", 60);
        say_ready(b);
        expect_policies(b, 2, 60);
        channel_peer_free(b->guard);
        settle(b);
        assert_string_equal(view(b).guard, "absent");
        connect_guard(b);
        say_ready(b);
        expect_policies(b, 2, 60);
}

/* ---- what it says */
static void a_failure_is_shown_and_alerted_once(void **state)
{
        struct bench *b = *state;

        say_ready(b);
        expect_policies(b, 1, 0);
        set(b, "deny RU", 0);
        uint64_t token = expect_policies(b, 1, 0);
        applied(b, token, 0, ""); /* what setting it raised is told by now */
        size_t before = b->alerts;
        for (int i = 0; i < 3; i++)
                applied(b, token, EPROTONOSUPPORT, "the kernel has no nf_tables");
        assert_string_equal(view(b).guard, "failed");
        assert_string_equal(view(b).guard_error, "the kernel has no nf_tables");
        assert_int_equal(view(b).enforced, COUNTRY_ENFORCED_HUB);
        assert_int_equal(b->alerts, before + 1);
        assert_non_null(strstr(b->last_alert, "firewall-failed"));
        applied(b, token, 0, "");
        assert_string_equal(view(b).guard_error, "");
}

static void a_flood_of_refusals_is_one_alert(void **state)
{
        struct bench *b = *state;
        struct guard_message refused = { .type = GUARD_REFUSED,
                                         .refused = { .port = 8883, .country = "RU", .count = 3 } };
        const uint8_t address[] = { 198, 51, 100, 7 };

        say_ready(b);
        expect_policies(b, 1, 0);
        refused.refused.address = SPAN_OF(address);
        for (int i = 0; i < 500; i++)
                say(b, &refused);
        assert_int_equal(b->alerts, 1);
        assert_non_null(strstr(b->last_alert, "country: a connection from 198.51.100.7 (RU, Russia"));
        assert_int_equal(view(b).refused, 1500);
}

static void restorations_are_counted_across_guards(void **state)
{
        struct bench *b = *state;

        say_ready(b);
        expect_policies(b, 1, 0);
        say(b, &(struct guard_message){ .type = GUARD_RESTORED, .restored = 1 });
        say(b, &(struct guard_message){ .type = GUARD_RESTORED, .restored = 3 });
        assert_int_equal(view(b).restored, 3);
        channel_peer_free(b->guard);
        settle(b);
        connect_guard(b);
        say_ready(b);
        say(b, &(struct guard_message){ .type = GUARD_RESTORED, .restored = 1 });
        assert_int_equal(view(b).restored, 4);
        assert_non_null(strstr(b->last_alert, "firewall-changed"));
}

/* ---- what it may not */
static void expect_dropped(struct bench *b)
{
        assert_true(b->gone);
        assert_string_equal(view(b).guard, "absent");
        b->guard = channel_peer_free(b->guard);
        b->said_at = b->said_count = 0;
        connect_guard(b);
        say_ready(b); /* and the next one is welcome */
        expect_policies(b, 1, 0);
}

static void whoever_speaks_out_of_turn_is_dropped(void **state)
{
        static const struct guard_message wrong[] = {
                { .type = GUARD_CONFIRM, .confirm = 1 },
                { .type = GUARD_UPLINK, .air_gapped = true },
                { .type = GUARD_RELOAD },
                { .type = GUARD_COUNT },
        };
        struct bench *b = *state;

        /* before READY */
        say(b, &(struct guard_message){ .type = GUARD_RESTORED, .restored = 1 });
        expect_dropped(b);
        for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
                say(b, &wrong[i]);
                expect_dropped(b);
        }
}

static void nonsense_is_dropped(void **state)
{
        static const uint8_t nonsense[][6] = { { 0 }, { 0x80 }, { 0x81, 0x18, 0x63 }, { 0x82, 1 }, { 0xff, 0xff } };
        struct bench *b = *state;

        say_ready(b);
        expect_policies(b, 1, 0);
        for (size_t i = 0; i < sizeof(nonsense) / sizeof(nonsense[0]); i++) {
                say_bytes(b, SPAN_OF(nonsense[i]));
                expect_dropped(b);
        }
}

static void a_front_end_message_is_dropped(void **state)
{
        const struct channel_message stop = { .type = CHANNEL_CREDIT, .session = 1, .credit = 5 };
        struct bench *b = *state;

        say_ready(b);
        expect_policies(b, 1, 0);
        assert_int_equal(channel_send(b->guard, &stop), 0);
        channel_flush(b->guard);
        settle(b);
        expect_dropped(b);
}

static void a_second_guard_is_sent_away(void **state)
{
        struct bench *b = *state, *second = calloc(1, sizeof(*second));

        say_ready(b);
        expect_policies(b, 1, 0);
        assert_int_equal(channel_connect(&second->guard, b->event, b->channel, &handlers, second), 0);
        for (int i = 0; i < TURNS_MAX && !second->gone; i++)
                assert_true(sd_event_run(b->event, 10000) >= 0);
        assert_true(second->gone);
        channel_peer_free(second->guard);
        free(second);
        assert_false(b->gone);
        set(b, "deny RU", 0);
        expect_policies(b, 1, 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(a_guard_gets_what_holds, setup, teardown),
                cmocka_unit_test_setup_teardown(a_trial_and_its_confirmation, setup, teardown),
                cmocka_unit_test_setup_teardown(a_trial_the_guard_gave_up_is_over, setup, teardown),
                cmocka_unit_test_setup_teardown(a_guard_that_comes_back_gets_the_trial_too, setup, teardown),
                cmocka_unit_test_setup_teardown(a_failure_is_shown_and_alerted_once, setup, teardown),
                cmocka_unit_test_setup_teardown(a_flood_of_refusals_is_one_alert, setup, teardown),
                cmocka_unit_test_setup_teardown(restorations_are_counted_across_guards, setup, teardown),
                cmocka_unit_test_setup_teardown(whoever_speaks_out_of_turn_is_dropped, setup, teardown),
                cmocka_unit_test_setup_teardown(nonsense_is_dropped, setup, teardown),
                cmocka_unit_test_setup_teardown(a_front_end_message_is_dropped, setup, teardown),
                cmocka_unit_test_setup_teardown(a_second_guard_is_sent_away, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
