/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * QEMU's mps2-an505 cut in two: what the secure side keeps, and what it gives to the application.
 *
 *     0x00200000  512 KB  application's code: the image, copied there, measured, its vectors first
 *     0x10000000    1 MB  secure code, by its secure alias; the last page holds the veneers
 *     0x28040000  256 KB  application's RAM, cleared before each start
 *     0x38000000  256 KB  secure RAM, by its secure alias
 *     0x28200000          straps: what a jumper would say on a board, for tests; never secret, never trusted
 *     0x80000000   16 MB  PSRAM that plays the NOR flash: the areas up to LAYOUT_SECURE_SECTORS are the secure side's
 *
 * Everything else in memory is secure. Of the peripherals UART 0 (shared console), UART 2 (noise), FPGAIO and Ethernet
 * are the application's, by their non-secure alias (0x4...); all others are secure and unused.
 */

#define AN505_SECURE_CODE           0x10000000u
#define AN505_SECURE_CODE_SIZE      0x00100000u
#define AN505_VENEERS               0x100ff000u /* secure_request() is the first one: veneer.h */
#define AN505_VENEERS_SIZE          0x00001000u
#define AN505_SECURE_RAM            0x38000000u
#define AN505_SECURE_RAM_SIZE       0x00040000u
#define AN505_APPLICATION_CODE      0x00200000u
#define AN505_APPLICATION_CODE_SIZE 0x00080000u
#define AN505_APPLICATION_RAM       0x28040000u
#define AN505_APPLICATION_RAM_SIZE  0x00040000u
#define AN505_FLASH                 0x80000000u
#define AN505_FLASH_SIZE            0x01000000u

/*
 * Words that QEMU's "-device loader,addr=...,data=...,data-len=4" sets before each start. Zero: the default.
 * AN505_STRAP_OPERATIONS counts (64 bits) erases and programs of both sides since the power came.
 */
#define AN505_STRAPS            0x28200000u
#define AN505_STRAPS_SIZE       0x00001000u
#define AN505_STRAP_CUT_AFTER   0x00u /* the power goes at this flash operation, torn half-way */
#define AN505_STRAP_CONFIRM_MS  0x04u
#define AN505_STRAP_WATCHDOG_MS 0x08u
/* the application's, as the options of the posix port */
#define AN505_STRAP_KEEP_ALIVE_S 0x10u
#define AN505_STRAP_REPORT_MS    0x14u
#define AN505_STRAP_DWELL_MS     0x18u
#define AN505_STRAP_BACKOFF_MS   0x1cu
#define AN505_STRAP_GATE_MS      0x20u
#define AN505_STRAP_RETRY_MS     0x24u
#define AN505_STRAP_SETTLE_MS    0x28u
#define AN505_STRAP_OPERATIONS   0x100u
