/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How values look, and what is taken out of foreign texts. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "cli/output.h"

static void check(json_t *value, enum output_format format, const char *expected)
{
        char *text = output_text(value, format);

        assert_string_equal(text, expected);
        free(text);
        json_decref(value);
}

static void formats(void **state)
{
        (void)state;

        check(json_string("abc"), OUTPUT_TEXT, "abc");
        check(json_string(""), OUTPUT_TEXT, "-");
        check(NULL, OUTPUT_TEXT, "-");
        check(json_null(), OUTPUT_TEXT, "-");
        check(json_integer(-5), OUTPUT_TEXT, "-5");
        check(json_true(), OUTPUT_YES_NO, "yes");
        check(json_false(), OUTPUT_YES_NO, "no");
        check(json_pack("[s, s]", "a", "b"), OUTPUT_LIST, "a, b");
        check(json_array(), OUTPUT_LIST, "-");
        check(json_pack("[s, s]", "a", "b"), OUTPUT_COUNT, "2");
        check(json_string("0123456789abcdef"), OUTPUT_SHORT, "0123456789ab");
        check(json_string("01"), OUTPUT_SHORT, "01");
        check(json_pack("{s:i}", "a", 1), OUTPUT_TEXT, "{\"a\":1}");
}

static void sizes(void **state)
{
        (void)state;

        check(json_integer(0), OUTPUT_BYTES, "0 B");
        check(json_integer(1023), OUTPUT_BYTES, "1023 B");
        check(json_integer(1024), OUTPUT_BYTES, "1.0 KiB");
        check(json_integer(1536), OUTPUT_BYTES, "1.5 KiB");
        check(json_integer(1048575), OUTPUT_BYTES, "1023.9 KiB");
        check(json_integer(INT64_MAX), OUTPUT_BYTES, "8388607.9 TiB");
        check(json_integer(-1), OUTPUT_BYTES, "0 B");
}

static void times(void **state)
{
        (void)state;

        setenv("TZ", "UTC", 1);
        tzset();
        check(json_integer(1763800000), OUTPUT_TIME, "2025-11-22 08:26:40");
        check(json_integer(0), OUTPUT_TIME, "-");
        check(json_integer(INT64_MAX), OUTPUT_TIME, "-");
}

static void foreign_texts(void **state)
{
        static const struct {
                const char *text, *clean;
        } rows[] = {
                { "plain", "plain" },
                { "\x1b[2J", "?[2J" },
                { "a\nb\tc\x7f", "a?b?c?" },
                { "\xc2\x85\xc2\x9b"
                  "31m",
                  "??31m" },
                { "\u00a0\u00e4\u20ac\U0001f600", "\u00a0\u00e4\u20ac\U0001f600" },
                { "\u202eabc\u202c", "?abc?" },
                { "\u2066\u2069\u200e\u200f\u2028\u2029\u061c", "???????" },
                { "\u200d\u2070", "\u200d\u2070" },
                { "", "" },
        };
        (void)state;

        for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
                char *clean = output_clean(rows[i].text);

                assert_string_equal(clean, rows[i].clean);
                free(clean);
        }
}

/* what is no UTF-8 at all must not make it read past the end */
static void cut_characters(void **state)
{
        static const char *const rows[] = { "\xe2", "\xe2\x80", "\xf0\x9f\x98", "\xc2", "\xff\xff" };
        (void)state;

        for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
                char *exact = strdup(rows[i]), *clean = output_clean(exact);

                assert_true(strlen(clean) <= strlen(rows[i]));
                free(clean);
                free(exact);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(formats),       cmocka_unit_test(sizes),          cmocka_unit_test(times),
                cmocka_unit_test(foreign_texts), cmocka_unit_test(cut_characters),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
