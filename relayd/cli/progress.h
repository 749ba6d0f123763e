/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Progress on standard error: a bar on a terminal, otherwise a plain line at each quarter. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct progress {
        const char *label;
        uint64_t total; /* 0: nothing to show */
        unsigned shown; /* per cent last shown */
        bool bar, quiet;
};
void progress_start(struct progress *p, const char *label, uint64_t total, bool quiet);
void progress_show(struct progress *p, uint64_t done);
void progress_end(struct progress *p); /* leaves the line, finished or not */
