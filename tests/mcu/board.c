/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Start-up and board of QEMU's mps2-an505 (Cortex-M33).
 */
#include "board.h"

#define FPGAIO_COUNTER (*(volatile uint32_t *)0x50302018) /* counts up at 20 MHz */

enum semihosting { SYS_WRITE0 = 0x04, SYS_EXIT_EXTENDED = 0x20, ADP_STOPPED_APPLICATION_EXIT = 0x20026 };

extern uint32_t data_start[], data_end[], data_load[], bss_start[], bss_end[];

int main(void);
_Noreturn void reset(void);

static int semihost(enum semihosting operation, const void *argument)
{
        register int r0 __asm__("r0") = (int)operation;
        register const void *r1 __asm__("r1") = argument;

        __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
        return r0;
}

void board_print(const char *text)
{
        semihost(SYS_WRITE0, text);
}

void board_exit(int status)
{
        const uint32_t why[2] = { ADP_STOPPED_APPLICATION_EXIT, (uint32_t)status };

        for (;;)
                semihost(SYS_EXIT_EXTENDED, why);
}

uint32_t board_instructions(void)
{
        return (uint32_t)((uint64_t)FPGAIO_COUNTER * 50 / 64);
}

static void fault(void)
{
        board_print("fault\n");
        board_exit(1);
}

_Noreturn void reset(void)
{
        uint32_t *to = data_start, *from = data_load;

        while (to < data_end)
                *to++ = *from++;
        for (to = bss_start; to < bss_end; to++)
                *to = 0;
        board_exit(main());
}

typedef void (*vector)(void);

/* stack pointer, reset, NMI, and the faults; no interrupt is used */
__attribute__((section(".vectors"), used)) static const vector vectors[16] = {
        (vector)(void *)stack_top, reset, fault, fault, fault, fault, fault, fault,
};
