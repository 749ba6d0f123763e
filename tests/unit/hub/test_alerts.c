/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Alerts: repeats, limits, what is taken out of foreign texts, clocks that are set. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "hub/alerts.h"

#define TIME UINT64_C(1763800000)

struct bench {
        struct store *store;
        struct alerts alerts;
};

static int setup(void **state)
{
        static struct bench b;
        struct store_options options = { .size_max = 4 * 1024 * 1024 };
        char detail[100];

        assert_int_equal(store_open(&options, &b.store, detail, sizeof(detail)), 0);
        assert_int_equal(alerts_load(&b.alerts, b.store, 0), 0);
        *state = &b;
        return 0;
}

static int teardown(void **state)
{
        struct bench *b = *state;

        alerts_release(&b->alerts);
        store_free(b->store);
        return 0;
}

/* how many were raised by this one */
static unsigned raise_one(struct bench *b, const char *detail, uint64_t now)
{
        uint64_t before = b->alerts.last;

        alerts_raise(&b->alerts, "device-1", REASON_TOPIC, detail, now, now * 1000);
        return (unsigned)(b->alerts.last - before);
}

static void repeats_are_told_once(void **state)
{
        struct bench *b = *state;

        assert_int_equal(raise_one(b, "a", TIME), 1);
        assert_int_equal(raise_one(b, "a", TIME + 1), 0);
        assert_int_equal(raise_one(b, "b", TIME + 1), 1);
        assert_int_equal(raise_one(b, "a", TIME + ALERT_REPEAT_S), 1);
}

/* A clock that was ahead must not silence alerts till that time comes. */
static void clock_set_back(void **state)
{
        struct bench *b = *state;

        assert_int_equal(raise_one(b, "a", TIME + 365 * 86400), 1);
        assert_int_equal(raise_one(b, "a", TIME), 1);
        assert_int_equal(raise_one(b, "a", TIME + 1), 0);
}

static void foreign_texts(void **state)
{
        struct bench *b = *state;

        assert_int_equal(raise_one(b, "\x1b[2J \"x\" \\ \xff\n", TIME), 1);
        assert_string_equal(alerts_next_untold(&b->alerts)->detail, "?[2J 'x' ' ??");
}

static void flood_is_bounded(void **state)
{
        struct bench *b = *state;
        unsigned told = 0;
        char detail[2] = "a";

        for (int i = 0; i < 10000; i++) {
                detail[0] = (char)('a' + i % 26);
                told += raise_one(b, detail, TIME);
        }
        assert_int_equal(told, 26);
}

#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                test(repeats_are_told_once),
                test(clock_set_back),
                test(foreign_texts),
                test(flood_is_bounded),
        };
        return cmocka_run_group_tests_name("alerts", tests, NULL, NULL);
}
