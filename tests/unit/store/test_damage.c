/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A damaged, missing, foreign or full disk: answers, never crashes, never silently empty. */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <cmocka.h>
#include <lmdb.h>

#include "folder.h"
#include "store/store.h"
#include "util/cleanup.h"
#include "util/files.h"

#define RECORDS 300
#define PAGE    4096

struct fixture {
        struct folder folder;
        struct store_options options;
        char data[256], marker[256];
        uint8_t *image; /* the database file as it was */
        size_t size;
};
static char detail[500];

static int open_store(struct fixture *f, struct store **ret)
{
        *ret = NULL;
        int result = store_open(&f->options, ret, detail, sizeof(detail));
        assert_true((result == 0) == (*ret != NULL));
        if (result != 0)
                assert_true(strlen(detail) > 10);
        return result;
}

static void fill(struct store *store)
{
        char value[600];
        for (uint32_t i = 0; i < RECORDS; i++) {
                memset(value, 'a' + (int)(i % 26), sizeof(value));
                enum store_table table = i % 2 ? STORE_OUTBOX : STORE_RETAINED;
                assert_int_equal(store_put(store, table, span_of(&i, sizeof(i)), span_of(value, i * 2)), 0);
        }
        assert_int_equal(store_put(store, STORE_IMAGES, SPAN_LITERAL("block"), span_of(value, 600)), 0);
        assert_int_equal(store_sync(store), 0);
        /* something for the list of free pages */
        for (uint32_t i = 0; i < RECORDS; i += 7)
                assert_int_equal(store_delete(store, i % 2 ? STORE_OUTBOX : STORE_RETAINED, span_of(&i, sizeof(i))), 0);
        assert_int_equal(store_sync(store), 0);
}

static int set_up(void **state)
{
        struct fixture *f = calloc(1, sizeof(*f));
        struct store *store;
        folder_make(&f->folder);
        f->options = (struct store_options){ .path = f->folder.path, .size_max = (size_t)4 << 20 };
        folder_file(&f->folder, "data.mdb", f->data);
        folder_file(&f->folder, "relayd-store", f->marker);
        assert_int_equal(store_create(&f->options), 0);
        assert_int_equal(open_store(f, &store), 0);
        fill(store);
        store_free(store);
        assert_int_equal(file_read(f->data, (size_t)64 << 20, &f->image, &f->size), 0);
        *state = f;
        return 0;
}

static int tear_down(void **state)
{
        struct fixture *f = *state;
        folder_remove(&f->folder);
        free(f->image);
        free(f);
        return 0;
}

static void write_at(struct fixture *f, off_t at, const void *bytes, size_t size)
{
        _cleanup_close_ int fd = open(f->data, O_WRONLY);
        assert_true(fd >= 0);
        assert_int_equal(pwrite(fd, bytes, size, at), size);
}

static void restore(struct fixture *f)
{
        assert_int_equal(truncate(f->data, (off_t)f->size), 0);
        write_at(f, 0, f->image, f->size);
}

static int count_record(void *context, struct span key, struct span value)
{
        (void)key;
        (void)value;
        ++*(size_t *)context;
        return 0;
}

/* after a store opened in spite of damage: it has to be where nothing is read from */
static void expect_whole(struct store *store)
{
        size_t count = 0;
        for (int table = 0; table < STORE_TABLE_COUNT; table++)
                assert_int_equal(store_walk(store, (enum store_table)table, SPAN_EMPTY, count_record, &count), 0);
        assert_int_equal(count, RECORDS - (RECORDS + 6) / 7 + 1 + 1);
}

static void test_never_created(void **state)
{
        struct fixture *f = *state;
        struct folder empty;
        folder_make(&empty);
        f->options.path = empty.path;
        struct store *store;
        assert_int_equal(open_store(f, &store), STORE_MISSING);
        assert_non_null(strstr(detail, "--new-store"));
        folder_remove(&empty);
        assert_int_equal(open_store(f, &store), STORE_MISSING); /* not even a folder */
}

