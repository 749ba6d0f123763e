/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hub/bursts.h"

#include <string.h>

/* A clock that was set back counts as over. */
static bool is_over(uint64_t told, uint64_t now_s)
{
        return now_s < told || now_s - told >= BURSTS_INTERVAL_S;
}

/* The entry of this country, or a free one, or the one that was silent for longest; BURSTS_MAX: all are busy. */
static size_t find(const struct bursts *bursts, enum country_direction direction, country_code country, uint64_t now_s)
{
        size_t place = BURSTS_MAX;

        for (size_t i = 0; i < BURSTS_MAX; i++) {
                if (bursts->entries[i].used && bursts->entries[i].direction == direction &&
                    bursts->entries[i].country == country)
                        return i;
                if (bursts->entries[i].used && !is_over(bursts->entries[i].told, now_s))
                        continue;
                if (place == BURSTS_MAX || (bursts->entries[place].used && !bursts->entries[i].used))
                        place = i;
        }
        return place;
}

uint64_t bursts_note(struct bursts *bursts, enum country_direction direction, country_code country, uint64_t count,
                     uint64_t now_s)
{
        size_t place = find(bursts, direction, country, now_s);
        bool same;
        uint64_t tell;

        bursts->total += count;
        if (place == BURSTS_MAX)
                return 0;
        same = bursts->entries[place].used && bursts->entries[place].direction == direction &&
               bursts->entries[place].country == country;
        tell = (same ? bursts->entries[place].count : 0) + count;
        if (same && !is_over(bursts->entries[place].told, now_s)) {
                bursts->entries[place].count = tell;
                return 0;
        }
        bursts->entries[place].used = true;
        bursts->entries[place].direction = direction;
        bursts->entries[place].country = country;
        bursts->entries[place].told = now_s;
        bursts->entries[place].count = 0;
        return tell;
}
