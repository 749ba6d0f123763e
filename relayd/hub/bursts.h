/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Connections that the country policy refused, told in bursts: the first of a country and direction at once, then the
 * number of further ones, every BURSTS_INTERVAL_S. Whoever sends packets causes BURSTS_MAX tellings an interval at
 * most.
 */

#include "policy/country.h"

#define BURSTS_MAX        64
#define BURSTS_INTERVAL_S 600

struct bursts {
        struct {
                bool used;
                enum country_direction direction;
                country_code country;
                uint64_t told;  /* Unix seconds */
                uint64_t count; /* since then */
        } entries[BURSTS_MAX];
        uint64_t total;
};
/* count: refusals that are new. What to tell now: so many since the last telling, or 0: nothing now. */
uint64_t bursts_note(struct bursts *bursts, enum country_direction direction, country_code country, uint64_t count,
                     uint64_t now_s);