static void test_create_twice(void **state)
{
        struct fixture *f = *state;
        struct store *store;
        assert_int_equal(store_create(&f->options), -EEXIST);
        assert_int_equal(unlink(f->marker), 0);
        assert_int_equal(store_create(&f->options), -EEXIST); /* a database without marker is not overwritten */
        assert_int_equal(open_store(f, &store), STORE_MISSING);
}

/* A store of the version before has no such tables; nothing else may be missing. */
static void drop_table(struct fixture *f, const char *name)
{
        MDB_env *env;
        MDB_txn *txn;
        MDB_dbi dbi;
        assert_int_equal(mdb_env_create(&env), 0);
        assert_int_equal(mdb_env_set_maxdbs(env, STORE_TABLE_COUNT), 0);
        assert_int_equal(mdb_env_open(env, f->folder.path, MDB_NOTLS, 0600), 0);
        assert_int_equal(mdb_txn_begin(env, NULL, 0, &txn), 0);
        assert_int_equal(mdb_dbi_open(txn, name, 0, &dbi), 0);
        assert_int_equal(mdb_drop(txn, dbi, 1), 0);
        assert_int_equal(mdb_txn_commit(txn), 0);
        mdb_env_close(env);
}

static void test_older_store(void **state)
{
        struct fixture *f = *state;
        struct store *store;
        drop_table(f, "commands");
        drop_table(f, "checkpoints");
        assert_int_equal(open_store(f, &store), 0);
        expect_whole(store);
        assert_int_equal(store_put(store, STORE_COMMANDS, SPAN_LITERAL("key"), SPAN_LITERAL("value")), 0);
        assert_int_equal(store_put(store, STORE_CHECKPOINTS, SPAN_LITERAL("key"), SPAN_LITERAL("value")), 0);
        assert_int_equal(store_sync(store), 0);
        store_free(store);
        drop_table(f, "policy");
        assert_int_equal(open_store(f, &store), STORE_DAMAGED);
        assert_non_null(strstr(detail, "policy"));
}

static void test_interrupted_creation(void **state)
{
        struct fixture *f = *state;
        struct store *store;
        const char *creating = "relayd store 1 creating\n";
        assert_int_equal(file_write(f->marker, creating, strlen(creating), 0600), 0);
        assert_int_equal(open_store(f, &store), STORE_MISSING);
        assert_int_equal(store_create(&f->options), 0);
        assert_int_equal(open_store(f, &store), 0);
        size_t count = 0;
        assert_int_equal(store_walk(store, STORE_OUTBOX, SPAN_EMPTY, count_record, &count), 0);
        assert_int_equal(count, 0);
        store_free(store);
}

static void test_foreign_marker(void **state)
{
        struct fixture *f = *state;
        struct store *store;
        assert_int_equal(file_write(f->marker, "relayd store 2\n", 15, 0600), 0);
        assert_int_equal(open_store(f, &store), STORE_DAMAGED);
        assert_int_equal(store_create(&f->options), -EEXIST);
}

static void test_database_gone(void **state)
{
        struct fixture *f = *state;
        struct store *store;
        assert_int_equal(unlink(f->data), 0);
        assert_int_equal(open_store(f, &store), STORE_MISSING);
        assert_non_null(strstr(detail, "gone"));
        assert_int_equal(access(f->data, F_OK), -1);
        assert_int_equal(store_create(&f->options), -EEXIST);
}

static void test_one_owner(void **state)
{
        struct fixture *f = *state;
        struct store *store, *second;
        assert_int_equal(open_store(f, &store), 0);
        expect_whole(store);
        assert_int_equal(open_store(f, &second), -EBUSY);
        store_free(store);
        assert_int_equal(open_store(f, &store), 0);
        store_free(store);
}

static void test_truncated(void **state)
{
        struct fixture *f = *state;
        const size_t sizes[] = { 0, 100, PAGE, 2 * PAGE, 3 * PAGE, f->size / 3, f->size / 2 + 100 };
        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
                struct store *store;
                assert_int_equal(truncate(f->data, (off_t)sizes[i]), 0);
                assert_int_equal(open_store(f, &store), STORE_DAMAGED);
                struct stat info;
                assert_int_equal(stat(f->data, &info), 0);
                assert_int_equal(info.st_size, sizes[i]); /* nothing was changed */
                restore(f);
        }
        struct store *store;
        assert_int_equal(open_store(f, &store), 0);
        expect_whole(store);
        store_free(store);
}

