/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Approval: one approver's yes to exactly one manifest. A COSE_Sign1, aad "relayd/approval/1", payload
 *
 *     approval = { 0: 1, 1: site id (tstr), 2: manifest digest (bstr 32), 3: scope,
 *                  ? 4: not before (uint, Unix seconds), ? 5: not after (uint), 6: approval epoch (uint) }
 *
 * Scope: relay/scope.h. k of them by different approver keys of the current site policy make an update approved.
 */

#include "relay/manifest.h"
#include "relay/sitepolicy.h"

#define APPROVAL_AAD         "relayd/approval/1"
#define APPROVAL_MAX         2048 /* bytes of one COSE_Sign1 */
#define APPROVAL_DEVICES_MAX 32

struct approval {
        char site[SITE_MAX + 1];
        uint8_t manifest_digest[SHA256_SIZE];
        enum scope_kind scope;
        uint8_t class_id[CLASS_ID_SIZE];
        char devices[APPROVAL_DEVICES_MAX][IDENTITY_MAX + 1];
        size_t device_count;
        bool has_not_before, has_not_after;
        uint64_t not_before, not_after; /* Unix seconds, inclusive */
        uint64_t epoch;
};

/* Form only (docs/trust.md): RELAY_OK, RELAY_E_MALFORMED, RELAY_E_TRUNCATED, RELAY_E_RANGE ... Copies what it keeps. */
int approval_decode(struct span payload, struct approval *out);
/* The payload. RELAY_OK, RELAY_E_RANGE (a value that cannot be written), or the writer's error */
int approval_encode(struct writer *w, const struct approval *approval);
/* The COSE_Sign1 with the payload inside. The same, or what signer->sign returns */
int approval_sign(struct writer *w, const struct approval *approval, const struct signer *signer);

/*
 * One approval from outside against the policy: form, site, signature of an approver.
 * *approver: the key's place in policy->approvers. REASON_NONE, MALFORMED, WRONG_SITE, NOT_AN_APPROVER, BAD_SIGNATURE.
 */
enum reason approval_check(struct span sign1, const struct site_policy *policy, struct approval *out, size_t *approver);

/* who asks, for approval_decide() */
struct approval_facts {
        const char *device; /* NULL: asked for the site as a whole (any scope of this site counts) */
        uint8_t class_id[CLASS_ID_SIZE];
        uint64_t epoch_floor; /* approvals of an older epoch are revoked */
        bool time_trusted;
        bool time_is_floor; /* now is only the earliest it can be: a window may be over, and counts as having begun */
        uint64_t now;       /* Unix seconds, if trusted or a floor */
};

/*
 * Are there k approvals, by different approvers, for exactly this manifest, that hold for these facts now?
 * approvals: encoded COSE_Sign1 each; bad ones do not count and do not harm.
 * Deny reasons: NOT_APPROVED, or what kept the last missing one from counting (OUT_OF_SCOPE, OUTSIDE_WINDOW,
 * NO_TRUSTED_TIME, REVOKED_EPOCH). Constant memory.
 */
struct decision approval_decide(const struct span *approvals, size_t count, const uint8_t manifest_digest[SHA256_SIZE],
                                const struct site_policy *policy, const struct approval_facts *facts);
