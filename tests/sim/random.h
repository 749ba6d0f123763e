/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* The simulations' own random numbers: the same seed gives the same run everywhere. */

#include <stdint.h>

struct random {
        uint64_t state;
};

/* splitmix64 */
static inline uint64_t random_next(struct random *r)
{
        uint64_t z = r->state += UINT64_C(0x9e3779b97f4a7c15);

        z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
        return z ^ (z >> 31);
}

/* 0 to limit - 1 */
static inline uint32_t random_below(struct random *r, uint32_t limit)
{
        return (uint32_t)(random_next(r) % limit);
}

static inline uint32_t random_between(struct random *r, uint32_t least, uint32_t most)
{
        return least + random_below(r, most - least + 1);
}

static inline int random_percent(struct random *r, uint32_t percent)
{
        return random_below(r, 100) < percent;
}
