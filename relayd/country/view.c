/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The layout of the compiled file, and every check before it is believed. */

#include <errno.h>
#include <string.h>

#include "country/build.h"
#include "country/format.h"
#include "util/crc32c.h"

static const void *section(const void *data, uint64_t *at, uint64_t bytes)
{
        const void *start = (const void *)((uintptr_t)data + (uintptr_t)*at); /* data may be NULL: only to measure */

        *at = (*at + bytes + 7) & ~UINT64_C(7);
        return start;
}

uint64_t country_view_lay_out(struct country_view *view, const void *data, const struct country_header *header)
{
        const uint64_t index = (COUNTRY_BUCKETS + 1) * sizeof(uint32_t);
        uint64_t at = 0;

        view->header = section(data, &at, sizeof *header);
        view->countries = section(data, &at, header->countries * sizeof(uint16_t));
        view->index4 = section(data, &at, index);
        view->starts4 = section(data, &at, (uint64_t)header->starts4 * sizeof(uint32_t));
        view->index6 = section(data, &at, index);
        view->table_of = section(data, &at, COUNTRY_BUCKETS * sizeof(uint16_t));
        view->tables = section(data, &at, (uint64_t)header->tables * COUNTRY_TABLE_SIZE * sizeof(uint32_t));
        view->starts6 = section(data, &at, (uint64_t)header->starts6 * sizeof(uint64_t));
        view->lows = section(data, &at, (uint64_t)header->lows * sizeof(uint64_t));
        view->low_at = section(data, &at, (uint64_t)header->lows * sizeof(uint32_t));
        return at;
}

static int check_header(const struct country_header *header, struct span file, char *error)
{
        struct country_view unused;

        if (file.size < sizeof *header || memcmp(header->magic, COUNTRY_MAGIC, sizeof header->magic) != 0)
                return country_fail(error, -EBADMSG,
                                    "this is no compiled country database (relay-country compile makes one)");
        if (header->version != COUNTRY_VERSION)
                return country_fail(error, -ENOTSUP,
                                    "the file has version %u, this program reads version %u: compile it again",
                                    header->version, COUNTRY_VERSION);
        if (header->countries < 1 || header->countries > COUNTRY_IDS_MAX || header->starts4 < 1 ||
            header->starts4 > COUNTRY_STARTS_MAX || header->starts6 < 1 || header->starts6 > COUNTRY_STARTS_MAX ||
            header->lows > header->starts6 || header->tables > COUNTRY_TABLES_MAX || header->zero != 0 ||
            header->source[COUNTRY_SOURCE_SIZE - 1] != '\0')
                return country_fail(error, -EBADMSG, "the header's counts are impossible: compile the file again");
        if (header->size != file.size || country_view_lay_out(&unused, file.data, header) != file.size)
                return country_fail(error, -EBADMSG,
                                    "the file has %zu bytes where its header says %llu: compile it again", file.size,
                                    (unsigned long long)header->size);
        if (crc32c(0, span_slice(file, COUNTRY_CRC_FROM, file.size)) != header->crc)
                return country_fail(error, -EBADMSG,
                                    "the file is damaged (its checksum does not fit): compile it again");
        return 0;
}

static bool countries_are_right(const struct country_view *view)
{
        for (uint32_t i = 1; i < view->header->countries; i++)
                if (view->countries[i] >= COUNTRY_CODES || (i > 1 && view->countries[i] <= view->countries[i - 1]))
                        return false;
        return view->countries[0] == COUNTRY_UNKNOWN;
}

/* The starts ascend within [from, to), are below 2^16, and neighbours differ. */
static bool starts4_are_right(const struct country_view *view, uint32_t from, uint32_t to)
{
        for (uint32_t i = from; i < to; i++) {
                uint32_t entry = view->starts4[i];
                if ((entry & 0xffff) >= view->header->countries ||
                    (i > from && view->starts4[i - 1] >> 16 >= entry >> 16))
                        return false;
                if (i > 0 && (view->starts4[i - 1] & 0xffff) == (entry & 0xffff))
                        return false;
        }
        return true;
}

static bool index_is_right(const uint32_t *index, uint32_t slots, uint32_t from, uint32_t to)
{
        if (index[0] != from || index[slots] != to)
                return false;
        for (uint32_t i = 0; i < slots; i++)
                if (index[i] > index[i + 1])
                        return false;
        return true;
}

