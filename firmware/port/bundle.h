/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * A few runs of bytes kept together in a flash area: written whole, read whole or part by part. The header (sector 0:
 * magic, count, sizes, CRC-32 of everything) is erased first and written last, so a readable bundle is one whose
 * writing finished. The contents follow from sector 1 without gaps.
 */

#include "port/flash.h"

#define BUNDLE_PARTS_MAX 17

/* what a bundle's header says */
struct bundle_head {
        uint32_t count;
        uint32_t sizes[BUNDLE_PARTS_MAX]; /* bytes; 0 behind count */
};

/* Makes the bundle unreadable (one erase). */
int bundle_invalidate(const struct flash_area *area);
/* magic tells bundles apart. RELAY_E_SPACE if the area is too small; RELAY_E_RANGE: too many parts; flash errors. */
int bundle_write(const struct flash_area *area, uint32_t magic, const struct span *parts, size_t count);
/*
 * Reads into buffer; parts (BUNDLE_PARTS_MAX of them) then point into it. RELAY_E_STATE: none here, or never finished;
 * RELAY_E_MALFORMED: damaged; RELAY_E_SPACE: larger than the buffer; flash errors.
 */
int bundle_read(const struct flash_area *area, uint32_t magic, uint8_t *buffer, size_t size, struct span *parts,
                size_t *count);
/* Checks the whole bundle in place, with little memory. 0 and *out, or as bundle_read(). */
int bundle_check(const struct flash_area *area, uint32_t magic, struct bundle_head *out);
/*
 * Reads one part of a bundle that was checked; *part points into buffer. What came between is not noticed: the caller
 * verifies the contents. RELAY_E_RANGE: no such part; RELAY_E_SPACE: larger than the buffer; flash errors.
 */
int bundle_read_part(const struct flash_area *area, const struct bundle_head *head, size_t index, uint8_t *buffer,
                     size_t size, struct span *part);
