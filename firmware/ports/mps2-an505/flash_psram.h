/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The flash of this board: PSRAM under NOR rules. One driver for both sides, each with its own MPU: outside of an
 * erase or a program the MPU keeps it read-only, so a stray pointer cannot write it. The application's side cannot
 * reach the boot stage's sectors at all (SAU), and this driver says so before the hardware does.
 */

#include "port/flash.h"

/*
 * Once at start, before any access. Turns the caller's MPU on, whose region 0 is used.
 * cut: called when the power goes on order (AN505_STRAP_CUT_AFTER); must not return.
 */
void flash_psram_init(void (*cut)(void *context));
struct port_flash flash_psram_port(void);
/*
 * Until the next reset nobody reads or writes these sectors any more: the driver refuses them, and the MPU faults
 * whoever tries without it. Once in a start; MPU region 1.
 */
void flash_psram_hide(uint32_t first_sector, uint32_t count);
