/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "country/build.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "country/format.h"
#include "country/starts.h"

int country_fail(char *error, int result, const char *format, ...)
{
        va_list arguments;

        if (error) {
                va_start(arguments, format);
                vsnprintf(error, COUNTRY_ERROR_MAX, format, arguments);
                va_end(arguments);
        }
        return result;
}

int country_build_new(struct country_build **ret)
{
        struct country_build *build = calloc(1, sizeof *build);

        if (!build)
                return -ENOMEM;
        build->families[0].next = address_first(ADDRESS_IPV4);
        build->families[1].next = address_first(ADDRESS_IPV6);
        *ret = build;
        return 0;
}

struct country_build *country_build_free(struct country_build *build)
{
        if (!build)
                return NULL;
        free(build->families[0].list);
        free(build->families[1].list);
        free(build);
        return NULL;
}

static int push(struct starts *starts, const struct address *first, country_code code, char *error)
{
        if (starts->count > 0 && starts->list[starts->count - 1].code == code)
                return 0;
        if (starts->count == COUNTRY_STARTS_MAX)
                return country_fail(error, -E2BIG, "more than %u ranges of one family: this is no country database",
                                    COUNTRY_STARTS_MAX);
        if (starts->count == starts->room) {
                size_t room = starts->room ? starts->room + starts->room / 2 : 4096;
                struct start *list = reallocarray(starts->list, room, sizeof *list);
                if (!list)
                        return country_fail(error, -ENOMEM, "not enough memory for %zu ranges", room);
                starts->list = list;
                starts->room = room;
        }
        starts->list[starts->count++] = (struct start){ first->high, first->low, code };
        return 0;
}

int country_build_add(struct country_build *build, const struct address_range *range, country_code code, char *error)
{
        struct starts *starts = &build->families[range->first.family == ADDRESS_IPV6];
        char text[ADDRESS_TEXT_SIZE];

        if (range->first.family != range->last.family || address_compare(&range->first, &range->last) > 0)
                return country_fail(error, -EINVAL, "the range at %s ends before it begins",
                                    address_format(&range->first, text));
        if (starts->full || address_compare(&range->first, &starts->next) < 0)
                return country_fail(error, -EINVAL, "the range at %s overlaps the one before it, or is out of order",
                                    address_format(&range->first, text));
        if (address_compare(&range->first, &starts->next) > 0) {
                int r = push(starts, &starts->next, COUNTRY_UNKNOWN, error);
                if (r < 0)
                        return r;
        }
        country_set_add(&build->used, code);
        starts->next = range->last;
        starts->full = !address_next(&starts->next);
        return push(starts, &range->first, code, error);
}

int country_build_close(struct country_build *build, char *error)
{
        for (size_t i = 0; i < 2; i++) {
                struct starts *starts = &build->families[i];
                if (starts->count == 0)
                        return country_fail(error, -ENODATA, "no IPv%c range: a database of both families is needed",
                                            i == 0 ? '4' : '6');
                if (starts->full)
                        continue;
                int r = push(starts, &starts->next, COUNTRY_UNKNOWN, error);
                if (r < 0)
                        return r;
                starts->full = true;
        }
        return 0;
}
