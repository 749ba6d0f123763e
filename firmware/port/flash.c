/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Flash areas: bounds, sector crossing, and the checksum. */

#include "port/flash.h"

uint32_t flash_area_size(const struct flash_area *area)
{
        return area->count * area->flash->sector_size;
}

static bool inside(const struct flash_area *area, uint32_t offset, size_t size)
{
        uint32_t whole = flash_area_size(area);
        return offset <= whole && size <= whole - offset;
}

int flash_area_erase(const struct flash_area *area, uint32_t sector)
{
        if (sector >= area->count)
                return RELAY_E_RANGE;
        return area->flash->erase(area->flash->context, area->first + sector);
}

int flash_area_program(const struct flash_area *area, uint32_t offset, struct span data)
{
        const struct port_flash *flash = area->flash;

        if (!inside(area, offset, data.size))
                return RELAY_E_RANGE;
        while (data.size > 0) {
                uint32_t room = flash->sector_size - offset % flash->sector_size;
                struct span part = span_slice(data, 0, room);
                int r = flash->program(flash->context, area->first * flash->sector_size + offset, part);
                if (r < 0)
                        return r;
                offset += (uint32_t)part.size;
                data = span_slice(data, part.size, data.size);
        }
        return 0;
}

int flash_area_read(const struct flash_area *area, uint32_t offset, void *out, uint32_t size)
{
        const struct port_flash *flash = area->flash;

        if (!inside(area, offset, size))
                return RELAY_E_RANGE;
        return flash->read(flash->context, area->first * flash->sector_size + offset, out, size);
}

int flash_area_is_erased(const struct flash_area *area, uint32_t offset, uint32_t size, bool *erased)
{
        uint8_t part[64];
        bool clean = true;

        while (size > 0 && clean) {
                uint32_t n = size < sizeof(part) ? size : (uint32_t)sizeof(part);
                int r = flash_area_read(area, offset, part, n);
                if (r < 0)
                        return r;
                for (uint32_t i = 0; i < n; i++)
                        clean = clean && part[i] == 0xff;
                offset += n;
                size -= n;
        }
        *erased = clean;
        return 0;
}

uint32_t flash_crc(uint32_t crc, struct span data)
{
        crc = ~crc;
        for (size_t i = 0; i < data.size; i++) {
                crc ^= data.data[i];
                for (int bit = 0; bit < 8; bit++)
                        crc = (crc >> 1) ^ (UINT32_C(0xedb88320) & (0u - (crc & 1u)));
        }
        return ~crc;
}
