/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The gate's settings: which entry decides, what it says then, how they are kept and named. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "policy/gate.h"

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))
#define SUN(hour)   (6 * 1440 + (hour)*60)
#define MON(hour)   ((hour)*60)

static const uint8_t pumps[CLASS_ID_SIZE] = { 1 }, lamps[CLASS_ID_SIZE] = { 2 };

static struct gate_settings settings_of(const struct gate_entry *entries, size_t count)
{
        struct gate_settings settings = { .count = 0 };

        for (size_t i = 0; i < count; i++) {
                assert_true(gate_entry_is_valid(&entries[i]));
                assert_true(gate_set(&settings, &entries[i]));
        }
        return settings;
}

#define SITE                        .scope = GATE_SITE
#define PUMPS                       .scope = GATE_CLASS, .class_id = { 1 }
#define DEVICE(name)                .scope = GATE_DEVICE, .device = name
#define OPEN                        .state = GATE_OPEN
#define CLOSED                      .state = GATE_CLOSED
#define UNTIL(time)                 .state = GATE_OPEN, .until = time
#define WINDOWS(count, ...)         .state = GATE_WINDOWS, .window_count = count, .windows = { __VA_ARGS__ }
#define KNOWN(time, minute_of_week) true, (time), true, (minute_of_week)
#define NO_CLOCK                    false, 0, false, 0

static void the_most_specific_entry_decides(void **state)
{
        static const struct gate_entry sunday_site[] = { { SITE, WINDOWS(1, { SUN(2), 120 }) } };
        static const struct gate_entry three[] = { { DEVICE("device-1"), CLOSED }, { SITE, CLOSED }, { PUMPS, OPEN } };
        static const struct gate_entry until[] = { { SITE, OPEN }, { PUMPS, UNTIL(200) } };
        static const struct gate_entry midnight[] = { { SITE, WINDOWS(2, { SUN(23), 120 }, { MON(22), 240 }) } };
        static const struct gate_entry always[] = { { SITE, WINDOWS(1, { MON(5), 10080 }) } };
        static const struct gate_entry open[] = { { SITE, OPEN } };
        static const struct {
                const struct gate_entry *entries;
                size_t count;
                struct gate_facts facts;
                enum reason reason;
        } rows[] = {
                { NULL, 0, { "device-1", pumps, KNOWN(100, 0) }, REASON_GATE_CLOSED }, /* closed from the factory */
                { open, 1, { "device-1", pumps, KNOWN(100, 0) }, REASON_NONE },
                { open, 1, { "device-1", NULL, NO_CLOCK }, REASON_NONE }, /* without end: needs no clock */
                { three, 3, { "device-1", pumps, KNOWN(100, 0) }, REASON_GATE_CLOSED },
                { three, 3, { "device-2", pumps, KNOWN(100, 0) }, REASON_NONE },
                { three, 3, { "device-2", lamps, KNOWN(100, 0) }, REASON_GATE_CLOSED },
                { three, 3, { "device-2", NULL, KNOWN(100, 0) }, REASON_GATE_CLOSED },
                { three, 3, { "device-10", pumps, KNOWN(100, 0) }, REASON_NONE },
                { three, 3, { NULL, NULL, KNOWN(100, 0) }, REASON_GATE_CLOSED },
                { until, 2, { "device-1", pumps, KNOWN(199, 0) }, REASON_NONE },
                { until, 2, { "device-1", pumps, KNOWN(200, 0) }, REASON_GATE_CLOSED },
                { until, 2, { "device-1", pumps, NO_CLOCK }, REASON_NO_TRUSTED_TIME },
                { until, 2, { "device-1", lamps, KNOWN(5000, 0) }, REASON_NONE },
                { sunday_site, 1, { "device-1", pumps, KNOWN(1, SUN(2) - 1) }, REASON_OUTSIDE_WINDOW },
                { sunday_site, 1, { "device-1", pumps, KNOWN(1, SUN(2)) }, REASON_NONE },
                { sunday_site, 1, { "device-1", pumps, KNOWN(1, SUN(4) - 1) }, REASON_NONE },
                { sunday_site, 1, { "device-1", pumps, KNOWN(1, SUN(4)) }, REASON_OUTSIDE_WINDOW },
                { sunday_site, 1, { "device-1", pumps, NO_CLOCK }, REASON_NO_TRUSTED_TIME },
                { sunday_site, 1, { "device-1", pumps, true, 1, false, SUN(2) }, REASON_NO_TRUSTED_TIME },
                { midnight, 1, { "device-1", pumps, KNOWN(1, SUN(23)) }, REASON_NONE },
                { midnight, 1, { "device-1", pumps, KNOWN(1, 0) }, REASON_NONE }, /* over the week's end */
                { midnight, 1, { "device-1", pumps, KNOWN(1, MON(1)) }, REASON_OUTSIDE_WINDOW },
                { midnight, 1, { "device-1", pumps, KNOWN(1, 1440 + 119) }, REASON_NONE }, /* over midnight */
                { midnight, 1, { "device-1", pumps, KNOWN(1, 1440 + 120) }, REASON_OUTSIDE_WINDOW },
                { always, 1, { "device-1", pumps, KNOWN(1, MON(5) - 1) }, REASON_NONE },
                { always, 1, { "device-1", pumps, KNOWN(1, 10079) }, REASON_NONE },
        };

        (void)state;
        for (size_t i = 0; i < ROWS(rows); i++) {
                struct gate_settings settings = settings_of(rows[i].entries, rows[i].count);
                struct decision decision = gate_decide(&settings, &rows[i].facts);
                print_message("# row %zu\n", i);
                assert_string_equal(reason_name(decision.reason), reason_name(rows[i].reason));
                assert_int_equal(decision.verdict == VERDICT_ALLOW, rows[i].reason == REASON_NONE);
        }
}

