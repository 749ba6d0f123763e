/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What people ask for over the bus, with the words that go back to them. */

#include "hub/updater_internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "hub/manager.h"

int updater_refuse(struct refusal *refusal, enum reason reason, const char *format, ...)
{
        va_list arguments;

        refusal->reason = reason;
        va_start(arguments, format);
        vsnprintf(refusal->text, sizeof(refusal->text), format, arguments);
        va_end(arguments);
        return MANAGER_REFUSED;
}

static int store_error(enum reason reason)
{
        return reason == REASON_STORE_FULL ? -ENOSPC : reason == REASON_STORE_FAILED ? -EIO : 0;
}

int updater_import_site_policy(struct updater *u, const char *caller, struct span signed_set, struct refusal *refusal)
{
        char epoch[32];

        if (u->anchors.policy_set)
                return updater_refuse(
                        refusal, REASON_POLICY_INVALID,
                        "this relay has the site policy of epoch %llu already; a later one needs the signatures "
                        "of its approvers",
                        (unsigned long long)u->anchors.policy.epoch);
        enum reason reason = updater_take_policy(u, signed_set);
        if (store_error(reason) < 0)
                return store_error(reason);
        if (reason == REASON_WRONG_SITE)
                return updater_refuse(refusal, reason, "the site policy is for another site than %s; give that of %s",
                                      u->site, u->site);
        if (reason != REASON_NONE)
                return updater_refuse(refusal, reason,
                                      "the site policy is refused: %s; it must be the first one, signed by k "
                                      "of its own approvers",
                                      reason_explanation(reason));
        snprintf(epoch, sizeof(epoch), "epoch %llu", (unsigned long long)u->anchors.policy.epoch);
        u->host.audit(u->host.context, caller, AUDIT_POLICY_ACCEPTED, epoch, "");
        return 0;
}

int updater_import_vendor_keys(struct updater *u, const char *caller, struct span signed_set, struct refusal *refusal)
{
        char epoch[32];

        if (u->anchors.vendor_set)
                return updater_refuse(refusal, REASON_VENDOR_KEYS_INVALID,
                                      "this relay has the vendor key set of epoch %llu already; a later one needs the "
                                      "signatures of its holders and of the site's approvers",
                                      (unsigned long long)u->anchors.vendor.epoch);
        enum reason reason = updater_take_vendor(u, signed_set);
        if (store_error(reason) < 0)
                return store_error(reason);
        if (reason != REASON_NONE)
                return updater_refuse(refusal, reason,
                                      "the vendor key set is refused: %s; it must be the first one, signed by "
                                      "one of its organisation and one of its developer keys",
                                      reason_explanation(reason));
        snprintf(epoch, sizeof(epoch), "epoch %llu", (unsigned long long)u->anchors.vendor.epoch);
        u->host.audit(u->host.context, caller, AUDIT_VENDOR_KEYS_ACCEPTED, epoch, "");
        return 0;
}

struct span updater_site_policy(const struct updater *u)
{
        return anchors_policy_set(&u->anchors);
}

struct span updater_vendor_keys(const struct updater *u)
{
        return anchors_vendor_set(&u->anchors);
}

static const char *way_out(enum reason reason)
{
        if (reason == REASON_UNKNOWN_UPDATE)
                return "; relayctl updates list shows what is known";
        if (reason == REASON_NOT_AN_APPROVER)
                return "; sign with a key of the site policy (relayctl approvers)";
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
                return updater_refuse(refusal, reason, "the approval is refused: %s%s", reason_explanation(reason),
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
                return updater_refuse(refusal, reason, "no update with the digest %s is known%s", hex, way_out(reason));
        u->host.audit(u->host.context, caller, AUDIT_UPDATE_DENIED, hex, why);
        return 0;
}
