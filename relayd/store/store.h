/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Durable tables. Writes are staged by the owner's thread and committed by the store's own thread, so the loop never
 * waits for the disk; what is durable is told through store_fd(). Two implementations: lmdb.c and memory.c.
 *
 * Staged changes become visible to store_get()/store_walk() only once committed: callers keep what they need meanwhile.
 * Every value carries a CRC-32C, checked on reading. LMDB runs without MDB_WRITEMAP and with synced commits: a commit
 * is reported only after fdatasync returned. `path` holds a marker file, so that a missing database is an error and not
 * an empty one. A first check of all pages runs in a child process (damaged pages end it, not the hub).
 */

#include <stddef.h>
#include <stdint.h>

#include "relay/span.h"

enum store_table {
        STORE_META,      /* names -> small values */
        STORE_DEVICES,   /* identity -> registry record */
        STORE_OUTBOX,    /* u64 number -> event on its way to the cloud */
        STORE_RETAINED,  /* topic -> retained message */
        STORE_SESSIONS,  /* client id -> durable session and its subscriptions */
        STORE_QUEUE,     /* client id NUL u64 -> message for an absent or slow subscriber */
        STORE_UPDATES,   /* manifest digest -> update record with the envelope */
        STORE_APPROVALS, /* manifest digest + approver key id -> COSE_Sign1 */
        STORE_IMAGES,    /* image digest + 'l' or 'b' + u32 index -> block list piece or block */
        STORE_AUDIT,     /* u64 -> audit record */
        STORE_ALERTS,    /* u64 -> alert record */
        STORE_POLICY,    /* names -> signed site policies, vendor key sets */
        STORE_TABLE_COUNT
};
#define STORE_KEY_MAX   511 /* bytes */
#define STORE_VALUE_MAX (128 * 1024)

struct store;

struct store_options {
        const char *path;         /* folder; created with mode 0700 by store_create() only. NULL: in memory */
        size_t size_max;          /* bytes the database may take */
        uint32_t commit_delay_ms; /* how long a lone write may wait for company; 0 to 20 */
};

/* positive answers of store_open() */
#define STORE_DAMAGED 1 /* the check failed; *detail says what; nothing was changed */
#define STORE_MISSING \
        2 /* the marker says there was a database and there is none, or the folder was never initialised */

/* Makes an empty store in a folder that has none. -EEXIST if there is one. */
int store_create(const struct store_options *options);
/* 0, STORE_DAMAGED, STORE_MISSING, or negative errno. detail: a sentence for people, detail_size bytes. */
int store_open(const struct store_options *options, struct store **ret, char *detail, size_t detail_size);
struct store *store_free(struct store *store); /* commits what is staged, joins the thread; NULL-safe, returns NULL */

/*
 * Stages one change; copies key and value. -ENOSPC: over 85 % of size_max (deletes are always taken), -EIO: the store
 * failed earlier, -E2BIG: over the limits above, -ENOMEM.
 */
int store_put(struct store *store, enum store_table table, struct span key, struct span value);
int store_delete(struct store *store, enum store_table table, struct span key);
/* Seals what is staged and hands it to the commit thread. Gives the number of this commit (1, 2, ...), or the last one
 * handed over if nothing is staged. */
uint64_t store_commit(struct store *store);

int store_fd(const struct store *store); /* readable when commits ended; add it to the loop */
/* Highest commit number that is durable. *error: 0, or the negative errno that stopped the store for good. Clears the
 * fd. */
uint64_t store_durable(struct store *store, int *error);
/* Blocks till everything staged is durable: start-up, shut-down, tests. */
int store_sync(struct store *store);

/* Committed value into out (malloc, caller frees): 0, -ENOENT, -EBADMSG (CRC), -EIO ... */
int store_get(struct store *store, enum store_table table, struct span key, uint8_t **ret, size_t *ret_size);
/*
 * Calls fn for committed records with key >= from in ascending order, as long as it returns 0; passes its value on.
 * key and value are valid during the call only. A record with a bad CRC ends the walk with -EBADMSG.
 */
int store_walk(struct store *store, enum store_table table, struct span from,
               int (*fn)(void *context, struct span key, struct span value), void *context);

struct store_usage {
        size_t used, size_max; /* bytes */
        uint64_t records[STORE_TABLE_COUNT];
        uint64_t commits, bytes_staged;
};
int store_usage(struct store *store, struct store_usage *out);
