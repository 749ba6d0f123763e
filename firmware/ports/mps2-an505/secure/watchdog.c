/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The counter is the clock, too: what was loaded and what is left tell how long it ran. */

#include "ports/mps2-an505/secure/watchdog.h"

#include <stdint.h>

#include "ports/mps2-an505/secure/registers.h"

#define TICKS_PER_MS       20000u
#define FEED_DEFAULT_MS    30000u
#define CONFIRM_DEFAULT_MS 60000u
#define LONGEST_MS         200000u /* the counter has 32 bits */

static struct {
        uint32_t feed, loaded; /* ticks */
        uint64_t confirm;      /* ticks that are left for a confirmation */
        bool for_confirm;      /* the next end is that of the confirm deadline */
} watch;

static void load(bool trying)
{
        watch.for_confirm = trying && watch.confirm < watch.feed;
        watch.loaded = watch.for_confirm ? (uint32_t)watch.confirm : watch.feed;
        WATCHDOG_LOCK = WATCHDOG_UNLOCK;
        WATCHDOG_LOAD = watch.loaded > 0 ? watch.loaded : 1;
        WATCHDOG_CTRL = WATCHDOG_CTRL_ON;
        WATCHDOG_LOCK = 0;
}

static uint64_t ticks(unsigned ms, unsigned standard)
{
        return (uint64_t)(ms > 0 ? ms : standard) * TICKS_PER_MS;
}

void watchdog_start(unsigned feed_ms, unsigned confirm_ms, bool trying)
{
        uint64_t feed = ticks(feed_ms, FEED_DEFAULT_MS), longest = ticks(LONGEST_MS, 0);

        watch.feed = (uint32_t)(feed < longest ? feed : longest);
        watch.confirm = ticks(confirm_ms, CONFIRM_DEFAULT_MS);
        load(trying);
}

void watchdog_feed(bool trying)
{
        uint32_t passed = watch.loaded - WATCHDOG_VALUE;

        watch.confirm -= passed < watch.confirm ? passed : watch.confirm;
        load(trying);
}

const char *watchdog_reason(void)
{
        return watch.for_confirm ? "the new image did not confirm in time" : "watchdog: the application stands still";
}
