/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Which events of a device were seen before: a sliding window over the last 256 sequence numbers of its current boot.
 * Only what was certainly seen is called a repeat; what lies outside the window passes.
 */

#include <stdbool.h>
#include <stdint.h>

#include "relay/span.h"

#define REPEAT_WINDOW      256 /* sequence numbers */
#define REPEAT_RECORD_SIZE 48  /* bytes of the encoded form */

struct repeat {
        bool used; /* false: nothing seen yet */
        uint32_t boot;
        uint64_t top;                      /* highest sequence number seen in this boot */
        uint64_t seen[REPEAT_WINDOW / 64]; /* bit i: top - i was seen */
};

enum repeat_answer {
        REPEAT_NEW = 0,    /* first time; marked as seen */
        REPEAT_SEEN = 1,   /* a repeat: acknowledge and drop */
        REPEAT_UNKNOWN = 2 /* of an older boot, or older than the window: pass on, the window cannot tell */
};

/* Looks up (boot, seq) and marks it. A higher boot starts a new window. */
enum repeat_answer repeat_check(struct repeat *repeat, uint32_t boot, uint64_t seq);

/* u8 version (1) | 3 zero bytes | u32 boot | u64 top | 4 x u64 seen; big-endian. Version 0: unused. */
void repeat_encode(const struct repeat *repeat, uint8_t out[REPEAT_RECORD_SIZE]);
bool repeat_decode(struct span record, struct repeat *out); /* false: not such a record; out becomes unused */
