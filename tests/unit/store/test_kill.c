/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kill -9 at any moment: what was reported durable is there, and commits are whole. The child writes records 1, 2, ...
 * and with each commit the number of the last; it reports what is durable through a pipe.
 */

#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <poll.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "folder.h"
#include "store/store.h"
#include "util/cleanup.h"

#define ROUNDS 200

static const struct span last_key = { (const uint8_t *)"last", 4 };

static void encode(uint64_t number, uint8_t out[8])
{
        for (int i = 0; i < 8; i++)
                out[i] = (uint8_t)(number >> (56 - 8 * i));
}

static uint64_t decode(const uint8_t in[8])
{
        uint64_t number = 0;
        for (int i = 0; i < 8; i++)
                number = number << 8 | in[i];
        return number;
}

static uint64_t read_last(struct store *store)
{
        _cleanup_free_ uint8_t *value = NULL;
        size_t size;
        int result = store_get(store, STORE_META, last_key, &value, &size);
        return result == 0 && size == 8 ? decode(value) : 0;
}

__attribute__((noreturn)) static void child(const struct store_options *options, int report)
{
        struct store *store;
        char detail[500];
        uint64_t last_of[64]; /* by commit number modulo 64 */
        if (store_open(options, &store, detail, sizeof(detail)) != 0)
                _exit(1);
        uint64_t number = read_last(store), reported = 0;
        for (;;) {
                for (uint64_t more = 1 + number % 5; more > 0; more--) {
                        uint8_t key[8], value[200];
                        encode(++number, key);
                        memset(value, (int)(number % 251), sizeof(value));
                        if (store_put(store, STORE_OUTBOX, SPAN_OF(key), span_of(value, number % 200)) != 0 ||
                            store_put(store, STORE_META, last_key, SPAN_OF(key)) != 0)
                                _exit(2);
                        if (number > 40) {
                                encode(number - 40, key);
                                store_delete(store, STORE_OUTBOX, SPAN_OF(key));
                        }
                }
                uint64_t commit = store_commit(store), durable;
                last_of[commit % 64] = number;
                int error;
                while ((durable = store_durable(store, &error)) + 8 < commit && !error) {
                        struct pollfd p = { store_fd(store), POLLIN, 0 };
                        poll(&p, 1, -1);
                }
                if (durable > reported && write(report, &last_of[durable % 64], sizeof(uint64_t)) != sizeof(uint64_t))
                        _exit(3);
                reported = durable;
        }
}

struct check {
        uint64_t expected, last;
};

static int on_record(void *context, struct span key, struct span value)
{
        struct check *check = context;
        uint64_t number = decode(key.data);
        assert_int_equal(number, check->expected);
        assert_int_equal(value.size, number % 200);
        for (size_t i = 0; i < value.size; i++)
                assert_int_equal(value.data[i], number % 251);
        check->expected++;
        return 0;
}

static void verify(const struct store_options *options, uint64_t reported)
{
        struct store *store;
        char detail[500];
        assert_int_equal(store_open(options, &store, detail, sizeof(detail)), 0);
        uint64_t last = read_last(store);
        assert_true(last >= reported);
        struct check check = { last > 40 ? last - 39 : 1, last };
        assert_int_equal(store_walk(store, STORE_OUTBOX, SPAN_EMPTY, on_record, &check), 0);
        assert_int_equal(check.expected, last + 1);
        store_free(store);
}

static void test_kill(void **state)
{
        (void)state;
        struct folder folder;
        folder_make(&folder);
        struct store_options options = { .path = folder.path, .size_max = (size_t)4 << 20, .commit_delay_ms = 0 };
        assert_int_equal(store_create(&options), 0);
        uint64_t reported = 0;
        uint32_t random = 99;
        for (int round = 0; round < ROUNDS; round++) {
                int ends[2];
                assert_int_equal(pipe(ends), 0);
                pid_t pid = fork();
                if (pid == 0)
                        child(&options, ends[1]);
                close(ends[1]);
                random = random * 1664525 + 1013904223;
                for (uint32_t reports = (random >> 16) % 12; reports > 0; reports--)
                        assert_int_equal(read(ends[0], &reported, sizeof(reported)), sizeof(reported));
                kill(pid, SIGKILL);
                /* what it still reported before it died counts, too */
                while (read(ends[0], &reported, sizeof(reported)) == sizeof(reported))
                        ;
                close(ends[0]);
                int status;
                assert_int_equal(waitpid(pid, &status, 0), pid);
                assert_true(WIFSIGNALED(status));
                verify(&options, reported);
        }
        assert_true(reported > ROUNDS);
        folder_remove(&folder);
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_kill) };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
