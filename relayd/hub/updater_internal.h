/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* The updater's inside, shared by updater.c (parts, events, views) and updater_actions.c (what people ask for). */

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

/* The gate's facts now, about no device in particular. */
struct gate_facts updater_gate_facts(const struct updater *updater);
/* Somebody changed the gate's settings: every offer is looked at again. */
void updater_gate_was_set(struct updater *updater);
