/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The store on disk: making, opening, reading. The header says how it treats space, time and damage. */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/lmdb_store.h"
#include "util/cleanup.h"
#include "util/crc32c.h"
#include "util/files.h"

#define MARKER          "relayd-store"
#define MARKER_CREATING "relayd store 1 creating\n"
#define MARKER_READY    "relayd store 1\n"
#define DATA_MIN        8192 /* two meta pages */

const char *const lmdb_table_names[STORE_TABLE_COUNT] = {
        [STORE_META] = "meta",         [STORE_DEVICES] = "devices",         [STORE_OUTBOX] = "outbox",
        [STORE_RETAINED] = "retained", [STORE_SESSIONS] = "sessions",       [STORE_QUEUE] = "queue",
        [STORE_UPDATES] = "updates",   [STORE_APPROVALS] = "approvals",     [STORE_IMAGES] = "images",
        [STORE_AUDIT] = "audit",       [STORE_ALERTS] = "alerts",           [STORE_POLICY] = "policy",
        [STORE_COMMANDS] = "commands", [STORE_CHECKPOINTS] = "checkpoints", [STORE_KNOWN] = "known",
};
const struct span lmdb_format_key = { (const uint8_t *)"store.format", 12 };

int lmdb_result(int mdb_result)
{
        switch (mdb_result) {
        case 0:
                return 0;
        case MDB_MAP_FULL:
        case MDB_TXN_FULL:
        case ENOSPC:
        case EDQUOT:
        case EFBIG:
                return -ENOSPC;
        case MDB_NOTFOUND:
                return -ENOENT;
        case MDB_CORRUPTED:
        case MDB_PAGE_NOTFOUND:
        case MDB_INVALID:
                return -EBADMSG;
        default:
                return mdb_result > 0 ? -mdb_result : -EIO;
        }
}

uint32_t lmdb_crc(enum store_table table, struct span key, struct span payload)
{
        uint8_t number = (uint8_t)table;
        return crc32c(crc32c(crc32c(0, span_of(&number, 1)), key), payload);
}

int lmdb_payload(enum store_table table, struct span key, const MDB_val *value, struct span *payload)
{
        const uint8_t *p = value->mv_data;
        if (value->mv_size < LMDB_CRC_SIZE)
                return -EBADMSG;
        uint32_t crc = p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
        struct span found = { p + LMDB_CRC_SIZE, value->mv_size - LMDB_CRC_SIZE };
        if (lmdb_crc(table, key, found) != crc)
                return -EBADMSG;
        *payload = found;
        return 0;
}

/* ---- reading */

static int get_in(struct lmdb_store *lmdb, MDB_txn *txn, enum store_table table, struct span key, uint8_t **ret,
                  size_t *ret_size)
{
        MDB_val k = { key.size, (void *)key.data }, v;
        struct span payload;
        int result = lmdb_result(mdb_get(txn, lmdb->tables[table], &k, &v));
        if (result == 0)
                result = lmdb_payload(table, key, &v, &payload);
        if (result < 0)
                return result;
        uint8_t *copy = malloc(payload.size ? payload.size : 1);
        if (!copy)
                return -ENOMEM;
        memcpy(copy, payload.data, payload.size);
        *ret = copy;
        *ret_size = payload.size;
        return 0;
}

static int lmdb_get(struct store *store, enum store_table table, struct span key, uint8_t **ret, size_t *ret_size)
{
        struct lmdb_store *lmdb = (struct lmdb_store *)store;
        MDB_txn *txn;
        int result = lmdb_result(mdb_txn_begin(lmdb->env, NULL, MDB_RDONLY, &txn));
        if (result < 0)
                return result;
        result = get_in(lmdb, txn, table, key, ret, ret_size);
        mdb_txn_abort(txn);
        return result;
}

