/* SPDX-License-Identifier: GPL-2.0-or-later */
/* util/files: bounded reads, atomic replacement, no overwriting where it is not wanted; log rate */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "util/cleanup.h"
#include "util/files.h"
#include "util/log.h"

static char folder[64];

static const char *in_folder(const char *name)
{
        static char path[256];
        snprintf(path, sizeof(path), "%s/%s", folder, name);
        return path;
}

static int setup(void **state)
{
        (void)state;
        strcpy(folder, "/tmp/test-files.XXXXXX");
        return mkdtemp(folder) ? 0 : -1;
}

static int teardown(void **state)
{
        char command[128];
        (void)state;
        snprintf(command, sizeof(command), "rm -rf %s", folder);
        return system(command);
}

static void write_then_read(void **state)
{
        static const size_t sizes[] = { 0, 1, 4094, 4095, 4096, 4097, 100000 };
        static uint8_t content[100000];

        (void)state;
        for (size_t i = 0; i < sizeof(content); i++)
                content[i] = (uint8_t)(i * 7);
        for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
                _cleanup_free_ uint8_t *data = NULL;
                size_t size = 99;
                assert_int_equal(file_write(in_folder("a"), content, sizes[i], 0640), 0);
                assert_int_equal(file_read(in_folder("a"), sizes[i], &data, &size), 0);
                assert_int_equal(size, sizes[i]);
                assert_memory_equal(data, content, size);
                assert_int_equal(data[size], 0);
        }
        struct stat st;
        assert_int_equal(stat(in_folder("a"), &st), 0);
        assert_int_equal(st.st_mode & 07777, 0640);
}

static void larger_than_allowed(void **state)
{
        uint8_t *data = NULL;
        size_t size = 5;

        (void)state;
        assert_int_equal(file_write(in_folder("a"), "12345678", 8, 0600), 0);
        assert_int_equal(file_read(in_folder("a"), 7, &data, &size), -EFBIG);
        assert_null(data);
        assert_int_equal(size, 5);
}

static void not_a_file(void **state)
{
        uint8_t *data = NULL;
        size_t size = 0;

        (void)state;
        assert_int_equal(file_read(folder, 100, &data, &size), -EISDIR);
        assert_int_equal(file_read("/dev/zero", 100, &data, &size), -EINVAL);
        assert_int_equal(file_read(in_folder("absent"), 100, &data, &size), -ENOENT);
        assert_int_equal(mkfifo(in_folder("pipe"), 0600), 0);
        assert_int_equal(file_read(in_folder("pipe"), 100, &data, &size), -EINVAL);
        assert_null(data);
}

static void create_never_overwrites(void **state)
{
        _cleanup_free_ uint8_t *data = NULL;
        size_t size = 0;

        (void)state;
        assert_int_equal(file_create(in_folder("key"), "one", 3, 0600), 0);
        assert_int_equal(file_create(in_folder("key"), "two!", 4, 0600), -EEXIST);
        assert_int_equal(file_read(in_folder("key"), 100, &data, &size), 0);
        assert_int_equal(size, 3);
        assert_memory_equal(data, "one", 3);
}

static void failed_write_leaves_the_old_file(void **state)
{
        (void)state;
        assert_int_equal(file_write(in_folder("no/such/folder"), "x", 1, 0600), -ENOENT);
        assert_int_equal(mkdir(in_folder("target"), 0700), 0);
        assert_int_equal(file_write(in_folder("target"), "x", 1, 0600), -EISDIR);

        /* and no temporary file stays behind */
        DIR *dir = opendir(folder);
        assert_non_null(dir);
        for (struct dirent *entry; (entry = readdir(dir));)
                assert_int_not_equal(strncmp(entry->d_name, "target.", 7), 0);
        closedir(dir);
}

static void folders(void **state)
{
        struct stat st;

        (void)state;
        assert_int_equal(file_make_folders(in_folder("x/y/z"), 0750), 0);
        assert_int_equal(file_make_folders(in_folder("x/y/z"), 0750), 0);
        assert_int_equal(stat(in_folder("x/y/z"), &st), 0);
        assert_true(S_ISDIR(st.st_mode));
        assert_int_equal(file_create(in_folder("x/file"), "", 0, 0600), 0);
        assert_int_equal(file_make_folders(in_folder("x/file"), 0750), -ENOTDIR);
        assert_int_equal(file_make_folders(in_folder("x/file/below"), 0750), -ENOTDIR);
        assert_int_equal(file_make_folders("", 0750), -EINVAL);
}

static void rate_counts_what_it_drops(void **state)
{
        struct log_rate rate = { .burst = 2, .interval_ms = 1000 };
        uint32_t dropped = 77;

        (void)state;
        assert_true(log_rate_allow(&rate, 5, &dropped));
        assert_int_equal(dropped, 0);
        assert_true(log_rate_allow(&rate, 6, &dropped));
        assert_false(log_rate_allow(&rate, 7, &dropped));
        assert_false(log_rate_allow(&rate, 1004, &dropped));
        assert_true(log_rate_allow(&rate, 1005, &dropped));
        assert_int_equal(dropped, 2);
        assert_true(log_rate_allow(&rate, 1006, &dropped));
        assert_int_equal(dropped, 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(write_then_read, setup, teardown),
                cmocka_unit_test_setup_teardown(larger_than_allowed, setup, teardown),
                cmocka_unit_test_setup_teardown(not_a_file, setup, teardown),
                cmocka_unit_test_setup_teardown(create_never_overwrites, setup, teardown),
                cmocka_unit_test_setup_teardown(failed_write_leaves_the_old_file, setup, teardown),
                cmocka_unit_test_setup_teardown(folders, setup, teardown),
                cmocka_unit_test(rate_counts_what_it_drops),
        };
        return cmocka_run_group_tests_name("files", tests, NULL, NULL);
}