static void test_zeroed_pages(void **state)
{
        struct fixture *f = *state;
        static const uint8_t zeros[PAGE];
        size_t damaged = 0, pages = f->size / PAGE;
        for (size_t page = 0; page < pages; page++) {
                struct store *store;
                write_at(f, (off_t)(page * PAGE), zeros, PAGE);
                int result = open_store(f, &store);
                damaged += result == STORE_DAMAGED;
                if (result == 0) {
                        expect_whole(store);
                        store_free(store);
                } else
                        assert_int_equal(result, STORE_DAMAGED);
                restore(f);
        }
        assert_true(damaged > pages / 2);
}

/* one byte of every value of x, also in pages no longer in use */
static void flip_values(struct fixture *f)
{
        for (size_t at = 0; at + 8 < f->size; at++)
                if (memcmp(f->image + at, "xxxxxxxx", 8) == 0)
                        write_at(f, (off_t)at + 4, "X", 1);
}

static void test_flipped_byte_in_value(void **state)
{
        struct fixture *f = *state;
        struct store *store;
        flip_values(f);
        assert_int_equal(open_store(f, &store), STORE_DAMAGED);
        assert_non_null(strstr(detail, "checksum"));
}

/* the disk goes bad while the store is open */
static void test_flipped_byte_while_open(void **state)
{
        struct fixture *f = *state;
        struct store *store;
        assert_int_equal(open_store(f, &store), 0);
        flip_values(f);
        size_t count = 0, bad = 0;
        assert_int_equal(store_walk(store, STORE_OUTBOX, SPAN_EMPTY, count_record, &count), -EBADMSG);
        for (uint32_t i = 0; i < RECORDS; i++) {
                _cleanup_free_ uint8_t *value = NULL;
                size_t size;
                enum store_table table = i % 2 ? STORE_OUTBOX : STORE_RETAINED;
                int result = store_get(store, table, span_of(&i, sizeof(i)), &value, &size);
                bad += result == -EBADMSG;
                if (result == 0)
                        for (size_t b = 0; b < size; b++)
                                assert_int_equal(value[b], 'a' + i % 26);
        }
        assert_true(bad > 3);
        store_free(store);
}

/* any byte: an answer, and what is read is right or refused */
static void test_random_bytes(void **state)
{
        struct fixture *f = *state;
        uint32_t random = 12345;
        for (int i = 0; i < 150; i++) {
                struct store *store;
                random = random * 1664525 + 1013904223;
                size_t at = (size_t)2 * PAGE + (random >> 8) % (f->size - (size_t)2 * PAGE);
                uint8_t byte = f->image[at] ^ (uint8_t)(1u << (random % 8));
                write_at(f, (off_t)at, &byte, 1);
                if (open_store(f, &store) == 0)
                        store_free(store);
                restore(f);
        }
}

/* a full disk, played by the limit on file sizes: nothing is lost, deletes are taken, and it goes on by itself */
static void test_disk_full(void **state)
{
        struct fixture *f = *state;
        struct store *store;
        struct rlimit limit, small;
        static uint8_t value[4000];
        signal(SIGXFSZ, SIG_IGN);
        assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
        assert_int_equal(open_store(f, &store), 0);
        small = (struct rlimit){ f->size + 3 * PAGE + 100, limit.rlim_max };
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);

        for (uint32_t i = 0; i < 50; i++)
                assert_int_equal(store_put(store, STORE_ALERTS, span_of(&i, sizeof(i)), SPAN_OF(value)), 0);
        uint64_t number = store_commit(store);
        assert_int_equal(store_sync(store), -ENOSPC);
        int error;
        assert_true(store_durable(store, &error) < number);
        assert_int_equal(error, 0);
        struct store_usage usage;
        assert_int_equal(store_usage(store, &usage), 0);
        assert_true(usage.disk_full);
        assert_int_equal(usage.records[STORE_ALERTS], 0);
        assert_int_equal(store_put(store, STORE_META, SPAN_LITERAL("a"), SPAN_LITERAL("b")), -ENOSPC);
        assert_int_equal(store_delete(store, STORE_IMAGES, SPAN_LITERAL("block")), 0);

        assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
        assert_int_equal(store_sync(store), 0);
        assert_int_equal(store_durable(store, &error), number + 1);
        assert_int_equal(store_usage(store, &usage), 0);
        assert_false(usage.disk_full);
        assert_int_equal(usage.records[STORE_ALERTS], 50);
        assert_int_equal(usage.records[STORE_IMAGES], 0);
        assert_int_equal(store_put(store, STORE_META, SPAN_LITERAL("a"), SPAN_LITERAL("b")), 0);
        store_free(store);
        assert_int_equal(open_store(f, &store), 0);
        store_free(store);
}

