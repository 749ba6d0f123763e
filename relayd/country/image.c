/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Collected starts become the bytes of the compiled file. */

#include <errno.h>
#include <string.h>

#include "country/format.h"
#include "country/starts.h"
#include "util/crc32c.h"

struct ids {
        uint16_t codes[COUNTRY_IDS_MAX];  /* id -> code */
        uint16_t of[COUNTRY_UNKNOWN + 1]; /* code -> id */
        uint32_t count;
};

static void number_countries(struct ids *ids, const struct country_set *used)
{
        *ids = (struct ids){ .codes[0] = COUNTRY_UNKNOWN, .count = 1 };
        for (country_code code = 0; code < COUNTRY_CODES; code++)
                if (country_set_has(used, code)) {
                        ids->of[code] = (uint16_t)ids->count;
                        ids->codes[ids->count++] = code;
                }
}

static uint32_t count_lows(const struct starts *starts)
{
        uint32_t lows = 0;

        for (size_t i = 0; i < starts->count; i++)
                lows += starts->list[i].low != 0;
        return lows;
}

/* Numbers the /16 with many starts; returns how many. */
static uint32_t number_tables(const struct starts *starts, uint8_t table_of[COUNTRY_BUCKETS])
{
        uint32_t tables = 0;

        memset(table_of, 0, COUNTRY_BUCKETS);
        for (size_t from = 0, to; from < starts->count && tables < COUNTRY_TABLES_MAX; from = to) {
                uint64_t bucket = starts->list[from].high >> 48;
                for (to = from + 1; to < starts->count && starts->list[to].high >> 48 == bucket;)
                        to++;
                if (to - from >= COUNTRY_CROWDED)
                        table_of[bucket] = (uint8_t)++tables;
        }
        return tables;
}

static void fill_ipv4(uint32_t *index, uint32_t *out, const struct starts *starts, const struct ids *ids)
{
        uint32_t bucket = 0;

        for (uint32_t i = 0; i < starts->count; i++) {
                const struct start *start = &starts->list[i];
                for (; bucket <= start->low >> 16; bucket++)
                        index[bucket] = i;
                out[i] = (uint32_t)(start->low & 0xffff) << 16 | ids->of[start->code];
        }
        for (; bucket <= COUNTRY_BUCKETS; bucket++)
                index[bucket] = (uint32_t)starts->count;
}

static void fill_ipv6(uint32_t *index, uint64_t *out, uint64_t *lows, uint32_t *low_at, const struct starts *starts,
                      const struct ids *ids)
{
        uint32_t bucket = 0;

        for (uint32_t i = 0; i < starts->count; i++) {
                const struct start *start = &starts->list[i];
                for (; bucket <= start->high >> 48; bucket++)
                        index[bucket] = i;
                out[i] = start->high << 16 | ids->of[start->code];
                if (start->low != 0) {
                        *lows++ = start->low;
                        *low_at++ = i;
                }
        }
        for (; bucket <= COUNTRY_BUCKETS; bucket++)
                index[bucket] = (uint32_t)starts->count;
}

static void fill_table(uint32_t *table, const struct country_view *view, uint32_t bucket)
{
        uint32_t from = view->index6[bucket], to = view->index6[bucket + 1], slot = 0;

        for (uint32_t i = from; i < to; i++)
                for (; slot <= view->starts6[i] >> (64 - COUNTRY_TABLE_BITS); slot++)
                        table[slot] = i;
        for (; slot < COUNTRY_TABLE_SIZE; slot++)
                table[slot] = to;
}

static void fill(uint8_t *data, const struct country_build *build, const struct ids *ids, const uint8_t *table_of)
{
        struct country_view view;

        country_view_lay_out(&view, data, (const struct country_header *)(void *)data);
        memcpy((void *)view.countries, ids->codes, ids->count * sizeof ids->codes[0]);
        memcpy((void *)view.table_of, table_of, COUNTRY_BUCKETS);
        fill_ipv4((uint32_t *)view.index4, (uint32_t *)view.starts4, &build->families[0], ids);
        fill_ipv6((uint32_t *)view.index6, (uint64_t *)view.starts6, (uint64_t *)view.lows, (uint32_t *)view.low_at,
                  &build->families[1], ids);
        for (uint32_t bucket = 0; bucket < COUNTRY_BUCKETS; bucket++)
                if (table_of[bucket])
                        fill_table((uint32_t *)view.tables + (size_t)(table_of[bucket] - 1) * COUNTRY_TABLE_SIZE, &view,
                                   bucket);
}

int country_build_image(struct country_build *build, const struct country_info *info, uint8_t **data, size_t *size,
                        char *error)
{
        _cleanup_free_ uint8_t *table_of = malloc(COUNTRY_BUCKETS), *image = NULL;
        struct country_view view;
        struct ids ids;
        int r = country_build_close(build, error);

        if (r < 0)
                return r;
        number_countries(&ids, &build->used);
        struct country_header header = {
                .version = COUNTRY_VERSION,
                .date = info->date,
                .compiled = info->compiled,
                .countries = ids.count,
                .starts4 = (uint32_t)build->families[0].count,
                .starts6 = (uint32_t)build->families[1].count,
                .lows = count_lows(&build->families[1]),
        };
        memcpy(header.magic, COUNTRY_MAGIC, sizeof header.magic);
        snprintf(header.source, sizeof header.source, "%s", info->source);
        if (table_of)
                header.tables = number_tables(&build->families[1], table_of);
        header.size = country_view_lay_out(&view, NULL, &header);
        if (!table_of || !(image = calloc(1, header.size)))
                return country_fail(error, -ENOMEM, "not enough memory");
        memcpy(image, &header, sizeof header);
        fill(image, build, &ids, table_of);
        header.crc = crc32c(0, span_of(image + COUNTRY_CRC_FROM, header.size - COUNTRY_CRC_FROM));
        memcpy(image, &header, sizeof header);
        r = country_view_open(&view, span_of(image, header.size), error);
        if (r < 0)
                return r;
        *size = header.size;
        *data = steal_pointer(image);
        return 0;
}