static bool ipv4_is_right(const struct country_view *view)
{
        uint32_t count = view->header->starts4;

        if (!index_is_right(view->index4, COUNTRY_BUCKETS, 0, count) || view->index4[1] < 1 ||
            view->starts4[0] >> 16 != 0)
                return false;
        for (uint32_t i = 0; i < COUNTRY_BUCKETS; i++)
                if (!starts4_are_right(view, view->index4[i], view->index4[i + 1]))
                        return false;
        return true;
}

static bool lows_are_right(const struct country_view *view)
{
        for (uint32_t i = 0; i < view->header->lows; i++)
                if (view->lows[i] == 0 || view->low_at[i] >= view->header->starts6 ||
                    (i > 0 && view->low_at[i] <= view->low_at[i - 1]))
                        return false;
        return true;
}

/* *low: the first lower half not yet met; starts that share the upper half ascend by it. */
static bool starts6_are_right(const struct country_view *view, uint32_t from, uint32_t to, uint32_t *low)
{
        uint64_t low_before = 0;

        for (uint32_t i = from; i < to; i++) {
                uint64_t entry = view->starts6[i], before = i > 0 ? view->starts6[i - 1] : 0, low_now = 0;
                if (*low < view->header->lows && view->low_at[*low] == i)
                        low_now = view->lows[(*low)++];
                if (((entry & COUNTRY_START_LOW) != 0) != (low_now != 0) ||
                    (entry & COUNTRY_START_ID) >= view->header->countries ||
                    (i > 0 && ((before ^ entry) & COUNTRY_START_ID) == 0))
                        return false;
                if (i > from && (before >> 16 > entry >> 16 || (before >> 16 == entry >> 16 && low_before >= low_now)))
                        return false;
                low_before = low_now;
        }
        return true;
}

/*
 * One table and those below it. They are numbered in the order in which they are met here, so that none is met twice.
 * *next: the number that the next one must have.
 */
static bool table_is_right(const struct country_view *view, uint32_t from, uint32_t to, unsigned shift, uint32_t *next)
{
        const uint32_t *table = view->tables + (size_t)(*next)++ * COUNTRY_TABLE_SIZE;

        for (uint32_t slot = 0; slot < COUNTRY_TABLE_SIZE; slot++) {
                uint32_t first = from;
                while (from < to && (view->starts6[from] >> (16 + shift) & (COUNTRY_TABLE_SIZE - 1)) == slot)
                        from++;
                if (table[slot] == COUNTRY_SLOT(first, from - first))
                        continue;
                if (shift == 0 || *next >= view->header->tables || table[slot] != (COUNTRY_SLOT_TABLE | *next) ||
                    !table_is_right(view, first, from, shift - 8, next))
                        return false;
        }
        return from == to;
}

static bool tables_are_right(const struct country_view *view)
{
        uint32_t next = 0;

        for (uint32_t i = 0; i < COUNTRY_BUCKETS; i++)
                if (view->table_of[i] &&
                    (next >= view->header->tables || view->table_of[i] != next + 1 ||
                     !table_is_right(view, view->index6[i], view->index6[i + 1], COUNTRY_SHIFT_TOP, &next)))
                        return false;
        return next == view->header->tables;
}

static bool ipv6_is_right(const struct country_view *view)
{
        uint32_t low = 0;

        if (!index_is_right(view->index6, COUNTRY_BUCKETS, 0, view->header->starts6) || view->index6[1] < 1 ||
            view->starts6[0] >> 16 != 0 || !lows_are_right(view) || (view->header->lows > 0 && view->low_at[0] == 0))
                return false;
        for (uint32_t i = 0; i < COUNTRY_BUCKETS; i++)
                if (!starts6_are_right(view, view->index6[i], view->index6[i + 1], &low))
                        return false;
        return tables_are_right(view);
}

int country_view_open(struct country_view *ret, struct span file, char *error)
{
        struct country_view view;
        int r = check_header((const struct country_header *)(const void *)file.data, file, error);

        if (r < 0)
                return r;
        country_view_lay_out(&view, file.data, (const struct country_header *)(const void *)file.data);
        if (!countries_are_right(&view))
                return country_fail(error, -EBADMSG, "the file's list of countries is wrong: compile it again");
        if (!ipv4_is_right(&view))
                return country_fail(error, -EBADMSG, "the file's IPv4 ranges are not in order: compile it again");
        if (!ipv6_is_right(&view))
                return country_fail(error, -EBADMSG, "the file's IPv6 ranges are not in order: compile it again");
        *ret = view;
        return 0;
}
