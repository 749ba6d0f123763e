/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The gate's place in the store (STORE_META "gate"), so that a restart neither opens nor closes it. Its rules are
 * policy/gate.h.
 */

#include "policy/gate.h"
#include "store/store.h"

/* Nothing there: closed. 0, -EBADMSG (damaged record), or what store_get() answers. */
int gate_load(struct gate *gate, struct store *store);
/* Stages the change; *gate changes only on success. */
int gate_save(struct gate *gate, struct store *store, struct gate next);