/* LMDB's descriptors of the database become read-only: every commit fails, and not for lack of space */
static void break_descriptors(const struct fixture *f)
{
        for (int fd = 3; fd < 64; fd++) {
                char link[64], target[256] = "";
                snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
                if (readlink(link, target, sizeof(target) - 1) < 0 || strcmp(target, f->data) != 0)
                        continue;
                _cleanup_close_ int read_only = open(f->data, O_RDONLY);
                assert_true(read_only >= 0);
                assert_int_equal(dup2(read_only, fd), fd);
        }
}

static void test_disk_broken(void **state)
{
        struct fixture *f = *state;
        struct store *store;
        assert_int_equal(open_store(f, &store), 0);
        break_descriptors(f);
        assert_int_equal(store_put(store, STORE_META, SPAN_LITERAL("a"), SPAN_LITERAL("b")), 0);
        int error = 0, sync_error = store_sync(store);
        assert_true(sync_error < 0 && sync_error != -ENOSPC);
        for (int i = 0; i < 2; i++) {
                assert_int_equal(store_durable(store, &error), 0);
                assert_int_equal(error, sync_error);
        }
        assert_int_equal(store_put(store, STORE_META, SPAN_LITERAL("c"), SPAN_LITERAL("d")), -EIO);
        assert_int_equal(store_delete(store, STORE_META, SPAN_LITERAL("c")), -EIO);
        expect_whole(store); /* reading goes on */
        store_free(store);
        assert_int_equal(open_store(f, &store), 0);
        expect_whole(store);
        store_free(store);
}

/* a smaller size_max than what is there: no puts, but deletes, and then puts again */
static void test_size_lowered(void **state)
{
        struct fixture *f = *state;
        struct store *store;
        static uint8_t value[4000];
        f->options.size_max = (size_t)16 << 20;
        assert_int_equal(open_store(f, &store), 0);
        for (uint32_t i = 0; i < 1000; i++)
                assert_int_equal(store_put(store, STORE_ALERTS, span_of(&i, sizeof(i)), SPAN_OF(value)), 0);
        assert_int_equal(store_sync(store), 0);
        store_free(store);

        f->options.size_max = (size_t)1 << 20;
        assert_int_equal(open_store(f, &store), 0);
        assert_int_equal(store_put(store, STORE_META, SPAN_LITERAL("a"), SPAN_LITERAL("b")), -ENOSPC);
        for (uint32_t i = 0; i < 1000; i++)
                assert_int_equal(store_delete(store, STORE_ALERTS, span_of(&i, sizeof(i))), 0);
        assert_int_equal(store_sync(store), 0);
        assert_int_equal(store_put(store, STORE_META, SPAN_LITERAL("a"), SPAN_LITERAL("b")), 0);
        assert_int_equal(store_sync(store), 0);
        store_free(store);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                TEST(test_never_created),
                TEST(test_create_twice),
                TEST(test_older_store),
                TEST(test_interrupted_creation),
                TEST(test_foreign_marker),
                TEST(test_database_gone),
                TEST(test_one_owner),
                TEST(test_truncated),
                TEST(test_zeroed_pages),
                TEST(test_flipped_byte_in_value),
                TEST(test_flipped_byte_while_open),
                TEST(test_random_bytes),
                TEST(test_disk_full),
                TEST(test_disk_broken),
                TEST(test_size_lowered),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
