/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Two ascending streams become one: what the rule allows of the database, and the exempt networks. */

#include "policy/country_intervals.h"

#include <stdlib.h>
#include <string.h>

static int compare_ranges(const void *a, const void *b)
{
        const struct address_range *left = a, *right = b;
        int order = address_compare(&left->first, &right->first);

        return order ? order : address_compare(&left->last, &right->last);
}

/* The source may join what the rule does not tell apart. */
static void judge_codes(struct country_intervals *intervals)
{
        if (!intervals->source || !intervals->scope.rule)
                return;
        for (country_code code = 0; code < COUNTRY_CODES_ALL; code++)
                intervals->alike[code] = country_rule_decide(intervals->scope.rule, code).verdict == VERDICT_ALLOW;
        intervals->source->alike = intervals->alike;
}

void country_intervals_start(struct country_intervals *intervals, const struct country_policy *policy,
                             enum country_direction direction, uint16_t port, enum address_family family,
                             struct country_source *source)
{
        const struct network *networks[COUNTRY_EXEMPT_ALL_MAX];

        memset(intervals, 0, sizeof *intervals);
        intervals->scope = country_policy_scope(policy, direction, port);
        intervals->source = source;
        intervals->at = address_first(family);
        intervals->ended = intervals->scope.closed;
        intervals->exempt_count = country_policy_exempt_list(policy, &intervals->scope, family, networks);
        for (size_t i = 0; i < intervals->exempt_count; i++)
                intervals->exempt[i] = network_range(networks[i]);
        judge_codes(intervals);
        qsort(intervals->exempt, intervals->exempt_count, sizeof intervals->exempt[0], compare_ranges);
}

/* Fills ahead with the next range of the source that covers anything behind what was covered. */
static bool read_ahead(struct country_intervals *c)
{
        while (!c->has_ahead && c->source && c->source->next(c->source, &c->ahead))
                c->has_ahead = address_compare(&c->ahead.range.last, &c->at) >= 0;
        return c->has_ahead;
}

/* The next piece of the whole family: a range of the database or the gap before it. at must not have ended. */
static void next_piece(struct country_intervals *c, struct country_range *piece)
{
        bool whole = !c->source || !c->scope.rule || c->scope.rule->mode == COUNTRY_OFF;

        piece->code = c->source ? COUNTRY_UNKNOWN : COUNTRY_NO_DATABASE;
        piece->range.first = c->at;
        piece->range.last = address_last(c->at.family);
        if (!whole && read_ahead(c)) {
                if (address_compare(&c->ahead.range.first, &c->at) > 0) {
                        piece->range.last = c->ahead.range.first;
                        address_previous(&piece->range.last);
                } else {
                        piece->code = c->ahead.code;
                        piece->range.last = c->ahead.range.last;
                        c->has_ahead = false;
                }
        }
        c->at = piece->range.last;
        c->ended = !address_next(&c->at);
}

/* Fills allowed with the next run of pieces that the rule allows. */
static bool next_allowed(struct country_intervals *c)
{
        struct country_range piece;

        while (!c->has_allowed && !c->ended) {
                next_piece(c, &piece);
                c->allowed = piece.range;
                c->has_allowed = !c->scope.rule ||
                                 country_rule_decide(c->scope.rule, piece.code).verdict == VERDICT_ALLOW;
        }
        return c->has_allowed;
}

/* Takes the stream's head that starts first. */
static bool take_first(struct country_intervals *c, struct address_range *out)
{
        bool allowed = next_allowed(c), exempt = c->exempt_at < c->exempt_count;

        if (exempt && (!allowed || address_compare(&c->exempt[c->exempt_at].first, &c->allowed.first) <= 0)) {
                *out = c->exempt[c->exempt_at++];
                return true;
        }
        if (allowed)
                *out = c->allowed;
        c->has_allowed = false;
        return allowed;
}

static bool touches(const struct address *last, const struct address *first)
{
        struct address behind = *last;

        return !address_next(&behind) || address_compare(first, &behind) <= 0;
}

bool country_intervals_next(struct country_intervals *c, struct address_range *out)
{
        struct address_range next;

        if (!take_first(c, out))
                return false;
        for (;;) {
                bool exempt = c->exempt_at < c->exempt_count && touches(&out->last, &c->exempt[c->exempt_at].first);
                bool allowed = next_allowed(c) && touches(&out->last, &c->allowed.first);
                if (!exempt && !allowed)
                        return true;
                take_first(c, &next);
                if (address_compare(&next.last, &out->last) > 0)
                        out->last = next.last;
        }
}
