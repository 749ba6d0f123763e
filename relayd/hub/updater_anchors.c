/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Site policies, vendor key sets and revocations on their way in and out: taken, told, published, or kept waiting. */

#include "hub/updater_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hub/manager.h"

/* how long something of the cloud may wait for what came in another order, before it is told as missing */
#define PARKED_PATIENCE_MS 5000u
#define APPROVERS_TEXT_MAX 200 /* what an alert can hold */

static const struct anchor_words {
        const char *name, *topic;
        enum audit_action accepted, refused;
} words[ANCHOR_KINDS] = {
        [ANCHOR_POLICY] = { "site policy", "policy", AUDIT_POLICY_ACCEPTED, AUDIT_POLICY_REFUSED },
        [ANCHOR_VENDOR] = { "vendor key set", "vendor", AUDIT_VENDOR_KEYS_ACCEPTED, AUDIT_VENDOR_KEYS_REFUSED },
        [ANCHOR_REVOCATION] = { "revocation", "revocations", AUDIT_APPROVALS_REVOKED, AUDIT_REVOCATION_REFUSED },
};

/* ---- publishing */

static void publish(struct updater *u, enum anchor_kind kind, uint64_t epoch, bool local, bool to_cloud)
{
        char rest[48], topic[TOPIC_MAX];
        struct span set = anchors_set(&u->anchors, kind, epoch);

        if (set.size == 0)
                return;
        if (kind == ANCHOR_REVOCATION)
                snprintf(rest, sizeof(rest), "%s", words[kind].topic);
        else
                snprintf(rest, sizeof(rest), "%s/%" PRIu64, words[kind].topic, epoch);
        topic_site(topic, u->site, rest);
        if (local)
                (void)u->host.publish_local(u->host.context, topic, set);
        if (to_cloud)
                (void)u->host.publish_cloud(u->host.context, topic, set);
}

void updater_publish_anchors(struct updater *u, bool local, bool to_cloud)
{
        for (uint64_t epoch = 1; epoch <= u->anchors.policy.epoch; epoch++)
                publish(u, ANCHOR_POLICY, epoch, local, to_cloud);
        for (uint64_t epoch = 1; epoch <= u->anchors.vendor.epoch; epoch++)
                publish(u, ANCHOR_VENDOR, epoch, local, to_cloud);
        publish(u, ANCHOR_REVOCATION, 0, local, to_cloud);
}

/* ---- what became of it */

/* "epoch 2" and its digest; the actor is who brought it */
static void audit_taken(struct updater *u, const char *actor, enum anchor_kind kind)
{
        uint64_t epoch = anchors_epoch(&u->anchors, kind);
        char object[40], hex[2 * SHA256_SIZE + 1];

        snprintf(object, sizeof(object), "epoch %" PRIu64, epoch);
        span_to_hex(span_of(anchors_digest(&u->anchors, kind, epoch), SHA256_SIZE), hex, sizeof(hex));
        u->host.audit(u->host.context, actor, words[kind].accepted, object, hex);
}

#define KEYS_ROOM (sizeof(" 0011223344556677, and 16 more; went 0011223344556677, and 16 more"))

/* appends "; came 0011223344556677, ..." with the approvers of one policy that the other does not have */
static size_t append_keys(char *out, size_t size, const char *word, const struct site_policy *of,
                          const struct site_policy *but)
{
        uint8_t id[KEY_ID_SIZE];
        char hex[2 * KEY_ID_SIZE + 1];
        size_t count = 0, left = 0;

        for (size_t i = 0; i < of->approver_count; i++) {
                size_t at = strlen(out);
                if (key_find(but->approvers, but->approver_count, &of->approvers[i]) >= 0 ||
                    key_id(&of->approvers[i], id) != RELAY_OK)
                        continue;
                if (count > 0 && at + KEYS_ROOM > size) {
                        left++;
                        continue;
                }
                snprintf(out + at, size - at, "%s %s", count++ ? "," : word,
                         span_to_hex(SPAN_OF(id), hex, sizeof(hex)));
        }
        if (left > 0)
                snprintf(out + strlen(out), size - strlen(out), ", and %zu more", left);
        return count;
}