static void time_shows_in_the_open_entries(void **state)
{
        static const struct gate_entry entries[] = {
                { SITE, WINDOWS(1, { 10, 5 }) }, { PUMPS, UNTIL(200) }, { DEVICE("a"), CLOSED }, { DEVICE("b"), OPEN }
        };
        struct gate_settings settings = settings_of(entries, ROWS(entries));

        (void)state;
        assert_int_equal(gate_open_entries(&settings, &(struct gate_facts){ NULL, NULL, KNOWN(100, 0) }), 0xa);
        assert_int_equal(gate_open_entries(&settings, &(struct gate_facts){ NULL, NULL, KNOWN(100, 12) }), 0xb);
        assert_int_equal(gate_open_entries(&settings, &(struct gate_facts){ NULL, NULL, KNOWN(200, 12) }), 0x9);
        assert_int_equal(gate_open_entries(&settings, &(struct gate_facts){ NULL, NULL, NO_CLOCK }), 0x8);
}

static void entries_are_replaced_and_taken_out(void **state)
{
        struct gate_settings settings = { .count = 0 };
        struct gate_entry entry = { DEVICE("device-1"), OPEN };
        const struct gate_entry site = { SITE, OPEN }, pump = { PUMPS, OPEN };

        (void)state;
        assert_true(gate_set(&settings, &entry));
        entry.state = GATE_CLOSED;
        assert_true(gate_set(&settings, &entry));
        assert_true(gate_set(&settings, &site));
        assert_true(gate_set(&settings, &pump));
        assert_int_equal(settings.count, 3);
        assert_int_equal(settings.entries[0].scope, GATE_SITE);
        assert_int_equal(settings.entries[1].scope, GATE_CLASS);
        assert_int_equal(gate_entry_of(&settings, &entry)->state, GATE_CLOSED);
        assert_true(gate_reset(&settings, &entry));
        assert_false(gate_reset(&settings, &entry));
        assert_null(gate_entry_of(&settings, &entry));
        assert_int_equal(settings.count, 2);
        for (int i = 0; settings.count < GATE_ENTRIES_MAX; i++) {
                snprintf(entry.device, sizeof(entry.device), "d-%d", i);
                assert_true(gate_set(&settings, &entry));
        }
        assert_true(gate_set(&settings, &entry)); /* one that is there is changed all the same */
        strcpy(entry.device, "one-more");
        assert_false(gate_set(&settings, &entry));
}

static void what_may_be_kept(void **state)
{
        static const struct {
                struct gate_entry entry;
                bool valid;
        } rows[] = {
                { { SITE, CLOSED }, true },
                { { SITE, OPEN }, true },
                { { SITE, UNTIL(1) }, true },
                { { SITE, WINDOWS(1, { 10079, 10080 }) }, true },
                { { DEVICE("device-1"), OPEN }, true },
                { { DEVICE(""), OPEN }, false },
                { { DEVICE("Device"), OPEN }, false },
                { { DEVICE("a.b"), OPEN }, false },
                { { SITE, .device = "a", OPEN }, false },
                { { SITE, CLOSED, .until = 1 }, false },
                { { SITE, WINDOWS(0) }, false },
                { { SITE, WINDOWS(1, { 10080, 1 }) }, false },
                { { SITE, WINDOWS(1, { 0, 0 }) }, false },
                { { SITE, WINDOWS(1, { 0, 10081 }) }, false },
                { { SITE, WINDOWS(1, { 0, 1 }), .until = 5 }, false },
                { { SITE, OPEN, .window_count = 1, .windows = { { 0, 1 } } }, false },
                { { SITE, WINDOWS(GATE_WINDOWS_MAX + 1) }, false },
                { { .scope = (enum gate_scope)3 }, false },
                { { SITE, .state = (enum gate_state)3 }, false },
        };

        (void)state;
        for (size_t i = 0; i < ROWS(rows); i++) {
                print_message("# row %zu\n", i);
                assert_int_equal(gate_entry_is_valid(&rows[i].entry), rows[i].valid);
        }
}

static struct span encode(const struct gate_settings *settings, uint8_t out[GATE_RECORD_MAX])
{
        struct writer w;

