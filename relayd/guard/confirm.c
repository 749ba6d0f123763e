/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "guard/confirm.h"

#include <errno.h>

void confirm_offer(struct confirm *confirm, uint64_t token, const struct country_policy *policy, uint32_t seconds,
                   uint64_t now_ms)
{
        if (seconds == 0) {
                confirm->committed = *policy;
                confirm->committed_token = token;
                confirm->pending_token = 0;
                return;
        }
        confirm->pending = *policy;
        confirm->pending_token = token;
        confirm->deadline_ms = now_ms + UINT64_C(1000) * seconds;
}

int confirm_accept(struct confirm *confirm, uint64_t token)
{
        if (token == 0 || confirm->pending_token != token)
                return -ESTALE;
        confirm->committed = confirm->pending;
        confirm->committed_token = token;
        confirm->pending_token = 0;
        return 0;
}

uint64_t confirm_expire(struct confirm *confirm, uint64_t now_ms)
{
        uint64_t token = confirm->pending_token;

        if (token == 0 || now_ms < confirm->deadline_ms)
                return 0;
        confirm->pending_token = 0;
        return token;
}

const struct country_policy *confirm_active(const struct confirm *confirm)
{
        if (confirm->pending_token)
                return &confirm->pending;
        return confirm->committed_token ? &confirm->committed : NULL;
}

uint64_t confirm_active_token(const struct confirm *confirm)
{
        return confirm->pending_token ? confirm->pending_token : confirm->committed_token;
}

uint32_t confirm_seconds_left(const struct confirm *confirm, uint64_t now_ms)
{
        if (!confirm->pending_token || now_ms >= confirm->deadline_ms)
                return 0;
        return (uint32_t)((confirm->deadline_ms - now_ms + 999) / 1000);
}
