/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Windows of the week as people write them: "Sun 02:00-04:00", "Sat 22:00-02:00" (over midnight), "Mon-Fri 01:00-05:00"
 * and "daily 03:00-04:00" (one window a day), "Fri 20:00-Mon 04:00".
 */

#include <stddef.h>
#include <stdint.h>

#define WEEK_DAYS      7
#define WEEK_TEXT_SIZE 32 /* room for one window as text */

struct week_window {
        uint16_t first;   /* minute of the week, 0 to 10079; Monday 00:00 is 0 */
        uint16_t minutes; /* 1 to 10080; may run over the end of the week */
};

/* How many windows the text says (1 to WEEK_DAYS, in out); 0: it says none. */
size_t week_parse(const char *text, struct week_window out[WEEK_DAYS]);
/* One window as text; returns out. */
char *week_format(const struct week_window *window, char out[WEEK_TEXT_SIZE]);
