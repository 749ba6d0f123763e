/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Command lines against a small table. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli/cli.h"

static int do_nothing(struct cli *cli)
{
        (void)cli;
        return CLI_OK;
}

static const struct cli_option global_options[] = { { "bus", 'b', "ADDRESS", "" }, { 0 } };
static const struct cli_option add_options[] = {
        { "name", 'n', "TEXT", "" },
        { "force", 'f', NULL, "" },
        { "version", 0, "TEXT", "" },
        { 0 },
};
static const struct cli_command commands[] = {
        { "things", "list", "", 0, 0, true, do_nothing, NULL, "", NULL },
        { "things", "add", "A [B]", 1, 2, false, do_nothing, add_options, "", NULL },
        { "other", "do", "", 0, 0, false, do_nothing, NULL, "", NULL },
        { "alone", NULL, "[FILE]", 0, 1, false, do_nothing, add_options, "", NULL },
        { 0 },
};
static const struct cli_program program = { "prog", "", "1", commands, global_options };

/* words: separated by single blanks */
static int parse(struct cli *cli, char *words)
{
        char *argv[16] = { (char *)(uintptr_t) "prog" };
        int argc = 1;

        for (char *word = strtok(words, " "); word; word = strtok(NULL, " "))
                argv[argc++] = word;
        return cli_parse(cli, &program, argc, argv);
}

static void good_lines(void **state)
{
        static const struct {
                const char *line, *verb;
                size_t arguments;
        } rows[] = {
                { "things", "list", 0 },
                { "things list", "list", 0 },
                { "--json things", "list", 0 },
                { "things --json", "list", 0 },
                { "things add a", "add", 1 },
                { "things add --name x a b", "add", 2 },
                { "things add a --name=x b", "add", 2 },
                { "things add -nx -f a", "add", 1 },
                { "-b addr things add -n x a", "add", 1 },
                { "things add -- --name", "add", 1 },
                { "things add -", "add", 1 },
                { "alone", NULL, 0 },
                { "alone file", NULL, 1 },
                { "alone --force file", NULL, 1 },
        };
        (void)state;

        for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
                struct cli cli;
                char line[80];

                strcpy(line, rows[i].line);
                if (parse(&cli, line) != CLI_OK)
                        fail_msg("'%s' was refused", rows[i].line);
                assert_int_equal(cli.argument_count, rows[i].arguments);
                if (rows[i].verb)
                        assert_string_equal(cli.command->verb, rows[i].verb);
                else
                        assert_null(cli.command->verb);
                cli_done(&cli);
        }
}

static void bad_lines(void **state)
{
        static const char *const rows[] = {
                "",
                "nothing",
                "things fly",
                "things add",
                "things add a b c",
                "other",
                "other -f",
                "things --name x",
                "things list a",
                "things add a --no",
                "things add a -x",
                "things add a --name",
                "alone a b",
                "things add --force=1 a",
                "--fly things",
                "things add --nam x a",
                "--bus",
                "-fn alone",
        };
        (void)state;

        for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
                struct cli cli;
                char line[80];

                strcpy(line, rows[i]);
                if (parse(&cli, line) != CLI_USAGE)
                        fail_msg("'%s' was taken", rows[i]);
                cli_done(&cli);
        }
}

static void values(void **state)
{
        char line[] = "things add a --name x --name= --name y";
        const char *value = NULL;
        struct cli cli;
        (void)state;

        assert_int_equal(parse(&cli, line), CLI_OK);
        assert_int_equal(cli_value_count(&cli, "name"), 3);
        assert_string_equal(cli_value_at(&cli, "name", 0), "x");
        assert_string_equal(cli_value_at(&cli, "name", 1), "");
        assert_string_equal(cli_value(&cli, "name"), "y");
        assert_null(cli_value_at(&cli, "name", 3));
        assert_null(cli_value(&cli, "force"));
        assert_false(cli_flag(&cli, "force"));
        assert_string_equal(cli_argument(&cli, 0), "a");
        assert_null(cli_argument(&cli, 1));
        assert_int_equal(cli_need(&cli, "name", &value), CLI_OK);
        assert_int_equal(cli_need(&cli, "version", &value), CLI_USAGE);
        cli_done(&cli);
}

/* "--version 1.1.0" of a command is not the program's own --version */
static void own_option_before_common(void **state)
{
        char own[] = "things add a --version 1.1.0", common[] = "--version things";
        struct cli cli;
        (void)state;

        assert_int_equal(parse(&cli, own), CLI_OK);
        assert_false(cli.want_version);
        assert_string_equal(cli_value(&cli, "version"), "1.1.0");
        cli_done(&cli);
        assert_int_equal(parse(&cli, common), CLI_OK);
        assert_true(cli.want_version);
        cli_done(&cli);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(good_lines),
                cmocka_unit_test(bad_lines),
                cmocka_unit_test(values),
                cmocka_unit_test(own_option_before_common),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
