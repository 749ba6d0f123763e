/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The lists of allowed addresses that a policy leads to: one for each direction in use and for each port with a rule
 * of its own. Each has two sets in the kernel and a chain that asks them.
 */

#include "guard/elements.h"
#include "guard/ruleset.h"

#define LISTS_MAX     (COUNTRY_DIRECTIONS + COUNTRY_PORT_RULES_MAX)
#define LIST_NAME_MAX 24

struct list {
        enum country_direction direction;
        uint16_t port; /* of a rule of its own; 0: of the direction */
        bool open;     /* no country rule: everybody passes, and there are no sets */
        char name[LIST_NAME_MAX], reply[LIST_NAME_MAX], set4[LIST_NAME_MAX], set6[LIST_NAME_MAX];
};
struct lists {
        size_t count;
        struct list list[LISTS_MAX];
};

/* Rules of a port come before those of their direction. */
void lists_make(struct lists *lists, const struct ruleset *ruleset);
/* All addresses of a list. */
void list_add(struct nfbatch *batch, const struct ruleset *ruleset, const struct list *list,
              struct ruleset_counts *counts);
/* The difference of a list that both have. */
void list_change(struct nfbatch *batch, const struct ruleset *present, const struct ruleset *wanted,
                 const struct list *list, struct ruleset_counts *counts);
