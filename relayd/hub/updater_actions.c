/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What people ask for over the bus, with the words that go back to them. */

#include "hub/updater_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "hub/manager.h"

static int store_error(enum reason reason)
{
        return reason == REASON_STORE_FULL ? -ENOSPC : reason == REASON_STORE_FAILED ? -EIO : 0;
}

int updater_import_site_policy(struct updater *u, const char *caller, struct span signed_set, struct refusal *refusal)
{
        return updater_import_anchor(u, caller, ANCHOR_POLICY, signed_set, refusal);
}

int updater_import_vendor_keys(struct updater *u, const char *caller, struct span signed_set, struct refusal *refusal)
{
        return updater_import_anchor(u, caller, ANCHOR_VENDOR, signed_set, refusal);
}

int updater_revoke(struct updater *u, const char *caller, struct span signed_set, struct refusal *refusal)
{
        return updater_import_anchor(u, caller, ANCHOR_REVOCATION, signed_set, refusal);
}

struct span updater_site_policy(const struct updater *u, uint64_t epoch)
{
        return anchors_set(&u->anchors, ANCHOR_POLICY, epoch ? epoch : u->anchors.policy.epoch);
}

struct span updater_vendor_keys(const struct updater *u, uint64_t epoch)
{
        return anchors_set(&u->anchors, ANCHOR_VENDOR, epoch ? epoch : u->anchors.vendor.epoch);
}

struct span updater_revocation(const struct updater *u)
{
        return anchors_set(&u->anchors, ANCHOR_REVOCATION, 0);
}

static const char *way_out(enum reason reason)
{
        if (reason == REASON_UNKNOWN_UPDATE)
                return "; relayctl updates list shows what is known";
        if (reason == REASON_NOT_AN_APPROVER)
                return "; sign with a key of the site policy (relayctl approvers)";
        if (reason == REASON_REVOKED_EPOCH)
                return "; sign it anew with the epoch in force";
        if (reason == REASON_POLICY_INVALID)
                return "; import the site policy first (relayctl setup)";
        return "";
}

int updater_approve(struct updater *u, const char *caller, struct span approval, uint32_t *approved, uint32_t *needed,
                    struct refusal *refusal)
{
        char subject[2 * SHA256_SIZE + 1] = "", detail[64];
        struct approval content;
        size_t approver = 0;
        uint32_t have = 0, of = 0;
        enum reason reason = updates_approve(u->updates, approval, UPDATES_FROM_BUS, &have, &of);

        if (store_error(reason) < 0)
                return store_error(reason);
        if (reason != REASON_NONE)
                return refusal_set(refusal, reason, "the approval is refused: %s%s", reason_explanation(reason),
                                   way_out(reason));
        if (approval_check(approval, &u->anchors.policy, &content, &approver) == REASON_NONE)
                span_to_hex(SPAN_OF(content.manifest_digest), subject, sizeof(subject));
        snprintf(detail, sizeof(detail), "approver %zu, %u of %u", approver + 1, have, of);
        u->host.audit(u->host.context, caller, AUDIT_UPDATE_APPROVED, subject, detail);
        *approved = have;
        *needed = of;
        return 0;
}

int updater_deny(struct updater *u, const char *caller, const uint8_t digest[SHA256_SIZE], const char *why,
                 struct refusal *refusal)
{
        char hex[2 * SHA256_SIZE + 1];
        enum reason reason = updates_deny(u->updates, digest, why);

        span_to_hex(span_of(digest, SHA256_SIZE), hex, sizeof(hex));
        if (store_error(reason) < 0)
                return store_error(reason);
        if (reason != REASON_NONE)
                return refusal_set(refusal, reason, "no update with the digest %s is known%s", hex, way_out(reason));
        u->host.audit(u->host.context, caller, AUDIT_UPDATE_DENIED, hex, why);
        return 0;
}
