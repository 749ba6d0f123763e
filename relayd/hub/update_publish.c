/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What stands retained about updates, beside the offers: approvals, and the site's answer to the vendor. */

#include <stdio.h>
#include <string.h>

#include "hub/updates_internal.h"

static char *answer_topic(const struct updates *u, const struct update *update, char topic[TOPIC_MAX])
{
        char rest[8 + 2 * SHA256_SIZE + 1] = "updates/";

        span_to_hex(SPAN_OF(update->digest), rest + 8, sizeof(rest) - 8);
        return topic_site(topic, u->site, rest);
}

static struct span answer_of(const struct updates *u, const struct update *update, char out[UPDATE_ANSWER_MAX])
{
        const struct update_answer answer = {
                .state = update_state_name(update->state),
                .reason = reason_name(update->denied ? REASON_DENIED : REASON_NONE),
                .detail = update->denied ? update->why : "",
                .urgency = update->manifest.fields.urgency,
                .since = update->received,
                .approved = (uint32_t)update->approval_count,
                .needed = (uint32_t)u->anchors->policy.threshold,
        };

        return span_of(out, update_answer_json(&answer, out));
}

void updates_answer(struct updates *u, struct update *update)
{
        char json[UPDATE_ANSWER_MAX], topic[TOPIC_MAX];
        struct span answer = answer_of(u, update, json);
        uint8_t digest[SHA256_SIZE];

        if (update->leaving || crypto_sha256(answer, digest) != RELAY_OK ||
            memcmp(digest, update->answered, SHA256_SIZE) == 0)
                return;
        answer_topic(u, update, topic);
        if (u->host.publish_local(u->host.context, topic, answer) < 0)
                return; /* said by whoever failed; tried again at the next evaluation */
        if (!u->starting)
                (void)u->host.publish_cloud(u->host.context, topic, answer);
        memcpy(update->answered, digest, SHA256_SIZE);
}

void updates_take_back(struct updates *u, struct update *update)
{
        char topic[TOPIC_MAX];

        for (size_t i = 0; i < update->approval_count; i++)
                updates_take_back_approval(u, update, &update->approvals[i]);
        answer_topic(u, update, topic);
        (void)u->host.publish_local(u->host.context, topic, SPAN_EMPTY);
        (void)u->host.publish_cloud(u->host.context, topic, SPAN_EMPTY);
        update->leaving = true;
        updates_evaluate(u, update);
}

void updates_publish(struct updates *u)
{
        for (size_t i = 0; i < u->table.count; i++)
                for (size_t k = 0; k < u->table.updates[i]->approval_count; k++)
                        updates_publish_approval(u, u->table.updates[i], &u->table.updates[i]->approvals[k], false);
        u->starting = true; /* the cloud gets its answers by updates_publish_up() */
        updates_evaluate_all(u);
        u->starting = false;
}

void updates_publish_up(struct updates *u)
{
        char topic[TOPIC_MAX], json[UPDATE_ANSWER_MAX];

        for (size_t i = 0; i < u->table.count; i++) {
                const struct update *update = u->table.updates[i];
                for (size_t k = 0; k < update->approval_count && update->state != UPDATE_SUPERSEDED; k++) {
                        topic_approval(topic, u->site, update->digest, update->approvals[k].key_id);
                        (void)u->host.publish_cloud(u->host.context, topic,
                                                    span_of(update->approvals[k].sign1, update->approvals[k].size));
                }
                (void)u->host.publish_cloud(u->host.context, answer_topic(u, update, topic),
                                            answer_of(u, update, json));
        }
}

/* ---- site policy, vendor keys or the revoked epoch changed */

/* What keys signed that are the vendor's no more is no update any more. */
static void recheck_manifests(struct updates *u)
{
        for (size_t i = u->table.count; i-- > 0;) {
                struct update *update = u->table.updates[i];
                struct manifest_unverified manifest;
                struct manifest_verified verified;
                if (manifest_decode(update->manifest.envelope, &manifest) == REASON_NONE &&
                    manifest_verify(&manifest, &u->anchors->vendor, &verified) == REASON_NONE)
                        continue;
                updates_remove(u, update, "signed by keys that are the vendor's no more");
        }
}

size_t updates_anchors_changed(struct updates *u)
{
        recheck_manifests(u);
        size_t dropped = updates_recheck_approvals(u);
        updates_replay_parked(u);
        updates_evaluate_all(u);
        return dropped;
}
