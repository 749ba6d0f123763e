/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The gate: the site's standing answer to "may a device update now?". Closed unless somebody opened it; kept in the
 * store, so that a restart neither opens nor closes it.
 */

#include <stdbool.h>
#include <stdint.h>

#include "store/store.h"

struct gate {
        bool open;
        uint64_t until; /* Unix seconds; 0: without end */
};

/* Reads what the store holds; nothing there: closed. 0, -EBADMSG (damaged record), or what store_get() answers. */
int gate_load(struct gate *gate, struct store *store);
/* Stages the change; *gate changes only on success. */
int gate_open(struct gate *gate, struct store *store, uint64_t until);
int gate_close(struct gate *gate, struct store *store);
bool gate_is_open(const struct gate *gate, uint64_t now_s);
/* When it closes by itself: Unix seconds; UINT64_MAX: never. */
uint64_t gate_deadline(const struct gate *gate);

/* Record form: CBOR {0: 1, 1: open (bool), 2: until (uint)}. RELAY_OK or the reader's error. */
int gate_decode(struct span record, struct gate *out);
