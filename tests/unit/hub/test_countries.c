/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The country policy the hub keeps: trials, restarts and reboots, damaged records, names and values, bursts. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#include "hub/bursts.h"
#include "hub/countries.h"
#include "hub/country_settings.h"

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))
#define NOW         UINT64_C(1763800000)

static const struct countries_boot this_boot = { { 1, 2, 3 }, true }, other_boot = { { 9 }, true };
static const struct countries_boot no_boot = { { 1, 2, 3 }, false };

struct place {
        struct store *store;
        struct countries countries;
};

static int setup(void **state)
{
        struct store_options options = { .size_max = 4 << 20 };
        struct place *p = calloc(1, sizeof(*p));
        char detail[100];

        assert_int_equal(store_open(&options, &p->store, detail, sizeof(detail)), 0);
        *state = p;
        return 0;
}

static int teardown(void **state)
{
        struct place *p = *state;

        countries_release(&p->countries);
        store_free(p->store);
        free(p);
        return 0;
}

/* What a start at this time finds; everything staged is durable. */
static bool start(struct place *p, const struct countries_boot *boot, uint64_t boot_ms)
{
        bool gave_up = false;

        assert_int_equal(store_sync(p->store), 0);
        countries_release(&p->countries);
        assert_int_equal(countries_load(&p->countries, p->store, "/nonexistent", boot, boot_ms, &gave_up), 0);
        return gave_up;
}

static struct country_policy policy_of(const char *rule)
{
        struct country_policy policy = { 0 };
        char error[COUNTRY_ERROR_MAX];

        assert_int_equal(country_settings_apply(&policy, "inbound", rule, error), 0);
        return policy;
}

static void expect(const struct place *p, const char *rule)
{
        struct country_policy policy = policy_of(rule);

        assert_true(country_policy_equal(countries_policy(&p->countries), &policy));
}

static int set(struct place *p, const char *rule, uint32_t confirm_s, uint64_t boot_ms)
{
        struct country_policy policy = policy_of(rule);

        return countries_set(&p->countries, &policy, confirm_s, boot_ms, NOW);
}

/* ---- trials */
static void what_is_set_for_good_is_there_after_a_reboot(void **state)
{
        struct place *p = *state;

        assert_false(start(p, &this_boot, 1000));
        assert_false(countries_active(&p->countries));
        assert_int_equal(countries_token(&p->countries), 1);
        assert_int_equal(set(p, "allow FI", 0, 1000), 0);
        assert_true(countries_active(&p->countries));
        assert_int_equal(countries_token(&p->countries), 2);
        assert_false(start(p, &other_boot, 10));
        expect(p, "allow FI");
        assert_int_equal(countries_token(&p->countries), 2);
}

static void a_trial_ends_by_itself(void **state)
{
        struct place *p = *state;

        start(p, &this_boot, 1000);
        set(p, "allow FI", 0, 1000);
        assert_int_equal(set(p, "deny RU", 60, 1000), 0);
        expect(p, "deny RU");
        assert_int_equal(p->countries.until, NOW + 60);
        assert_int_equal(countries_seconds_left(&p->countries, 1000), 60);
        assert_false(countries_is_over(&p->countries, 60999));
        assert_true(countries_is_over(&p->countries, 61000));
        assert_int_equal(countries_give_up(&p->countries), 0);
        expect(p, "allow FI");
        assert_int_equal(countries_give_up(&p->countries), -ENOENT);
        assert_int_equal(countries_confirm(&p->countries), -ENOENT);
        assert_false(start(p, &this_boot, 62000));
        expect(p, "allow FI");
        /* its number is never given again */
        set(p, "allow SE", 0, 63000);
        assert_int_equal(countries_token(&p->countries), 4);
}

static void a_trial_that_is_confirmed_stays(void **state)
{
        struct place *p = *state;

        start(p, &this_boot, 1000);
        set(p, "deny RU", 60, 1000);
        uint64_t token = countries_token(&p->countries);
        assert_int_equal(countries_confirm(&p->countries), 0);
        assert_int_equal(countries_token(&p->countries), token);
        assert_false(start(p, &other_boot, 10));
        expect(p, "deny RU");
}

