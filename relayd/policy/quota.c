/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Token bucket. */

#include "policy/quota.h"

void quota_fill(struct quota *quota, const struct quota_rule *rule, uint64_t now_ms)
{
        *quota = (struct quota){ (uint64_t)rule->burst * 1000, now_ms };
}

struct decision quota_take(struct quota *quota, const struct quota_rule *rule, uint64_t now_ms)
{
        if (rule->per_second == 0)
                return DECISION_ALLOW;
        uint64_t full = (uint64_t)rule->burst * 1000;
        uint64_t passed = now_ms > quota->at_ms ? now_ms - quota->at_ms : 0;
        /* one ms brings per_second thousandths; after this long any bucket is full, and nothing can overflow */
        if (passed > full / rule->per_second)
                quota->tokens = full;
        else
                quota->tokens += passed * rule->per_second;
        if (quota->tokens > full)
                quota->tokens = full;
        if (now_ms > quota->at_ms)
                quota->at_ms = now_ms;
        if (quota->tokens < 1000)
                return DECISION_DENY(REASON_QUOTA);
        quota->tokens -= 1000;
        return DECISION_ALLOW;
}
