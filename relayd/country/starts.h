/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* What a build has collected: where in a family another country begins. */

#include "country/build.h"

struct start {
        uint64_t high, low;
        country_code code;
};

struct starts {
        struct start *list;
        size_t count, room;
        struct address next; /* first address that no range covered yet */
        bool full;           /* the family's last address is covered */
};

struct country_build {
        struct starts families[2]; /* IPv4, IPv6 */
        struct country_set used;
};

/* Covers what lies behind the last range; -ENODATA if a family is empty. */
int country_build_close(struct country_build *build, char *error);
