/* SPDX-License-Identifier: GPL-2.0-or-later */
/* PSRAM as flash: flash_ram.c has the NOR rules and the cuts; here are address, owner and the MPU. */

#include "ports/mps2-an505/flash_psram.h"

#include "boot/layout.h"
#include "ports/common/flash_ram.h"
#include "ports/mps2-an505/map.h"

#define MPU_CTRL  (*(volatile uint32_t *)0xe000ed94u)
#define MPU_RNR   (*(volatile uint32_t *)0xe000ed98u)
#define MPU_RBAR  (*(volatile uint32_t *)0xe000ed9cu)
#define MPU_RLAR  (*(volatile uint32_t *)0xe000eda0u)
#define MPU_MAIR0 (*(volatile uint32_t *)0xe000edc0u)

#define REGION         0u
#define REGION_HIDDEN  1u
#define CTRL_ON        5u /* and what has no region keeps the default map, for privileged code */
#define RBAR_NEVER_RUN 1u
#define RBAR_READ_ONLY 4u
#define RLAR_ON        1u    /* with attributes 0 */
#define MAIR_PLAIN     0x44u /* normal memory, not cached */

#if defined(__ARM_FEATURE_CMSE) && __ARM_FEATURE_CMSE == 3
#        define IS_SECURE 1
#else
#        define IS_SECURE 0
#endif
#define END (AN505_FLASH + LAYOUT_SECTORS * LAYOUT_SECTOR_SIZE)

/* offset of the first byte that this side has */
static const uint32_t start = IS_SECURE ? 0 : LAYOUT_SECURE_SECTORS * LAYOUT_SECTOR_SIZE;

static struct flash_ram ram;
static struct {
        uint32_t start, end; /* offsets */
} hidden;

static void set_writable(bool writable)
{
        __asm__ volatile("dsb" ::: "memory");
        MPU_RNR = REGION;
        MPU_RBAR = (AN505_FLASH + start) | RBAR_NEVER_RUN | (writable ? 0 : RBAR_READ_ONLY);
        __asm__ volatile("dsb\n isb" ::: "memory");
}

void flash_psram_init(void (*cut)(void *context))
{
        const volatile uint32_t *straps = (const volatile uint32_t *)AN505_STRAPS;

        flash_ram_init(&ram, (void *)AN505_FLASH, LAYOUT_SECTOR_SIZE, LAYOUT_SECTORS);
        ram.operations = (uint64_t *)(AN505_STRAPS + AN505_STRAP_OPERATIONS);
        ram.cut_after = straps[AN505_STRAP_CUT_AFTER / sizeof(uint32_t)];
        ram.cut = cut;
        MPU_MAIR0 = MAIR_PLAIN;
        set_writable(false);
        MPU_RLAR = ((END - 1) & ~UINT32_C(31)) | RLAR_ON;
        MPU_CTRL = CTRL_ON;
        __asm__ volatile("dsb\n isb" ::: "memory");
}

/* Two regions at one address fault every access: that is how an MPU of Armv8-M takes memory from privileged code. */
void flash_psram_hide(uint32_t first_sector, uint32_t count)
{
        hidden.start = first_sector * LAYOUT_SECTOR_SIZE;
        hidden.end = hidden.start + count * LAYOUT_SECTOR_SIZE;
        MPU_RNR = REGION_HIDDEN;
        MPU_RBAR = (AN505_FLASH + hidden.start) | RBAR_NEVER_RUN | RBAR_READ_ONLY;
        MPU_RLAR = ((AN505_FLASH + hidden.end - 1) & ~UINT32_C(31)) | RLAR_ON;
        __asm__ volatile("dsb\n isb" ::: "memory");
}

static bool is_ours(uint32_t offset, uint32_t size)
{
        return offset >= start && size <= END - AN505_FLASH &&
               (hidden.end == 0 || offset + size <= hidden.start || offset >= hidden.end);
}

static int psram_erase(void *context, uint32_t sector)
{
        const struct port_flash port = flash_ram_port(context);

        if (!is_ours(sector * LAYOUT_SECTOR_SIZE, LAYOUT_SECTOR_SIZE))
                return RELAY_E_RANGE;
        set_writable(true);
        int r = port.erase(port.context, sector);
        set_writable(false);
        return r;
}

static int psram_program(void *context, uint32_t offset, struct span data)
{
        const struct port_flash port = flash_ram_port(context);

        if (!is_ours(offset, (uint32_t)data.size))
                return RELAY_E_RANGE;
        set_writable(true);
        int r = port.program(port.context, offset, data);
        set_writable(false);
        return r;
}

static int psram_read(void *context, uint32_t offset, void *out, uint32_t size)
{
        const struct port_flash port = flash_ram_port(context);

        return is_ours(offset, size) ? port.read(port.context, offset, out, size) : RELAY_E_RANGE;
}

struct port_flash flash_psram_port(void)
{
        struct port_flash port = flash_ram_port(&ram);

        port.erase = psram_erase;
        port.program = psram_program;
        port.read = psram_read;
        return port;
}
