/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Token bucket: how many events a device may send per second. */

#include <stdint.h>

#include "relay/reason.h"

struct quota_rule {
        uint32_t per_second; /* 0: no limit */
        uint32_t burst;      /* tokens a full bucket holds; at least 1 */
};
struct quota {
        uint64_t tokens; /* thousandths */
        uint64_t at_ms;  /* monotonic; time of the last refill */
};

void quota_fill(struct quota *quota, const struct quota_rule *rule, uint64_t now_ms); /* a new, full bucket */
/* Takes one token, or denies with QUOTA. */
struct decision quota_take(struct quota *quota, const struct quota_rule *rule, uint64_t now_ms);
