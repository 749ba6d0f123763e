/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* The secure side's two ends: into the application, and back to a reset. */

#include <stdbool.h>
#include <stdint.h>

/* A loss of power, as far as RAM can tell: it does not hold what the last start left in it. */
bool start_is_power_on(void);
/* Wipes the stack, all of it, and all registers; then the application runs, from its vectors. */
_Noreturn void start_application(uint32_t vectors);
_Noreturn void start_reset(void);
/* Waits for people, without a watchdog. */
_Noreturn void start_halt(void);
