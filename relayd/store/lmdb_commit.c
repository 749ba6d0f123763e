/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The commit thread: takes all that is queued into one transaction (group commit). */

#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>

#include "store/lmdb_store.h"
#include "util/time.h"

/* so much company is enough, whatever the time */
#define COMPANY_RECORDS 256
#define COMPANY_BYTES   ((size_t)64 * 1024)
#define RETRY_MS        1000

static void wait_until(struct lmdb_store *lmdb, uint64_t when_ms)
{
        struct timespec when = { (time_t)(when_ms / 1000), (long)(when_ms % 1000) * 1000000 };
        pthread_cond_timedwait(&lmdb->work, &lmdb->mutex, &when);
}

static int apply(struct lmdb_store *lmdb, MDB_txn *txn, const struct batch_record *record)
{
        MDB_val key = { record->key.size, (void *)record->key.data };
        MDB_dbi table = lmdb->tables[record->table];
        if (!record->put) {
                int result = mdb_del(txn, table, &key, NULL);
                return result == MDB_NOTFOUND ? 0 : result;
        }
        MDB_val value = { LMDB_CRC_SIZE + record->value.size, NULL };
        int result = mdb_put(txn, table, &key, &value, MDB_RESERVE);
        if (result != 0)
                return result;
        uint32_t crc = lmdb_crc(record->table, record->key, record->value);
        uint8_t head[LMDB_CRC_SIZE] = { (uint8_t)crc, (uint8_t)(crc >> 8), (uint8_t)(crc >> 16), (uint8_t)(crc >> 24) };
        memcpy(value.mv_data, head, sizeof(head));
        if (record->value.size)
                memcpy((uint8_t *)value.mv_data + sizeof(head), record->value.data, record->value.size);
        return 0;
}

int lmdb_measure(struct lmdb_store *lmdb, MDB_txn *txn, size_t *used)
{
        size_t pages = 2; /* the meta pages */
        for (int i = -2; i < STORE_TABLE_COUNT; i++) {
                MDB_stat stat;
                /* LMDB's own two: 0 lists free pages, 1 lists the tables */
                int result = mdb_stat(txn, i < 0 ? (MDB_dbi)(i + 2) : lmdb->tables[i], &stat);
                if (result != 0)
                        return result;
                pages += stat.ms_branch_pages + stat.ms_leaf_pages + stat.ms_overflow_pages;
        }
        *used = pages * 4096;
        return 0;
}

static int write_group(struct lmdb_store *lmdb, const struct batch *group, size_t *used)
{
        MDB_txn *txn;
        int result = mdb_txn_begin(lmdb->env, NULL, 0, &txn);
        if (result != 0)
                return result;
        for (const struct batch *batch = group; result == 0 && batch; batch = batch->next) {
                struct batch_record record;
                for (size_t at = 0; result == 0 && batch_next(batch, &at, &record);)
                        result = apply(lmdb, txn, &record);
        }
        if (result == 0)
                result = lmdb_measure(lmdb, txn, used);
        if (result != 0) {
                mdb_txn_abort(txn);
                return result;
        }
        return mdb_txn_commit(txn);
}

/* LMDB calls a short write EIO, and a short write is how a full disk often shows itself. */
static bool no_room(const struct lmdb_store *lmdb, size_t needed)
{
        struct statvfs disk;
        if (statvfs(lmdb->path, &disk) == 0 && (uint64_t)disk.f_bavail * disk.f_frsize < needed)
                return true;
        struct rlimit limit;
        MDB_envinfo info;
        MDB_stat stat;
        if (getrlimit(RLIMIT_FSIZE, &limit) < 0 || mdb_env_info(lmdb->env, &info) != 0 ||
            mdb_env_stat(lmdb->env, &stat) != 0 || limit.rlim_cur == RLIM_INFINITY)
                return false;
        return (info.me_last_pgno + 1) * stat.ms_psize + needed > limit.rlim_cur;
}

static int commit_group(struct lmdb_store *lmdb, const struct batch *group)
{
        size_t used = 0, charge = 64 * 1024;
        int result = lmdb_result(write_group(lmdb, group, &used));
        for (const struct batch *batch = group; batch; batch = batch->next)
                charge += 2 * batch->charge + batch->records * 512;
        if (result == -EIO && no_room(lmdb, charge))
                return -ENOSPC;
        if (result == 0)
                atomic_store(&lmdb->store.used, used);
        return result;
}

static void finish_group(struct lmdb_store *lmdb, struct batch *group)
{
        while (group) {
                struct batch *next = group->next;
                lmdb->durable = group->number;
                atomic_fetch_sub(&lmdb->store.in_flight, group->charge);
                store_recycle(&lmdb->store, group);
                group = next;
        }
        lmdb->disk_commits++;
        atomic_store(&lmdb->store.disk_full, false);
}

static void put_back(struct lmdb_store *lmdb, struct batch *group)
{
        struct batch **end = &group;
        while (*end)
                end = &(*end)->next;
        *end = lmdb->queue;
        if (!lmdb->queue)
                lmdb->queue_end = end;
        lmdb->queue = group;
}

