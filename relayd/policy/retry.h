/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Back-off with decorrelated jitter: the next wait lies between the base and three times the last wait. */

#include <stdint.h>

struct retry {
        uint32_t base_ms, max_ms; /* 1 <= base <= max */
        uint32_t last_ms;         /* 0: nothing failed yet */
};

#define RETRY_INIT(base, max) ((struct retry){ (base), (max), 0 })

/* The wait before the next try, in ms. random: any 32 random bits. */
uint32_t retry_next(struct retry *retry, uint32_t random);
void retry_reset(struct retry *retry); /* after a success that lasted */
