/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The hub and its gate key: checkpoints at start, an audit log that was tampered with, keys that are not to be used. */

#include "../front/identities.h"

#include <errno.h>
#include <sys/stat.h>
#include <systemd/sd-event.h>

#include "audit/audit.h"
#include "hub/manager.h"
#include "hub/manager_open.h"
#include "tls/keyfile.h"

#define TURNS_MAX 10000 /* of the loop, before a test gives up */

struct bench {
        struct conf conf;
        sd_event *event;
        struct store *store;
        struct manager *manager;
        size_t alerts;
        char last_alert[80];
};

static void on_alert(void *context, const struct alert_view *alert)
{
        struct bench *b = context;

        b->alerts++;
        snprintf(b->last_alert, sizeof(b->last_alert), "%s %s", alert->device, alert->reason);
}

static void settle(struct bench *b)
{
        for (int i = 0; i < TURNS_MAX && sd_event_run(b->event, 0) > 0; i++)
                ;
}

static void open_manager(struct bench *b)
{
        struct manager_options options = {
                .conf = &b->conf, .event = b->event, .store = b->store, .front_uid = (uid_t)-1
        };
        struct manager_listener listener = { .alert = on_alert, .context = b };
        char error[256] = "";

        assert_int_equal(manager_new(&b->manager, &options, error, sizeof(error)), 0);
        manager_listen(b->manager, &listener);
        assert_int_equal(manager_start(b->manager), 0);
        settle(b);
}

static void close_manager(struct bench *b)
{
        settle(b);
        b->manager = manager_free(b->manager);
        assert_int_equal(store_sync(b->store), 0);
}

static int setup(void **state)
{
        struct store_options store = { .size_max = 16 * 1024 * 1024 };
        struct bench *b = calloc(1, sizeof(*b));
        char detail[100];

        assert_non_null(b);
        assert_int_equal(scratch_setup(state), 0);
        b->conf = (struct conf){ .site = (char *)"s1",
                                 .country_database = (char *)"/nonexistent/country.db",
                                 .identity = (char *)"relay.s1",
                                 .roles = (char *)"roles",
                                 .sessions_max = 2,
                                 .store_size_max = 1 << 24 };
        assert_int_equal(mkdir("roles", 0700), 0);
        assert_int_equal(sd_event_new(&b->event), 0);
        assert_int_equal(store_open(&store, &b->store, detail, sizeof(detail)), 0);
        open_manager(b);
        *state = b;
        return 0;
}

static int teardown(void **state)
{
        struct bench *b = *state;

        manager_free(b->manager);
        store_free(b->store);
        sd_event_unref(b->event);
        free(b);
        return scratch_teardown(state);
}

/* The hub starts again with a gate key, so that it makes checkpoints. */
static void become_gate(struct bench *b)
{
        uint8_t seed[ED25519_SEED_SIZE] = { 7 };

        assert_int_equal(keyfile_save("gate.key", seed, NULL), 0);
        b->conf.gate_key = (char *)"gate.key";
        close_manager(b);
        open_manager(b);
        settle(b);
        assert_int_equal(store_sync(b->store), 0);
        assert_true(manager_checkpoint(b->manager).size > 0);
}

static int count_broken(void *context, uint64_t number, struct span record)
{
        struct audit_record r;

        (void)number;
        assert_int_equal(audit_decode(record, &r), RELAY_OK);
        *(uint64_t *)context += span_equal_string(r.action, "audit-broken");
        return 0;
}

static uint64_t broken_records(struct bench *b)
{
        uint64_t count = 0;

        settle(b);
        assert_int_equal(store_sync(b->store), 0);
        assert_int_equal(manager_walk_audit(b->manager, 0, 1000, count_broken, &count), 0);
        return count;
}

static void a_shortened_log_is_alerted_and_goes_on(void **state)
{
        struct bench *b = *state;
        uint8_t key[STORE_NUMBER_SIZE];

        become_gate(b);
        close_manager(b);
        open_manager(b);
        assert_int_equal(broken_records(b), 0);
        assert_int_equal(b->alerts, 0);
        close_manager(b);
        for (uint64_t number = 3; number >= 2; number--)
                assert_int_equal(store_delete(b->store, STORE_AUDIT, store_number_key(number, key)), 0);
        assert_int_equal(store_sync(b->store), 0);
        open_manager(b);
        assert_int_equal(broken_records(b), 1);
        assert_string_equal(b->last_alert, " audit-broken");
        assert_int_equal(b->alerts, 1);
        /* told once; the next start finds a log that goes on from there */
        close_manager(b);
        open_manager(b);
        assert_int_equal(broken_records(b), 1);
        assert_int_equal(b->alerts, 1);
}

static void a_log_with_a_gap_is_alerted_and_goes_on(void **state)
{
        struct bench *b = *state;
        uint8_t key[STORE_NUMBER_SIZE];

        close_manager(b);
        open_manager(b);
        close_manager(b);
        open_manager(b);
        close_manager(b);
        assert_int_equal(store_delete(b->store, STORE_AUDIT, store_number_key(2, key)), 0);
        assert_int_equal(store_sync(b->store), 0);
        open_manager(b);
        assert_int_equal(broken_records(b), 1);
        assert_string_equal(b->last_alert, " audit-broken");
}

static void a_key_that_others_may_read(void **state)
{
        struct bench *b = *state;
        struct manager_options options = {
                .conf = &b->conf, .event = b->event, .store = b->store, .front_uid = (uid_t)-1
        };
        struct manager *other = NULL;
        char error[256] = "";

        become_gate(b);
        close_manager(b);
        assert_int_equal(chmod("gate.key", 0640), 0);
        assert_int_equal(manager_new(&other, &options, error, sizeof(error)), -EACCES);
        assert_non_null(strstr(error, "chmod 600"));
        b->conf.gate_key = (char *)"missing.key";
        assert_int_equal(manager_new(&other, &options, error, sizeof(error)), -ENOENT);
        assert_non_null(strstr(error, "missing.key"));
        b->conf.gate_key = (char *)"roles";
        assert_int_equal(chmod("roles", 0700), 0);
        assert_true(manager_new(&other, &options, error, sizeof(error)) < 0);
        b->conf.gate_key = NULL;
        open_manager(b);
}

#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                test(a_shortened_log_is_alerted_and_goes_on),
                test(a_log_with_a_gap_is_alerted_and_goes_on),
                test(a_key_that_others_may_read),
        };
        return cmocka_run_group_tests_name("manager_gate", tests, NULL, NULL);
}
