/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The board's 20 MHz counter, made wider, and the core's timer as an alarm. No interrupt is ever taken: they are
 * masked, and only end the core's sleep.
 */

#include "ports/mps2-an505/ns/clock.h"

#include "ports/mps2-an505/registers.h"

#define TICKS_PER_MS (AN505_CLOCK_HZ / 1000u)
#define SLEEP_MOST   500u /* ms: the alarm has 24 bits, and the counter may not go round unseen (214 s) */

static uint32_t last_ticks, rest;
static uint64_t uptime_ms, slept_ticks;

void clock_init(void)
{
        __asm__ volatile("cpsid i" ::: "memory");
        last_ticks = *an505_register(AN505_FPGAIO, FPGAIO_COUNTER);
}

uint64_t clock_now_ms(void)
{
        uint32_t ticks = *an505_register(AN505_FPGAIO, FPGAIO_COUNTER);
        uint32_t passed = ticks - last_ticks;

        last_ticks = ticks;
        uptime_ms += passed / TICKS_PER_MS;
        rest += passed % TICKS_PER_MS;
        uptime_ms += rest / TICKS_PER_MS;
        rest %= TICKS_PER_MS;
        return uptime_ms;
}

static uint64_t now_ms(void *context)
{
        (void)context;
        return clock_now_ms();
}

struct port_clock clock_port(void)
{
        return (struct port_clock){ .now_ms = now_ms };
}

void clock_sleep_until(uint64_t ms)
{
        uint64_t now = clock_now_ms();

        if (ms <= now)
                return;
        uint32_t pause = ms - now < SLEEP_MOST ? (uint32_t)(ms - now) : SLEEP_MOST;
        *an505_register(SCS, SCS_SYST_RVR) = pause * TICKS_PER_MS - 1;
        *an505_register(SCS, SCS_SYST_CVR) = 0;
        *an505_register(SCS, SCS_SYST_CSR) = 7; /* on, with an interrupt, by the core's clock */
        uint32_t before = *an505_register(AN505_FPGAIO, FPGAIO_COUNTER);
        __asm__ volatile("dsb\n wfi" ::: "memory");
        slept_ticks += *an505_register(AN505_FPGAIO, FPGAIO_COUNTER) - before;
        *an505_register(SCS, SCS_SYST_CSR) = 0;
        *an505_register(SCS, SCS_ICSR) = SCS_ICSR_PENDSTCLR;
}

uint64_t clock_slept_ms(void)
{
        return slept_ticks / TICKS_PER_MS;
}
