/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Vectors, start-up, faults. A fault of the application says what it tried, and restarts the device. */

#include "ports/mps2-an505/secure/start.h"

#include <stddef.h>
#include <string.h>

#include "ports/mps2-an505/map.h"
#include "ports/mps2-an505/secure/console.h"
#include "ports/mps2-an505/secure/registers.h"
#include "ports/mps2-an505/secure/watchdog.h"

#define SEAL                  0xfef5eda5u /* no return address: nobody returns past the stack's top */
#define EXC_RETURN_OF_SECURE  0x40u
#define EXC_RETURN_PROCESS_SP 0x04u
#define FRAME_PC              6u /* word of an exception's frame */
#define FRAME_SIZE            32u

typedef void (*vector)(void);

extern uint8_t data_start[], data_end[], data_load[], bss_start[], bss_end[];
extern uint32_t stack_top[], stack_seal[2];

int main(void);
/* switch.S, and what it calls */
_Noreturn void reset(void);
_Noreturn void exception(void);
_Noreturn void leave(uint32_t entry);
_Noreturn void run(void);
_Noreturn void report(uint32_t exc_return);

/* not cleared at start: RAM keeps it over a reset */
static uint32_t warm[4] __attribute__((section(".noinit")));
static const uint32_t warm_words[4] = { 0x72656c61, 0x79642062, 0x6f6f7420, 0x7374616c };

bool start_is_power_on(void)
{
        bool is_warm = memcmp(warm, warm_words, sizeof(warm)) == 0;

        memcpy(warm, warm_words, sizeof(warm));
        return !is_warm;
}

_Noreturn void start_reset(void)
{
        __asm__ volatile("dsb" ::: "memory");
        AIRCR = AIRCR_KEY | AIRCR_PRIS | AIRCR_RESET;
        for (;;)
                __asm__ volatile("dsb");
}

_Noreturn void start_halt(void)
{
        for (;;)
                __asm__ volatile("wfi");
}

/* ---- faults */

static const char *fault_name(uint32_t number)
{
        static const char *const names[] = { "hard fault", "memory fault", "bus fault", "usage fault", "secure fault" };

        return number >= 3 && number < 8 ? names[number - 3] : "unexpected interrupt";
}

/* Where the application was. Its stack pointer is whatever it likes: only its own RAM is looked at. */
static void tell_place(uint32_t exc_return)
{
        uint32_t sp, control;

        __asm__ volatile("mrs %0, control_ns" : "=r"(control));
        if ((exc_return & EXC_RETURN_PROCESS_SP) != 0 && (control & 2) != 0)
                __asm__ volatile("mrs %0, psp_ns" : "=r"(sp));
        else
                __asm__ volatile("mrs %0, msp_ns" : "=r"(sp));
        if (sp % 4 != 0 || sp < AN505_APPLICATION_RAM ||
            sp > AN505_APPLICATION_RAM + AN505_APPLICATION_RAM_SIZE - FRAME_SIZE)
                return;
        console_write(", at ");
        console_hex(((const volatile uint32_t *)sp)[FRAME_PC]); /* NOLINT(performance-no-int-to-ptr) */
}

static void tell_registers(uint32_t number)
{
        console_write(", status ");
        console_hex(number == 7 ? SFSR : CFSR);
        if (number == 7 && (SFSR & 0x40) != 0) {
                console_write(", address ");
                console_hex(SFAR);
        }
        if (number == 5 && (CFSR & 0x8000) != 0) {
                console_write(", address ");
                console_hex(BFAR);
        }
}

/* Every exception ends here; none is ever returned from. */
_Noreturn void report(uint32_t exc_return)
{
        bool by_secure = (exc_return & EXC_RETURN_OF_SECURE) != 0;
        uint32_t number;

        __asm__ volatile("mrs %0, ipsr" : "=r"(number));
        if (number == 2) {
                console_line(4, watchdog_reason(), "");
                start_reset();
        }
        console_write("<2>boot: ");
        console_write(fault_name(number));
        console_write(by_secure ? " of the secure side" : " by the application");
        tell_registers(number);
        if (!by_secure)
                tell_place(exc_return);
        console_write(": restart\n");
        start_reset();
}

/* ---- from here to there */

_Noreturn void start_application(uint32_t vectors)
{
        const volatile uint32_t *table = (const volatile uint32_t *)vectors; /* NOLINT(performance-no-int-to-ptr) */

        VTOR_NS = vectors;
        __asm__ volatile("msr msp_ns, %0" ::"r"(table[0]));
        leave(table[1]);
}

_Noreturn void run(void)
{
        memcpy(data_start, data_load, (size_t)(data_end - data_start));
        memset(bss_start, 0, (size_t)(bss_end - bss_start));
        stack_seal[0] = stack_seal[1] = SEAL;
        (void)main();
        start_reset();
}

/* stack pointer, reset, NMI, the faults */
__attribute__((section(".vectors"), used)) static const vector vectors[16] = {
        (vector)(void *)stack_top,
        reset,
        exception,
        exception,
        exception,
        exception,
        exception,
        exception,
        exception,
        exception,
        exception,
        exception,
        exception,
        exception,
        exception,
        exception,
};
