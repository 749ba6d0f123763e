/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The two clocks. Engines get their values as arguments; only loops and main functions read them.
 */

#include <stdint.h>
#include <time.h>

#define TIME_MS_PER_S  UINT64_C(1000)
#define TIME_US_PER_MS UINT64_C(1000)

/* milliseconds since some point in the past; never goes back, does not count suspend */
static inline uint64_t time_monotonic_ms(void)
{
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* milliseconds since 1970; may jump */
static inline uint64_t time_real_ms(void)
{
        struct timespec now;
        clock_gettime(CLOCK_REALTIME, &now);
        return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}
