/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Progress on standard error. */

#include "cli/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define BAR_WIDTH 30u

void progress_start(struct progress *p, const char *label, uint64_t total, bool quiet)
{
        *p = (struct progress){ .label = label, .total = total, .quiet = quiet, .bar = isatty(STDERR_FILENO) == 1 };
}

static void draw_bar(const struct progress *p, unsigned percent, uint64_t done)
{
        char bar[BAR_WIDTH + 1];

        memset(bar, ' ', BAR_WIDTH);
        memset(bar, '#', percent * BAR_WIDTH / 100);
        bar[BAR_WIDTH] = '\0';
        fprintf(stderr, "\r%s [%s] %3u %% (%" PRIu64 "/%" PRIu64 ")", p->label, bar, percent, done, p->total);
}

void progress_show(struct progress *p, uint64_t done)
{
        unsigned percent = p->total == 0 ? 100 : (unsigned)(done * 100 / p->total);

        if (p->quiet || percent == p->shown)
                return;
        if (p->bar)
                draw_bar(p, percent, done);
        else if (percent / 25 != p->shown / 25)
                fprintf(stderr, "%s: %u %% (%" PRIu64 "/%" PRIu64 ")\n", p->label, percent, done, p->total);
        p->shown = percent;
}

void progress_end(struct progress *p)
{
        if (!p->quiet && p->bar && p->shown > 0)
                fputc('\n', stderr);
}
