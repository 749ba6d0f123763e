/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A store that forgets: sorted arrays, for tests and demonstrations without a disk. A commit is done at once. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "store/backend.h"
#include "util/array.h"

struct record {
        size_t key_size, value_size;
        uint8_t bytes[]; /* key, value */
};
struct table {
        struct record **records; /* ascending by key */
        size_t count, capacity;
};
struct memory {
        struct store store;
        struct table tables[STORE_TABLE_COUNT];
        uint64_t durable;
};

static struct span record_key(const struct record *record)
{
        return (struct span){ record->bytes, record->key_size };
}

static struct span record_value(const struct record *record)
{
        return (struct span){ record->bytes + record->key_size, record->value_size };
}

/* place of the first record whose key is not below key */
static size_t lower_bound(const struct table *table, struct span key, bool *equal)
{
        size_t low = 0, high = table->count;
        while (low < high) {
                size_t middle = low + (high - low) / 2;
                if (span_compare(record_key(table->records[middle]), key) < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        *equal = low < table->count && span_equal(record_key(table->records[low]), key);
        return low;
}

static struct record *record_new(struct span key, struct span value)
{
        struct record *record = malloc(sizeof(*record) + key.size + value.size);
        if (!record)
                return NULL;
        record->key_size = key.size;
        record->value_size = value.size;
        memcpy(record->bytes, key.data, key.size);
        if (value.size)
                memcpy(record->bytes + key.size, value.data, value.size);
        return record;
}

static int table_insert(struct table *table, size_t at, struct record *record)
{
        if (array_reserve(table->records, table->count, table->capacity) < 0)
                return -ENOMEM;
        memmove(table->records + at + 1, table->records + at, (table->count - at) * sizeof(*table->records));
        table->records[at] = record;
        table->count++;
        return 0;
}

static void table_remove(struct table *table, size_t at)
{
        free(table->records[at]);
        table->count--;
        memmove(table->records + at, table->records + at + 1, (table->count - at) * sizeof(*table->records));
}

static size_t record_cost(const struct record *record)
{
        return record->key_size + record->value_size + 16;
}

static int apply(struct memory *memory, const struct batch_record *change)
{
        struct table *table = &memory->tables[change->table];
        bool exists;
        size_t at = lower_bound(table, change->key, &exists);
        if (!change->put) {
                if (exists) {
                        atomic_fetch_sub(&memory->store.used, record_cost(table->records[at]));
                        table_remove(table, at);
                }
                return 0;
        }
        struct record *record = record_new(change->key, change->value);
        if (!record)
                return -ENOMEM;
        if (exists) {
                atomic_fetch_sub(&memory->store.used, record_cost(table->records[at]));
                free(table->records[at]);
                table->records[at] = record;
        } else if (table_insert(table, at, record) < 0) {
                free(record);
                return -ENOMEM;
        }
        atomic_fetch_add(&memory->store.used, record_cost(record));
        return 0;
}

static void memory_commit(struct store *store, struct batch *batch)
{
        struct memory *memory = (struct memory *)store;
        struct batch_record record;
        int result = 0;
        for (size_t at = 0; result == 0 && batch_next(batch, &at, &record);)
                result = apply(memory, &record);
        if (result < 0)
                atomic_store(&store->error, result);
        else
                memory->durable = batch->number;
        atomic_fetch_sub(&store->in_flight, batch->charge);
        store_recycle(store, batch);
        store_wake(store);
}

static struct store *memory_free(struct store *store)
{
        struct memory *memory = (struct memory *)store;
        for (int i = 0; i < STORE_TABLE_COUNT; i++) {
                for (size_t at = 0; at < memory->tables[i].count; at++)
                        free(memory->tables[i].records[at]);
                free(memory->tables[i].records);
        }
        batch_free(atomic_exchange(&store->spare, NULL));
        close(store->fd);
        free(memory);
        return NULL;
}

static uint64_t memory_durable(struct store *store)
{
        return ((struct memory *)store)->durable;
}

static int memory_sync(struct store *store)
{
        return atomic_load(&store->error);
}

static int memory_get(struct store *store, enum store_table table, struct span key, uint8_t **ret, size_t *ret_size)
{
        const struct table *t = &((struct memory *)store)->tables[table];
        bool exists;
        size_t at = lower_bound(t, key, &exists);
        if (!exists)
                return -ENOENT;
        struct span value = record_value(t->records[at]);
        uint8_t *copy = malloc(value.size ? value.size : 1);
        if (!copy)
                return -ENOMEM;
        memcpy(copy, value.data, value.size);
        *ret = copy;
        *ret_size = value.size;
        return 0;
}

static int memory_walk(struct store *store, enum store_table table, struct span from,
                       int (*fn)(void *context, struct span key, struct span value), void *context)
{
        const struct table *t = &((struct memory *)store)->tables[table];
        bool exists;
        int result = 0;
        for (size_t at = lower_bound(t, from, &exists); result == 0 && at < t->count; at++)
                result = fn(context, record_key(t->records[at]), record_value(t->records[at]));
        return result;
}

static int memory_usage(struct store *store, struct store_usage *out)
{
        struct memory *memory = (struct memory *)store;
        for (int i = 0; i < STORE_TABLE_COUNT; i++)
                out->records[i] = memory->tables[i].count;
        out->commits = memory->durable;
        return 0;
}

static const struct store_ops memory_ops = {
        .free = memory_free,
        .commit = memory_commit,
        .durable = memory_durable,
        .sync = memory_sync,
        .get = memory_get,
        .walk = memory_walk,
        .usage = memory_usage,
};

int memory_open(const struct store_options *options, struct store **ret)
{
        (void)options;
        struct memory *memory = calloc(1, sizeof(*memory));
        if (!memory)
                return -ENOMEM;
        memory->store.ops = &memory_ops;
        memory->store.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (memory->store.fd < 0) {
                int error = -errno;
                free(memory);
                return error;
        }
        *ret = &memory->store;
        return 0;
}
