/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packet ids in flight: linear probing, no more than three quarters full.
 */

#include "session/flights.h"

#include <errno.h>
#include <stdlib.h>

static uint32_t *slots_of(const struct flights *f)
{
        return f->slots ? f->slots : (uint32_t *)f->inside;
}

static uint32_t mask_of(const struct flights *f)
{
        return (f->slots ? f->size : FLIGHTS_INLINE) - 1;
}

/* the slot that holds the id, or the free one where it would go */
static uint32_t probe(const struct flights *f, uint16_t packet_id)
{
        const uint32_t *slots = slots_of(f);
        uint32_t at = packet_id & mask_of(f);
        while (slots[at] && (slots[at] & 0xFFFF) != packet_id)
                at = (at + 1) & mask_of(f);
        return at;
}

enum flight flights_find(const struct flights *f, uint16_t packet_id)
{
        return (enum flight)(slots_of(f)[probe(f, packet_id)] >> 16);
}

static int grow(struct flights *f)
{
        struct flights larger = { .size = 2 * (mask_of(f) + 1), .count = f->count };
        larger.slots = calloc(larger.size, sizeof(uint32_t));
        if (!larger.slots)
                return -ENOMEM;
        for (uint32_t i = 0; i <= mask_of(f); i++) {
                uint32_t value = slots_of(f)[i];
                if (value)
                        larger.slots[probe(&larger, (uint16_t)value)] = value;
        }
        free(f->slots);
        *f = larger;
        return 0;
}

int flights_set(struct flights *f, uint16_t packet_id, enum flight state)
{
        uint32_t at = probe(f, packet_id);
        if (!slots_of(f)[at]) {
                if (f->count + 1 > (mask_of(f) + 1) / 4 * 3) {
                        int r = grow(f);
                        if (r < 0)
                                return r;
                        at = probe(f, packet_id);
                }
                f->count++;
        }
        slots_of(f)[at] = (uint32_t)state << 16 | packet_id;
        return 0;
}

void flights_remove(struct flights *f, uint16_t packet_id)
{
        uint32_t *slots = slots_of(f), mask = mask_of(f), at = probe(f, packet_id);
        if (!slots[at])
                return;
        if (--f->count == 0) {
                flights_clear(f);
                return;
        }
        /* move back what was pushed past the hole, so that probing needs no tombstones */
        for (uint32_t next = (at + 1) & mask; slots[next]; next = (next + 1) & mask) {
                uint32_t home = slots[next] & mask;
                if (((next - home) & mask) < ((next - at) & mask))
                        continue;
                slots[at] = slots[next];
                at = next;
        }
        slots[at] = 0;
}

void flights_clear(struct flights *f)
{
        free(f->slots);
        *f = (struct flights){ 0 };
}
