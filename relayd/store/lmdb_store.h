/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Shared by lmdb.c (open, read), lmdb_commit.c (the thread) and lmdb_check.c (the child process).
 * A value in the database: u32 CRC-32C (little-endian) over table number, key and payload | payload.
 */

#include <lmdb.h>
#include <pthread.h>

#include "store/backend.h"

#define LMDB_CRC_SIZE  4
#define LMDB_DATA_FILE "data.mdb"
#define LMDB_FORMAT    "1"

struct lmdb_store {
        struct store store;
        MDB_env *env;
        MDB_dbi tables[STORE_TABLE_COUNT];
        char *path;
        int lock_fd; /* marker file, locked */
        uint64_t delay_ms;

        pthread_t thread;
        bool has_thread;
        pthread_mutex_t mutex; /* for all below */
        pthread_cond_t work, done;
        struct batch *queue, **queue_end;
        size_t queued_records, queued_bytes;
        bool hurry, stop;
        uint64_t durable;      /* number of the last batch on disk */
        uint64_t failures;     /* attempts that found the disk full */
        uint64_t disk_commits; /* transactions */
};

extern const char *const lmdb_table_names[STORE_TABLE_COUNT];
extern const struct span lmdb_format_key;

int lmdb_result(int mdb_result); /* LMDB's or errno's positive number to a negative errno; full map: -ENOSPC */
uint32_t lmdb_crc(enum store_table table, struct span key, struct span payload);
/* 0 and the payload, or -EBADMSG */
int lmdb_payload(enum store_table table, struct span key, const MDB_val *value, struct span *payload);

/* Starts the thread. 0 or -errno */
int lmdb_commit_start(struct lmdb_store *lmdb);
void lmdb_commit_stop(struct lmdb_store *lmdb); /* commits what is queued, if there is room */
void lmdb_commit(struct store *store, struct batch *batch);
uint64_t lmdb_durable(struct store *store);
int lmdb_sync(struct store *store);
/* bytes of all pages in use by the tables of this transaction */
int lmdb_measure(struct lmdb_store *lmdb, MDB_txn *txn, size_t *used);

/* Reads the database in a child process. 0, STORE_DAMAGED with a sentence in detail, or -errno. */
int lmdb_check(const char *path, char *detail, size_t detail_size);
