/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The table `inet relayd`: what a country policy looks like in the kernel (docs/guard.md shows it).
 * The shape (chains, rules, sets without addresses) and the addresses are built apart: as long as the shape stays the
 * same, a change moves only the addresses that differ.
 */

#include <sys/types.h>

#include "country/country.h"
#include "guard/nfmsg.h"

#define RULESET_TABLE     "relayd"
#define RULESET_PORTS_MAX 16
#define RULESET_COPY      64 /* bytes of a refused packet that nflog copies */

/* What the guard was started with; a policy cannot change it. */
struct ruleset_options {
        uid_t hub_uid;
        uint16_t ports[RULESET_PORTS_MAX]; /* of devices and applications */
        size_t port_count;
        uint16_t log_group;
        uint32_t source_rate, source_burst; /* new connections of one source per second; 0: no limit */
        uint32_t budget, budget_burst;      /* of all sources together; 0: no limit */
};

/* All that the kernel's answer depends on. country: NULL is no database. Pointers stay the caller's. */
struct ruleset {
        const struct ruleset_options *options;
        const struct country_policy *policy;
        const struct country *country;
        bool air_gapped;
};

struct ruleset_counts {
        uint32_t intervals4, intervals6; /* of all sets */
        uint32_t added, deleted;         /* intervals sent */
};

/* The names of counters in the table; ends with NULL. */
extern const char *const ruleset_counters[];

/* Chains, rules and empty sets, in a transaction of its own: equal bytes mean equal shape. 0 or -errno */
int ruleset_shape(struct nfbatch *batch, const struct ruleset *ruleset);
/* Replaces the table as a whole, whatever is there. In pieces (nfbatch.piece), its rules are all in the last one, so
 * nothing is judged before; only right if there was no table. 0 or -errno of building and of pieces */
int ruleset_replace(struct nfbatch *batch, const struct ruleset *ruleset, uint32_t sequence,
                    struct ruleset_counts *counts);
/* Changes the addresses from present to wanted, which have the same shape. 0; 1: nothing differs; or -errno */
int ruleset_change(struct nfbatch *batch, const struct ruleset *present, const struct ruleset *wanted,
                   uint32_t sequence, struct ruleset_counts *counts);
/* Removes the table (used when the guard is told to leave nothing behind). */
int ruleset_remove(struct nfbatch *batch, uint32_t sequence);
