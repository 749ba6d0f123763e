/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * One hardware counter for two deadlines: the application feeds it in time, and a new image confirms in time. Its first
 * end is an NMI (which says why, and resets), its second one the reset by hardware.
 */

#include <stdbool.h>

/* trying: the confirm deadline runs, too. Zero milliseconds: the default. */
void watchdog_start(unsigned feed_ms, unsigned confirm_ms, bool trying);
/* The application's main loop came round. trying: it has not confirmed yet. */
void watchdog_feed(bool trying);
/* What ended, for the console. */
const char *watchdog_reason(void);
