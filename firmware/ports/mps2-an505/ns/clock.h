/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Uptime, and sleeping until something happens. */

#include "port/clock.h"

void clock_init(void);
uint64_t clock_now_ms(void);
struct port_clock clock_port(void);
/* Until then at the latest, or until an interrupt that is enabled is pending; it stays pending. */
void clock_sleep_until(uint64_t ms);
/* How much of the uptime it slept, ms */
uint64_t clock_slept_ms(void);
