/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* What belongs to whom: SAU, memory and peripheral protection controllers, interrupts, faults. */

/* Once at start. From then on the application's memory is reached by its non-secure address only, by both sides. */
void isolation_init(void);
/* Before the application starts: what was set stays until the next reset, whoever runs on the secure side. */
void isolation_lock(void);