static int walk_in(MDB_cursor *cursor, enum store_table table, struct span from,
                   int (*fn)(void *context, struct span key, struct span value), void *context)
{
        MDB_val k = { from.size, (void *)from.data }, v;
        int found = mdb_cursor_get(cursor, &k, &v, from.size ? MDB_SET_RANGE : MDB_FIRST);
        int result = 0;
        while (found == 0 && result == 0) {
                struct span key = { k.mv_data, k.mv_size }, payload;
                result = lmdb_payload(table, key, &v, &payload);
                if (result == 0)
                        result = fn(context, key, payload);
                if (result == 0)
                        found = mdb_cursor_get(cursor, &k, &v, MDB_NEXT);
        }
        if (result != 0)
                return result;
        return found == MDB_NOTFOUND ? 0 : lmdb_result(found);
}

static int lmdb_walk(struct store *store, enum store_table table, struct span from,
                     int (*fn)(void *context, struct span key, struct span value), void *context)
{
        struct lmdb_store *lmdb = (struct lmdb_store *)store;
        MDB_txn *txn;
        MDB_cursor *cursor;
        int result = lmdb_result(mdb_txn_begin(lmdb->env, NULL, MDB_RDONLY, &txn));
        if (result < 0)
                return result;
        result = lmdb_result(mdb_cursor_open(txn, lmdb->tables[table], &cursor));
        if (result == 0) {
                result = walk_in(cursor, table, from, fn, context);
                mdb_cursor_close(cursor);
        }
        mdb_txn_abort(txn);
        return result;
}

static int lmdb_usage(struct store *store, struct store_usage *out)
{
        struct lmdb_store *lmdb = (struct lmdb_store *)store;
        MDB_txn *txn;
        int result = mdb_txn_begin(lmdb->env, NULL, MDB_RDONLY, &txn);
        if (result != 0)
                return lmdb_result(result);
        for (int i = 0; result == 0 && i < STORE_TABLE_COUNT; i++) {
                MDB_stat stat;
                result = mdb_stat(txn, lmdb->tables[i], &stat);
                if (result == 0)
                        out->records[i] = stat.ms_entries;
        }
        mdb_txn_abort(txn);
        pthread_mutex_lock(&lmdb->mutex);
        out->commits = lmdb->durable;
        out->disk_commits = lmdb->disk_commits;
        pthread_mutex_unlock(&lmdb->mutex);
        return lmdb_result(result);
}

/* ---- opening */

static struct store *lmdb_free(struct store *store)
{
        struct lmdb_store *lmdb = (struct lmdb_store *)store;
        lmdb_commit_stop(lmdb);
        batch_free(atomic_exchange(&store->spare, NULL));
        if (lmdb->env)
                mdb_env_close(lmdb->env);
        close_safe(lmdb->lock_fd);
        close_safe(store->fd);
        free(lmdb->path);
        free(lmdb);
        return NULL;
}

static const struct store_ops lmdb_ops = {
        .free = lmdb_free,
        .commit = lmdb_commit,
        .durable = lmdb_durable,
        .sync = lmdb_sync,
        .get = lmdb_get,
        .walk = lmdb_walk,
        .usage = lmdb_usage,
};

static char *path_in(const char *folder, const char *name)
{
        char *path;
        return asprintf(&path, "%s/%s", folder, name) < 0 ? NULL : path;
}

/* Whole pages; see "Space" in the header. A database that is larger than a lowered size_max must still take deletes. */
static size_t map_size(const struct store_options *options)
{
        size_t size = options->size_max;
        _cleanup_free_ char *data = path_in(options->path, LMDB_DATA_FILE);
        struct stat info;
        if (data && stat(data, &info) == 0 && (uint64_t)info.st_size > size)
                size = (size_t)info.st_size;
        return (size + size / 4 + 4095) / 4096 * 4096;
}

