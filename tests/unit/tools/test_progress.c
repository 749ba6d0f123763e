/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Progress where there is no terminal: a line at each quarter, and none when quiet. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/progress.h"

/* Runs through 0..total and gives what came out on standard error. */
static size_t shown(uint64_t total, bool quiet, char out[1024])
{
        FILE *file = tmpfile();
        int before = dup(STDERR_FILENO);
        struct progress progress;
        size_t size;

        assert_non_null(file);
        dup2(fileno(file), STDERR_FILENO);
        progress_start(&progress, "image", total, quiet);
        for (uint64_t done = 0; done <= total; done++)
                progress_show(&progress, done);
        progress_end(&progress);
        dup2(before, STDERR_FILENO);
        close(before);
        rewind(file);
        size = fread(out, 1, 1023, file);
        out[size] = '\0';
        fclose(file);
        return size;
}

static void quarters(void **state)
{
        char out[1024];
        (void)state;

        shown(200, false, out);
        assert_string_equal(out, "image: 25 % (50/200)\nimage: 50 % (100/200)\nimage: 75 % (150/200)\n"
                                 "image: 100 % (200/200)\n");
}

static void few_steps(void **state)
{
        char out[1024];
        (void)state;

        shown(1, false, out);
        assert_string_equal(out, "image: 100 % (1/1)\n");
        shown(0, false, out);
        assert_string_equal(out, "image: 100 % (0/0)\n");
}

static void quiet(void **state)
{
        char out[1024];
        (void)state;

        assert_int_equal(shown(200, true, out), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(quarters), cmocka_unit_test(few_steps),
                                            cmocka_unit_test(quiet) };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
