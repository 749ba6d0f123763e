/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Decorrelated jitter. */

#include "policy/retry.h"

uint32_t retry_next(struct retry *retry, uint32_t random)
{
        uint64_t last = retry->last_ms ? retry->last_ms : retry->base_ms;
        uint64_t high = last * 3;
        if (high > retry->max_ms)
                high = retry->max_ms;
        uint64_t range = high > retry->base_ms ? high - retry->base_ms + 1 : 1;
        /* scales instead of taking the remainder, so that no value is favoured */
        retry->last_ms = retry->base_ms + (uint32_t)((random * range) >> 32);
        return retry->last_ms;
}

void retry_reset(struct retry *retry)
{
        retry->last_ms = 0;
}