static void tell_approvers(struct updater *u, const char *actor, const struct site_policy *before)
{
        const struct site_policy *now = &u->anchors.policy;
        char object[40], detail[APPROVERS_TEXT_MAX];

        snprintf(detail, sizeof(detail), "epoch %" PRIu64 ": %zu of %zu approvers (before %zu of %zu)", now->epoch,
                 now->threshold, now->approver_count, before->threshold, before->approver_count);
        size_t came = append_keys(detail, sizeof(detail), "; came", now, before);
        size_t went = append_keys(detail, sizeof(detail), "; went", before, now);
        if (came + went == 0 && now->threshold == before->threshold)
                return;
        snprintf(object, sizeof(object), "epoch %" PRIu64, now->epoch);
        u->host.audit(u->host.context, actor, AUDIT_APPROVERS_CHANGED, object, detail);
        u->host.alert(u->host.context, "", REASON_APPROVERS_CHANGED, detail);
}

void updater_use_zone(struct updater *u)
{
        const char *zone = u->anchors.policy.time_zone;
        char detail[VIEW_TEXT_MAX];

        if (gate_use_zone(&u->gate, zone) == 0)
                return;
        snprintf(detail, sizeof(detail),
                 "this relay does not know the time zone %s, so windows of the gate and of rules stay closed; install "
                 "the "
                 "time zone database (tzdata), or name another zone in the site policy",
                 *zone ? zone : "of /etc/localtime");
        u->host.alert(u->host.context, "", REASON_NO_TRUSTED_TIME, detail);
}

static void taken(struct updater *u, const char *actor, enum anchor_kind kind, const struct site_policy *before)
{
        audit_taken(u, actor, kind);
        publish(u, kind, anchors_epoch(&u->anchors, kind), true, true);
        if (kind == ANCHOR_POLICY) {
                if (before->epoch > 0)
                        tell_approvers(u, actor, before);
                updater_use_zone(u);
        }
        size_t dropped = updates_anchors_changed(u->updates);
        if (kind == ANCHOR_REVOCATION) {
                char detail[VIEW_TEXT_MAX];
                snprintf(detail, sizeof(detail),
                         "approvals of an epoch below %" PRIu64
                         " were revoked; %zu of those that are kept here count no "
                         "more",
                         anchors_floor(&u->anchors), dropped);
                u->host.alert(u->host.context, "", REASON_REVOKED_EPOCH, detail);
        }
        u->host.changed(u->host.context, NULL);
}

static enum reason take(struct updater *u, const char *actor, enum anchor_kind kind, struct span set)
{
        const struct site_policy before = u->anchors.policy;
        enum reason reason = anchors_take(&u->anchors, u->store, u->site, kind, set);

        if (reason == REASON_NONE)
                taken(u, actor, kind, &before);
        return reason;
}

/* ---- refusals */

/* Both digests have to fit into an alert. */
static void describe_fork(const struct updater *u, enum anchor_kind kind, const struct anchor_claim *claim, char *out,
                          size_t size)
{
        char given[2 * SHA256_SIZE + 1], ours[2 * SHA256_SIZE + 1];
        const uint8_t *held = anchors_digest(&u->anchors, kind, claim->epoch);
        const char *verb = "is";

        span_to_hex(SPAN_OF(claim->digest), given, sizeof(given));
        if (!held) { /* the next epoch, but of another predecessor */
                held = anchors_digest(&u->anchors, kind, anchors_epoch(&u->anchors, kind));
                span_to_hex(SPAN_OF(claim->predecessor), given, sizeof(given));
                verb = "succeeds";
        }
        span_to_hex(held ? span_of(held, SHA256_SIZE) : SPAN_EMPTY, ours, sizeof(ours));
        snprintf(out, size, "a %s of epoch %" PRIu64 " %s %s, ours %s", words[kind].name, claim->epoch, verb, given,
                 ours);
}

static void describe(const struct updater *u, enum anchor_kind kind, const struct anchor_claim *claim,
                     enum reason reason, char *out, size_t size)
{
        uint64_t epoch = anchors_epoch(&u->anchors, kind);
        char hex[2 * 8 + 1]; /* the digest's beginning tells two of one epoch apart */

        span_to_hex(span_of(claim->digest, 8), hex, sizeof(hex));
        if (reason == REASON_POLICY_FORK || reason == REASON_VENDOR_KEYS_FORK)
                describe_fork(u, kind, claim, out, size);
        else if (claim->epoch > 0)
                snprintf(out, size, "a %s of epoch %" PRIu64 " (%s) was refused (in force is %" PRIu64 "): %s",
                         words[kind].name, claim->epoch, hex, epoch, reason_explanation(reason));
        else
                snprintf(out, size, "a %s (%s) was refused (in force is epoch %" PRIu64 "): %s", words[kind].name, hex,
                         epoch, reason_explanation(reason));
}