static int open_env(const struct store_options *options, MDB_env **ret)
{
        MDB_env *env;
        int result = mdb_env_create(&env);
        if (result != 0)
                return result;
        result = mdb_env_set_mapsize(env, map_size(options));
        if (result == 0)
                result = mdb_env_set_maxdbs(env, STORE_TABLE_COUNT);
        if (result == 0)
                result = mdb_env_open(env, options->path, MDB_NOTLS, 0600);
        if (result != 0)
                mdb_env_close(env);
        else
                *ret = env;
        return result;
}

static int open_tables(MDB_txn *txn, unsigned flags, MDB_dbi tables[STORE_TABLE_COUNT])
{
        int result = 0;
        for (int i = 0; result == 0 && i < STORE_TABLE_COUNT; i++)
                result = mdb_dbi_open(txn, lmdb_table_names[i], i < STORE_TABLES_FIRST ? flags : MDB_CREATE,
                                      &tables[i]);
        return result;
}

static int put_format(MDB_txn *txn, MDB_dbi meta)
{
        struct span format = SPAN_LITERAL(LMDB_FORMAT);
        uint32_t crc = lmdb_crc(STORE_META, lmdb_format_key, format);
        uint8_t bytes[LMDB_CRC_SIZE + sizeof(LMDB_FORMAT) - 1] = { (uint8_t)crc, (uint8_t)(crc >> 8),
                                                                   (uint8_t)(crc >> 16), (uint8_t)(crc >> 24) };
        memcpy(bytes + LMDB_CRC_SIZE, format.data, format.size);
        MDB_val key = { lmdb_format_key.size, (void *)lmdb_format_key.data }, value = { sizeof(bytes), bytes };
        return mdb_put(txn, meta, &key, &value, 0);
}

static int fill_new(const struct store_options *options)
{
        MDB_env *env;
        MDB_txn *txn;
        MDB_dbi tables[STORE_TABLE_COUNT];
        int result = open_env(options, &env);
        if (result != 0)
                return lmdb_result(result);
        result = mdb_txn_begin(env, NULL, 0, &txn);
        if (result == 0) {
                result = open_tables(txn, MDB_CREATE, tables);
                if (result == 0)
                        result = put_format(txn, tables[STORE_META]);
                if (result == 0)
                        result = mdb_txn_commit(txn);
                else
                        mdb_txn_abort(txn);
        }
        mdb_env_close(env);
        return lmdb_result(result);
}

enum marker { MARKER_IS_NONE, MARKER_IS_CREATING, MARKER_IS_READY, MARKER_IS_FOREIGN };
/* what the marker file says; negative errno if it cannot be read */
static int read_marker(const char *path)
{
        _cleanup_free_ uint8_t *data = NULL;
        size_t size;
        int result = file_read(path, 100, &data, &size);
        if (result == -ENOENT)
                return MARKER_IS_NONE;
        if (result < 0)
                return result;
        struct span text = { data, size };
        if (span_equal_string(text, MARKER_CREATING))
                return MARKER_IS_CREATING;
        return span_equal_string(text, MARKER_READY) ? MARKER_IS_READY : MARKER_IS_FOREIGN;
}

int lmdb_create(const struct store_options *options)
{
        _cleanup_free_ char *marker = path_in(options->path, MARKER), *data = path_in(options->path, LMDB_DATA_FILE);
        if (!marker || !data)
                return -ENOMEM;
        if (mkdir(options->path, 0700) < 0 && errno != EEXIST)
                return -errno;
        int state = read_marker(marker);
        if (state < 0)
                return state;
        if (state == MARKER_IS_READY || state == MARKER_IS_FOREIGN ||
            (state == MARKER_IS_NONE && access(data, F_OK) == 0))
                return -EEXIST;
        int result = file_write(marker, MARKER_CREATING, strlen(MARKER_CREATING), 0600);
        if (result < 0)
                return result;
        /* nobody ever used what an interrupted attempt left */
        if (unlink(data) < 0 && errno != ENOENT)
                return -errno;
        result = fill_new(options);
        if (result == 0)
                result = file_sync_folder(data);
        return result < 0 ? result : file_write(marker, MARKER_READY, strlen(MARKER_READY), 0600);
}

