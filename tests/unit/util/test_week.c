/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Windows of the week, from text and back. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "util/week.h"

#define DAY 1440

static void good_windows(void **state)
{
        static const struct {
                const char *text;
                size_t count;
                uint16_t first, minutes;
                const char *again; /* the first one as text */
        } rows[] = {
                { "Sun 02:00-04:00", 1, 6 * DAY + 120, 120, "Sun 02:00-04:00" },
                { "mon 00:00-00:01", 1, 0, 1, "Mon 00:00-00:01" },
                { "Sat 22:00-02:00", 1, 5 * DAY + 1320, 240, "Sat 22:00-02:00" },
                { "Sun 23:59-00:00", 1, 6 * DAY + 1439, 1, "Sun 23:59-00:00" },
                { "Sun 22:00-24:00", 1, 6 * DAY + 1320, 120, "Sun 22:00-00:00" },
                { "Tue 00:00-24:00", 1, DAY, DAY, "Tue 00:00-24:00" },
                { "Mon-Fri 01:00-05:00", 5, 60, 240, "Mon 01:00-05:00" },
                { "Sat-Mon 01:00-05:00", 3, 5 * DAY + 60, 240, "Sat 01:00-05:00" },
                { "daily 03:00-04:30", 7, 180, 90, "Mon 03:00-04:30" },
                { "Fri 20:00-Mon 04:00", 1, 4 * DAY + 1200, 2 * DAY + 480, "Fri 20:00-Mon 04:00" },
                { "Fri 20:00-Fri 19:59", 1, 4 * DAY + 1200, 7 * DAY - 1, "Fri 20:00-Fri 19:59" },
                { "Mon 00:00-Mon 00:00", 1, 0, 7 * DAY, "Mon 00:00-Mon 00:00" },
                { "Wed 06:00-Thu 06:00", 1, 2 * DAY + 360, DAY, "Wed 06:00-Thu 06:00" },
        };
        (void)state;

        for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
                struct week_window windows[WEEK_DAYS];
                char text[WEEK_TEXT_SIZE];

                if (week_parse(rows[i].text, windows) != rows[i].count)
                        fail_msg("'%s' was not taken", rows[i].text);
                assert_int_equal(windows[0].first, rows[i].first);
                assert_int_equal(windows[0].minutes, rows[i].minutes);
                assert_string_equal(week_format(&windows[0], text), rows[i].again);
        }
}

static void several_days(void **state)
{
        struct week_window windows[WEEK_DAYS];
        (void)state;

        assert_int_equal(week_parse("Sat-Mon 23:00-01:00", windows), 3);
        assert_int_equal(windows[1].first, 6 * DAY + 1380);
        assert_int_equal(windows[2].first, 1380);
        assert_int_equal(windows[2].minutes, 120);
}

/* what is written is read back as the same, whatever it is */
static void every_window_has_a_text(void **state)
{
        (void)state;

        for (unsigned first = 0; first < 7 * DAY; first += 337)
                for (unsigned minutes = 1; minutes <= 7 * DAY; minutes += minutes < 10 ? 1 : 611) {
                        struct week_window window = { (uint16_t)first, (uint16_t)minutes }, again[WEEK_DAYS];
                        char text[WEEK_TEXT_SIZE];

                        assert_int_equal(week_parse(week_format(&window, text), again), 1);
                        assert_int_equal(again[0].first, first);
                        assert_int_equal(again[0].minutes, minutes);
                }
}

static void bad_windows(void **state)
{
        static const char *const rows[] = {
                "",
                "Sun",
                "Sun ",
                "Sun 02:00",
                "Sun 02:00-",
                "Sun 2:00-4:00",
                "Sun 02:00-04:00 ",
                "Sun 02:00 - 04:00",
                "Sun 02:00-04:60",
                "Sun 24:00-04:00",
                "Sun 02:00-24:01",
                "Sun 02:00-25:00",
                "Sun 02:00-02:00",
                "Sunday 02:00-04:00",
                "Xyz 02:00-04:00",
                "Mon-Xyz 02:00-04:00",
                "Mon-Fri 02:00-Sat 04:00",
                "daily",
                "daily02:00-04:00",
                "02:00-04:00",
                "Sun 02:00-04:00,Mon 02:00-04:00",
                "Sun -2:00-04:00",
        };
        struct week_window windows[WEEK_DAYS];
        (void)state;

        for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
                if (week_parse(rows[i], windows) != 0)
                        fail_msg("'%s' was taken", rows[i]);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(good_windows),
                cmocka_unit_test(several_days),
                cmocka_unit_test(every_window_has_a_text),
                cmocka_unit_test(bad_windows),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