/* A person's slip is answered and audited; what looks like an attack is alerted, too. */
static bool is_suspicious(enum reason reason)
{
        switch ((int)reason) {
        case REASON_OLD_POLICY:
        case REASON_POLICY_FORK:
        case REASON_OLD_VENDOR_KEYS:
        case REASON_VENDOR_KEYS_FORK:
        case REASON_UNDER_SIGNED:
        case REASON_BAD_SIGNATURE:
        case REASON_ORGANISATION_SIGNATURE:
        case REASON_DEVELOPER_SIGNATURE:
                return true;
        }
        return false;
}

static void tell_refused(struct updater *u, const char *actor, enum anchor_kind kind, const struct anchor_claim *claim,
                         enum reason reason, bool alert)
{
        char object[40] = "", detail[VIEW_TEXT_MAX], hex[2 * SHA256_SIZE + 1], record[VIEW_TEXT_MAX];

        if (claim->epoch > 0)
                snprintf(object, sizeof(object), "epoch %" PRIu64, claim->epoch);
        snprintf(record, sizeof(record), "%s %s", reason_name(reason),
                 span_to_hex(SPAN_OF(claim->digest), hex, sizeof(hex)));
        u->host.audit(u->host.context, actor, words[kind].refused, object, record);
        if (!alert)
                return;
        describe(u, kind, claim, reason, detail, sizeof(detail));
        u->host.alert(u->host.context, "", reason, detail);
}

static void tell_refused_from_cloud(struct updater *u, enum anchor_kind kind, const struct anchor_claim *claim,
                                    struct span set, enum reason reason)
{
        uint8_t digest[SHA256_SIZE] = { 0 };

        (void)crypto_sha256(set, digest);
        switch (refusals_note(&u->refusals, "", digest, u->host.now_s(u->host.context))) {
        case REFUSALS_QUIET: /* the audit log has no end, and the cloud no limit */
                return;
        case REFUSALS_TELL:
                tell_refused(u, AUDIT_ACTOR_UPLINK, kind, claim, reason, true);
                return;
        case REFUSALS_FLOOD:
                u->host.alert(u->host.context, "", REASON_QUOTA,
                              "the cloud sends more policies, vendor key sets and revocations than are told each; the "
                              "next hour brings a new count");
                return;
        }
}

/* ---- waiting: the cloud gives retained messages in any order */

static bool may_become_good(enum anchor_kind kind, enum reason reason)
{
        if (reason == REASON_POLICY_GAP || reason == REASON_VENDOR_KEYS_GAP)
                return true;
        /* signed by approvers of a policy that is still to come */
        return reason == REASON_UNDER_SIGNED && kind != ANCHOR_POLICY;
}

static void unpark(struct updater *u, size_t place)
{
        free(u->parked[place].bytes);
        memmove(&u->parked[place], &u->parked[place + 1], (--u->parked_count - place) * sizeof(u->parked[0]));
}

static void park(struct updater *u, enum anchor_kind kind, struct span set, enum reason reason)
{
        for (size_t i = 0; i < u->parked_count; i++)
                if (u->parked[i].kind == kind && span_equal(span_of(u->parked[i].bytes, u->parked[i].size), set))
                        return;
        uint8_t *copy = malloc(set.size + 1);
        if (!copy)
                return; /* as if it had not come yet: it is retained at the cloud */
        memcpy(copy, set.data, set.size);
        if (u->parked_count == UPDATER_PARKED_MAX)
                unpark(u, 0);
        u->parked[u->parked_count++] = (struct parked_anchor){
                .kind = kind,
                .bytes = copy,
                .size = set.size,
                .reason = reason,
                .tell_ms = u->host.now_ms(u->host.context) + PARKED_PATIENCE_MS,
        };
}

/* Tries what waits until nothing of it fits any more: each one that is taken may be what another waited for. */
static void replay(struct updater *u)
{
        for (bool again = true; again;) {
                again = false;
                for (size_t i = 0; i < u->parked_count; i++) {
                        struct parked_anchor *parked = &u->parked[i];
                        struct span set = span_of(parked->bytes, parked->size);
                        const struct anchor_claim claim = anchor_claim(parked->kind, set);
                        enum reason reason = anchors_hold(&u->anchors, parked->kind, &claim)
                                                     ? REASON_NONE
                                                     : take(u, AUDIT_ACTOR_UPLINK, parked->kind, set);
                        if (may_become_good(parked->kind, reason) || reason == REASON_STORE_FULL ||
                            reason == REASON_STORE_FAILED) {
                                parked->reason = reason;
                                continue;
                        }
                        if (reason != REASON_NONE && reason != REASON_OLD_EPOCH)
                                tell_refused_from_cloud(u, parked->kind, &claim, set, reason);
                        unpark(u, i);
                        again = true;
                        break;
                }
        }
}