static int missing(char *detail, size_t detail_size, const char *path, const char *what)
{
        snprintf(detail, detail_size,
                 "%s: %s. Restore a backup into this folder, or start with an empty store (relayd --new-store)", path,
                 what);
        return STORE_MISSING;
}

/* Marker, lock, data file. 0 and the locked marker, or an answer of store_open(). */
static int claim(const struct store_options *options, int *lock_fd, char *detail, size_t detail_size)
{
        _cleanup_free_ char *marker = path_in(options->path, MARKER), *data = path_in(options->path, LMDB_DATA_FILE);
        if (!marker || !data)
                return -ENOMEM;
        int state = read_marker(marker);
        if (state < 0)
                return state;
        if (state == MARKER_IS_FOREIGN) {
                snprintf(detail, detail_size, "%s: not a marker of this version's store", marker);
                return STORE_DAMAGED;
        }
        if (state != MARKER_IS_READY)
                return missing(detail, detail_size, options->path, "there was never a store here");
        struct stat info;
        if (stat(data, &info) < 0)
                return errno == ENOENT ? missing(detail, detail_size, data, "the database is gone") : -errno;
        if (info.st_size < DATA_MIN) {
                snprintf(detail, detail_size,
                         "%s: has only %lld bytes. Restore a backup, or move the folder away and "
                         "start with an empty store (relayd --new-store)",
                         data, (long long)info.st_size);
                return STORE_DAMAGED;
        }
        _cleanup_close_ int fd = open(marker, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return -errno;
        if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
                int error = errno == EWOULDBLOCK ? -EBUSY : -errno;
                snprintf(detail, detail_size, "%s: the store is in use by another process", options->path);
                return error;
        }
        *lock_fd = steal_fd(&fd);
        return 0;
}

static int open_database(struct lmdb_store *lmdb, const struct store_options *options)
{
        MDB_txn *txn;
        size_t used = 0;
        int result = open_env(options, &lmdb->env);
        if (result != 0)
                return lmdb_result(result);
        result = mdb_txn_begin(lmdb->env, NULL, 0, &txn);
        if (result != 0)
                return lmdb_result(result);
        result = open_tables(txn, 0, lmdb->tables);
        if (result == 0)
                result = lmdb_measure(lmdb, txn, &used);
        if (result == 0)
                result = mdb_txn_commit(txn);
        else
                mdb_txn_abort(txn);
        atomic_store(&lmdb->store.used, used);
        return lmdb_result(result);
}

static int lmdb_new(const struct store_options *options, struct lmdb_store **ret)
{
        struct lmdb_store *lmdb = calloc(1, sizeof(*lmdb));
        if (!lmdb)
                return -ENOMEM;
        lmdb->store.ops = &lmdb_ops;
        lmdb->store.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        lmdb->lock_fd = -1;
        lmdb->delay_ms = options->commit_delay_ms;
        lmdb->path = strdup(options->path);
        *ret = lmdb;
        if (lmdb->store.fd >= 0 && lmdb->path)
                return 0;
        lmdb_free(&lmdb->store);
        return -ENOMEM;
}

int lmdb_open(const struct store_options *options, struct store **ret, char *detail, size_t detail_size)
{
        struct lmdb_store *lmdb;
        int result = lmdb_new(options, &lmdb);
        if (result < 0)
                return result;
        result = claim(options, &lmdb->lock_fd, detail, detail_size);
        if (result == 0)
                result = lmdb_check(options->path, detail, detail_size);
        if (result == 0)
                result = open_database(lmdb, options);
        if (result == 0)
                result = lmdb_commit_start(lmdb);
        if (result != 0) {
                if (result < 0 && detail_size && !detail[0])
                        snprintf(detail, detail_size, "%s: %s", options->path, strerror(-result));
                lmdb_free(&lmdb->store);
                return result;
        }
        *ret = &lmdb->store;
        return 0;
}
