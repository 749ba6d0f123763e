/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The gate: the owner's switch for updates. Closed is zero. "Open until" needs a clock; without one it counts as
 * closed.
 */

#include <stdbool.h>
#include <stdint.h>

#include "relay/reason.h"
#include "relay/span.h"

enum gate_state { GATE_CLOSED = 0, GATE_OPEN = 1 };
struct gate {
        enum gate_state state;
        uint64_t until; /* Unix seconds, first second that is closed again; 0: till somebody closes it */
};

/* Allows, or GATE_CLOSED, or NO_TRUSTED_TIME (open until a time, and now is not known). now: Unix seconds. */
struct decision gate_decide(const struct gate *gate, bool time_known, uint64_t now);
/* Seconds till it closes by itself: 0 if closed, UINT64_MAX if it stays open. */
uint64_t gate_seconds_left(const struct gate *gate, bool time_known, uint64_t now);

#define GATE_RECORD_SIZE 9
/* The gate as it stands in the store. */
void gate_encode(const struct gate *gate, uint8_t out[GATE_RECORD_SIZE]);
bool gate_decode(struct span record, struct gate *out); /* false: not such a record; out becomes a closed gate */
