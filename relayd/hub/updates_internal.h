/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* What the files of the updates share: updates.c takes things in, update_rules.c decides and publishes. */

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
        struct updates_host host;
        struct update_table table;
        struct refusals refusals;
        struct parked parked[PARKED_MAX]; /* oldest first */
        size_t parked_count;
        bool parked_replaying;
        uint64_t checked_ms; /* last look at time windows */
};

/* Decides about this update and all it touches anew; publishes, wants images, stages, tells. */
void updates_evaluate(struct updates *updates, struct update *update);
void updates_evaluate_all(struct updates *updates);
/* The gate's answer for this device. */
struct decision updates_gate(const struct updates *updates, const struct update *update, const char *device);
/* Shows the right offer to this device, or none. */
void updates_refresh_device(struct updates *updates, const char *device);
void updates_publish_approval(struct updates *updates, const struct update *update,
                              const struct update_approval *approval, bool to_cloud);
/* Is the device known here, and of the class the manifest names? */
enum reason updates_check_device(struct updates *updates, const char *device, const struct manifest_verified *manifest);
/* A verified manifest for this device. importer: who brought it in a file, or NULL: the cloud offers it. */
enum reason updates_take(struct updates *updates, const char *device, const struct manifest_verified *manifest,
                         const char *importer);
/* Drops images no update needs, once this one is gone or superseded. */
void updates_release_image(struct updates *updates, const struct update *update);
