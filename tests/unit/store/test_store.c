/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What both stores promise: one list of tests, run over memory.c and over lmdb.c. */

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "folder.h"
#include "store/store.h"
#include "util/cleanup.h"

struct fixture {
        bool on_disk;
        struct folder folder;
        struct store_options options;
        struct store *store;
};

static int set_up(void **state, bool on_disk)
{
        struct fixture *f = calloc(1, sizeof(*f));
        assert_non_null(f);
        f->on_disk = on_disk;
        f->options = (struct store_options){ .size_max = (size_t)4 << 20, .commit_delay_ms = 0 };
        if (on_disk) {
                folder_make(&f->folder);
                f->options.path = f->folder.path;
        }
        char detail[500];
        assert_int_equal(store_create(&f->options), 0);
        assert_int_equal(store_open(&f->options, &f->store, detail, sizeof(detail)), 0);
        *state = f;
        return 0;
}

static int set_up_memory(void **state)
{
        return set_up(state, false);
}

static int set_up_disk(void **state)
{
        return set_up(state, true);
}

static int tear_down(void **state)
{
        struct fixture *f = *state;
        store_free(f->store);
        if (f->on_disk)
                folder_remove(&f->folder);
        free(f);
        return 0;
}

static void put(struct fixture *f, enum store_table table, const char *key, const char *value)
{
        assert_int_equal(store_put(f->store, table, span_of_string(key), span_of_string(value)), 0);
}

static void expect(struct fixture *f, enum store_table table, const char *key, const char *value)
{
        _cleanup_free_ uint8_t *found = NULL;
        size_t size = 77;
        int result = store_get(f->store, table, span_of_string(key), &found, &size);
        if (!value) {
                assert_int_equal(result, -ENOENT);
                assert_int_equal(size, 77); /* outputs only on success */
                return;
        }
        assert_int_equal(result, 0);
        assert_int_equal(size, strlen(value));
        assert_memory_equal(found, value, size);
}

static void test_put_get(void **state)
{
        struct fixture *f = *state;
        put(f, STORE_META, "a", "one");
        put(f, STORE_META, "empty", "");
        put(f, STORE_DEVICES, "a", "other table");
        expect(f, STORE_META, "a", NULL); /* staged only */
        assert_int_equal(store_commit(f->store), 1);
        assert_int_equal(store_sync(f->store), 0);
        expect(f, STORE_META, "a", "one");
        expect(f, STORE_META, "empty", "");
        expect(f, STORE_DEVICES, "a", "other table");
        expect(f, STORE_OUTBOX, "a", NULL);
}

static void test_last_change_wins(void **state)
{
        struct fixture *f = *state;
        put(f, STORE_META, "a", "one");
        put(f, STORE_META, "a", "two");
        put(f, STORE_META, "b", "one");
        assert_int_equal(store_delete(f->store, STORE_META, SPAN_LITERAL("b")), 0);
        assert_int_equal(store_delete(f->store, STORE_META, SPAN_LITERAL("never there")), 0);
        assert_int_equal(store_sync(f->store), 0);
        expect(f, STORE_META, "a", "two");
        expect(f, STORE_META, "b", NULL);
        put(f, STORE_META, "a", "a longer value than before");
        assert_int_equal(store_delete(f->store, STORE_META, SPAN_LITERAL("b")), 0);
        assert_int_equal(store_sync(f->store), 0);
        expect(f, STORE_META, "a", "a longer value than before");
}

static void test_numbers(void **state)
{
        struct fixture *f = *state;
        int error = 1;
        assert_int_equal(store_commit(f->store), 0); /* nothing staged, nothing handed over */
        assert_int_equal(store_durable(f->store, &error), 0);
        assert_int_equal(error, 0);
        for (uint64_t i = 1; i <= 5; i++) {
                put(f, STORE_META, "a", "value");
                assert_int_equal(store_commit(f->store), i);
                assert_int_equal(store_commit(f->store), i);
        }
        assert_int_equal(store_sync(f->store), 0);
        struct pollfd p = { store_fd(f->store), POLLIN, 0 };
        assert_int_equal(poll(&p, 1, -1), 1);
        assert_int_equal(store_durable(f->store, &error), 5);
        assert_int_equal(error, 0);
        assert_int_equal(poll(&p, 1, 0), 0);
}

