/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Signed checkpoints of the audit log (relay/checkpoint.h): where its hash chain stood, each naming the one before.
 * They leave the relay, retained at sites/<site>/audit/checkpoint, so that whoever keeps one sees a log that was cut or
 * written anew. STORE_CHECKPOINTS, number of audit records (u64): the COSE_Sign1.
 *
 * A checkpoint is staged in the commit that holds the records it speaks of, and told when that is on the disk.
 */

#include "hub/audit_log.h"
#include "hub/gate_key.h"
#include "relay/checkpoint.h"

#define CHECKPOINTS_RECORDS  1000  /* made after so many records at the latest */
#define CHECKPOINTS_INTERVAL 86400 /* seconds after which one is made if there is anything new */

struct checkpoints {
        struct store *store;
        const char *site, *relay;
        const struct gate_key *key; /* borrowed; without one nothing is made */
        struct checkpoint last;     /* count 0: none yet */
        uint8_t bytes[CHECKPOINT_MAX];
        size_t size;
        bool untold;     /* the last one waits for the disk */
        uint64_t commit; /* that it waits for; UINT64_MAX: not sealed yet */
};

/* Reads the store, which is borrowed, like the others. 0, -EBADMSG (a record is damaged), or the store's error */
int checkpoints_load(struct checkpoints *checkpoints, struct store *store, const char *site, const char *relay,
                     const struct gate_key *key);
/*
 * Does this log contain what the checkpoints say, and is what follows the last one a whole chain up to its head? True,
 * or false with a sentence for people. *result: 0 or the store's error.
 */
bool checkpoints_verify(const struct checkpoints *checkpoints, const struct audit_log *log, char *sentence,
                        size_t sentence_size, int *result);
/* After a break was told: the next one follows the last as before, but what is kept here begins anew. Staged. */
int checkpoints_restart(struct checkpoints *checkpoints);
/* Is it time for one? now: Unix seconds */
bool checkpoints_are_due(const struct checkpoints *checkpoints, const struct audit_head *head, uint64_t now);
#define CHECKPOINTS_UNCHANGED 1 /* there is nothing new, or no key */
/* Signs and stages the next one. 0, CHECKPOINTS_UNCHANGED, or a negative errno. */
int checkpoints_make(struct checkpoints *checkpoints, const struct audit_head *head, uint64_t now);
/* The last one as signed; empty: none yet. Valid until the next one. */
struct span checkpoints_last(const struct checkpoints *checkpoints);

void checkpoints_sealed(struct checkpoints *checkpoints, uint64_t commit);
/* Is the last one on the disk since now, and to be told? Once each. */
bool checkpoints_durable(struct checkpoints *checkpoints, uint64_t commit);
