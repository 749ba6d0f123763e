/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Approvals: taken, replaced, dropped when their approver or their epoch does not count any more. */

#include <stdio.h>
#include <string.h>

#include "hub/updates_internal.h"

static bool is_over(struct updates *u, const struct approval *approval)
{
        return approval->has_not_after && u->host.time_trusted(u->host.context) &&
               approval->not_after < u->host.now(u->host.context);
}

static enum reason store_approval(struct updates *u, struct update *update, const struct approval *approval,
                                  size_t approver, struct span sign1, enum updates_source source)
{
        uint8_t key[KEY_ID_SIZE];
        char hex[2 * SHA256_SIZE + 1], key_hex[2 * KEY_ID_SIZE + 1];

        if (key_id(&u->anchors->policy.approvers[approver], key) != RELAY_OK)
                return REASON_STORE_FAILED;
        enum reason reason = updates_store_reason(update_store_approval(u->store, update->digest, key, sign1));
        if (reason == REASON_NONE && update_set_approval(update, approval, approver, key, sign1) < 0)
                reason = REASON_STORE_FAILED;
        if (reason != REASON_NONE)
                return reason;
        if (source == UPDATES_FROM_UPLINK) /* the bus's caller is in the record its action writes */
                u->host.audit(u->host.context, AUDIT_ACTOR_UPLINK, AUDIT_UPDATE_APPROVED,
                              span_to_hex(SPAN_OF(update->digest), hex, sizeof(hex)),
                              span_to_hex(SPAN_OF(key), key_hex, sizeof(key_hex)));
        updates_publish_approval(u, update, update_find_approval(update, approver), source == UPDATES_FROM_BUS);
        updates_evaluate(u, update);
        return REASON_NONE;
}

/* May this approver's word take the place of what he said before? Here he stands at the door; a cloud only brings what
 * it has, and must not bring back what said less. */
static bool may_replace(struct updates *u, const struct update_approval *before, const struct approval *next,
                        struct span sign1, enum updates_source source)
{
        if (span_equal(span_of(before->sign1, before->size), sign1))
                return false;
        return source == UPDATES_FROM_BUS || is_over(u, &before->content) || approval_widens(next, &before->content);
}

static enum reason take_approval(struct updates *u, struct span sign1, enum updates_source source,
                                 struct update **update)
{
        struct approval approval;
        size_t approver = 0;
        enum reason reason = approval_check(sign1, &u->anchors->policy, &approval, &approver);

        if (reason != REASON_NONE)
                return reason;
        *update = update_table_find(&u->table, approval.manifest_digest);
        if (!*update) {
                if (source == UPDATES_FROM_UPLINK)
                        updates_park(u, "", sign1);
                return REASON_UNKNOWN_UPDATE;
        }
        if ((*update)->denied)
                return REASON_DENIED;
        if (approval.epoch < anchors_floor(u->anchors))
                return REASON_REVOKED_EPOCH;
        const struct update_approval *before = update_find_approval(*update, approver);
        if (before && !may_replace(u, before, &approval, sign1, source))
                return REASON_ALREADY_APPROVED;
        return store_approval(u, *update, &approval, approver, sign1, source);
}

/* what is an ordinary thing to come by the uplink, and no reason to alert */
static bool is_harmless(enum reason reason)
{
        return reason == REASON_NONE || reason == REASON_ALREADY_APPROVED || reason == REASON_UNKNOWN_UPDATE ||
               reason == REASON_DENIED;
}

enum reason updates_approve(struct updates *u, struct span sign1, enum updates_source source, uint32_t *approved,
                            uint32_t *needed)
{
        struct update *update = NULL;
        uint8_t digest[SHA256_SIZE] = { 0 };

        if (sign1.size > APPROVAL_MAX)
                return REASON_TOO_LARGE;
        if (u->anchors->policy.epoch == 0) {
                if (source == UPDATES_FROM_UPLINK)
                        updates_park(u, "", sign1);
                return REASON_POLICY_INVALID;
        }
        enum reason reason = take_approval(u, sign1, source, &update);
        if (source == UPDATES_FROM_UPLINK && !is_harmless(reason)) {
                (void)crypto_sha256(sign1, digest);
                updates_tell_refusal(u, "", digest, reason, AUDIT_APPROVAL_REFUSED);
                /* the approver may be one of a policy that is still to come; rubbish gets no more than half the room */
                if (reason == REASON_NOT_AN_APPROVER && u->parked_count < PARKED_MAX / 2)
                        updates_park(u, "", sign1);
        }
        if (approved)
                *approved = update ? (uint32_t)update->approval_count : 0;
        if (needed)
                *needed = (uint32_t)u->anchors->policy.threshold;
        return reason;
}

/* ---- published */

void updates_publish_approval(struct updates *u, const struct update *update, const struct update_approval *approval,
                              bool to_cloud)
{
        char topic[TOPIC_MAX];
        struct span sign1 = span_of(approval->sign1, approval->size);

        topic_approval(topic, u->site, update->digest, approval->key_id);
        (void)u->host.publish_local(u->host.context, topic, sign1);
        if (to_cloud)
                (void)u->host.publish_cloud(u->host.context, topic, sign1);
}

void updates_take_back_approval(struct updates *u, const struct update *update, const struct update_approval *approval)
{
        char topic[TOPIC_MAX];

        topic_approval(topic, u->site, update->digest, approval->key_id);
        (void)u->host.publish_local(u->host.context, topic, SPAN_EMPTY);
        (void)u->host.publish_cloud(u->host.context, topic, SPAN_EMPTY);
}

/* ---- dropped */

static enum reason judge_again(const struct updates *u, struct update_approval *approval)
{
        struct approval content;
        size_t approver = 0;
        enum reason reason = approval_check(span_of(approval->sign1, approval->size), &u->anchors->policy, &content,
                                            &approver);

        if (reason == REASON_NONE && content.epoch < anchors_floor(u->anchors))
                reason = REASON_REVOKED_EPOCH;
        if (reason == REASON_NONE)
                approval->approver = approver; /* his place in the new policy */
        return reason;
}

static void drop_approval(struct updates *u, struct update *update, size_t place, enum reason reason)
{
        const struct update_approval *approval = &update->approvals[place];
        char hex[2 * SHA256_SIZE + 1], key[2 * KEY_ID_SIZE + 1], detail[80];

        snprintf(detail, sizeof(detail), "%s %s", span_to_hex(SPAN_OF(approval->key_id), key, sizeof(key)),
                 reason_name(reason));
        u->host.audit(u->host.context, AUDIT_ACTOR_RELAY, AUDIT_APPROVAL_DROPPED,
                      span_to_hex(SPAN_OF(update->digest), hex, sizeof(hex)), detail);
        updates_take_back_approval(u, update, approval);
        update_store_delete_approval(u->store, update->digest, approval->key_id);
        update_remove_approval(update, place);
}

size_t updates_recheck_approvals(struct updates *u)
{
        size_t dropped = 0;

        for (size_t i = 0; i < u->table.count; i++) {
                struct update *update = u->table.updates[i];
                for (size_t k = update->approval_count; k-- > 0;) {
                        enum reason reason = judge_again(u, &update->approvals[k]);
                        if (reason == REASON_NONE)
                                continue;
                        drop_approval(u, update, k, reason);
                        dropped++;
                }
        }
        return dropped;
}