static void test_limits(void **state)
{
        struct fixture *f = *state;
        static uint8_t large[STORE_VALUE_MAX + 1];
        memset(large, 'x', sizeof(large));
        struct span key = span_of(large, STORE_KEY_MAX), long_key = span_of(large, STORE_KEY_MAX + 1);
        assert_int_equal(store_put(f->store, STORE_META, SPAN_EMPTY, SPAN_EMPTY), -EINVAL);
        assert_int_equal(store_put(f->store, STORE_TABLE_COUNT, key, SPAN_EMPTY), -EINVAL);
        assert_int_equal(store_put(f->store, STORE_META, long_key, SPAN_EMPTY), -E2BIG);
        assert_int_equal(store_put(f->store, STORE_META, key, SPAN_OF(large)), -E2BIG);
        assert_int_equal(store_delete(f->store, STORE_META, SPAN_EMPTY), -EINVAL);
        assert_int_equal(store_delete(f->store, STORE_META, long_key), -E2BIG);
        assert_int_equal(store_put(f->store, STORE_META, key, span_of(large, STORE_VALUE_MAX)), 0);
        assert_int_equal(store_sync(f->store), 0);

        _cleanup_free_ uint8_t *found = NULL;
        size_t size;
        assert_int_equal(store_get(f->store, STORE_META, key, &found, &size), 0);
        assert_int_equal(size, STORE_VALUE_MAX);
        assert_memory_equal(found, large, size);
        assert_int_equal(store_get(f->store, STORE_META, long_key, &found, &size), -ENOENT);
        assert_int_equal(store_get(f->store, STORE_META, SPAN_EMPTY, &found, &size), -EINVAL);
        assert_int_equal(store_get(f->store, STORE_TABLE_COUNT, key, &found, &size), -EINVAL);
}

struct walk {
        char keys[64];
        int left; /* stops with 7 when it gets to zero */
};

static int on_record(void *context, struct span key, struct span value)
{
        struct walk *walk = context;
        assert_int_equal(value.size, 1);
        strncat(walk->keys, (const char *)key.data, key.size);
        return --walk->left == 0 ? 7 : 0;
}

static void test_walk(void **state)
{
        struct fixture *f = *state;
        for (const char *k = "dbeac"; *k; k++)
                assert_int_equal(store_put(f->store, STORE_QUEUE, span_of(k, 1), span_of(k, 1)), 0);
        put(f, STORE_OUTBOX, "z", "another table");
        assert_int_equal(store_sync(f->store), 0);

        struct walk walk = { "", 100 };
        assert_int_equal(store_walk(f->store, STORE_QUEUE, SPAN_EMPTY, on_record, &walk), 0);
        assert_string_equal(walk.keys, "abcde");
        walk = (struct walk){ "", 100 };
        assert_int_equal(store_walk(f->store, STORE_QUEUE, SPAN_LITERAL("bb"), on_record, &walk), 0);
        assert_string_equal(walk.keys, "cde");
        walk = (struct walk){ "", 2 };
        assert_int_equal(store_walk(f->store, STORE_QUEUE, SPAN_LITERAL("b"), on_record, &walk), 7);
        assert_string_equal(walk.keys, "bc");
        walk = (struct walk){ "", 100 };
        assert_int_equal(store_walk(f->store, STORE_QUEUE, SPAN_LITERAL("f"), on_record, &walk), 0);
        assert_int_equal(store_walk(f->store, STORE_IMAGES, SPAN_EMPTY, on_record, &walk), 0);
        assert_string_equal(walk.keys, "");
        assert_int_equal(store_walk(f->store, STORE_TABLE_COUNT, SPAN_EMPTY, on_record, &walk), -EINVAL);
}

static int delete_record(void *context, struct span key, struct span value)
{
        (void)value;
        return store_delete(context, STORE_QUEUE, key);
}

