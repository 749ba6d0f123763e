/* SPDX-License-Identifier: GPL-2.0-or-later */
/* TZif files: a table of transitions, and a rule (POSIX TZ) for what comes after the last one. */

#include "util/zone.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "relay/cursor.h"
#include "util/files.h"

#define DAY_S  86400
#define HOUR_S 3600
#define WEEK_S (7 * DAY_S)
/* what a file can sensibly name: a little more than a day east or west (RFC 9636 section 3.2 allows the same) */
#define OFFSET_MAX (26 * HOUR_S)

/* ---- the rule behind the table: "EET-2EEST,M3.5.0/3,M10.5.0/4" */

struct rule_day {
        enum { DAY_JULIAN, DAY_OF_YEAR, DAY_OF_MONTH } kind;
        int month, week, day; /* week 5: the last one; day of DAY_OF_MONTH: 0 is Sunday */
        int32_t time;         /* seconds after midnight, may be negative or on another day */
};
struct rule {
        int32_t standard, summer; /* seconds east */
        bool has_summer;
        struct rule_day start, end;
};
struct text {
        struct span left;
        bool failed;
};

static int next_char(const struct text *t)
{
        return t->left.size > 0 ? t->left.data[0] : -1;
}

static bool take(struct text *t, char c)
{
        if (next_char(t) != c)
                return false;
        t->left = span_slice(t->left, 1, t->left.size - 1);
        return true;
}

static void expect(struct text *t, char c)
{
        if (!take(t, c))
                t->failed = true;
}

static int number(struct text *t, int min, int max)
{
        int value = 0, digits = 0;

        for (int c = next_char(t); c >= '0' && c <= '9' && digits < 3; c = next_char(t), digits++) {
                value = 10 * value + (c - '0');
                t->left = span_slice(t->left, 1, t->left.size - 1);
        }
        if (digits == 0 || value < min || value > max) {
                t->failed = true;
                return min;
        }
        return value;
}

/* a name of letters, or anything between < and > */
static void skip_name(struct text *t)
{
        size_t length = 0;
        bool quoted = take(t, '<');

        for (int c = next_char(t); c >= 0; c = next_char(t), length++) {
                bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
                if (quoted ? c == '>' : !letter)
                        break;
                t->left = span_slice(t->left, 1, t->left.size - 1);
        }
        if (quoted)
                expect(t, '>');
        if (length < 3)
                t->failed = true;
}

/* [+-]hh[:mm[:ss]] in seconds */
static int32_t clock_time(struct text *t, int hours_max)
{
        bool negative = take(t, '-');

        if (!negative)
                (void)take(t, '+');
        int32_t value = number(t, 0, hours_max) * HOUR_S;
        if (take(t, ':'))
                value += number(t, 0, 59) * 60;
        if (take(t, ':'))
                value += number(t, 0, 59);
        return negative ? -value : value;
}

static struct rule_day rule_day(struct text *t)
{
        struct rule_day out = { .time = 2 * HOUR_S };

        if (take(t, 'M')) {
                out.kind = DAY_OF_MONTH;
                out.month = number(t, 1, 12);
                expect(t, '.');
                out.week = number(t, 1, 5);
                expect(t, '.');
                out.day = number(t, 0, 6);
        } else if (take(t, 'J')) {
                out.kind = DAY_JULIAN;
                out.day = number(t, 1, 365);
        } else {
                out.kind = DAY_OF_YEAR;
                out.day = number(t, 0, 365);
        }
        if (take(t, '/'))
                out.time = clock_time(t, 167);
        return out;
}

static int rule_decode(struct span text, struct rule *out)
{
        struct text t = { .left = text };
        struct rule rule = { 0 };

        skip_name(&t);
        rule.standard = -clock_time(&t, 25); /* POSIX counts west */
        if (t.left.size > 0) {
                rule.has_summer = true;
                skip_name(&t);
                rule.summer = next_char(&t) == ',' ? rule.standard + HOUR_S : -clock_time(&t, 25);
                expect(&t, ',');
                rule.start = rule_day(&t);
                expect(&t, ',');
                rule.end = rule_day(&t);
        }
        if (t.failed || t.left.size > 0)
                return -EBADMSG;
        *out = rule;
        return 0;
}

