/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Which publish waits under which packet id: a ring, as PUBACKs come nearly in order (MQTT 5 section 4.6). */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INFLIGHT_MAX 1024

struct inflight {
        struct {
                uint64_t cookie;
                uint16_t id; /* 0: answered out of order */
        } entries[INFLIGHT_MAX];
        size_t head, count;
};

void inflight_clear(struct inflight *in);
bool inflight_is_full(const struct inflight *in);
void inflight_add(struct inflight *in, uint16_t id, uint64_t cookie);   /* not when full; id is not 0 */
bool inflight_take(struct inflight *in, uint16_t id, uint64_t *cookie); /* false: nothing waits under this id */