static void test_stage_during_walk(void **state)
{
        struct fixture *f = *state;
        for (const char *k = "dbeac"; *k; k++)
                assert_int_equal(store_put(f->store, STORE_QUEUE, span_of(k, 1), span_of(k, 1)), 0);
        assert_int_equal(store_sync(f->store), 0);
        assert_int_equal(store_walk(f->store, STORE_QUEUE, SPAN_EMPTY, delete_record, f->store), 0);
        assert_int_equal(store_sync(f->store), 0);
        struct store_usage usage;
        assert_int_equal(store_usage(f->store, &usage), 0);
        assert_int_equal(usage.records[STORE_QUEUE], 0);
}

/* 85 %: puts end, deletes go on, and then there is room again */
static void test_full(void **state)
{
        struct fixture *f = *state;
        uint8_t value[1000];
        uint32_t count = 0;
        int result;
        memset(value, 'v', sizeof(value));
        while ((result = store_put(f->store, STORE_OUTBOX, span_of(&count, sizeof(count)), SPAN_OF(value))) == 0 &&
               count < 100000)
                if (++count % 100 == 0)
                        assert_int_equal(store_sync(f->store), 0);
        assert_int_equal(result, -ENOSPC);
        assert_true(count > 1000);
        assert_int_equal(store_sync(f->store), 0);
        struct store_usage usage;
        assert_int_equal(store_usage(f->store, &usage), 0);
        assert_int_equal(usage.records[STORE_OUTBOX], count);
        assert_true(usage.used <= usage.size_max / 100 * 85);
        assert_false(usage.disk_full);

        for (uint32_t i = 0; i < count; i++) {
                assert_int_equal(store_delete(f->store, STORE_OUTBOX, span_of(&i, sizeof(i))), 0);
                if (i % 10 == 0)
                        assert_int_equal(store_sync(f->store), 0);
        }
        assert_int_equal(store_sync(f->store), 0);
        assert_int_equal(store_usage(f->store, &usage), 0);
        assert_int_equal(usage.records[STORE_OUTBOX], 0);
        assert_true(usage.used < usage.size_max / 10);
        put(f, STORE_META, "room", "again");
        assert_int_equal(store_sync(f->store), 0);
}

static void test_usage(void **state)
{
        struct fixture *f = *state;
        struct store_usage before, after;
        assert_int_equal(store_usage(f->store, &before), 0);
        put(f, STORE_ALERTS, "a", "12345");
        put(f, STORE_ALERTS, "b", "12345");
        assert_int_equal(store_sync(f->store), 0);
        assert_int_equal(store_usage(f->store, &after), 0);
        assert_int_equal(after.records[STORE_ALERTS] - before.records[STORE_ALERTS], 2);
        assert_int_equal(after.bytes_staged, 12);
        assert_int_equal(after.commits, 1);
        assert_int_equal(after.size_max, f->options.size_max);
}

static void test_options(void **state)
{
        struct fixture *f = *state;
        struct store *store = NULL;
        char detail[100];
        struct store_options options = f->options;
        options.size_max = 1000;
        assert_int_equal(store_open(&options, &store, detail, sizeof(detail)), -EINVAL);
        options = f->options;
        options.commit_delay_ms = 21;
        assert_int_equal(store_open(&options, &store, detail, sizeof(detail)), -EINVAL);
        assert_null(store);
        assert_null(store_free(NULL));
}

#define BOTH(test)                                                                                                 \
        { .name = #test " (memory)", .test_func = test, .setup_func = set_up_memory, .teardown_func = tear_down }, \
        {                                                                                                          \
                .name = #test " (disk)", .test_func = test, .setup_func = set_up_disk, .teardown_func = tear_down  \
        }

int main(void)
{
        const struct CMUnitTest tests[] = {
                BOTH(test_put_get), BOTH(test_last_change_wins),  BOTH(test_numbers), BOTH(test_limits),
                BOTH(test_walk),    BOTH(test_stage_during_walk), BOTH(test_full),    BOTH(test_usage),
                BOTH(test_options),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
