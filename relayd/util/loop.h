/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* What every daemon's event loop begins with. */

#include <errno.h>
#include <signal.h>
#include <systemd/sd-event.h>

/* SIGTERM and SIGINT end the loop with 0. Before any thread exists: they get blocked. 0 or negative errno */
static inline int loop_end_on_signals(sd_event *event)
{
        sigset_t ends;

        sigemptyset(&ends);
        sigaddset(&ends, SIGTERM);
        sigaddset(&ends, SIGINT);
        if (sigprocmask(SIG_BLOCK, &ends, NULL) < 0)
                return -errno;
        int r = sd_event_add_signal(event, NULL, SIGTERM, NULL, NULL); /* without handler: ends the loop */
        if (r >= 0)
                r = sd_event_add_signal(event, NULL, SIGINT, NULL, NULL);
        return r < 0 ? r : 0;
}
