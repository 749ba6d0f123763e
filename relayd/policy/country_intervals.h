/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * What a country policy allows, as merged and sorted intervals for the kernel. Pure, and without memory: a cursor over
 * the database's ranges, so that the change from one policy to another is a walk with two cursors.
 * An address lies in an interval exactly if country_policy_decide() allows it.
 */

#include "policy/country.h"

/* addresses of one family that share a country; ascending, not overlapping; what lies between them is unknown */
struct country_range {
        struct address_range range;
        country_code code;
};

/* Something that walks over the ranges of a family: embedded in its owner's state (country/country.h has one). */
struct country_source {
        /* false: no more */
        bool (*next)(struct country_source *source, struct country_range *range);
        /*
         * Neighbours whose codes stand for the same here may come as one range, with the code of one of them: most of a
         * database's ranges need not be looked at one by one. COUNTRY_CODES_ALL entries, or NULL: every code for
         * itself.
         */
        const uint8_t *alike;
};

/* members are the module's own */
struct country_intervals {
        struct country_scope scope;
        struct country_source *source;
        struct address at;          /* first address that no piece covered yet */
        bool ended;                 /* the pieces reached the family's last address */
        struct country_range ahead; /* read from the source, behind a gap */
        bool has_ahead;
        struct address_range allowed; /* by the rule, not given out yet */
        bool has_allowed;
        struct address_range exempt[COUNTRY_EXEMPT_ALL_MAX]; /* ascending, may overlap */
        size_t exempt_count, exempt_at;
        uint8_t alike[COUNTRY_CODES_ALL]; /* what the rule says of each code */
};

/*
 * Starts a walk over the allowed addresses of a family. direction, port: as for country_policy_decide().
 * source: at the start of the same family's ranges; NULL: no database (every country is COUNTRY_NO_DATABASE).
 * policy and source stay the caller's and must live as long as the cursor, which must not be moved in memory.
 */
void country_intervals_start(struct country_intervals *intervals, const struct country_policy *policy,
                             enum country_direction direction, uint16_t port, enum address_family family,
                             struct country_source *source);
/* The next interval: ascending, and at least one refused address lies between two. false: no more. */
bool country_intervals_next(struct country_intervals *intervals, struct address_range *out);
