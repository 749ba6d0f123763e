/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Staged changes in one growing run of bytes: filled by the owner's thread, then handed whole to the commit thread. */

#include <stdbool.h>

#include "store/store.h"

struct batch {
        struct batch *next;
        uint64_t number;
        size_t records;
        size_t charge; /* bytes of the database that the puts may take, estimated from above */
        size_t size, capacity;
        uint8_t *data;
};

struct batch_record {
        bool put; /* else: delete, value empty */
        enum store_table table;
        struct span key, value;
};

struct batch *batch_free(struct batch *batch); /* returns NULL */
/* *batch is made if NULL. 0 or -ENOMEM (nothing added) */
int batch_add(struct batch **batch, const struct batch_record *record);
/* Reads the record at *at and moves on; false at the end. Spans point into the batch. */
bool batch_next(const struct batch *batch, size_t *at, struct batch_record *out);
void batch_clear(struct batch *batch);
/* bytes a put may take in the database: pages are half full at worst, large values have pages of their own */
size_t batch_charge(size_t key_size, size_t value_size);
