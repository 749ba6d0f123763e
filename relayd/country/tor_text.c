/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The text of tor-geoipdb: a line at a time, and nothing but what the format says. */

#include <errno.h>
#include <string.h>
#include <time.h>

#include "country/build.h"

#define LINE_MAX_SIZE 256
#define LINES_MAX     (16U << 20)

/* "# Generated: Thu, 25 Jun 2026 04:33:59 GMT" */
static void read_comment(const char *line, int64_t *date)
{
        const char *text = strstr(line, "Generated:");
        struct tm when = { 0 };

        if (!text)
                return;
        text += strlen("Generated:");
        while (*text == ' ')
                text++;
        const char *end = strptime(text, "%a, %d %b %Y %H:%M:%S", &when);
        if (end && strncmp(end, " GMT", 4) == 0)
                *date = timegm(&when);
}

static bool parse_decimal(struct address *out, const char *text)
{
        uint64_t value = 0;
        size_t digits = 0;

        for (; text[digits] >= '0' && text[digits] <= '9' && digits <= 10; digits++)
                value = value * 10 + (uint64_t)(text[digits] - '0');
        if (digits == 0 || text[digits] != '\0' || value > UINT32_MAX)
                return false;
        *out = (struct address){ ADDRESS_IPV4, 0, value };
        return true;
}

static bool parse_end(struct address *out, const char *text, enum address_family family)
{
        if (family == ADDRESS_IPV4)
                return parse_decimal(out, text);
        return address_parse(out, text) && out->family == family;
}

static int parse_line(char *line, enum address_family family, struct address_range *range, country_code *code,
                      char *error)
{
        const char *what = family == ADDRESS_IPV4 ? "decimal number below 2^32" : "IPv6 address";
        char *last = strchr(line, ','), *country = last ? strchr(last + 1, ',') : NULL;

        if (!country)
                return country_fail(error, -EINVAL, "expected \"first,last,CC\"");
        *last++ = '\0';
        *country++ = '\0';
        if (!parse_end(&range->first, line, family) || !parse_end(&range->last, last, family))
                return country_fail(error, -EINVAL, "a range's end is no %s", what);
        *code = COUNTRY_UNKNOWN;
        if (strcmp(country, "??") == 0)
                return 0;
        if (strlen(country) == 2)
                *code = country_code_from_letters(country[0], country[1]);
        return *code == COUNTRY_UNKNOWN ? country_fail(error, -EINVAL, "the country is not two letters") : 0;
}

/* 1: a line; 0: the end. Lines have a limit, an end, and no NUL bytes. */
static int read_line(FILE *in, char line[LINE_MAX_SIZE], char *error)
{
        if (!fgets(line, LINE_MAX_SIZE, in))
                return ferror(in) ? country_fail(error, -EIO, "cannot be read") : 0;
        size_t size = strlen(line);
        if (size == 0 || line[size - 1] != '\n') {
                bool full = size == LINE_MAX_SIZE - 1;
                return country_fail(error, -EINVAL,
                                    full ? "the line is longer than %d bytes" : "the file is cut off here",
                                    LINE_MAX_SIZE - 2);
        }
        line[size - 1] = '\0';
        return 1;
}

static int add_line(struct country_build *build, char *line, enum address_family family, int64_t *date, char *error)
{
        struct address_range range;
        country_code code;

        if (line[0] == '#' || line[0] == '\0') {
                read_comment(line, date);
                return 0;
        }
        int r = parse_line(line, family, &range, &code, error);
        return r < 0 ? r : country_build_add(build, &range, code, error);
}

int country_read_tor(struct country_build *build, FILE *in, const char *name, enum address_family family, int64_t *date,
                     char *error)
{
        char line[LINE_MAX_SIZE], what[COUNTRY_ERROR_MAX] = "";

        for (unsigned number = 1; number <= LINES_MAX; number++) {
                int r = read_line(in, line, what);
                if (r == 0)
                        return 0;
                if (r > 0)
                        r = add_line(build, line, family, date, what);
                if (r < 0)
                        return country_fail(error, r, "%.100s, line %u: %.120s", name, number, what);
        }
        return country_fail(error, -E2BIG, "%.100s has more than %u lines", name, LINES_MAX);
}