static void wait_for_company(struct lmdb_store *lmdb, uint64_t until_ms)
{
        while (!lmdb->hurry && !lmdb->stop && lmdb->queued_records < COMPANY_RECORDS &&
               lmdb->queued_bytes < COMPANY_BYTES && time_monotonic_ms() < until_ms)
                wait_until(lmdb, until_ms);
}

static struct batch *take_queue(struct lmdb_store *lmdb)
{
        struct batch *group = lmdb->queue;
        lmdb->queue = NULL;
        lmdb->queue_end = &lmdb->queue;
        lmdb->queued_records = lmdb->queued_bytes = 0;
        lmdb->hurry = false;
        return group;
}

/* What came of a group; the mutex is held. Returns false if the thread is to end. */
static bool settle(struct lmdb_store *lmdb, struct batch *group, int result)
{
        if (result == 0) {
                finish_group(lmdb, group);
                return true;
        }
        put_back(lmdb, group);
        if (result != -ENOSPC) {
                atomic_store(&lmdb->store.error, result);
                return false;
        }
        atomic_store(&lmdb->store.disk_full, true);
        lmdb->failures++;
        return !lmdb->stop;
}

static void *run(void *context)
{
        struct lmdb_store *lmdb = context;
        uint64_t last_start_ms = 0;
        bool go_on = true;

        pthread_mutex_lock(&lmdb->mutex);
        while (go_on) {
                while (!lmdb->queue && !lmdb->stop)
                        pthread_cond_wait(&lmdb->work, &lmdb->mutex);
                if (!lmdb->queue)
                        break;
                wait_for_company(lmdb, last_start_ms + lmdb->delay_ms);
                last_start_ms = time_monotonic_ms();
                struct batch *group = take_queue(lmdb);
                pthread_mutex_unlock(&lmdb->mutex);
                int result = commit_group(lmdb, group);
                pthread_mutex_lock(&lmdb->mutex);
                go_on = settle(lmdb, group, result);
                store_wake(&lmdb->store);
                pthread_cond_broadcast(&lmdb->done);
                if (result == -ENOSPC && go_on)
                        wait_until(lmdb, time_monotonic_ms() + RETRY_MS);
        }
        pthread_mutex_unlock(&lmdb->mutex);
        return NULL;
}

void lmdb_commit(struct store *store, struct batch *batch)
{
        struct lmdb_store *lmdb = (struct lmdb_store *)store;
        batch->next = NULL;
        pthread_mutex_lock(&lmdb->mutex);
        *lmdb->queue_end = batch;
        lmdb->queue_end = &batch->next;
        lmdb->queued_records += batch->records;
        lmdb->queued_bytes += batch->size;
        pthread_cond_signal(&lmdb->work);
        pthread_mutex_unlock(&lmdb->mutex);
}

uint64_t lmdb_durable(struct store *store)
{
        struct lmdb_store *lmdb = (struct lmdb_store *)store;
        pthread_mutex_lock(&lmdb->mutex);
        uint64_t durable = lmdb->durable;
        pthread_mutex_unlock(&lmdb->mutex);
        return durable;
}

int lmdb_sync(struct store *store)
{
        struct lmdb_store *lmdb = (struct lmdb_store *)store;
        pthread_mutex_lock(&lmdb->mutex);
        uint64_t failures = lmdb->failures;
        lmdb->hurry = true;
        pthread_cond_signal(&lmdb->work);
        while (lmdb->durable < store->last_number && !atomic_load(&store->error) && lmdb->failures == failures)
                pthread_cond_wait(&lmdb->done, &lmdb->mutex);
        bool durable = lmdb->durable >= store->last_number;
        pthread_mutex_unlock(&lmdb->mutex);
        int error = atomic_load(&store->error);
        if (error)
                return error;
        return durable ? 0 : -ENOSPC;
}

int lmdb_commit_start(struct lmdb_store *lmdb)
{
        pthread_condattr_t attributes;
        pthread_condattr_init(&attributes);
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        pthread_mutex_init(&lmdb->mutex, NULL);
        pthread_cond_init(&lmdb->work, &attributes);
        pthread_cond_init(&lmdb->done, NULL);
        pthread_condattr_destroy(&attributes);
        lmdb->queue_end = &lmdb->queue;
        int result = -pthread_create(&lmdb->thread, NULL, run, lmdb);
        lmdb->has_thread = result == 0;
        return result;
}

void lmdb_commit_stop(struct lmdb_store *lmdb)
{
        if (!lmdb->has_thread)
                return;
        pthread_mutex_lock(&lmdb->mutex);
        lmdb->stop = true;
        pthread_cond_signal(&lmdb->work);
        pthread_mutex_unlock(&lmdb->mutex);
        pthread_join(lmdb->thread, NULL);
        while (lmdb->queue) {
                struct batch *next = lmdb->queue->next;
                batch_free(lmdb->queue);
                lmdb->queue = next;
        }
        pthread_mutex_destroy(&lmdb->mutex);
        pthread_cond_destroy(&lmdb->work);
        pthread_cond_destroy(&lmdb->done);
}
