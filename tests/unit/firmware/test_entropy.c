/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether a source of random bytes is alive: sources that are dead in one way or another. */
#include "unit.h"

#include "port/entropy.h"

static uint32_t random_state;

static int good(void *context, void *out, size_t size)
{
        (void)context;
        for (size_t i = 0; i < size; i++) {
                random_state ^= random_state << 13;
                random_state ^= random_state >> 17;
                random_state ^= random_state << 5;
                ((uint8_t *)out)[i] = (uint8_t)(random_state >> 8);
        }
        return 0;
}

static int fails(void *context, void *out, size_t size)
{
        (void)context;
        (void)out;
        (void)size;
        return PORT_E_IO;
}

static int fails_then(void *context, void *out, size_t size)
{
        static bool second;

        second = !second;
        return second ? good(context, out, size) : PORT_E_IO;
}

static int does_nothing(void *context, void *out, size_t size)
{
        (void)context;
        (void)out;
        (void)size;
        return 0;
}

static int ones(void *context, void *out, size_t size)
{
        (void)context;
        memset(out, 0xff, size);
        return 0;
}

static int same_again(void *context, void *out, size_t size)
{
        random_state = 77;
        return good(context, out, size);
}

static int two_values(void *context, void *out, size_t size)
{
        good(context, out, size);
        for (size_t i = 0; i < size; i++)
                ((uint8_t *)out)[i] &= 1;
        return 0;
}

static int sticks_for_a_while(void *context, void *out, size_t size)
{
        good(context, out, size);
        memset((uint8_t *)out + size / 2, 0x5a, 5);
        return 0;
}

static int stuck_four_times(void *context, void *out, size_t size)
{
        good(context, out, size);
        memset((uint8_t *)out + size / 2, 0x5a, 4);
        return 0;
}

static void test_sources(void **state)
{
        static const struct {
                int (*fill)(void *context, void *out, size_t size);
                int expected;
        } rows[] = {
                { good, 0 },
                { stuck_four_times, 0 }, /* chance does that now and then */
                { fails, PORT_E_IO },
                { fails_then, PORT_E_IO },
                { does_nothing, PORT_E_IO },
                { ones, PORT_E_IO },
                { same_again, PORT_E_IO },
                { two_values, PORT_E_IO },
                { sticks_for_a_while, PORT_E_IO },
        };

        (void)state;
        for (size_t i = 0; i < ROWS(rows); i++) {
                struct port_entropy entropy = { .fill = rows[i].fill };
                random_state = 1;
                assert_int_equal(entropy_check(&entropy), rows[i].expected);
        }
}

static void test_a_good_source_is_hardly_ever_refused(void **state)
{
        struct port_entropy entropy = { .fill = good };

        (void)state;
        random_state = 12345;
        for (unsigned i = 0; i < 100000; i++)
                assert_int_equal(entropy_check(&entropy), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_sources),
                cmocka_unit_test(test_a_good_source_is_hardly_ever_refused),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
