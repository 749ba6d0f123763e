/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Values people type. */

#include "cli/parse.h"

#include <string.h>
#include <time.h>

#include "relay/span.h"

#define DURATION_MAX (UINT64_C(10) * 365 * 86400)

bool parse_number(const char *text, uint64_t least, uint64_t most, uint64_t *out)
{
        uint64_t value = 0;

        if (!*text)
                return false;
        for (; *text; text++) {
                uint64_t digit = (uint64_t)(*text - '0');

                if (*text < '0' || *text > '9' || value > (UINT64_MAX - digit) / 10)
                        return false;
                value = value * 10 + digit;
        }
        if (value < least || value > most)
                return false;
        *out = value;
        return true;
}

bool parse_duration(const char *text, uint64_t *seconds)
{
        static const struct {
                char letter;
                uint64_t seconds;
        } units[] = { { 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 } };
        char digits[12];
        size_t size = strlen(text);
        uint64_t unit = 1, value;

        for (size_t i = 0; size > 0 && i < sizeof(units) / sizeof(*units); i++)
                if (text[size - 1] == units[i].letter) {
                        unit = units[i].seconds;
                        size--;
                        break;
                }
        if (size == 0 || size >= sizeof(digits))
                return false;
        memcpy(digits, text, size);
        digits[size] = '\0';
        if (!parse_number(digits, 1, DURATION_MAX / unit, &value))
                return false;
        *seconds = value * unit;
        return true;
}

static bool copy_host(const char *text, size_t size, char host[PARSE_HOST_SIZE])
{
        if (size == 0 || size >= PARSE_HOST_SIZE)
                return false;
        for (size_t i = 0; i < size; i++)
                if (text[i] <= ' ' || text[i] >= 0x7f || strchr("[]/@", text[i]))
                        return false;
        memcpy(host, text, size);
        host[size] = '\0';
        return true;
}

bool parse_endpoint(const char *text, uint16_t preset, char host[PARSE_HOST_SIZE], uint16_t *port)
{
        const char *end = text[0] == '[' ? strchr(text, ']') : strrchr(text, ':');
        const char *digits = NULL;
        uint64_t value = preset;
        bool good;

        if (text[0] == '[') {
                if (!end)
                        return false;
                good = copy_host(text + 1, (size_t)(end - text - 1), host);
                if (end[1] != '\0' && end[1] != ':')
                        return false;
                digits = end[1] == ':' ? end + 2 : NULL;
        } else if (end && strchr(text, ':') == end) {
                good = copy_host(text, (size_t)(end - text), host);
                digits = end + 1;
        } else {
                good = copy_host(text, strlen(text), host);
        }
        if (!good || (digits && !parse_number(digits, 1, 65535, &value)) || value == 0)
                return false;
        *port = (uint16_t)value;
        return true;
}

bool parse_hex(const char *text, uint8_t *out, size_t size)
{
        char digits[2 * 64 + 1];
        size_t n = 0;

        if (size > 64)
                return false;
        for (size_t i = 0; text[i]; i++) {
                if (text[i] == ':' && n % 2 == 0 && n > 0)
                        continue;
                if (n >= 2 * size)
                        return false;
                digits[n++] = text[i];
        }
        return span_from_hex(span_of(digits, n), out, size);
}

static bool parse_date(const char *text, struct tm *tm, bool *day_alone)
{
        static const char *const forms[] = { "%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S",
                                             "%Y-%m-%dT%H:%M:%S" };

        for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
                const char *rest;

                *tm = (struct tm){ .tm_isdst = -1 };
                rest = strptime(text, forms[i], tm);
                *day_alone = i == 0;
                if (rest && !*rest)
                        return true;
        }
        return false;
}

bool parse_moment(const char *text, uint64_t now, bool end, uint64_t *out)
{
        uint64_t seconds;
        bool day_alone;
        struct tm tm, wanted;
        time_t moment;

        if (parse_duration(text, &seconds)) {
                *out = now + seconds;
                return true;
        }
        /* strptime takes blanks where a form has none, and signs */
        if (strspn(text, "0123456789-:T ") != strlen(text) || strstr(text, "  ") || text[0] == ' ' ||
            !parse_date(text, &tm, &day_alone))
                return false;
        wanted = tm;
        moment = mktime(&tm);
        /* 30 February, or an hour that the clock leaves out */
        if (moment <= 0 || tm.tm_mday != wanted.tm_mday || tm.tm_hour != wanted.tm_hour)
                return false;
        *out = (uint64_t)moment + (day_alone && end ? 86399 : 0);
        return true;
}
