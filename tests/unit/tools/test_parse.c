/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Values people type: durations, numbers, addresses, hexadecimal. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "cli/parse.h"

static void durations(void **state)
{
        static const struct {
                const char *text;
                uint64_t seconds; /* 0: refused */
        } rows[] = {
                { "90", 90 },   { "90s", 90 },      { "10m", 600 },
                { "2h", 7200 }, { "7d", 604800 },   { "3650d", UINT64_C(315360000) },
                { "1", 1 },     { "0", 0 },         { "0s", 0 },
                { "3651d", 0 }, { "315360001", 0 }, { "", 0 },
                { "s", 0 },     { "-1", 0 },        { "+1", 0 },
                { " 1", 0 },    { "1 m", 0 },       { "1.5h", 0 },
                { "1w", 0 },    { "10mm", 0 },      { "999999999999999999999d", 0 },
        };
        (void)state;

        for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
                uint64_t seconds = 0;
                bool good = parse_duration(rows[i].text, &seconds);

                if (good != (rows[i].seconds != 0) || seconds != rows[i].seconds)
                        fail_msg("'%s' gave %d, %llu", rows[i].text, good, (unsigned long long)seconds);
        }
}

static void numbers(void **state)
{
        uint64_t value = 7;
        (void)state;

        assert_true(parse_number("0", 0, 9, &value));
        assert_int_equal(value, 0);
        assert_true(parse_number("18446744073709551615", 0, UINT64_MAX, &value));
        assert_true(value == UINT64_MAX);
        value = 7;
        assert_false(parse_number("18446744073709551616", 0, UINT64_MAX, &value));
        assert_false(parse_number("99999999999999999999999", 0, UINT64_MAX, &value));
        assert_false(parse_number("10", 0, 9, &value));
        assert_false(parse_number("1", 2, 9, &value));
        assert_false(parse_number("", 0, 9, &value));
        assert_false(parse_number("1a", 0, 9, &value));
        assert_int_equal(value, 7);
}

static void moments(void **state)
{
        static const struct {
                const char *text;
                bool end;
                uint64_t wanted; /* 0: refused */
        } rows[] = {
                { "2h", false, 1000 + 7200 },
                { "1970-01-02", false, 86400 - 3600 },
                { "1970-01-02", true, 2 * 86400 - 3600 - 1 },
                { "1970-01-02 03:04", true, 86400 + 2 * 3600 + 240 },
                { "1970-01-02T03:04", false, 86400 + 2 * 3600 + 240 },
                { "1970-01-02 03:04:05", false, 86400 + 2 * 3600 + 245 },
                { "1970-01-02T03:04:05", false, 86400 + 2 * 3600 + 245 },
                { "2024-02-29", false, UINT64_C(1709161200) },
                { "2023-02-29", false, 0 },
                { "1970-13-02", false, 0 },
                { "1970-01-02 24:00", false, 0 },
                { "1970-01-02 3", false, 0 },
                { "1970-01-02  03:04", false, 0 },
                { "1970-01-02 03:04 ", false, 0 },
                { " 1970-01-02", false, 0 },
                { "1970-1", false, 0 },
                { "70-01-02x", false, 0 },
                { "1960-01-01", false, 0 },
                { "", false, 0 },
                { "tomorrow", false, 0 },
                { "0d", false, 0 },
        };
        (void)state;

        assert_int_equal(setenv("TZ", "TEST-1", 1), 0); /* an hour east of Greenwich, no summer time */
        tzset();
        for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
                uint64_t moment = 0;
                bool good = parse_moment(rows[i].text, 1000, rows[i].end, &moment);

                if (good != (rows[i].wanted != 0) || moment != rows[i].wanted)
                        fail_msg("'%s' gave %d, %llu", rows[i].text, good, (unsigned long long)moment);
        }
}

static void endpoints(void **state)
{
        static const struct {
                const char *text;
                uint16_t preset;
                const char *host; /* NULL: refused */
                uint16_t port;
        } rows[] = {
                { "gateway", 8883, "gateway", 8883 },
                { "gateway:1", 8883, "gateway", 1 },
                { "192.0.2.7:65535", 0, "192.0.2.7", 65535 },
                { "[2001:db8::1]:8883", 0, "2001:db8::1", 8883 },
                { "[2001:db8::1]", 8883, "2001:db8::1", 8883 },
                { "2001:db8::1", 8883, "2001:db8::1", 8883 },
                { "gateway", 0, NULL, 0 },
                { "", 8883, NULL, 0 },
                { ":8883", 8883, NULL, 0 },
                { "[]:8883", 8883, NULL, 0 },
                { "[::1", 8883, NULL, 0 },
                { "[::1]x", 8883, NULL, 0 },
                { "[::1]:", 8883, NULL, 0 },
                { "a:0", 8883, NULL, 0 },
                { "a:65536", 8883, NULL, 0 },
                { "a:b", 8883, NULL, 0 },
                { "a b:1", 8883, NULL, 0 },
                { "user@a:1", 8883, NULL, 0 },
                { "a\n:1", 8883, NULL, 0 },
        };
        char host[PARSE_HOST_SIZE];
        uint16_t port;
        (void)state;

        for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
                bool good = parse_endpoint(rows[i].text, rows[i].preset, host, &port);

                if (good != (rows[i].host != NULL))
                        fail_msg("'%s' gave %d", rows[i].text, good);
                if (good && (strcmp(host, rows[i].host) != 0 || port != rows[i].port))
                        fail_msg("'%s' gave %s, %u", rows[i].text, host, port);
        }
}

static void long_hosts(void **state)
{
        char text[PARSE_HOST_SIZE + 1], host[PARSE_HOST_SIZE];
        uint16_t port;
        (void)state;

        memset(text, 'a', sizeof(text));
        text[PARSE_HOST_SIZE - 1] = '\0';
        assert_true(parse_endpoint(text, 1, host, &port));
        text[PARSE_HOST_SIZE - 1] = 'a';
        text[PARSE_HOST_SIZE] = '\0';
        assert_false(parse_endpoint(text, 1, host, &port));
}

static void hexadecimal(void **state)
{
        uint8_t out[4] = { 0 };
        (void)state;

        assert_true(parse_hex("00fFa1b2", out, 4));
        assert_memory_equal(out, "\x00\xff\xa1\xb2", 4);
        assert_true(parse_hex("00:ff:a1:b3", out, 4));
        assert_int_equal(out[3], 0xb3);
        assert_false(parse_hex("00ffa1", out, 4));
        assert_false(parse_hex("00ffa1b2c3", out, 4));
        assert_false(parse_hex("00ffa1bx", out, 4));
        assert_false(parse_hex(":00ffa1b2", out, 4));
        assert_false(parse_hex("0:0ffa1b2", out, 4));
        assert_false(parse_hex("", out, 4));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(durations), cmocka_unit_test(numbers),    cmocka_unit_test(moments),
                cmocka_unit_test(endpoints), cmocka_unit_test(long_hosts), cmocka_unit_test(hexadecimal),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
