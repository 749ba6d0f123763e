/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Local time of a place, with the summer time of Helsinki above all, and what is no file or name of a zone. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "relay/cursor.h"
#include "util/zone.h"

#define ROWS(table) (sizeof(table) / sizeof((table)[0]))
#define HOUR        3600
#define UTC(text)   seconds_of(text)

static uint64_t seconds_of(const char *text)
{
        struct tm tm = { 0 };

        assert_non_null(strptime(text, "%Y-%m-%d %H:%M:%S", &tm));
        return (uint64_t)timegm(&tm);
}

static void put_head(struct writer *w, uint32_t times, uint32_t types, uint32_t characters)
{
        static const uint8_t reserved[15];

        writer_bytes(w, SPAN_LITERAL("TZif2"));
        writer_bytes(w, SPAN_OF(reserved));
        writer_u32(w, 0);
        writer_u32(w, 0);
        writer_u32(w, 0);
        writer_u32(w, times);
        writer_u32(w, types);
        writer_u32(w, characters);
}

static void put_type(struct writer *w, int32_t offset, uint8_t summer)
{
        writer_u32(w, (uint32_t)offset);
        writer_u8(w, summer);
        writer_u8(w, 0);
}

/* A file with two transitions of 2024 in its table, and a rule for what comes after. */
static struct span make_file(uint8_t *out, size_t size, const char *rule)
{
        struct writer w;

        writer_init(&w, out, size);
        put_head(&w, 0, 1, 1); /* the part of version 1, which is passed over */
        put_type(&w, 99, 0);
        writer_u8(&w, 0);
        put_head(&w, 2, 2, 1);
        writer_u64(&w, UTC("2024-03-31 01:00:00"));
        writer_u64(&w, UTC("2024-10-27 01:00:00"));
        writer_u8(&w, 1);
        writer_u8(&w, 0);
        put_type(&w, 2 * HOUR, 0);
        put_type(&w, 3 * HOUR, 1);
        writer_u8(&w, 0);
        writer_u8(&w, '\n');
        writer_bytes(&w, span_of_string(rule));
        writer_u8(&w, '\n');
        assert_int_equal(writer_finish(&w), RELAY_OK);
        return writer_span(&w);
}

static void summer_time_by_table_and_by_rule(void **state)
{
        static const struct {
                const char *rule, *utc;
                int32_t offset;
        } rows[] = {
                /* the table */
                { "EET-2EEST,M3.5.0/3,M10.5.0/4", "1990-01-01 00:00:00", 2 * HOUR },
                { "EET-2EEST,M3.5.0/3,M10.5.0/4", "2024-03-31 00:59:59", 2 * HOUR },
                { "EET-2EEST,M3.5.0/3,M10.5.0/4", "2024-03-31 01:00:00", 3 * HOUR },
                { "EET-2EEST,M3.5.0/3,M10.5.0/4", "2024-10-27 00:59:59", 3 * HOUR },
                { "EET-2EEST,M3.5.0/3,M10.5.0/4", "2024-10-27 01:00:00", 2 * HOUR },
                /* the rule */
                { "EET-2EEST,M3.5.0/3,M10.5.0/4", "2026-03-29 00:59:59", 2 * HOUR },
                { "EET-2EEST,M3.5.0/3,M10.5.0/4", "2026-03-29 01:00:00", 3 * HOUR },
                { "EET-2EEST,M3.5.0/3,M10.5.0/4", "2026-10-25 00:59:59", 3 * HOUR },
                { "EET-2EEST,M3.5.0/3,M10.5.0/4", "2026-10-25 01:00:00", 2 * HOUR },
                { "EET-2EEST,M3.5.0/3,M10.5.0/4", "2100-03-28 01:00:00", 3 * HOUR },
                { "EET-2EEST,M3.5.0/3,M10.5.0/4", "2100-01-01 00:00:00", 2 * HOUR },
                /* the south has summer over the turn of the year */
                { "AEST-10AEDT,M10.1.0,M4.1.0/3", "2026-01-01 00:00:00", 11 * HOUR },
                { "AEST-10AEDT,M10.1.0,M4.1.0/3", "2026-04-04 15:59:59", 11 * HOUR },
                { "AEST-10AEDT,M10.1.0,M4.1.0/3", "2026-04-04 16:00:00", 10 * HOUR },
                { "AEST-10AEDT,M10.1.0,M4.1.0/3", "2026-10-03 16:00:00", 11 * HOUR },
                { "UTC0", "2030-07-01 00:00:00", 0 },
                { "<+0545>-5:45", "2030-07-01 00:00:00", 5 * HOUR + 45 * 60 },
                { "<-03>3<-02>,M3.5.0/-2,M10.5.0/-1", "2030-03-31 00:59:59", -3 * HOUR },
                { "<-03>3<-02>,M3.5.0/-2,M10.5.0/-1", "2030-03-31 01:00:00", -2 * HOUR },
                { "AAA0BBB,J60/0,J300/0", "2028-02-29 12:00:00", 0 }, /* J60 is the first of March in every year */
                { "AAA0BBB,J60/0,J300/0", "2028-03-01 00:00:00", HOUR },
                { "AAA0BBB,59/0,300/0", "2028-02-29 00:00:00", HOUR }, /* day 59 from 0 is the 29th in a leap year */
        };

        (void)state;
        for (size_t i = 0; i < ROWS(rows); i++) {
                uint8_t file[400];
                int32_t offset = -1;
                struct span tzif = make_file(file, sizeof(file), rows[i].rule);
                print_message("# %s %s\n", rows[i].rule, rows[i].utc);
                assert_int_equal(zone_offset(tzif, UTC(rows[i].utc), &offset), 0);
                assert_int_equal(offset, rows[i].offset);
        }
}

