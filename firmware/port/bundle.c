/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs of bytes kept together in a flash area. */

#include "port/bundle.h"

#include "relay/cursor.h"

#define HEADER_SIZE (4 + 4 + 4 * BUNDLE_PARTS_MAX + 4)

int bundle_invalidate(const struct flash_area *area)
{
        return flash_area_erase(area, 0);
}

static void put_header(struct writer *w, uint32_t magic, const struct span *parts, size_t count)
{
        writer_u32(w, magic);
        writer_u32(w, (uint32_t)count);
        for (size_t i = 0; i < BUNDLE_PARTS_MAX; i++)
                writer_u32(w, i < count ? (uint32_t)parts[i].size : 0);
}

int bundle_write(const struct flash_area *area, uint32_t magic, const struct span *parts, size_t count)
{
        uint32_t at = area->flash->sector_size;
        uint8_t header[HEADER_SIZE];
        struct writer w;
        size_t total = at;
        int r = 0;

        if (count > BUNDLE_PARTS_MAX)
                return RELAY_E_RANGE;
        for (size_t i = 0; i < count; i++)
                total += parts[i].size;
        if (total > flash_area_size(area))
                return RELAY_E_SPACE;
        for (uint32_t sector = 0; sector < area->count && r == 0; sector++)
                r = flash_area_erase(area, sector);

        writer_init(&w, header, sizeof(header));
        put_header(&w, magic, parts, count);
        uint32_t crc = flash_crc(0, writer_span(&w));
        for (size_t i = 0; i < count && r == 0; i++) {
                r = flash_area_program(area, at, parts[i]);
                at += (uint32_t)parts[i].size;
                crc = flash_crc(crc, parts[i]);
        }
        writer_u32(&w, crc);
        return r < 0 ? r : flash_area_program(area, 0, writer_span(&w));
}

static int read_sizes(struct reader *in, struct span *parts, size_t count, size_t *total)
{
        *total = 0;
        for (size_t i = 0; i < BUNDLE_PARTS_MAX; i++) {
                uint32_t size = reader_u32(in);
                parts[i] = SPAN_EMPTY;
                if (i >= count)
                        continue;
                parts[i].size = size;
                if (size > UINT32_MAX / 2 - *total)
                        return RELAY_E_MALFORMED;
                *total += size;
        }
        return 0;
}

int bundle_read(const struct flash_area *area, uint32_t magic, uint8_t *buffer, size_t size, struct span *parts,
                size_t *count)
{
        uint8_t header[HEADER_SIZE];
        struct reader in;
        size_t total, at = 0;

        int r = flash_area_read(area, 0, header, sizeof(header));
        if (r < 0)
                return r;
        reader_init(&in, SPAN_OF(header));
        if (reader_u32(&in) != magic)
                return RELAY_E_STATE;
        size_t found = reader_u32(&in);
        if (found > BUNDLE_PARTS_MAX || read_sizes(&in, parts, found, &total) < 0)
                return RELAY_E_MALFORMED;
        if (total > size)
                return RELAY_E_SPACE;
        r = flash_area_read(area, area->flash->sector_size, buffer, (uint32_t)total);
        if (r < 0)
                return r == RELAY_E_RANGE ? RELAY_E_MALFORMED : r;
        uint32_t crc = flash_crc(flash_crc(0, span_of(header, HEADER_SIZE - 4)), span_of(buffer, total));
        if (reader_u32(&in) != crc)
                return RELAY_E_MALFORMED;
        for (size_t i = 0; i < found; i++) {
                parts[i].data = buffer + at;
                at += parts[i].size;
        }
        *count = found;
        return 0;
}
