/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The flash map as a table. */

#include "boot/layout.h"

static const struct {
        uint16_t first, count;
} areas[LAYOUT_AREAS] = {
        [LAYOUT_JOURNAL] = { 0, 2 },
        [LAYOUT_SECRET] = { 2, 2 },
        [LAYOUT_IDENTITY] = { 4, 2 },
        [LAYOUT_IDENTITY_SPARE] = { 6, 2 },
        [LAYOUT_TRUST] = { 8, 4 },
        [LAYOUT_TRUST_SPARE] = { 12, 4 },
        [LAYOUT_RECOVERY_MANIFEST] = { 16, 2 },
        [LAYOUT_RECOVERY_IMAGE] = { 18, 128 },
        [LAYOUT_MANIFEST_A] = { 146, 4 },
        [LAYOUT_IMAGE_A] = { 150, 128 },
        [LAYOUT_MANIFEST_B] = { 278, 4 },
        [LAYOUT_IMAGE_B] = { 282, 128 },
        [LAYOUT_LIST] = { 410, 1 },
        [LAYOUT_FETCH] = { 411, 2 },
        [LAYOUT_OUTBOX] = { 413, 32 },
        [LAYOUT_SETTINGS] = { 445, 2 },
};

struct flash_area layout_area(const struct port_flash *flash, enum layout_area area)
{
        return (struct flash_area){ flash, areas[area].first, areas[area].count };
}

struct flash_area layout_manifest(const struct port_flash *flash, unsigned slot)
{
        return layout_area(flash, slot == 0 ? LAYOUT_MANIFEST_A : LAYOUT_MANIFEST_B);
}

struct flash_area layout_image(const struct port_flash *flash, unsigned slot)
{
        return layout_area(flash, slot == 0 ? LAYOUT_IMAGE_A : LAYOUT_IMAGE_B);
}
