/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The part both stores share: staging, limits, and handing on. */

#include <errno.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "relay/cursor.h"
#include "store/backend.h"

#define FULL_PERCENT        85
#define SIZE_MIN            ((size_t)1024 * 1024)
#define COMMIT_DELAY_MAX_MS 20
#define SPARE_MAX           ((size_t)4 * 1024 * 1024)

static bool options_are_valid(const struct store_options *options)
{
        return options->size_max >= SIZE_MIN && options->size_max <= SIZE_MAX / 2 &&
               options->commit_delay_ms <= COMMIT_DELAY_MAX_MS;
}

int store_create(const struct store_options *options)
{
        if (!options_are_valid(options))
                return -EINVAL;
        return options->path ? lmdb_create(options) : 0;
}

int store_open(const struct store_options *options, struct store **ret, char *detail, size_t detail_size)
{
        if (detail_size)
                detail[0] = '\0';
        if (!options_are_valid(options))
                return -EINVAL;
        struct store *store = NULL;
        int result = options->path ? lmdb_open(options, &store, detail, detail_size) : memory_open(options, &store);
        if (result != 0)
                return result;
        store->size_max = options->size_max;
        *ret = store;
        return 0;
}

struct store *store_free(struct store *store)
{
        if (!store)
                return NULL;
        store_commit(store);
        batch_free(store->staged);
        return store->ops->free(store);
}

void store_recycle(struct store *store, struct batch *batch)
{
        if (batch->capacity > SPARE_MAX) {
                batch_free(batch);
                return;
        }
        batch_clear(batch);
        batch_free(atomic_exchange(&store->spare, batch));
}

void store_wake(struct store *store)
{
        uint64_t one = 1;
        /* fails only if the counter is at its end, and then the loop is awake anyway */
        ssize_t written = write(store->fd, &one, sizeof(one));
        (void)written;
}

static int check_key(const struct store *store, enum store_table table, struct span key)
{
        if ((unsigned)table >= STORE_TABLE_COUNT || key.size == 0)
                return -EINVAL;
        if (key.size > STORE_KEY_MAX)
                return -E2BIG;
        return atomic_load(&store->error) ? -EIO : 0;
}

static int stage(struct store *store, const struct batch_record *record)
{
        if (!store->staged)
                store->staged = atomic_exchange(&store->spare, NULL);
        int result = batch_add(&store->staged, record);
        if (result == 0)
                store->bytes_staged += record->key.size + record->value.size;
        return result;
}

/* taken on the disk, on its way there, staged */
static size_t charged(const struct store *store)
{
        return atomic_load_explicit(&store->used, memory_order_relaxed) +
               atomic_load_explicit(&store->in_flight, memory_order_relaxed) +
               (store->staged ? store->staged->charge : 0);
}

bool store_is_half_full(const struct store *store)
{
        return charged(store) > store->size_max / 2;
}

int store_put(struct store *store, enum store_table table, struct span key, struct span value)
{
        int result = check_key(store, table, key);
        if (result < 0)
                return result;
        if (value.size > STORE_VALUE_MAX)
                return -E2BIG;
        size_t in_flight = atomic_load_explicit(&store->in_flight, memory_order_relaxed);
        size_t charge = charged(store) + batch_charge(key.size, value.size);
        if (atomic_load(&store->disk_full) || charge > store->size_max / 100 * FULL_PERCENT)
                return -ENOSPC;
        /* deletes may go beyond this, but they are small */
        if (in_flight > STORE_STAGED_MAX || (store->staged && store->staged->size + value.size > STORE_STAGED_MAX))
                return -ENOMEM;
        return stage(store, &(struct batch_record){ true, table, key, value });
}

int store_delete(struct store *store, enum store_table table, struct span key)
{
        int result = check_key(store, table, key);
        if (result < 0)
                return result;
        return stage(store, &(struct batch_record){ false, table, key, SPAN_EMPTY });
}

uint64_t store_commit(struct store *store)
{
        if (!store->staged || store->staged->records == 0)
                return store->last_number;
        struct batch *batch = store->staged;
        store->staged = NULL;
        batch->number = ++store->last_number;
        atomic_fetch_add(&store->in_flight, batch->charge);
        store->ops->commit(store, batch);
        return store->last_number;
}

int store_fd(const struct store *store)
{
        return store->fd;
}

uint64_t store_durable(struct store *store, int *error)
{
        uint64_t count;
        /* not readable is fine: the caller may ask at any time */
        ssize_t got = read(store->fd, &count, sizeof(count));
        (void)got;
        /* the number first: a commit that failed is never below it */
        uint64_t durable = store->ops->durable(store);
        *error = atomic_load(&store->error);
        return durable;
}

int store_sync(struct store *store)
{
        store_commit(store);
        return store->ops->sync(store);
}

struct span store_number_key(uint64_t number, uint8_t out[STORE_NUMBER_SIZE])
{
        struct writer w;

        writer_init(&w, out, STORE_NUMBER_SIZE);
        writer_u64(&w, number);
        return writer_span(&w);
}

int store_get(struct store *store, enum store_table table, struct span key, uint8_t **ret, size_t *ret_size)
{
        if ((unsigned)table >= STORE_TABLE_COUNT || key.size == 0)
                return -EINVAL;
        return key.size > STORE_KEY_MAX ? -ENOENT : store->ops->get(store, table, key, ret, ret_size);
}

int store_walk(struct store *store, enum store_table table, struct span from,
               int (*fn)(void *context, struct span key, struct span value), void *context)
{
        if ((unsigned)table >= STORE_TABLE_COUNT || from.size > STORE_KEY_MAX)
                return -EINVAL;
        return store->ops->walk(store, table, from, fn, context);
}

int store_usage(struct store *store, struct store_usage *out)
{
        struct store_usage usage = {
                .used = atomic_load(&store->used),
                .size_max = store->size_max,
                .bytes_staged = store->bytes_staged,
                .disk_full = atomic_load(&store->disk_full),
        };
        int result = store->ops->usage(store, &usage);
        if (result == 0)
                *out = usage;
        return result;
}
