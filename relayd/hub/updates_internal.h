/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * What the files of the updates share: updates.c takes things in, update_approvals.c approvals, update_rules.c decides
 * and shows offers, update_publish.c publishes the rest.
 */

#include "hub/refusals.h"
#include "hub/update_table.h"
#include "hub/updates.h"

/* Something signed that cannot be judged yet: its update, the site policy or the vendor keys are not here. */
#define PARKED_MAX 64
struct parked {
        char device[IDENTITY_MAX + 1]; /* of an offer; "": an approval */
        uint8_t *bytes;
        size_t size;
};

struct updates {
        char site[SITE_MAX + 1];
        struct store *store;
        struct anchors *anchors;
        struct gate *gate;
        struct images *images;
        const struct public_key *gate_key;
        bool gate_only;
        struct updates_host host;
        struct update_table table;
        struct refusals refusals;
        struct parked parked[PARKED_MAX]; /* oldest first */
        size_t parked_count;
        bool parked_replaying;
        uint64_t checked_ms; /* last look at time windows */
        bool starting;       /* what is published now, is published for the cloud later */
};

/* Decides about this update and all it touches anew; publishes, wants images, stages, tells. */
void updates_evaluate(struct updates *updates, struct update *update);
void updates_evaluate_all(struct updates *updates);
/* What the rules of the site policy say of this update for this device; as rule_decide(). */
struct decision updates_rule(const struct updates *updates, const struct update *update, const char *device, int *rule);
/* The gate's answer for this device; allowed if another gate answers for it. */
struct decision updates_gate(const struct updates *updates, const struct update *update, const char *device);
/* Shows the right offer to this device, or none. */
void updates_refresh_device(struct updates *updates, const char *device);
/* 0 -> NONE, else STORE_FULL or STORE_FAILED */
enum reason updates_store_reason(int result);
/* Alerts and audits what the cloud sent, within the limits of hub/refusals.h. */
void updates_tell_refusal(struct updates *updates, const char *device, const uint8_t digest[SHA256_SIZE],
                          enum reason reason, enum audit_action action);
/* Keeps an offer for this device, or an approval (device ""), till it can be judged. */
void updates_park(struct updates *updates, const char *device, struct span bytes);
/* Looks at everything parked once more; what still cannot be judged is parked anew. */
void updates_replay_parked(struct updates *updates);
/* Forgets the update and takes back all that stands retained about it. */
void updates_remove(struct updates *updates, struct update *update, const char *why);
void updates_take_back(struct updates *updates, struct update *update);
void updates_take_back_approval(struct updates *updates, const struct update *update,
                                const struct update_approval *approval);
/* Drops approvals of former approvers and revoked epochs; returns how many. */
size_t updates_recheck_approvals(struct updates *updates);
/* The site's answer to the vendor, if it changed. */
void updates_answer(struct updates *updates, struct update *update);
void updates_publish_approval(struct updates *updates, const struct update *update,
                              const struct update_approval *approval, bool to_cloud);
/* Is the device known here, and of the class the manifest names? */
enum reason updates_check_device(struct updates *updates, const char *device, const struct manifest_verified *manifest);
/* A verified manifest for this device. importer: who brought it in a file, or NULL: the cloud offers it. */
enum reason updates_take(struct updates *updates, const char *device, const struct manifest_verified *manifest,
                         const char *importer);
/* Drops images no update needs, once this one is gone or superseded. */
void updates_release_image(struct updates *updates, const struct update *update);
