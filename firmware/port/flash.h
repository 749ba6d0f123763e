/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * NOR flash: a sector erases to ones as a whole, programming only clears bits (new = old AND data).
 * Power may go inside any operation: an erase may leave anything in its sector, a program anything between old and
 * (old AND data) in its range. Everything outside the range stays.
 */

#include "port/port.h"

struct port_flash {
        uint32_t sector_size;  /* bytes, a power of two, at least 4,096 */
        uint32_t sector_count; /* of the whole flash */
        /* sector: 0 to sector_count - 1. 0 or PORT_E_IO. */
        int (*erase)(void *context, uint32_t sector);
        /* offset: bytes from the start, data may not cross a sector's end. 0, RELAY_E_RANGE, PORT_E_IO. */
        int (*program)(void *context, uint32_t offset, struct span data);
        /* 0, RELAY_E_RANGE, PORT_E_IO */
        int (*read)(void *context, uint32_t offset, void *out, uint32_t size);
        void *context;
};

/* A run of whole sectors given to one owner; offsets below are counted from the area's start. */
struct flash_area {
        const struct port_flash *flash;
        uint32_t first; /* sector */
        uint32_t count; /* sectors */
};

uint32_t flash_area_size(const struct flash_area *area); /* bytes */
/* As the port's functions, but inside the area only (RELAY_E_RANGE outside); program and read may cross sectors. */
int flash_area_erase(const struct flash_area *area, uint32_t sector);
int flash_area_program(const struct flash_area *area, uint32_t offset, struct span data);
int flash_area_read(const struct flash_area *area, uint32_t offset, void *out, uint32_t size);
/* Is every byte of [offset, offset + size) erased? 0 and *erased, or the read's error. */
int flash_area_is_erased(const struct flash_area *area, uint32_t offset, uint32_t size, bool *erased);

/* CRC-32 (IEEE 802.3), for finding torn writes, not attackers. Start with crc = 0; feed in pieces. */
uint32_t flash_crc(uint32_t crc, struct span data);