static void a_trial_survives_a_crash_but_no_reboot(void **state)
{
        static const struct {
                const struct countries_boot *boot;
                uint64_t boot_ms;
                bool gave_up;
        } rows[] = {
                { &this_boot, 30000, false }, { &this_boot, 60999, false }, { &this_boot, 61000, true },
                { &other_boot, 2000, true },  { &other_boot, 90000, true }, { &no_boot, 2000, true },
        };
        struct place *p = *state;

        for (size_t i = 0; i < ROWS(rows); i++) {
                start(p, &this_boot, 1000);
                assert_int_equal(set(p, "allow FI", 0, 1000), 0);
                assert_int_equal(set(p, "deny RU", 60, 1000), 0);
                assert_int_equal(start(p, rows[i].boot, rows[i].boot_ms), rows[i].gave_up);
                expect(p, rows[i].gave_up ? "allow FI" : "deny RU");
                /* and the next start finds the same, without another giving up */
                assert_false(start(p, &this_boot, rows[i].gave_up ? 0 : rows[i].boot_ms));
                expect(p, rows[i].gave_up ? "allow FI" : "deny RU");
                if (!rows[i].gave_up)
                        assert_int_equal(countries_give_up(&p->countries), 0);
        }
}

static void a_change_for_good_waits_for_the_trial(void **state)
{
        struct place *p = *state;

        start(p, &this_boot, 1000);
        set(p, "deny RU", 60, 1000);
        assert_int_equal(set(p, "deny BY", 0, 2000), -EBUSY);
        assert_int_equal(set(p, "deny BY", 60, 2000), 0); /* another trial takes its place */
        expect(p, "deny BY");
        countries_give_up(&p->countries);
        assert_false(countries_active(&p->countries));
        assert_int_equal(set(p, "deny BY", COUNTRIES_CONFIRM_MAX + 1, 2000), -EINVAL);
}

static void without_a_database_nothing_is_open(void **state)
{
        struct place *p = *state;
        struct address address;

        start(p, &this_boot, 1000);
        assert_true(countries_reopen(&p->countries) < 0);
        assert_true(strlen(p->countries.error) > 0);
        assert_true(address_parse(&address, "203.0.113.9"));
        set(p, "deny RU unknown=accept", 0, 1000);
        assert_int_equal(countries_judge(&p->countries, countries_policy(&p->countries), COUNTRY_INBOUND, 0, &address)
                                 .decision.reason,
                         REASON_NO_COUNTRY_DATABASE);
}

static void damaged_records_are_told(void **state)
{
        static const char *const keys[] = { "country-policy", "country-pending" };
        struct place *p = *state;
        bool gave_up;

        for (size_t k = 0; k < ROWS(keys); k++) {
                uint8_t *record = NULL;
                size_t size = 0;

                start(p, &this_boot, 1000);
                set(p, "allow FI", 0, 1000);
                set(p, "deny RU", 60, 1000);
                assert_int_equal(store_sync(p->store), 0);
                assert_int_equal(store_get(p->store, STORE_META, span_of_string(keys[k]), &record, &size), 0);
                for (size_t cut = 0; cut < size; cut++) {
                        assert_int_equal(store_put(p->store, STORE_META, span_of_string(keys[k]), span_of(record, cut)),
                                         0);
                        assert_int_equal(store_sync(p->store), 0);
                        assert_int_equal(
                                countries_load(&p->countries, p->store, "/nonexistent", &this_boot, 1000, &gave_up),
                                -EBADMSG);
                }
                assert_int_equal(store_put(p->store, STORE_META, span_of_string(keys[k]), span_of(record, size)), 0);
                free(record);
                start(p, &this_boot, 1000);
                countries_give_up(&p->countries);
        }
}

