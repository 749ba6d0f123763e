/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The text of tor-geoipdb: what is read, and which line is blamed for what is not. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "database.h"

struct row {
        enum address_family family;
        const char *text;
        size_t size;       /* 0: of the string */
        const char *error; /* NULL: is read */
};

static int read_row(const struct row *row, int64_t *date, char *error)
{
        _cleanup_(country_build_freep) struct country_build *build = NULL;
        _cleanup_fclose_ FILE *in = fmemopen((void *)row->text, row->size ? row->size : strlen(row->text), "r");

        assert_non_null(in);
        assert_int_equal(country_build_new(&build), 0);
        return country_read_tor(build, in, "geoip", row->family, date, error);
}

static void test_lines(void **state)
{
#define LONG "################################################################################"
        static const struct row rows[] = {
                { ADDRESS_IPV4, "# comment\n\n16777216,16777471,AU\n16777472,16777727,CN\n", 0, NULL },
                { ADDRESS_IPV4, "0,4294967295,??\n", 0, NULL },
                { ADDRESS_IPV4, "0,1,fi\n", 0, NULL },
                { ADDRESS_IPV6, "2001:200::,2001:200:ffff:ffff:ffff:ffff:ffff:ffff,JP\n", 0, NULL },
                { ADDRESS_IPV4, "1,2,FI", 0, "geoip, line 1: the file is cut off here" },
                { ADDRESS_IPV4, "1,2,FI\n3,4", 0, "geoip, line 2: the file is cut off here" },
                { ADDRESS_IPV4, "1,2,FI\n5,4,FI\n", 0, "geoip, line 2: the range at 0.0.0.5 ends before" },
                { ADDRESS_IPV4, "1,5,FI\n4,9,SE\n", 0, "geoip, line 2: the range at 0.0.0.4 overlaps" },
                { ADDRESS_IPV4, "9,9,FI\n1,2,SE\n", 0,
                  "line 2: the range at 0.0.0.1 overlaps the one before it, or is" },
                { ADDRESS_IPV4, "1,2,F1\n", 0, "line 1: the country is not two letters" },
                { ADDRESS_IPV4, "1,2,FIN\n", 0, "not two letters" },
                { ADDRESS_IPV4, "1,2,\n", 0, "not two letters" },
                { ADDRESS_IPV4, "1,2,FI,SE\n", 0, "not two letters" },
                { ADDRESS_IPV4, "1,2,FI\r\n", 0, "not two letters" },
                { ADDRESS_IPV4, "1,2\n", 0, "expected \"first,last,CC\"" },
                { ADDRESS_IPV4, "1;2;FI\n", 0, "expected" },
                { ADDRESS_IPV4, "1,4294967296,FI\n", 0, "no decimal number below 2^32" },
                { ADDRESS_IPV4, "1,99999999999999999999999,FI\n", 0, "no decimal number" },
                { ADDRESS_IPV4, "-1,2,FI\n", 0, "no decimal number" },
                { ADDRESS_IPV4, " 1,2,FI\n", 0, "no decimal number" },
                { ADDRESS_IPV4, "1.0.0.0,1.0.0.255,AU\n", 0, "no decimal number" },
                { ADDRESS_IPV4, "2001:200::,2001:200::1,JP\n", 0, "no decimal number" },
                { ADDRESS_IPV6, "1,2,FI\n", 0, "no IPv6 address" },
                { ADDRESS_IPV6, "1.2.3.4,1.2.3.5,FI\n", 0, "no IPv6 address" },
                { ADDRESS_IPV6, "::ffff:1.2.3.4,::ffff:1.2.3.5,FI\n", 0, "no IPv6 address" },
                { ADDRESS_IPV4,
                  "1,2,FI\n\0"
                  "3,4,SE\n",
                  15, "line 2: the file is cut off" },
                { ADDRESS_IPV4, LONG LONG LONG LONG "\n", 0, "line 1: the line is longer than 254 bytes" },
        };
        (void)state;

        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
                char error[COUNTRY_ERROR_MAX] = "";
                int64_t date = 5;
                int r = read_row(&rows[i], &date, error);
                assert_int_equal(r, rows[i].error ? -EINVAL : 0);
                assert_int_equal(date, 5);
                if (rows[i].error && !strstr(error, rows[i].error))
                        assert_string_equal(error, rows[i].error);
        }
}

static void test_date(void **state)
{
        struct row row = { ADDRESS_IPV4, "# Generated: Thu, 25 Jun 2026 04:33:59 GMT\n1,2,FI\n", 0, NULL };
        int64_t date = 0;
        (void)state;

        assert_int_equal(read_row(&row, &date, NULL), 0);
        assert_int_equal(date, 1782362039);
        row.text = "# Generated: yesterday\n# Generated: Thu, 25 Jun 2026\n1,2,FI\n";
        date = 7;
        assert_int_equal(read_row(&row, &date, NULL), 0);
        assert_int_equal(date, 7);
}

static void test_uk_is_gb(void **state)
{
        _cleanup_(country_build_freep) struct country_build *build = NULL;
        struct address_range v6 = range6(1, 0, 2, 0);
        struct country_info info = { 0 };
        char text[] = "0,255,UK\n256,511,GB\n";
        _cleanup_fclose_ FILE *in = fmemopen(text, strlen(text), "r");
        _cleanup_free_ uint8_t *data = NULL;
        int64_t date;
        size_t size;
        (void)state;

        assert_int_equal(country_build_new(&build), 0);
        assert_int_equal(country_read_tor(build, in, "geoip", ADDRESS_IPV4, &date, NULL), 0);
        assert_int_equal(country_build_add(build, &v6, 1, NULL), 0);
        assert_int_equal(country_build_image(build, &info, &data, &size, NULL), 0);
        country_image_info(data, &info);
        assert_int_equal(info.ranges4, 2); /* one merged range and what is behind it */
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_lines),
                cmocka_unit_test(test_date),
                cmocka_unit_test(test_uk_is_gb),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