void updater_parked_tick(struct updater *u)
{
        uint64_t now_ms = u->host.now_ms(u->host.context);

        for (size_t i = 0; i < u->parked_count; i++) {
                struct parked_anchor *parked = &u->parked[i];
                struct span set = span_of(parked->bytes, parked->size);
                if (parked->tell_ms > now_ms)
                        continue;
                parked->tell_ms = UINT64_MAX;
                const struct anchor_claim claim = anchor_claim(parked->kind, set);
                tell_refused_from_cloud(u, parked->kind, &claim, set, parked->reason);
        }
}

void updater_parked_clear(struct updater *u)
{
        while (u->parked_count > 0)
                unpark(u, 0);
}

/* ---- in */

/* An older revocation at the cloud would keep devices on the direct way from the one in force: the cloud gets that. */
static void answer_old_revocation(struct updater *u, const struct anchor_claim *claim, struct span set)
{
        uint8_t digest[SHA256_SIZE] = { 0 };

        (void)crypto_sha256(set, digest);
        if (refusals_note(&u->refusals, "", digest, u->host.now_s(u->host.context)) != REFUSALS_TELL)
                return;
        tell_refused(u, AUDIT_ACTOR_UPLINK, ANCHOR_REVOCATION, claim, REASON_OLD_EPOCH, false);
        publish(u, ANCHOR_REVOCATION, 0, false, true);
}

/*
 * The first policy and vendor key set enter by hand only, so that a cloud cannot choose the approvers; our own come
 * back to us and are known.
 */
enum reason updater_anchor_from_cloud(struct updater *u, enum anchor_kind kind, struct span set)
{
        const struct anchor_claim claim = anchor_claim(kind, set);
        enum reason reason;

        if (anchors_hold(&u->anchors, kind, &claim))
                return REASON_NONE;
        if (kind != ANCHOR_REVOCATION && anchors_epoch(&u->anchors, kind) == 0)
                reason = kind == ANCHOR_POLICY ? REASON_POLICY_INVALID : REASON_VENDOR_KEYS_INVALID;
        else
                reason = take(u, AUDIT_ACTOR_UPLINK, kind, set);
        if (reason == REASON_NONE) {
                replay(u);
                return REASON_NONE;
        }
        if (reason == REASON_STORE_FULL || reason == REASON_STORE_FAILED)
                return reason; /* it comes again */
        if (may_become_good(kind, reason))
                park(u, kind, set, reason);
        else if (reason == REASON_OLD_EPOCH)
                answer_old_revocation(u, &claim, set);
        else
                tell_refused_from_cloud(u, kind, &claim, set, reason);
        return reason;
}

static const char *way_out(enum anchor_kind kind, enum reason reason)
{
        if (reason == REASON_POLICY_GAP || reason == REASON_VENDOR_KEYS_GAP)
                return "; import those between first, in their order";
        if (reason == REASON_UNDER_SIGNED)
                return "; collect more signatures (relayctl approvers sign)";
        if (kind == ANCHOR_REVOCATION && reason == REASON_POLICY_INVALID)
                return "; import the site policy first (relayctl setup)";
        return "";
}

int updater_import_anchor(struct updater *u, const char *caller, enum anchor_kind kind, struct span set,
                          struct refusal *refusal)
{
        const struct anchor_claim claim = anchor_claim(kind, set);
        uint64_t epoch = anchors_epoch(&u->anchors, kind);
        bool held = anchors_hold(&u->anchors, kind, &claim);
        enum reason reason = take(u, caller, kind, set);

        if (reason == REASON_STORE_FULL || reason == REASON_STORE_FAILED)
                return reason == REASON_STORE_FULL ? -ENOSPC : -EIO;
        if (reason == REASON_NONE) {
                replay(u);
                return 0;
        }
        if (!held) /* one that is in force, given again, is no news */
                tell_refused(u, caller, kind, &claim, reason, is_suspicious(reason));
        if (reason == REASON_WRONG_SITE)
                return refusal_set(refusal, reason, "the %s is for another site than %s; give that of %s",
                                   words[kind].name, u->site, u->site);
        if (epoch == 0 && kind != ANCHOR_REVOCATION)
                return refusal_set(refusal, reason, "the %s is refused: %s; it must be the first one, signed by %s",
                                   words[kind].name, reason_explanation(reason),
                                   kind == ANCHOR_POLICY ? "k of its own approvers"
                                                         : "one of its organisation and one of its developer keys");
        return refusal_set(refusal, reason, "the %s is refused: %s%s (here is epoch %" PRIu64 ")", words[kind].name,
                           reason_explanation(reason), way_out(kind, reason), epoch);
}
