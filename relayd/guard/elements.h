/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Interval elements of sets, streamed from sorted and merged lists into a transaction: nothing is kept in memory but
 * the transaction itself.
 */

#include "guard/nfmsg.h"
#include "policy/address.h"

/* A sorted list of intervals with at least one address between two neighbours; false: no more. */
struct interval_source {
        bool (*next)(void *context, struct address_range *range);
        void *context;
};

struct element_counts {
        uint32_t wanted; /* intervals of the new list */
        uint32_t added, deleted;
};

/* Adds the whole list to the set. */
void elements_add(struct nfbatch *batch, const char *table, const char *set, const struct interval_source *wanted,
                  struct element_counts *counts);
/*
 * Adds what is only in wanted, deletes what is only in present: deletions first, for an interval may have grown.
 * Long differences need a second walk over both lists: rewind() is called before each.
 */
struct element_change {
        void (*rewind)(void *context); /* both sources start again */
        void *context;
        struct interval_source present, wanted;
};
void elements_change(struct nfbatch *batch, const char *table, const char *set, const struct element_change *change,
                     struct element_counts *counts);
/* Ports, not intervals. */
void elements_add_ports(struct nfbatch *batch, const char *table, const char *set, const uint16_t *ports, size_t count);