/* ---- names and values */
static int join(void *context, const char *name, const char *value)
{
        char *out = context;

        snprintf(out + strlen(out), 1000 - strlen(out), "%s=%s\n", name, value);
        return 0;
}

static void settings_are_applied_and_told(void **state)
{
        static const char *const rows[][2] = {
                { "inbound", "allow FI SE unknown=accept" },
                { "uplink", "deny ru" },
                { "port 8884", "allow DE" },
                { "exempt", "+203.0.113.0/24" },
                { "exempt", "+2001:db8::/32" },
                { "local", "judge" },
                { "open", "+22" },
                { "open", "+8006" },
                { "lockdown", "on" },
                { "port 8885", "deny CN" },
                { "port 8885", "" },
                { "exempt", "+192.0.2.7" },
                { "exempt", "-192.0.2.7" },
                { "open", "-8006" },
                { "exempt", "+203.0.113.0/24" },
        };
        struct country_policy policy = { 0 };
        char error[COUNTRY_ERROR_MAX] = "", all[1000] = "";

        (void)state;
        for (size_t i = 0; i < ROWS(rows); i++)
                assert_int_equal(country_settings_apply(&policy, rows[i][0], rows[i][1], error), 0);
        assert_true(country_policy_is_valid(&policy));
        assert_int_equal(country_settings_walk(&policy, join, all), 0);
        assert_string_equal(all, "inbound=allow FI SE unknown=accept\n"
                                 "uplink=deny RU\n"
                                 "admin=off\n"
                                 "port 8884=allow DE\n"
                                 "exempt=203.0.113.0/24\n"
                                 "exempt=2001:db8::/32\n"
                                 "local=judge\n"
                                 "lockdown=on\n"
                                 "open=22\n");
}

static void wrong_settings_change_nothing_and_say_why(void **state)
{
        static const struct {
                const char *name, *value, *said;
        } rows[] = {
                { "inbound", "", "" },
                { "inbound", "allow F1", "F1" },
                { "inbound", "allow FIN", "FIN" },
                { "inbound", "permit FI", "permit" },
                { "inbound", "deny", "" },
                { "inbound", "allow FI unknown=maybe", "maybe" },
                { "outbound", "allow FI", "outbound" },
                { "", "", "setting" },
                { "port ", "deny RU", "65535" },
                { "port 0", "deny RU", "65535" },
                { "port 65536", "deny RU", "65536" },
                { "port 88x", "deny RU", "88x" },
                { "port -1", "deny RU", "65535" },
                { "port 8883", "", "8883" },
                { "port 8883", "deny R", "R" },
                { "exempt", "", "+" },
                { "exempt", "203.0.113.0/24", "+" },
                { "exempt", "+203.0.113.9/24", "203.0.113.0/24" },
                { "exempt", "+203.0.113.0/33", "network" },
                { "exempt", "+example.org", "example.org" },
                { "exempt", "-203.0.113.0/24", "not in the list" },
                { "local", "", "judge" },
                { "lockdown", "yes", "on" },
                { "open", "22", "+" },
                { "open", "+0", "65535" },
                { "open", "-22", "22" },
        };
        const struct country_policy none = { 0 };

        (void)state;
        for (size_t i = 0; i < ROWS(rows); i++) {
                struct country_policy policy = { 0 };
                char error[COUNTRY_ERROR_MAX] = "";

                assert_int_equal(country_settings_apply(&policy, rows[i].name, rows[i].value, error), -EINVAL);
                assert_true(strlen(error) > 0);
                if (!strstr(error, rows[i].said))
                        fail_msg("%s = %s: \"%s\" does not say \"%s\"", rows[i].name, rows[i].value, error,
                                 rows[i].said);
                assert_true(country_policy_equal(&policy, &none));
        }
}

