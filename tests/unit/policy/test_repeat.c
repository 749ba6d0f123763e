/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The window of sequence numbers: steps, and a slow model beside it. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "policy/repeat.h"

static void test_steps(void **state)
{
        (void)state;
        static const struct {
                uint32_t boot;
                uint64_t seq;
                enum repeat_answer answer;
        } steps[] = {
                { 3, 10, REPEAT_NEW },
                { 3, 10, REPEAT_SEEN },
                { 3, 9, REPEAT_NEW }, /* out of order */
                { 3, 9, REPEAT_SEEN },
                { 3, 0, REPEAT_NEW },
                { 3, 12, REPEAT_NEW }, /* a gap */
                { 3, 11, REPEAT_NEW },
                { 3, 11, REPEAT_SEEN },
                { 3, 10, REPEAT_SEEN },
                { 3, 265, REPEAT_NEW },
                { 3, 10, REPEAT_SEEN },   /* last place of the window */
                { 3, 9, REPEAT_UNKNOWN }, /* fell out: passes */
                { 3, 9, REPEAT_UNKNOWN },
                { 3, 266, REPEAT_NEW },
                { 3, 10, REPEAT_UNKNOWN },
                { 3, 100, REPEAT_NEW },
                { 3, 100, REPEAT_SEEN },
                { 2, 100, REPEAT_UNKNOWN }, /* an older boot passes, always */
                { 2, 100, REPEAT_UNKNOWN },
                { 3, 266, REPEAT_SEEN }, /* and disturbs nothing */
                { 4, 266, REPEAT_NEW },  /* a new boot */
                { 4, 266, REPEAT_SEEN },
                { 4, 1, REPEAT_UNKNOWN },
                { 3, 267, REPEAT_UNKNOWN },
                { 4, 1000000, REPEAT_NEW }, /* a big jump */
                { 4, 266, REPEAT_UNKNOWN },
                { 4, 999999, REPEAT_NEW },
                { 4, UINT64_MAX, REPEAT_NEW },
                { 4, UINT64_MAX, REPEAT_SEEN },
                { 4, UINT64_MAX - 255, REPEAT_NEW },
                { 4, UINT64_MAX - 256, REPEAT_UNKNOWN },
                { 9, 0, REPEAT_NEW },
                { 9, 0, REPEAT_SEEN },
                { UINT32_MAX, 0, REPEAT_NEW },
        };
        struct repeat repeat = { 0 };
        for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
                enum repeat_answer answer = repeat_check(&repeat, steps[i].boot, steps[i].seq);
                if (answer != steps[i].answer)
                        fail_msg("step %zu: %d", i, answer);
        }
}

/* shuffled numbers with repeats against a table of all numbers; saved and loaded now and then */
static void test_against_model(void **state)
{
        (void)state;
        static uint8_t seen[100000];
        struct repeat repeat = { 0 };
        uint64_t top = 0, middle = 500;
        uint32_t random = 1;
        memset(seen, 0, sizeof(seen));
        for (int i = 0; i < 90000; i++) {
                random = random * 1664525 + 1013904223;
                middle += (random >> 28) == 0 ? (random >> 8) % 200 : (random >> 30);
                uint64_t seq = middle - (random >> 12) % 400;
                if (seq >= sizeof(seen))
                        break;
                bool in_window = i == 0 || seq > top || top - seq < REPEAT_WINDOW;
                enum repeat_answer expected = !in_window ? REPEAT_UNKNOWN : seen[seq] ? REPEAT_SEEN : REPEAT_NEW;
                assert_int_equal(repeat_check(&repeat, 5, seq), expected);
                seen[seq] = 1;
                if (i == 0 || seq > top)
                        top = seq;
                if (i % 97 == 0) {
                        uint8_t record[REPEAT_RECORD_SIZE];
                        repeat_encode(&repeat, record);
                        memset(&repeat, 0xaa, sizeof(repeat));
                        assert_true(repeat_decode(SPAN_OF(record), &repeat));
                }
        }
        assert_true(top > 50000);
}

static void test_records(void **state)
{
        (void)state;
        struct repeat unused = { 0 }, out, window = { 0 };
        uint8_t record[REPEAT_RECORD_SIZE];
        repeat_encode(&unused, record);
        assert_true(repeat_decode(SPAN_OF(record), &out));
        assert_false(out.used);

        repeat_check(&window, 7, 0x0102030405060708);
        repeat_encode(&window, record);
        static const uint8_t expected[24] = { 1, 0, 0, 0, 0, 0, 0, 7, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 0, 0, 0, 0, 1 };
        assert_memory_equal(record, expected, sizeof(expected));
        assert_false(repeat_decode(span_of(record, sizeof(record) - 1), &out));
        assert_false(out.used);
        record[0] = 2;
        assert_false(repeat_decode(SPAN_OF(record), &out));
        record[0] = 1;
        record[23] = 0; /* the top was not seen? */
        assert_false(repeat_decode(SPAN_OF(record), &out));
        assert_false(repeat_decode(SPAN_EMPTY, &out));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_steps),
                cmocka_unit_test(test_against_model),
                cmocka_unit_test(test_records),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
