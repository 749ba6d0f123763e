/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs of bytes kept together in a flash area. */

#include "port/bundle.h"

#include "relay/cursor.h"

#define HEADER_SIZE (4 + 4 + 4 * BUNDLE_PARTS_MAX + 4)
#define PIECE       256u /* bytes that are checked at once */

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

/* the header alone; total: bytes of the contents, which fit into the area */
static int read_head(const struct flash_area *area, uint32_t magic, struct bundle_head *head, uint32_t *total,
                     uint8_t bytes[HEADER_SIZE])
{
        uint32_t room = flash_area_size(area) - area->flash->sector_size;
        struct reader in;

        int r = flash_area_read(area, 0, bytes, HEADER_SIZE);
        if (r < 0)
                return r;
        reader_init(&in, span_of(bytes, HEADER_SIZE));
        if (reader_u32(&in) != magic)
                return RELAY_E_STATE;
        *head = (struct bundle_head){ .count = reader_u32(&in) };
        *total = 0;
        for (size_t i = 0; i < BUNDLE_PARTS_MAX; i++) {
                uint32_t size = reader_u32(&in);
                if (i >= head->count)
                        continue;
                if (size > room - *total)
                        return RELAY_E_MALFORMED;
                head->sizes[i] = size;
                *total += size;
        }
        return head->count > BUNDLE_PARTS_MAX ? RELAY_E_MALFORMED : 0;
}

static bool crc_fits(const uint8_t header[HEADER_SIZE], uint32_t crc)
{
        struct reader in;

        reader_init(&in, span_of(header + HEADER_SIZE - 4, 4));
        return reader_u32(&in) == crc;
}

int bundle_read(const struct flash_area *area, uint32_t magic, uint8_t *buffer, size_t size, struct span *parts,
                size_t *count)
{
        uint8_t header[HEADER_SIZE];
        struct bundle_head head;
        uint32_t total, at = 0;

        int r = read_head(area, magic, &head, &total, header);
        if (r < 0)
                return r;
        if (total > size)
                return RELAY_E_SPACE;
        r = flash_area_read(area, area->flash->sector_size, buffer, total);
        if (r < 0)
                return r;
        if (!crc_fits(header, flash_crc(flash_crc(0, span_of(header, HEADER_SIZE - 4)), span_of(buffer, total))))
                return RELAY_E_MALFORMED;
        for (size_t i = 0; i < BUNDLE_PARTS_MAX; i++) {
                parts[i] = i < head.count ? span_of(buffer + at, head.sizes[i]) : SPAN_EMPTY;
                at += head.sizes[i];
        }
        *count = head.count;
        return 0;
}

int bundle_check(const struct flash_area *area, uint32_t magic, struct bundle_head *out)
{
        uint8_t header[HEADER_SIZE], part[PIECE];
        struct bundle_head head;
        uint32_t total;

        int r = read_head(area, magic, &head, &total, header);
        if (r < 0)
                return r;
        uint32_t crc = flash_crc(0, span_of(header, HEADER_SIZE - 4));
        for (uint32_t at = 0; at < total; at += PIECE) {
                uint32_t n = total - at < PIECE ? total - at : PIECE;
                r = flash_area_read(area, area->flash->sector_size + at, part, n);
                if (r < 0)
                        return r;
                crc = flash_crc(crc, span_of(part, n));
        }
        if (!crc_fits(header, crc))
                return RELAY_E_MALFORMED;
        *out = head;
        return 0;
}

int bundle_read_part(const struct flash_area *area, const struct bundle_head *head, size_t index, uint8_t *buffer,
                     size_t size, struct span *part)
{
        uint32_t at = area->flash->sector_size;

        if (index >= head->count)
                return RELAY_E_RANGE;
        if (head->sizes[index] > size)
                return RELAY_E_SPACE;
        for (size_t i = 0; i < index; i++)
                at += head->sizes[i];
        int r = flash_area_read(area, at, buffer, head->sizes[index]);
        if (r == 0)
                *part = span_of(buffer, head->sizes[index]);
        return r;
}