static void full_lists_say_so(void **state)
{
        struct country_policy policy = { 0 };
        char error[COUNTRY_ERROR_MAX] = "", text[40];

        (void)state;
        for (unsigned i = 0; i <= COUNTRY_EXEMPT_MAX; i++) {
                snprintf(text, sizeof(text), "+203.0.113.%u", i);
                assert_int_equal(country_settings_apply(&policy, "exempt", text, error),
                                 i < COUNTRY_EXEMPT_MAX ? 0 : -EINVAL);
        }
        assert_non_null(strstr(error, "64"));
        for (unsigned i = 0; i <= COUNTRY_PORT_RULES_MAX; i++) {
                snprintf(text, sizeof(text), "port %u", 8000 + i);
                assert_int_equal(country_settings_apply(&policy, text, "deny RU", error),
                                 i < COUNTRY_PORT_RULES_MAX ? 0 : -EINVAL);
        }
        for (unsigned i = 0; i <= COUNTRY_PORTS_MAX; i++) {
                snprintf(text, sizeof(text), "+%u", 100 + i);
                assert_int_equal(country_settings_apply(&policy, "open", text, error),
                                 i < COUNTRY_PORTS_MAX ? 0 : -EINVAL);
        }
        assert_true(country_policy_is_valid(&policy));
}

/* ---- bursts */
static void refusals_are_told_in_bursts(void **state)
{
        struct bursts bursts = { 0 };

        (void)state;
        assert_int_equal(bursts_note(&bursts, COUNTRY_INBOUND, 5, 1, NOW), 1);
        assert_int_equal(bursts_note(&bursts, COUNTRY_INBOUND, 5, 10, NOW + 1), 0);
        assert_int_equal(bursts_note(&bursts, COUNTRY_INBOUND, 6, 1, NOW + 1), 1);
        assert_int_equal(bursts_note(&bursts, COUNTRY_UPLINK, 5, 1, NOW + 1), 1);
        assert_int_equal(bursts_note(&bursts, COUNTRY_INBOUND, 5, 1, NOW + BURSTS_INTERVAL_S - 1), 0);
        assert_int_equal(bursts_note(&bursts, COUNTRY_INBOUND, 5, 4, NOW + BURSTS_INTERVAL_S), 15);
        assert_int_equal(bursts_note(&bursts, COUNTRY_INBOUND, 5, 1, NOW - 100), 1); /* the clock was set back */
        assert_int_equal(bursts.total, 19);
}

static void many_countries_are_bounded_and_counted(void **state)
{
        struct bursts bursts = { 0 };
        size_t told = 0;

        (void)state;
        for (country_code c = 0; c < COUNTRY_CODES; c++)
                told += bursts_note(&bursts, COUNTRY_INBOUND, c, 1, NOW) > 0;
        assert_int_equal(told, BURSTS_MAX);
        assert_int_equal(bursts.total, COUNTRY_CODES);
        /* those that were silent make room later */
        assert_int_equal(bursts_note(&bursts, COUNTRY_INBOUND, 600, 3, NOW + BURSTS_INTERVAL_S), 3);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(what_is_set_for_good_is_there_after_a_reboot, setup, teardown),
                cmocka_unit_test_setup_teardown(a_trial_ends_by_itself, setup, teardown),
                cmocka_unit_test_setup_teardown(a_trial_that_is_confirmed_stays, setup, teardown),
                cmocka_unit_test_setup_teardown(a_trial_survives_a_crash_but_no_reboot, setup, teardown),
                cmocka_unit_test_setup_teardown(a_change_for_good_waits_for_the_trial, setup, teardown),
                cmocka_unit_test_setup_teardown(without_a_database_nothing_is_open, setup, teardown),
                cmocka_unit_test_setup_teardown(damaged_records_are_told, setup, teardown),
                cmocka_unit_test(settings_are_applied_and_told),
                cmocka_unit_test(wrong_settings_change_nothing_and_say_why),
                cmocka_unit_test(full_lists_say_so),
                cmocka_unit_test(refusals_are_told_in_bursts),
                cmocka_unit_test(many_countries_are_bounded_and_counted),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
