/* SPDX-License-Identifier: GPL-2.0-or-later */
/* NOR flash in memory, with power cuts. */

#include "ports/common/flash_ram.h"

#include <string.h>

void flash_ram_init(struct flash_ram *ram, void *memory, uint32_t sector_size, uint32_t sector_count)
{
        *ram = (struct flash_ram){ .memory = memory, .sector_size = sector_size, .sector_count = sector_count };
        ram->operations = &ram->own_operations;
}

/* true if this operation is the one that is torn */
static bool count_operation(struct flash_ram *ram)
{
        uint64_t number = ++*ram->operations;
        return ram->cut_after > 0 && number >= ram->cut_after;
}

static int power_off(struct flash_ram *ram)
{
        ram->off = true;
        if (ram->cut)
                ram->cut(ram->context);
        return PORT_E_IO;
}

/* A torn erase leaves, by turns, the first or the second half, or all of the sector erased, or nothing. */
static void tear_erase(const struct flash_ram *ram, uint8_t *sector)
{
        uint32_t half = ram->sector_size / 2;

        switch (*ram->operations % 4) {
        case 0:
                memset(sector, 0xff, half);
                break;
        case 1:
                memset(sector + half, 0xff, half);
                break;
        case 2:
                memset(sector, 0xff, ram->sector_size);
                break;
        case 3:
                break;
        }
}

static int ram_erase(void *context, uint32_t sector)
{
        struct flash_ram *ram = context;

        if (ram->off || sector >= ram->sector_count)
                return PORT_E_IO;
        uint8_t *start = ram->memory + (size_t)sector * ram->sector_size;
        if (count_operation(ram)) {
                tear_erase(ram, start);
                return power_off(ram);
        }
        memset(start, 0xff, ram->sector_size);
        return 0;
}

static int ram_program(void *context, uint32_t offset, struct span data)
{
        struct flash_ram *ram = context;
        uint32_t whole = ram->sector_size * ram->sector_count;

        if (ram->off)
                return PORT_E_IO;
        if (data.size > ram->sector_size || offset >= whole || offset % ram->sector_size + data.size > ram->sector_size)
                return RELAY_E_RANGE;
        bool torn = count_operation(ram);
        size_t size = torn ? data.size * ((uint32_t)*ram->operations % 3) / 2 : data.size;
        if (size > data.size)
                size = data.size;
        for (size_t i = 0; i < size; i++)
                ram->memory[offset + i] &= data.data[i];
        if (torn && size < data.size)
                ram->memory[offset + size] &= data.data[size] | 0x5a; /* only some of its bits */
        return torn ? power_off(ram) : 0;
}

static int ram_read(void *context, uint32_t offset, void *out, uint32_t size)
{
        const struct flash_ram *ram = context;
        uint32_t whole = ram->sector_size * ram->sector_count;

        if (ram->off)
                return PORT_E_IO;
        if (offset > whole || size > whole - offset)
                return RELAY_E_RANGE;
        memcpy(out, ram->memory + offset, size);
        return 0;
}

struct port_flash flash_ram_port(struct flash_ram *ram)
{
        return (struct port_flash){ .sector_size = ram->sector_size,
                                    .sector_count = ram->sector_count,
                                    .erase = ram_erase,
                                    .program = ram_program,
                                    .read = ram_read,
                                    .context = ram };
}
