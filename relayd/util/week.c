/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Windows of the week as people write them. */

#include "util/week.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define DAY_MINUTES  1440u
#define WEEK_MINUTES (WEEK_DAYS * DAY_MINUTES)

static const char days[WEEK_DAYS][4] = { "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun" };

/* text moved behind it */
static bool take_day(const char **text, unsigned *day)
{
        for (unsigned d = 0; d < WEEK_DAYS; d++)
                if (strncasecmp(*text, days[d], 3) == 0) {
                        *text += 3;
                        *day = d;
                        return true;
                }
        return false;
}

static bool take_character(const char **text, char c)
{
        if (**text != c)
                return false;
        (*text)++;
        return true;
}

static bool take_two_digits(const char **text, unsigned *value)
{
        const char *t = *text;

        if (t[0] < '0' || t[0] > '9' || t[1] < '0' || t[1] > '9')
                return false;
        *value = (unsigned)(t[0] - '0') * 10 + (unsigned)(t[1] - '0');
        *text += 2;
        return true;
}

/* "02:00"; "24:00" is the end of the day */
static bool take_time(const char **text, unsigned *minute)
{
        unsigned hours, minutes;

        if (!take_two_digits(text, &hours) || !take_character(text, ':') || !take_two_digits(text, &minutes) ||
            minutes > 59 || hours * 60 + minutes > DAY_MINUTES)
                return false;
        *minute = hours * 60 + minutes;
        return true;
}

/* "Sun ", "Mon-Fri ", "daily " */
static bool take_days(const char **text, unsigned *first, unsigned *count)
{
        unsigned last;

        if (strncasecmp(*text, "daily", 5) == 0) {
                *text += 5;
                *first = 0;
                *count = WEEK_DAYS;
                return take_character(text, ' ');
        }
        if (!take_day(text, first))
                return false;
        last = *first;
        if (take_character(text, '-') && !take_day(text, &last))
                return false;
        *count = (last + WEEK_DAYS - *first) % WEEK_DAYS + 1;
        return take_character(text, ' ');
}

size_t week_parse(const char *text, struct week_window out[WEEK_DAYS])
{
        unsigned first, count, from, to, day, minutes;

        if (!take_days(&text, &first, &count) || !take_time(&text, &from) || from == DAY_MINUTES ||
            !take_character(&text, '-'))
                return 0;
        bool to_day = count == 1 && take_day(&text, &day);
        if ((to_day && !take_character(&text, ' ')) || !take_time(&text, &to) || *text || (!to_day && from == to))
                return 0;
        if (to_day)
                minutes = (day * DAY_MINUTES + to + WEEK_MINUTES - first * DAY_MINUTES - from) % WEEK_MINUTES;
        else
                minutes = (to + DAY_MINUTES - from) % DAY_MINUTES;
        if (minutes == 0) /* Mon 00:00-Mon 00:00, or 00:00-24:00 */
                minutes = to_day ? WEEK_MINUTES : DAY_MINUTES;
        for (unsigned i = 0; i < count; i++)
                out[i] = (struct week_window){
                        .first = (uint16_t)((first + i) % WEEK_DAYS * DAY_MINUTES + from),
                        .minutes = (uint16_t)minutes,
                };
        return count;
}

char *week_format(const struct week_window *window, char out[WEEK_TEXT_SIZE])
{
        unsigned first = window->first % WEEK_MINUTES, end = (first + window->minutes) % WEEK_MINUTES;
        unsigned from = first % DAY_MINUTES, to = end % DAY_MINUTES;
        const char *day = days[first / DAY_MINUTES];

        if (from == 0 && window->minutes == DAY_MINUTES)
                to = DAY_MINUTES;
        if (window->minutes < DAY_MINUTES || to == DAY_MINUTES)
                snprintf(out, WEEK_TEXT_SIZE, "%s %02u:%02u-%02u:%02u", day, from / 60, from % 60, to / 60, to % 60);
        else
                snprintf(out, WEEK_TEXT_SIZE, "%s %02u:%02u-%s %02u:%02u", day, from / 60, from % 60,
                         days[end / DAY_MINUTES], to / 60, to % 60);
        return out;
}