static void bad_files_are_refused(void **state)
{
        static const char *const rules[] = {
                "EET",
                "EE-2",
                "EET-2EEST",
                "EET-2EEST,M3.5.0/3",
                "EET-2EEST,M13.5.0,M10.5.0",
                "EET-26",
                "EET-2EEST,M3.6.0,M10.5.0",
                "EET-2EEST,M3.5.7,M10.5.0",
                "<EET-2",
                "EET-2x",
                "EET-2EEST,M3.5.0/168,M10.5.0",
                "EET-2EEST,J0,J5",
        };
        uint8_t file[400];
        int32_t offset = 77;
        struct span good = make_file(file, sizeof(file), "UTC0");

        (void)state;
        for (size_t size = 1; size < good.size; size++)
                assert_int_equal(zone_offset(span_of(good.data, size), UTC("2026-01-01 00:00:00"), &offset), -EBADMSG);
        file[4] = '1'; /* no second part */
        assert_int_equal(zone_offset(good, 0, &offset), -EBADMSG);
        make_file(file, sizeof(file), "UTC0");
        file[0] = 'X';
        assert_int_equal(zone_offset(good, 0, &offset), -EBADMSG);
        for (size_t i = 0; i < ROWS(rules); i++) {
                struct span tzif = make_file(file, sizeof(file), rules[i]);
                print_message("# %s\n", rules[i]);
                assert_int_equal(zone_offset(tzif, UTC("2026-01-01 00:00:00"), &offset), -EBADMSG);
        }
        assert_int_equal(offset, 77);
}

static void minutes_of_the_week(void **state)
{
        static const struct {
                const char *utc;
                int32_t offset;
                unsigned minute;
        } rows[] = {
                { "1970-01-01 00:00:00", 0, 3 * 1440 }, /* a Thursday */
                { "1970-01-01 00:00:00", -12 * HOUR, 2 * 1440 + 720 },
                { "2026-11-23 00:00:00", 0, 0 }, /* a Monday */
                { "2026-11-22 23:59:59", 0, 10079 },
                { "2026-11-22 22:30:00", 2 * HOUR, 30 }, /* Monday in Helsinki already */
                { "2026-11-22 00:00:00", 2 * HOUR, 6 * 1440 + 120 },
        };

        (void)state;
        for (size_t i = 0; i < ROWS(rows); i++)
                assert_int_equal(zone_minute_of_week(UTC(rows[i].utc), rows[i].offset), rows[i].minute);
}

