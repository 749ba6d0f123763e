/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "guard/lists.h"

#include <string.h>

static void name_list(struct list *list, const char *name)
{
        snprintf(list->name, sizeof(list->name), "%s", name);
        snprintf(list->reply, sizeof(list->reply), "%s-reply", name);
        snprintf(list->set4, sizeof(list->set4), "%s4", name);
        snprintf(list->set6, sizeof(list->set6), "%s6", name);
}

static struct list *append(struct lists *lists, enum country_direction direction, const struct country_rule *rule)
{
        struct list *list = &lists->list[lists->count++];

        *list = (struct list){ .direction = direction, .open = rule->mode == COUNTRY_OFF };
        return list;
}

void lists_make(struct lists *lists, const struct ruleset *ruleset)
{
        const struct country_policy *policy = ruleset->policy;

        lists->count = 0;
        for (size_t i = 0; i < policy->port_rule_count; i++) {
                struct list *list = append(lists, COUNTRY_INBOUND, &policy->port_rules[i].rule);
                char name[LIST_NAME_MAX];

                list->port = policy->port_rules[i].port;
                snprintf(name, sizeof(name), "port-%u-", list->port); /* sets: "port-8883-4" */
                name_list(list, name);
        }
        name_list(append(lists, COUNTRY_INBOUND, &policy->rules[COUNTRY_INBOUND]), "in");
        if (policy->lockdown)
                name_list(append(lists, COUNTRY_ADMIN, &policy->rules[COUNTRY_ADMIN]), "admin");
        if (ruleset->air_gapped || policy->rules[COUNTRY_UPLINK].mode != COUNTRY_OFF) {
                struct list *list = append(lists, COUNTRY_UPLINK, &policy->rules[COUNTRY_UPLINK]);
                list->open = false;
                name_list(list, "uplink");
        }
}

/* A walk over the allowed addresses of one list and family. */
struct walk {
        struct country_policy policy; /* as it holds for this list */
        struct country_walk countries;
        struct country_intervals intervals;
};

static void start_walk(struct walk *w, const struct ruleset *r, const struct list *list, enum address_family family)
{
        uint16_t port = list->port;

        w->policy = *r->policy;
        if (list->direction == COUNTRY_UPLINK && r->air_gapped) /* nothing but exempt networks */
                w->policy.rules[COUNTRY_UPLINK] = (struct country_rule){ .mode = COUNTRY_ALLOW };
        if (list->direction == COUNTRY_ADMIN && r->policy->lockdown_port_count > 0)
                port = r->policy->lockdown_ports[0]; /* one rule for all of them */
        if (r->country)
                country_walk_start(&w->countries, r->country, family);
        country_intervals_start(&w->intervals, &w->policy, list->direction, port, family,
                                r->country ? &w->countries.source : NULL);
}

static bool next_interval(void *context, struct address_range *range)
{
        struct walk *w = context;

        return country_intervals_next(&w->intervals, range);
}

static void count(struct ruleset_counts *counts, enum address_family family, const struct element_counts *elements)
{
        *(family == ADDRESS_IPV4 ? &counts->intervals4 : &counts->intervals6) += elements->wanted;
        counts->added += elements->added;
        counts->deleted += elements->deleted;
}

static const enum address_family families[] = { ADDRESS_IPV4, ADDRESS_IPV6 };

void list_add(struct nfbatch *batch, const struct ruleset *ruleset, const struct list *list,
              struct ruleset_counts *counts)
{
        for (size_t i = 0; !list->open && i < 2; i++) {
                struct element_counts elements = { 0 };
                struct interval_source source;
                struct walk w;

                start_walk(&w, ruleset, list, families[i]);
                source = (struct interval_source){ next_interval, &w };
                elements_add(batch, RULESET_TABLE, i == 0 ? list->set4 : list->set6, &source, &elements);
                count(counts, families[i], &elements);
        }
}

struct both {
        const struct ruleset *present, *wanted;
        const struct list *list;
        enum address_family family;
        struct walk walk_present, walk_wanted;
};

static void rewind_both(void *context)
{
        struct both *b = context;

        start_walk(&b->walk_present, b->present, b->list, b->family);
        start_walk(&b->walk_wanted, b->wanted, b->list, b->family);
}

void list_change(struct nfbatch *batch, const struct ruleset *present, const struct ruleset *wanted,
                 const struct list *list, struct ruleset_counts *counts)
{
        for (size_t i = 0; !list->open && i < 2; i++) {
                struct both b = { .present = present, .wanted = wanted, .list = list, .family = families[i] };
                struct element_counts elements = { 0 };
                struct element_change change = {
                        rewind_both, &b, { next_interval, &b.walk_present }, { next_interval, &b.walk_wanted }
                };

                elements_change(batch, RULESET_TABLE, i == 0 ? list->set4 : list->set6, &change, &elements);
                count(counts, families[i], &elements);
        }
}
