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
                        out[i] |= COUNTRY_START_LOW;
                }
        }
        for (; bucket <= COUNTRY_BUCKETS; bucket++)
                index[bucket] = (uint32_t)starts->count;
}

struct tables {
        const struct starts *starts;
        uint32_t *out; /* NULL: only count */
        uint32_t used;
};

/* A table for the starts [from, to), and tables below it where they still crowd; returns its number. */
static uint32_t fill_table(struct tables *tables, uint32_t from, uint32_t to, unsigned shift)
{
        uint32_t number = tables->used++;

        for (uint32_t slot = 0; slot < COUNTRY_TABLE_SIZE; slot++) {
                uint32_t first = from, word;
                while (from < to && (tables->starts->list[from].high >> shift & (COUNTRY_TABLE_SIZE - 1)) == slot)
                        from++;
                if (from - first >= COUNTRY_CROWDED && shift > 0 && tables->used < COUNTRY_TABLES_MAX)
                        word = COUNTRY_SLOT_TABLE | fill_table(tables, first, from, shift - 8);
                else
                        word = COUNTRY_SLOT(first, from - first);
                if (tables->out)
                        tables->out[(size_t)number * COUNTRY_TABLE_SIZE + slot] = word;
        }
        return number;
}

/* Tables for every crowded /16; out and table_of NULL: only count them. */
static uint32_t fill_tables(const struct starts *starts, uint32_t *out, uint16_t *table_of)
{
        struct tables tables = { starts, out, 0 };

        for (uint32_t from = 0, to; from < starts->count && tables.used < COUNTRY_TABLES_MAX; from = to) {
                uint64_t bucket = starts->list[from].high >> 48;
                for (to = from + 1; to < starts->count && starts->list[to].high >> 48 == bucket;)
                        to++;
                if (to - from < COUNTRY_CROWDED)
                        continue;
                uint32_t number = fill_table(&tables, from, to, COUNTRY_SHIFT_TOP);
                if (table_of)
                        table_of[bucket] = (uint16_t)(number + 1);
        }
        return tables.used;
}

static void fill(uint8_t *data, const struct country_build *build, const struct ids *ids)
{
        struct country_view view;

        country_view_lay_out(&view, data, (const struct country_header *)(void *)data);
        memcpy((void *)view.countries, ids->codes, ids->count * sizeof ids->codes[0]);
        fill_ipv4((uint32_t *)view.index4, (uint32_t *)view.starts4, &build->families[0], ids);
        fill_ipv6((uint32_t *)view.index6, (uint64_t *)view.starts6, (uint64_t *)view.lows, (uint32_t *)view.low_at,
                  &build->families[1], ids);
        fill_tables(&build->families[1], (uint32_t *)view.tables, (uint16_t *)view.table_of);
}

int country_build_image(struct country_build *build, const struct country_info *info, uint8_t **data, size_t *size,
                        char *error)
{
        _cleanup_free_ uint8_t *image = NULL;
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
        header.tables = fill_tables(&build->families[1], NULL, NULL);
        header.size = country_view_lay_out(&view, NULL, &header);
        image = calloc(1, header.size);
        if (!image)
                return country_fail(error, -ENOMEM, "not enough memory");
        memcpy(image, &header, sizeof header);
        fill(image, build, &ids);
        header.crc = crc32c(0, span_of(image + COUNTRY_CRC_FROM, header.size - COUNTRY_CRC_FROM));
        memcpy(image, &header, sizeof header);
        r = country_view_open(&view, span_of(image, header.size), error);
        if (r < 0)
                return r;
        *size = header.size;
        *data = steal_pointer(image);
        return 0;
}