static void names_do_not_leave_the_folder(void **state)
{
        static const char *const good[] = { "UTC", "Europe/Helsinki", "America/Argentina/Buenos_Aires", "Etc/GMT+3" };
        static const char *const bad[] = {
                "",    "/etc/localtime", "../UTC", "Europe/../UTC", "Europe//Helsinki", "Europe/", "a b",
                "a\n", "Europe/Hels.nki"
        };
        uint8_t *data;
        size_t size;

        (void)state;
        for (size_t i = 0; i < ROWS(good); i++)
                assert_true(zone_name_is_valid(good[i]));
        for (size_t i = 0; i < ROWS(bad); i++) {
                assert_false(zone_name_is_valid(bad[i]));
                if (*bad[i])
                        assert_int_equal(zone_read(ZONE_FOLDER, bad[i], &data, &size), -EINVAL);
        }
}

static void files_are_found_by_name(void **state)
{
        char folder[] = "/tmp/relayd-zone-XXXXXX", path[64];
        uint8_t file[400], *data = NULL;
        size_t size = 0;
        struct span tzif = make_file(file, sizeof(file), "UTC0");

        (void)state;
        assert_non_null(mkdtemp(folder));
        snprintf(path, sizeof(path), "%s/Here", folder);
        FILE *out = fopen(path, "w");
        assert_non_null(out);
        assert_int_equal(fwrite(tzif.data, 1, tzif.size, out), tzif.size);
        assert_int_equal(fclose(out), 0);
        assert_int_equal(zone_read(folder, "Here", &data, &size), 0);
        assert_true(span_equal(span_of(data, size), tzif));
        free(data);
        assert_int_equal(zone_read(folder, "There", &data, &size), -ENOENT);
        out = fopen(path, "w");
        assert_non_null(out);
        assert_int_equal(fclose(out), 0);
        assert_int_equal(zone_read(folder, "Here", &data, &size), -EBADMSG);
        assert_int_equal(unlink(path), 0);
        assert_int_equal(rmdir(folder), 0);
}

/* Every half hour around the changes of a hundred years, compared with libc, where the database is installed. */
static void agrees_with_libc(void **state)
{
        static const char *const names[] = { "Europe/Helsinki", "Australia/Sydney", "America/St_Johns",
                                             "Asia/Kathmandu", "America/Sao_Paulo" };

        (void)state;
        for (size_t i = 0; i < ROWS(names); i++) {
                uint8_t *data = NULL;
                size_t size = 0;
                if (zone_read(ZONE_FOLDER, names[i], &data, &size) == -ENOENT)
                        skip();
                assert_int_equal(setenv("TZ", names[i], 1), 0);
                tzset();
                for (time_t t = 0; t < (time_t)130 * 365 * 86400; t += 86400 / 2 - 1800) {
                        struct tm local;
                        int32_t offset = 0;
                        assert_non_null(localtime_r(&t, &local));
                        assert_int_equal(zone_offset(span_of(data, size), (uint64_t)t, &offset), 0);
                        assert_int_equal(offset, local.tm_gmtoff);
                        assert_int_equal(zone_minute_of_week((uint64_t)t, offset),
                                         (local.tm_wday + 6) % 7 * 1440 + local.tm_hour * 60 + local.tm_min);
                }
                free(data);
        }
        assert_int_equal(unsetenv("TZ"), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(summer_time_by_table_and_by_rule),
                cmocka_unit_test(bad_files_are_refused),
                cmocka_unit_test(minutes_of_the_week),
                cmocka_unit_test(names_do_not_leave_the_folder),
                cmocka_unit_test(files_are_found_by_name),
                cmocka_unit_test(agrees_with_libc),
        };
        return cmocka_run_group_tests_name("zone", tests, NULL, NULL);
}
