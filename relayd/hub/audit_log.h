/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* The audit log in the store: what audit/audit.h chains, under its number. */

#include "audit/audit.h"
#include "store/store.h"

struct audit_log {
        struct store *store;
        struct audit_head head;
        bool has_gaps; /* records are missing; it goes on behind the last one */
};

/* Goes on behind the last record. 0, -EBADMSG (the last record is damaged), ... */
int audit_log_load(struct audit_log *log, struct store *store);
/* actor as audit/audit.h says; object and detail may be NULL. Staged. 0 or the store's error; the chain then stays
 * where it was. */
int audit_log_append(struct audit_log *log, uint64_t now, const char *actor, enum audit_action action,
                     const char *object, const char *detail);
int audit_log_walk(const struct audit_log *log, uint64_t from, uint32_t max,
                   int (*fn)(void *context, uint64_t number, struct span record), void *context);