static bool is_leap(int64_t year)
{
        return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

/* days from 1970-01-01 to the first of January of a year not before 1 */
static int64_t days_before_year(int64_t year)
{
        int64_t y = year - 1;

        return 365 * y + y / 4 - y / 100 + y / 400 - 719162;
}

static int64_t year_of(int64_t days)
{
        int64_t year = 1970 + days / 366;

        while (days_before_year(year + 1) <= days)
                year++;
        return year;
}

static int64_t month_start(int64_t year, int month)
{
        static const int16_t before[] = { 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365 };

        return days_before_year(year) + before[month - 1] + (month > 2 && is_leap(year));
}

static int64_t day_in_month(int64_t year, const struct rule_day *rule)
{
        int64_t first = month_start(year, rule->month);
        int64_t next = rule->month == 12 ? days_before_year(year + 1) : month_start(year, rule->month + 1);
        int64_t weekday = (first + 4) % 7; /* 1970-01-01 was a Thursday; Sunday is 0 */
        int64_t day = first + (rule->day - weekday + 7) % 7 + 7 * (rule->week - 1);

        while (day >= next)
                day -= 7;
        return day;
}

/* the day's time of change as local seconds */
static int64_t change_of(int64_t year, const struct rule_day *rule)
{
        int64_t day = 0;

        switch (rule->kind) {
        case DAY_JULIAN: /* the 29th of February is never counted */
                day = days_before_year(year) + rule->day - 1 + (is_leap(year) && rule->day > 59);
                break;
        case DAY_OF_YEAR:
                day = days_before_year(year) + rule->day;
                break;
        case DAY_OF_MONTH:
                day = day_in_month(year, rule);
                break;
        }
        return day * DAY_S + rule->time;
}

static int32_t rule_offset(const struct rule *rule, int64_t now)
{
        if (!rule->has_summer)
                return rule->standard;
        int64_t local = now + rule->standard;
        int64_t year = year_of(local >= 0 ? local / DAY_S : 0);
        int64_t start = change_of(year, &rule->start) - rule->standard;
        int64_t end = change_of(year, &rule->end) - rule->summer;
        bool summer = start < end ? now >= start && now < end : now >= start || now < end;
        return summer ? rule->summer : rule->standard;
}

/* ---- the table */

struct counts {
        uint32_t utc, standard, leaps, times, types, characters;
};
struct table {
        struct span times, kinds, types, footer; /* 8 bytes, 1 byte, 6 bytes each */
        size_t count, type_count;
};

static void read_head(struct reader *r, uint8_t *version, struct counts *out)
{
        if (!span_equal(reader_bytes(r, 4), SPAN_LITERAL("TZif")))
                reader_fail(r, RELAY_E_MALFORMED);
        *version = reader_u8(r);
        (void)reader_bytes(r, 15);
        out->utc = reader_u32(r);
        out->standard = reader_u32(r);
        out->leaps = reader_u32(r);
        out->times = reader_u32(r);
        out->types = reader_u32(r);
        out->characters = reader_u32(r);
        if (out->utc > ZONE_FILE_MAX || out->standard > ZONE_FILE_MAX || out->leaps > ZONE_FILE_MAX ||
            out->times > ZONE_FILE_MAX || out->types > 256 || out->types == 0 || out->characters > ZONE_FILE_MAX)
                reader_fail(r, RELAY_E_RANGE);
}

/* Version 1 has times of 32 bits and ends in 2038: only the second part is used, which every file has since 2005. */
static int read_table(struct span tzif, struct table *out)
{
        struct reader r;
        struct counts c;
        uint8_t version;

        reader_init(&r, tzif);
        read_head(&r, &version, &c);
        if (version < '2')
                reader_fail(&r, RELAY_E_UNSUPPORTED);
        if (r.result == RELAY_OK)
                (void)reader_bytes(&r, (size_t)c.times * 5 + (size_t)c.types * 6 + c.characters + (size_t)c.leaps * 8 +
                                               c.standard + c.utc);
        read_head(&r, &version, &c);
        if (r.result != RELAY_OK)
                return -EBADMSG;
        out->count = c.times;
        out->type_count = c.types;
        out->times = reader_bytes(&r, (size_t)c.times * 8);
        out->kinds = reader_bytes(&r, c.times);
        out->types = reader_bytes(&r, (size_t)c.types * 6);
        (void)reader_bytes(&r, c.characters + (size_t)c.leaps * 12 + c.standard + c.utc);
        struct span footer = reader_bytes(&r, reader_left(&r));
        if (r.result != RELAY_OK || footer.size < 2 || footer.data[0] != '\n' || footer.data[footer.size - 1] != '\n')
                return -EBADMSG;
        out->footer = span_slice(footer, 1, footer.size - 2);
        return 0;
}

static int64_t time_at(const struct table *table, size_t index)
{
        struct reader r;

        reader_init(&r, span_slice(table->times, 8 * index, 8));
        return (int64_t)reader_u64(&r);
}

/* how many transitions lie at or before now */
static size_t passed(const struct table *table, int64_t now)
{
        size_t low = 0, high = table->count;

        while (low < high) {
                size_t middle = low + (high - low) / 2;
                if (time_at(table, middle) <= now)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

int zone_offset(struct span tzif, uint64_t now, int32_t *ret)
{
        struct table table;
        struct rule rule;
        struct reader r;

        if (tzif.size == 0) {
                *ret = 0;
                return 0;
        }
        if (tzif.size > ZONE_FILE_MAX || now > INT64_MAX / 2 || read_table(tzif, &table) < 0)
                return -EBADMSG;
        size_t count = passed(&table, (int64_t)now);
        if (count == table.count && table.footer.size > 0) {
                if (now > UINT32_MAX * UINT64_C(64) || rule_decode(table.footer, &rule) < 0)
                        return -EBADMSG;
                *ret = rule_offset(&rule, (int64_t)now);
                return 0;
        }
        size_t type = count > 0 ? table.kinds.data[count - 1] : 0;
        if (type >= table.type_count)
                return -EBADMSG;
        reader_init(&r, span_slice(table.types, 6 * type, 6));
        int32_t offset = (int32_t)reader_u32(&r);
        if (offset < -OFFSET_MAX || offset > OFFSET_MAX)
                return -EBADMSG;
        *ret = offset;
        return 0;
}

unsigned zone_minute_of_week(uint64_t now, int32_t offset)
{
        /* the epoch was a Thursday: three days after a Monday; a week more keeps it positive in the west */
        int64_t seconds = (int64_t)(now % WEEK_S) + offset + 3 * DAY_S + WEEK_S;

        return (unsigned)(seconds % WEEK_S / 60);
}

/* ---- files */

bool zone_name_is_valid(const char *name)
{
        bool part = false;

        for (; *name; name++) {
                char c = *name;
                if (c == '/') {
                        if (!part)
                                return false;
                        part = false;
                } else if ((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' ||
                           c == '+' || c == '-') {
                        part = true;
                } else {
                        return false;
                }
        }
        return part;
}

int zone_read(const char *folder, const char *name, uint8_t **ret, size_t *ret_size)
{
        char path[256];
        uint8_t *data = NULL;
        size_t size = 0;
        int32_t offset;

        if (*name &&
            (!zone_name_is_valid(name) || snprintf(path, sizeof(path), "%s/%s", folder, name) >= (int)sizeof(path)))
                return -EINVAL;
        int r = file_read(*name ? path : ZONE_HOST, ZONE_FILE_MAX, &data, &size);
        if (r == -ENOENT && !*name) { /* a host without one lives in UTC */
                *ret = NULL;
                *ret_size = 0;
                return 0;
        }
        if (r < 0)
                return r;
        if (size == 0 || zone_offset(span_of(data, size), 0, &offset) < 0) {
                free(data);
                return -EBADMSG;
        }
        *ret = data;
        *ret_size = size;
        return 0;
}
