/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of packet ids in flight against a plain array of all 65,536 ids.
 */

#include "hex.h"

#include "session/flights.h"

static void few_need_no_memory(void **state)
{
        (void)state;
        struct flights f = { 0 };
        for (uint16_t id = 1; id <= FLIGHTS_INLINE / 4 * 3; id++)
                assert_int_equal(flights_set(&f, id, FLIGHT_PUBACK), 0);
        assert_null(f.slots);
        assert_int_equal(flights_find(&f, 1), FLIGHT_PUBACK);
        assert_int_equal(flights_find(&f, 7), FLIGHT_NONE);
        assert_int_equal(flights_set(&f, 7, FLIGHT_PUBREC), 0);
        assert_non_null(f.slots);
        for (uint16_t id = 1; id <= 7; id++)
                flights_remove(&f, id);
        assert_null(f.slots);
        assert_int_equal(f.count, 0);
}

static void changes_do_not_add(void **state)
{
        (void)state;
        struct flights f = { 0 };
        assert_int_equal(flights_set(&f, 9, FLIGHT_PUBREC), 0);
        assert_int_equal(flights_set(&f, 9, FLIGHT_PUBREL), 0);
        assert_int_equal(f.count, 1);
        assert_int_equal(flights_find(&f, 9), FLIGHT_PUBREL);
        flights_remove(&f, 10);
        assert_int_equal(f.count, 1);
        flights_clear(&f);
}

/* steps of a fixed pseudo-random walk; ids collide often */
static void like_an_array(void **state)
{
        (void)state;
        static uint8_t want[65536];
        struct flights f = { 0 };
        uint32_t random = 12345, count = 0;
        for (int step = 0; step < 200000; step++) {
                random = random * 1664525 + 1013904223;
                uint16_t id = (uint16_t)((random >> 16) % 3 ? (random >> 8) % 200 * 64 : random >> 8);
                uint8_t to = (uint8_t)(random >> 24) % 7;
                assert_int_equal(flights_find(&f, id), want[id]);
                if (to && (random >> 30)) {
                        assert_int_equal(flights_set(&f, id, (enum flight)to), 0);
                        count += want[id] == 0;
                        want[id] = to;
                } else {
                        flights_remove(&f, id);
                        count -= want[id] != 0;
                        want[id] = 0;
                }
                assert_int_equal(f.count, count);
        }
        for (uint32_t id = 0; id < 65536; id++)
                assert_int_equal(flights_find(&f, (uint16_t)id), want[id]);
        flights_clear(&f);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(few_need_no_memory),
                cmocka_unit_test(changes_do_not_add),
                cmocka_unit_test(like_an_array),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
