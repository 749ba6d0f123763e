/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The gate as it stands in the store (STORE_META "gate"), so that a restart neither opens nor closes it, and the time
 * zone its windows are meant in. Its rules are policy/gate.h.
 */

#include "policy/gate.h"
#include "store/store.h"

struct gate {
        struct gate_settings settings;
        uint8_t *zone; /* content of the zone's file; NULL: UTC */
        size_t zone_size;
        bool zone_known;
};

/* Nothing there: closed. The zone is the host's. 0, -EBADMSG (damaged record), or what store_get() answers. */
int gate_load(struct gate *gate, struct store *store);
void gate_clear(struct gate *gate);
/* Stages the change; the gate changes only on success. 0 or store_put()'s errors. */
int gate_save(struct gate *gate, struct store *store, const struct gate_settings *next);
/* name: of the time zone database, "UTC", or "" for the host's own. An error: no window is met until it is known. */
int gate_use_zone(struct gate *gate, const char *name);
/* What gate_decide() has to know, but for the device. */
struct gate_facts gate_facts(const struct gate *gate, bool time_trusted, uint64_t now);