        writer_init(&w, out, GATE_RECORD_MAX);
        gate_encode(&w, settings);
        assert_int_equal(writer_finish(&w), RELAY_OK);
        return writer_span(&w);
}

static void records_come_back(void **state)
{
        static const struct gate_entry entries[] = { { SITE, WINDOWS(2, { 10, 5 }, { 10079, 10080 }) },
                                                     { PUMPS, UNTIL(200) },
                                                     { DEVICE("a"), CLOSED },
                                                     { DEVICE("b"), OPEN } };
        static uint8_t record[GATE_RECORD_MAX], again[GATE_RECORD_MAX];
        struct gate_settings settings = settings_of(entries, ROWS(entries)), out;
        struct span bytes = encode(&settings, record);

        (void)state;
        assert_true(gate_decode(bytes, &out));
        assert_true(span_equal(encode(&out, again), bytes));
        assert_int_equal(out.count, 4);
        assert_int_equal(out.entries[0].windows[1].minutes, 10080);
        assert_int_equal(out.entries[1].until, 200);
        assert_string_equal(out.entries[3].device, "b");
        for (size_t size = 0; size < bytes.size; size++) {
                assert_false(gate_decode(span_of(record, size), &out));
                assert_int_equal(out.count, 0);
        }
}

/* the largest settings there can be fit into a record */
static void full_settings_are_kept(void **state)
{
        static struct gate_settings settings, out;
        static uint8_t record[GATE_RECORD_MAX];
        struct gate_entry entry = { .scope = GATE_DEVICE, .state = GATE_WINDOWS, .window_count = GATE_WINDOWS_MAX };

        (void)state;
        for (size_t i = 0; i < GATE_WINDOWS_MAX; i++)
                entry.windows[i] = (struct week_window){ (uint16_t)(1000 + i), 10080 };
        for (int i = 0; i < GATE_ENTRIES_MAX; i++) {
                snprintf(entry.device, sizeof(entry.device), "%040d", i);
                assert_true(gate_set(&settings, &entry));
        }
        assert_true(gate_decode(encode(&settings, record), &out));
        assert_int_equal(out.count, GATE_ENTRIES_MAX);
}

static void records_of_the_one_gate_are_read(void **state)
{
        static const struct {
                uint8_t record[9];
                enum gate_state state;
                uint64_t until;
                bool valid;
        } rows[] = {
                { { 0 }, GATE_CLOSED, 0, true },
                { { 1 }, GATE_OPEN, 0, true },
                { { 1, 0, 0, 0, 0, 0, 0, 1, 2 }, GATE_OPEN, 258, true },
                { { 0, 0, 0, 0, 0, 0, 0, 1, 2 }, GATE_CLOSED, 0, true },
                { { 2 }, GATE_CLOSED, 0, false },
        };

        (void)state;
        for (size_t i = 0; i < ROWS(rows); i++) {
                struct gate_settings out;
                assert_int_equal(gate_decode(SPAN_OF(rows[i].record), &out), rows[i].valid);
                assert_int_equal(out.count, rows[i].valid);
                if (rows[i].valid) {
                        assert_int_equal(out.entries[0].scope, GATE_SITE);
                        assert_int_equal(out.entries[0].state, rows[i].state);
                        assert_int_equal(out.entries[0].until, rows[i].until);
                }
        }
}

static void scopes_have_words(void **state)
{
        static const char *const good[] = { "site", "class:01000000000000000000000000000000", "device:device-1" };
        static const char *const bad[] = {
                "",           "Site",
                "site ",      "class:",
                "class:01",   "class:0100000000000000000000000000000g",
                "device:",    "device:A",
                "device:a.b", "device:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        };
        char text[GATE_SCOPE_SIZE];

        (void)state;
        for (size_t i = 0; i < ROWS(good); i++) {
                struct gate_entry entry = { .scope = GATE_DEVICE, .device = "before" };
                assert_true(gate_scope_parse(good[i], &entry));
                assert_int_equal(entry.scope, i);
                assert_true(gate_entry_is_valid(&entry));
                assert_string_equal(gate_scope_text(&entry, text), good[i]);
        }
        for (size_t i = 0; i < ROWS(bad); i++) {
                struct gate_entry entry = { .scope = GATE_DEVICE, .device = "before" };
                assert_false(gate_scope_parse(bad[i], &entry));
                assert_string_equal(entry.device, "before");
        }
        assert_string_equal(gate_state_name(GATE_WINDOWS), "windows");
        assert_string_equal(gate_state_name((enum gate_state)9), "closed");
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(the_most_specific_entry_decides),
                cmocka_unit_test(time_shows_in_the_open_entries),
                cmocka_unit_test(entries_are_replaced_and_taken_out),
                cmocka_unit_test(what_may_be_kept),
                cmocka_unit_test(records_come_back),
                cmocka_unit_test(full_settings_are_kept),
                cmocka_unit_test(records_of_the_one_gate_are_read),
                cmocka_unit_test(scopes_have_words),
        };
        return cmocka_run_group_tests_name("gate", tests, NULL, NULL);
}
