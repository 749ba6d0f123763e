/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* What the two stores share (store.c) and what each brings along (lmdb.c, memory.c). */

#include <stdatomic.h>

#include "store/batch.h"

struct store_ops {
        struct store *(*free)(struct store *store);               /* after the last batch was handed over */
        void (*commit)(struct store *store, struct batch *batch); /* takes the batch */
        uint64_t (*durable)(struct store *store);
        int (*sync)(struct store *store); /* till everything handed over is durable */
        int (*get)(struct store *store, enum store_table table, struct span key, uint8_t **ret, size_t *ret_size);
        int (*walk)(struct store *store, enum store_table table, struct span from,
                    int (*fn)(void *context, struct span key, struct span value), void *context);
        int (*usage)(struct store *store, struct store_usage *out); /* fills records and commits */
};

struct store {
        const struct store_ops *ops;
        int fd; /* eventfd */
        size_t size_max;

        /* the owner's thread only */
        struct batch *staged;
        uint64_t last_number;
        uint64_t bytes_staged;

        /* both threads */
        atomic_size_t used;      /* bytes of the database as of the last commit */
        atomic_size_t in_flight; /* charges of the batches handed over and not yet in used */
        atomic_bool disk_full;   /* the last commit found no space; it is tried again */
        atomic_int error;        /* negative errno that stopped the store for good */
        _Atomic(struct batch *) spare;
};

/* A batch that is done with: kept for the next one if it is not too large. */
void store_recycle(struct store *store, struct batch *batch);
/* Tells the loop that a commit ended or failed. */
void store_wake(struct store *store);

int memory_open(const struct store_options *options, struct store **ret);
int lmdb_create(const struct store_options *options);
int lmdb_open(const struct store_options *options, struct store **ret, char *detail, size_t detail_size);
