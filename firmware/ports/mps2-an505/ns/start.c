/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Vectors and start-up of the application. No interrupt is ever taken (clock.c); a fault restarts the device. */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ports/mps2-an505/ns/heap.h"
#include "ports/mps2-an505/ns/uart.h"

typedef void (*vector)(void);

extern uint8_t data_start[], data_end[], data_load[], bss_start[], bss_end[];
extern uint32_t stack_top[];

int main(void);
_Noreturn void reset(void);

/* The watchdog restarts whoever does not come back. */
static _Noreturn void stop(void)
{
        for (;;)
                __asm__ volatile("wfi");
}

static _Noreturn void fault(void)
{
        uart_write("<2>application: fault\n");
        stop();
}

_Noreturn void abort(void)
{
        uart_write("<2>application: gave up\n");
        stop();
}

_Noreturn void reset(void)
{
        memcpy(data_start, data_load, (size_t)(data_end - data_start));
        memset(bss_start, 0, (size_t)(bss_end - bss_start));
        heap_paint_stack();
        (void)main();
        abort();
}

/* stack pointer, reset, NMI, the faults */
__attribute__((section(".vectors"), used)) static const vector vectors[16] = {
        (vector)(void *)stack_top, reset, fault, fault, fault, fault, fault, fault,
};
