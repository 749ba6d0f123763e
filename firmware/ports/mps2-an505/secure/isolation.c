/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The board cut in two, as map.h says. What is not named here stays secure, as it is after a reset. */

#include "ports/mps2-an505/secure/isolation.h"

#include "boot/layout.h"
#include "ports/mps2-an505/map.h"
#include "ports/mps2-an505/secure/registers.h"

#define CODE_BANK      0x00000000u /* where a controller's memory begins, by the non-secure alias */
#define RAM_BANK       0x28000000u
#define RAM_UPPER_BANK 0x28200000u

#define FLASH_OF_APPLICATION (AN505_FLASH + LAYOUT_SECURE_SECTORS * LAYOUT_SECTOR_SIZE)
#define FLASH_END            (AN505_FLASH + LAYOUT_SECTORS * LAYOUT_SECTOR_SIZE)

#define NO_LIMIT UINT32_MAX

static const struct {
        uint32_t start, end; /* end: first byte behind */
        uint32_t flags;
} regions[] = {
        { AN505_VENEERS, AN505_VENEERS + AN505_VENEERS_SIZE, SAU_RLAR_NSC },
        { AN505_APPLICATION_CODE, AN505_APPLICATION_CODE + AN505_APPLICATION_CODE_SIZE, 0 },
        { AN505_APPLICATION_RAM, AN505_APPLICATION_RAM + AN505_APPLICATION_RAM_SIZE, 0 },
        { AN505_STRAPS, AN505_STRAPS + AN505_STRAPS_SIZE, 0 },
        { 0x40000000u, 0x50000000u, 0 }, /* peripherals by their non-secure alias: the PPCs decide */
        { FLASH_OF_APPLICATION, FLASH_END, 0 },
};

static void init_sau(void)
{
        for (uint32_t i = 0; i < sizeof(regions) / sizeof(regions[0]); i++) {
                SAU_RNR = i;
                SAU_RBAR = regions[i].start;
                SAU_RLAR = ((regions[i].end - 1) & ~UINT32_C(31)) | regions[i].flags | SAU_RLAR_ON;
        }
        SAU_CTRL = SAU_CTRL_ON;
        NSCCFG = 1;
}

/* start, size: whole blocks of this controller's memory */
static void give_memory(uint32_t mpc, uint32_t start, uint32_t size)
{
        uint32_t block_size = 1u << (MPC_BLOCK_CFG(mpc) + 5);

        MPC_CTRL(mpc) = MPC_CTRL_BUS_ERROR;
        for (uint32_t block = start / block_size; block < (start + size) / block_size; block++) {
                MPC_INDEX(mpc) = block / 32;
                MPC_LUT(mpc) |= 1u << (block % 32);
        }
}

static void init_controllers(void)
{
        give_memory(MPC_CODE, AN505_APPLICATION_CODE - CODE_BANK, AN505_APPLICATION_CODE_SIZE);
        give_memory(MPC_RAM, AN505_APPLICATION_RAM - RAM_BANK, AN505_APPLICATION_RAM_SIZE);
        give_memory(MPC_RAM_UPPER, AN505_STRAPS - RAM_UPPER_BANK, AN505_STRAPS_SIZE);
        SECRESPCFG = 1;
        APBNSPPCEXP(1) = 1u << 5 | 1u << 7; /* UART 0 and 2 */
        APBNSPPCEXP(2) = 1u << 2;           /* FPGAIO: a counter, lamps */
        AHBNSPPCEXP(0) = 1u << 5;           /* Ethernet */
        /* not DMA: it reaches all memory by itself, past the SAU */
}

static void init_exceptions(void)
{
        ITNS(1) = 1u << (48 - 32)    /* Ethernet */
                  | 3u << (32 - 32)  /* UART 0 */
                  | 3u << (36 - 32); /* UART 2 */
        SHCSR |= SHCSR_FAULTS_ON;
        AIRCR = AIRCR_KEY | AIRCR_PRIS; /* bus faults, hard faults and NMI stay here (BFHFNMINS is 0) */
}

void isolation_init(void)
{
        init_sau();
        init_controllers();
        init_exceptions();
        __asm__ volatile("dsb\n isb" ::: "memory");
}

void isolation_lock(void)
{
        MPC_CTRL(MPC_CODE) |= MPC_CTRL_LOCKED;
        MPC_CTRL(MPC_RAM) |= MPC_CTRL_LOCKED;
        MPC_CTRL(MPC_RAM_UPPER) |= MPC_CTRL_LOCKED;
        __asm__ volatile("dsb\n isb" ::: "memory");
}
