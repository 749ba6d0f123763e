/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Durable tables. Writes are staged by the owner's thread and committed by the store's own thread, so the loop never
 * waits for the disk; what is durable is told through store_fd(). Two implementations: lmdb.c and memory.c.
 *
 * Staged changes become visible to store_get()/store_walk() only once committed: callers keep what they need meanwhile.
 * A commit is atomic: after a crash all of it is there or nothing, and never a later one without it. A value carries a
 * CRC-32C over table, key and value, checked on reading. LMDB runs without MDB_WRITEMAP (a full disk would be SIGBUS)
 * and with synced commits: a commit is reported only after fdatasync returned. The folder holds a marker file, so that
 * a missing database is an error and not an empty one, and that is locked, so that there is one owner. A first check
 * of all pages runs in a child process (damaged pages end it, not the hub).
 *
 * Space. Puts are refused at 85 % of size_max; LMDB's map is a quarter larger than size_max, because a delete needs
 * pages, too: so deletes always pass, and the file stays within size_max in ordinary use and within 1.25 times it
 * always. A full disk is no end: the commit thread keeps what was handed over and tries again every second and with
 * each further commit; meanwhile puts are refused with -ENOSPC, nothing new becomes durable, and store_usage() shows
 * disk_full. Any other failure of a commit (EIO, damaged pages) ends the store for good.
 *
 * Pace. A commit starts at once if the last one began at least commit_delay_ms ago, or if much waits; otherwise it
 * waits for the rest of that time. So a lone event after a silence is as fast as the disk, and a stream of small ones
 * costs at most one commit (about 22 KB written) per commit_delay_ms, which is what wears out SD cards.
 *
 * All functions are for one thread, the owner's.
 */

#include <stdbool.h>
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
        /* a store made before there were these gets them when it is opened */
        STORE_COMMANDS,    /* 'c' + device + key -> last counter; 'w' + device + number -> command that waits */
        STORE_CHECKPOINTS, /* u64 audit records -> signed checkpoint */
        STORE_KNOWN,       /* image digest -> from where an image is known that devices may run */
        STORE_TABLE_COUNT
};
#define STORE_TABLES_FIRST STORE_COMMANDS /* tables before this one every store has */
#define STORE_KEY_MAX      511            /* bytes; at least 1. Integers in keys are big-endian, so that they sort */
#define STORE_VALUE_MAX    (128 * 1024)   /* bytes; may be 0 */
#define STORE_STAGED_MAX   (64 * 1024 * 1024) /* bytes staged, and again as much handed over and not yet durable */

struct store;

struct store_options {
        const char *path;         /* folder; created with mode 0700 by store_create() only. NULL: in memory */
        size_t size_max;          /* bytes the database may take; at least 1 MiB */
        uint32_t commit_delay_ms; /* how long a lone write may wait for company; 0 to 20 */
};

/* positive answers of store_open() */
#define STORE_DAMAGED 1 /* the check failed; *detail says what; nothing was changed */
#define STORE_MISSING 2 /* the marker says there was a database and there is none, or the folder never had one */

/* Makes an empty store in a folder that has none (an interrupted store_create() is begun anew). -EEXIST if there is
 * one. */
int store_create(const struct store_options *options);
/*
 * 0, STORE_DAMAGED, STORE_MISSING, -EBUSY (another process has it open), -EINVAL (options), or another negative errno.
 * detail: a sentence for people unless 0; detail_size bytes with its NUL. Reads every value of the small tables and as
 * much of the large ones as fits into ten seconds; the rest is checked when it is read. Forks, so call it before there
 * are threads.
 */
int store_open(const struct store_options *options, struct store **ret, char *detail, size_t detail_size);
/* Commits what is staged, joins the thread; NULL-safe, returns NULL. With a full disk what is not durable is lost. */
struct store *store_free(struct store *store);

/*
 * Stages one change; copies key and value. -ENOSPC: over 85 % of size_max, or the disk is full (deletes are always
 * taken), -EIO: the store failed earlier, -E2BIG: over the limits above, -EINVAL: empty key, -ENOMEM: no memory, or
 * STORE_STAGED_MAX reached. Later changes win over earlier ones. Deleting what is not there is fine.
 */
int store_put(struct store *store, enum store_table table, struct span key, struct span value);
int store_delete(struct store *store, enum store_table table, struct span key);
/* Seals what is staged and hands it to the commit thread. Gives the number of this commit (1, 2, ... since
 * store_open()), or the last one handed over if nothing is staged. */
uint64_t store_commit(struct store *store);

int store_fd(const struct store *store); /* readable when commits ended or failed; add it to the loop */
/* Highest commit number that is durable. *error: 0, or the negative errno that stopped the store for good (it stays).
 * Clears the fd. */
uint64_t store_durable(struct store *store, int *error);
/* Blocks till everything staged is durable: start-up, shut-down, tests. 0, -ENOSPC (disk full; it goes on trying), or
 * the error that stopped the store. */
int store_sync(struct store *store);

/* Key of the tables that are counted: big-endian, so that they walk in order of number. */
#define STORE_NUMBER_SIZE 8
struct span store_number_key(uint64_t number, uint8_t out[STORE_NUMBER_SIZE]);

/* Committed value into out (malloc, caller frees): 0, -ENOENT, -EBADMSG (CRC), -EIO ... */
int store_get(struct store *store, enum store_table table, struct span key, uint8_t **ret, size_t *ret_size);
/*
 * Calls fn for committed records with key >= from (may be empty) in ascending order, as long as it returns 0; passes
 * its value on. key and value are valid during the call only. fn may stage changes and read, but not commit.
 * A record with a bad CRC ends the walk with -EBADMSG.
 */
int store_walk(struct store *store, enum store_table table, struct span from,
               int (*fn)(void *context, struct span key, struct span value), void *context);

struct store_usage {
        size_t used, size_max; /* bytes */
        bool disk_full;        /* the last commit found no space on the disk; it is being tried again */
        uint64_t records[STORE_TABLE_COUNT];
        uint64_t commits;      /* batches that became durable since store_open() */
        uint64_t disk_commits; /* synced transactions they took */
        uint64_t bytes_staged; /* keys and values */
};
int store_usage(struct store *store, struct store_usage *out);
/* Is more than half of size_max taken, what is staged included? Then what can be given up makes room for the rest. */
bool store_is_half_full(const struct store *store);
