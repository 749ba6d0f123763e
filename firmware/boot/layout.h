/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Where things are in the device's flash. In sectors of 4,096 bytes; the same on every board.
 *
 *     sector  count  area         owner        content
 *          0      2  journal      boot stage   boot counter, floor, which slot is confirmed, the try mark (ping-pong)
 *          2      2  secret       boot stage   the device secret (bundle); written at manufacture, never again
 *          4      2  identity     boot stage   name, class, certificates (bundle), by turns with the next area;
 *          6      2  identity spare  boot stage  the journal says which one is in force
 *          8      4  trust        boot stage   vendor key set, site policy (bundle), the same in the next area;
 *         12      4  trust spare  boot stage   the journal names the digests that are in force
 *         16      2  recovery manifest  boot stage  envelope of the recovery image (bundle), and the image: written at
 *         18    128  recovery image  boot stage  manufacture; the journal says which manifest it must be
 *        146      4  manifest A   application  envelope, approvals (bundle; port/slot.h)
 *        150    128  image A      application
 *        278      4  manifest B   application
 *        282    128  image B      application
 *        410      1  list         application  block list of the image being fetched
 *        411      2  fetch        application  what is being fetched, erasures (ping-pong)
 *        413     32  outbox       application
 *        445      2  settings     application  (ping-pong)
 *
 * The boot stage's areas come first, so that a board with isolation gives the application everything from sector
 * LAYOUT_SECURE_SECTORS on, and nothing below.
 * "application" areas are writable by the application, and so by whoever takes it over: the boot stage believes
 * nothing in them that it did not verify.
 */

#include "port/flash.h"

#define LAYOUT_SECTOR_SIZE    4096u
#define LAYOUT_SECTORS        447u
#define LAYOUT_IMAGE_SIZE     (128u * LAYOUT_SECTOR_SIZE) /* the largest image */
#define LAYOUT_SECURE_SECTORS 146u                        /* the boot stage's, from the flash's start */

enum layout_area {
        LAYOUT_JOURNAL,
        LAYOUT_SECRET,
        LAYOUT_IDENTITY,
        LAYOUT_IDENTITY_SPARE,
        LAYOUT_TRUST,
        LAYOUT_TRUST_SPARE,
        LAYOUT_RECOVERY_MANIFEST,
        LAYOUT_RECOVERY_IMAGE,
        LAYOUT_MANIFEST_A,
        LAYOUT_IMAGE_A,
        LAYOUT_MANIFEST_B,
        LAYOUT_IMAGE_B,
        LAYOUT_LIST,
        LAYOUT_FETCH,
        LAYOUT_OUTBOX,
        LAYOUT_SETTINGS,
        LAYOUT_AREAS
};

/* Where it lies on this flash, which is borrowed. */
struct flash_area layout_area(const struct port_flash *flash, enum layout_area area);
/* slot: 0 (A) or 1 (B) */
struct flash_area layout_manifest(const struct port_flash *flash, unsigned slot);
struct flash_area layout_image(const struct port_flash *flash, unsigned slot);
