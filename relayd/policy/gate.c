/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The gate's state over time. */

#include "policy/gate.h"

#include "relay/cursor.h"

struct decision gate_decide(const struct gate *gate, bool time_known, uint64_t now)
{
        if (gate->state != GATE_OPEN)
                return DECISION_DENY(REASON_GATE_CLOSED);
        if (gate->until == 0)
                return DECISION_ALLOW;
        if (!time_known)
                return DECISION_DENY(REASON_NO_TRUSTED_TIME);
        return now < gate->until ? DECISION_ALLOW : DECISION_DENY(REASON_GATE_CLOSED);
}

uint64_t gate_seconds_left(const struct gate *gate, bool time_known, uint64_t now)
{
        if (gate_decide(gate, time_known, now).verdict != VERDICT_ALLOW)
                return 0;
        return gate->until ? gate->until - now : UINT64_MAX;
}

void gate_encode(const struct gate *gate, uint8_t out[GATE_RECORD_SIZE])
{
        struct writer w;
        writer_init(&w, out, GATE_RECORD_SIZE);
        writer_u8(&w, gate->state == GATE_OPEN);
        writer_u64(&w, gate->until);
}

bool gate_decode(struct span record, struct gate *out)
{
        struct reader r;
        reader_init(&r, record);
        uint8_t state = reader_u8(&r);
        uint64_t until = reader_u64(&r);
        *out = (struct gate){ GATE_CLOSED, 0 };
        if (reader_finish(&r) != RELAY_OK || state > 1)
                return false;
        *out = (struct gate){ state ? GATE_OPEN : GATE_CLOSED, until };
        return true;
}
