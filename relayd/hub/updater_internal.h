/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* The updater's inside, shared by updater.c (parts, events, views) and updater_actions.c and
 * updater_gate.c (what people ask for). */

#include "hub/refusals.h"
#include "hub/updater.h"
#include "hub/updates.h"

struct updater {
        struct updater_host host;
        struct store *store;
        char site[SITE_MAX + 1];
        struct anchors anchors;
        struct gate gate;
        uint64_t gate_open; /* gate_open_entries() at the last look */
        bool was_up;
        struct refusals refusals; /* of policies and vendor key sets of the cloud */
        struct images *images;
        struct updates *updates;
};

/* *refusal and MANAGER_REFUSED */
int updater_refuse(struct refusal *refusal, enum reason reason, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

enum reason updater_take_policy(struct updater *updater, struct span set);
enum reason updater_take_vendor(struct updater *updater, struct span set);

/* The gate's facts now, about no device in particular. */
struct gate_facts updater_gate_facts(const struct updater *updater);
/* What opens or closes by itself: audited, and every offer looked at again. Also when the clock jumped. */
void updater_gate_tick(struct updater *updater);
bool updater_gate_has_times(const struct updater *updater);
/* Somebody changed the gate's settings: every offer is looked at again. */
void updater_gate_was_set(struct updater *updater);
