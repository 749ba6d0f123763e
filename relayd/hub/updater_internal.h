/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* The updater's inside, shared by updater.c (parts, events, views) and updater_actions.c,
 * updater_anchors.c and updater_gate.c (what people ask for). */

#include "hub/refusals.h"
#include "hub/updater.h"
#include "hub/updates.h"

/* Something signed of the cloud that may fit once another one came. */
#define UPDATER_PARKED_MAX 8
struct parked_anchor {
        enum anchor_kind kind;
        uint8_t *bytes;
        size_t size;
        enum reason reason; /* why it does not fit yet */
        uint64_t tell_ms;   /* monotonic: from then on it is told; UINT64_MAX: it was */
};

struct updater {
        struct updater_host host;
        struct store *store;
        char site[SITE_MAX + 1];
        struct anchors anchors;
        struct gate gate;
        uint64_t gate_open; /* gate_open_entries() at the last look */
        bool was_up;
        struct refusals refusals;                        /* of policies, vendor key sets and revocations of the cloud */
        struct refusals device_refusals;                 /* what devices say they refused */
        struct parked_anchor parked[UPDATER_PARKED_MAX]; /* oldest first */
        size_t parked_count;
        struct images *images;
        struct updates *updates;
};

/* All that is held, retained, to local subscribers or to the cloud. */
void updater_publish_anchors(struct updater *updater, bool local, bool to_cloud);
/* REASON_NONE (taken, or known), or why not: told, or kept waiting for what is missing. */
enum reason updater_anchor_from_cloud(struct updater *updater, enum anchor_kind kind, struct span set);
/* as an action of hub/manager.h */
int updater_import_anchor(struct updater *updater, const char *caller, enum anchor_kind kind, struct span set,
                          struct refusal *refusal);
/* The gate's windows are meant in the site policy's time zone. */
void updater_use_zone(struct updater *updater);
/* Tells what waited too long. */
void updater_parked_tick(struct updater *updater);
void updater_parked_clear(struct updater *updater);

/* The gate's facts now, about no device in particular. */
struct gate_facts updater_gate_facts(const struct updater *updater);
/* What opens or closes by itself: audited, and every offer looked at again. Also when the clock jumped. */
void updater_gate_tick(struct updater *updater);
/* When something may open or close by itself (monotonic ms). */
uint64_t updater_gate_deadline(const struct updater *updater);
