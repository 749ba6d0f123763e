/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "sitepolicy_internal.h"

static enum reason refuse(struct site_policy *out, enum reason reason)
{
        memset(out, 0, sizeof(*out));
        return reason;
}

/* form and own rules */
static enum reason open_set(struct span signed_set, struct cose_set *set, struct site_policy *out, size_t scratch_size)
{
        int result;

        if (signed_set.size > SITE_POLICY_MAX)
                return refuse(out, REASON_TOO_LARGE);
        if (cose_set_decode(signed_set, set) != RELAY_OK)
                return refuse(out, REASON_MALFORMED);
        if (set->payload.size + sizeof(SITE_POLICY_AAD) - 1 + COSE_SCRATCH_EXTRA > scratch_size)
                return refuse(out, REASON_TOO_LARGE);
        result = site_policy_decode(set->payload, out);
        if (result == RELAY_E_TRUNCATED || result == RELAY_E_MALFORMED)
                return REASON_MALFORMED;
        return result == RELAY_OK ? REASON_NONE : REASON_POLICY_INVALID;
}

/* k of this policy's approvers signed the set, which may be another policy's */
static bool signed_by_k(const struct cose_set *set, const struct site_policy *policy, uint8_t *scratch,
                        size_t scratch_size)
{
        return policy->threshold > 0 &&
               cose_set_count_valid(set, SPAN_LITERAL(SITE_POLICY_AAD), policy->approvers, policy->approver_count,
                                    scratch, scratch_size) >= policy->threshold;
}

enum reason site_policy_read(struct span signed_set, struct site_policy *out, uint8_t *scratch, size_t scratch_size)
{
        struct cose_set set;
        enum reason reason = open_set(signed_set, &set, out, scratch_size);

        if (reason == REASON_NONE && !signed_by_k(&set, out, scratch, scratch_size))
                return refuse(out, REASON_BAD_SIGNATURE);
        return reason;
}

enum reason site_policy_accept_first(struct span signed_set, struct site_policy *out, uint8_t *scratch,
                                     size_t scratch_size)
{
        struct cose_set set;
        enum reason reason = open_set(signed_set, &set, out, scratch_size);

        if (reason == REASON_NONE && out->epoch != 1)
                return refuse(out, REASON_POLICY_INVALID);
        if (reason == REASON_NONE && !signed_by_k(&set, out, scratch, scratch_size))
                return refuse(out, REASON_BAD_SIGNATURE);
        return reason;
}

/* where the policy stands to the one in force; whether a fork is one, its signatures say */
static enum reason check_place(const struct site_policy *policy, const struct site_policy *current)
{
        if (!span_equal_string(span_of_string(policy->site), current->site))
                return REASON_WRONG_SITE;
        if (policy->epoch == current->epoch && !span_equal(SPAN_OF(policy->digest), SPAN_OF(current->digest)))
                return REASON_POLICY_FORK;
        if (policy->epoch <= current->epoch)
                return REASON_OLD_POLICY;
        if (policy->epoch - current->epoch > 1)
                return REASON_POLICY_GAP;
        if (!span_equal(SPAN_OF(policy->predecessor), SPAN_OF(current->digest)))
                return REASON_POLICY_FORK;
        if (policy->approval_epoch < current->approval_epoch || policy->issued < current->issued)
                return REASON_POLICY_INVALID;
        return REASON_NONE;
}

enum reason site_policy_accept_next(struct span signed_set, const struct site_policy *current, struct site_policy *out,
                                    uint8_t *scratch, size_t scratch_size)
{
        struct cose_set set;
        enum reason reason;

        if (out == current) /* reading it would overwrite whom it has to be judged by */
                return REASON_POLICY_INVALID;
        reason = open_set(signed_set, &set, out, scratch_size);
        if (reason == REASON_NONE)
                reason = check_place(out, current);
        if (reason != REASON_NONE && reason != REASON_POLICY_FORK)
                return refuse(out, reason);
        if (!signed_by_k(&set, current, scratch, scratch_size))
                return refuse(out, REASON_UNDER_SIGNED);
        if (!signed_by_k(&set, out, scratch, scratch_size))
                return refuse(out, REASON_BAD_SIGNATURE);
        return reason == REASON_NONE ? REASON_NONE : refuse(out, reason);
}
