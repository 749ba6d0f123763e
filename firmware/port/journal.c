/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A small record kept in two flash sectors. */

#include "port/journal.h"

#include <string.h>

#include "relay/cursor.h"

static uint32_t record_crc(const uint8_t *bytes, uint32_t size)
{
        /* header without the CRC field, then the record */
        uint32_t crc = flash_crc(0, span_of(bytes, 12));
        return flash_crc(crc, span_of(bytes + JOURNAL_HEADER, size));
}

/* reads the record at offset; *serial is 0 if there is no valid one */
static int read_record(const struct journal *j, uint32_t offset, uint8_t *bytes, uint32_t *serial)
{
        int r = flash_area_read(&j->area, offset, bytes, JOURNAL_HEADER + j->size);
        if (r < 0)
                return r;

        struct reader in;
        reader_init(&in, span_of(bytes, JOURNAL_HEADER));
        uint32_t magic = reader_u32(&in), number = reader_u32(&in), size = reader_u32(&in), crc = reader_u32(&in);
        /* the last number has no successor: only somebody who wants this journal to end writes it */
        bool valid = magic == j->magic && size == j->size && number < UINT32_MAX && crc == record_crc(bytes, j->size);
        *serial = valid ? number : 0;
        return 0;
}

/* looks through one sector; takes over a newer record */
static int scan_sector(struct journal *j, uint32_t sector, void *record)
{
        uint32_t start = sector * j->area.flash->sector_size;
        uint8_t bytes[JOURNAL_HEADER + JOURNAL_RECORD_MAX];

        for (uint32_t at = 0; at + j->stride <= j->area.flash->sector_size; at += j->stride) {
                uint32_t serial;
                int r = read_record(j, start + at, bytes, &serial);
                if (r < 0)
                        return r;
                if (serial <= j->serial)
                        continue;
                j->serial = serial;
                j->sector = sector;
                j->at = at + j->stride;
                memcpy(record, bytes + JOURNAL_HEADER, j->size);
        }
        return 0;
}

int journal_load(struct journal *j, const struct flash_area *area, uint32_t magic, void *record, uint32_t size)
{
        if (area->count != 2 || size == 0 || size > JOURNAL_RECORD_MAX)
                return RELAY_E_RANGE;
        *j = (struct journal){ .area = *area, .magic = magic, .size = size };
        j->stride = (JOURNAL_HEADER + size + 15u) & ~15u;
        /* without any record the first one must not trust what is in a sector: pretend sector 1 is full */
        j->sector = 1;
        j->at = area->flash->sector_size;

        for (uint32_t sector = 0; sector < 2; sector++) {
                int r = scan_sector(j, sector, record);
                if (r < 0)
                        return r;
        }
        return j->serial > 0 ? 0 : RELAY_E_STATE;
}

/* Numbers begin anew. Only with a journal that somebody else wrote: no flash lives for so many records. */
static int start_over(struct journal *j)
{
        int r = flash_area_erase(&j->area, 0);

        if (r == 0)
                r = flash_area_erase(&j->area, 1);
        j->serial = j->sector = j->at = 0;
        return r;
}

/* the next place in this sector that is fully erased, or the other sector, freshly erased */
static int find_place(struct journal *j)
{
        uint32_t sector_size = j->area.flash->sector_size;

        for (; j->at + j->stride <= sector_size; j->at += j->stride) {
                bool erased;
                int r = flash_area_is_erased(&j->area, j->sector * sector_size + j->at, j->stride, &erased);
                if (r < 0 || erased)
                        return r;
        }
        j->sector = 1 - j->sector;
        j->at = 0;
        return flash_area_erase(&j->area, j->sector);
}

int journal_store(struct journal *j, const void *record)
{
        uint8_t bytes[JOURNAL_HEADER + JOURNAL_RECORD_MAX], check[JOURNAL_HEADER + JOURNAL_RECORD_MAX];
        struct writer w;
        int r = j->serial >= UINT32_MAX - 1 ? start_over(j) : 0;

        if (r < 0)
                return r;
        writer_init(&w, bytes, JOURNAL_HEADER);
        writer_u32(&w, j->magic);
        writer_u32(&w, j->serial + 1);
        writer_u32(&w, j->size);
        memcpy(bytes + JOURNAL_HEADER, record, j->size);
        writer_u32(&w, record_crc(bytes, j->size));

        r = find_place(j);
        if (r < 0)
                return r;
        uint32_t offset = j->sector * j->area.flash->sector_size + j->at;
        j->at += j->stride;
        r = flash_area_program(&j->area, offset, span_of(bytes, JOURNAL_HEADER + j->size));
        if (r < 0)
                return r;
        r = flash_area_read(&j->area, offset, check, JOURNAL_HEADER + j->size);
        if (r < 0)
                return r;
        if (memcmp(bytes, check, JOURNAL_HEADER + j->size) != 0)
                return PORT_E_IO;
        j->serial++;
        return 0;
}
