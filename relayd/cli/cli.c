/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Command lines: parsing by table, values, errors. */

#include "cli/cli.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/output.h"
#include "cli/parse.h"

const struct cli_option cli_common_options[] = {
        { "json", 0, NULL, "print JSON for programs" },
        { "help", 'h', NULL, "explain this command" },
        { "version", 0, NULL, "print the version" },
        { 0 },
};

static const struct cli_option *option_in(const struct cli_option *options, const char *name, size_t size, char letter)
{
        for (const struct cli_option *o = options; o && o->name; o++)
                if (letter ? o->letter == letter : strlen(o->name) == size && strncmp(o->name, name, size) == 0)
                        return o;
        return NULL;
}

static const struct cli_command *command_find(const struct cli_program *program, const char *noun, const char *verb)
{
        for (const struct cli_command *c = program->commands; c->noun; c++) {
                if (strcmp(c->noun, noun) != 0)
                        continue;
                if (verb ? c->verb && strcmp(c->verb, verb) == 0 : !c->verb || c->by_default)
                        return c;
        }
        return NULL;
}

static bool noun_exists(const struct cli_program *program, const char *noun)
{
        for (const struct cli_command *c = program->commands; c->noun; c++)
                if (strcmp(c->noun, noun) == 0)
                        return true;
        return false;
}

/* A command's own option comes before a common one of that name ("manifest build --version 1.1.0"). */
static const struct cli_option *option_find(struct cli *cli, const char *name, size_t size, char letter)
{
        const struct cli_option *o = cli->command ? option_in(cli->command->options, name, size, letter) : NULL;

        if (!o)
                o = option_in(cli_common_options, name, size, letter);
        if (!o)
                o = option_in(cli->program->options, name, size, letter);
        if (o || !cli->noun || cli->command)
                return o;
        cli->command = command_find(cli->program, cli->noun, NULL);
        return cli->command ? option_in(cli->command->options, name, size, letter) : NULL;
}

static int take_option(struct cli *cli, int argc, char **argv, int *at)
{
        const char *word = argv[*at];
        bool is_long = word[1] == '-';
        const char *name = word + (is_long ? 2 : 1);
        size_t size = is_long ? strcspn(name, "=") : 1;
        const struct cli_option *o = option_find(cli, name, size, is_long ? 0 : name[0]);
        const char *value = NULL;

        if (!o)
                return cli_fail(cli, CLI_USAGE, "unknown option %s; '%s%s%s --help' lists what there is", word,
                                cli->program->name, cli->noun ? " " : "", cli->noun ? cli->noun : "");
        if (name[size] != '\0')
                value = name + size + (is_long ? 1 : 0);
        if (!o->argument && value)
                return cli_fail(cli, CLI_USAGE, "--%s takes no value (found '%s')", o->name, value);
        if (o->argument && o->argument[0] != '[' && !value) {
                if (*at + 1 >= argc)
                        return cli_fail(cli, CLI_USAGE, "--%s needs a value: --%s %s", o->name, o->name, o->argument);
                value = argv[++*at];
        }
        cli->values[cli->value_count++] = (struct cli_value){ o, value };
        return CLI_OK;
}

static int take_word(struct cli *cli, const char *word)
{
        if (!cli->noun) {
                if (!noun_exists(cli->program, word))
                        return cli_fail(cli, CLI_USAGE, "unknown command '%s'; '%s --help' lists them", word,
                                        cli->program->name);
                cli->noun = word;
                return CLI_OK;
        }
        if (!cli->command) {
                cli->command = command_find(cli->program, cli->noun, word);
                if (cli->command)
                        return CLI_OK;
                cli->command = command_find(cli->program, cli->noun, NULL);
                if (!cli->command || cli->command->most == 0)
                        return cli_fail(cli, CLI_USAGE, "unknown command '%s %s'; '%s %s --help' lists them", cli->noun,
                                        word, cli->program->name, cli->noun);
        }
        cli->arguments[cli->argument_count++] = word;
        return CLI_OK;
}

static bool common_flag(const struct cli *cli, const char *name)
{
        const struct cli_option *o = option_in(cli_common_options, name, strlen(name), 0);

        for (size_t v = 0; v < cli->value_count; v++)
                if (cli->values[v].option == o)
                        return true;
        return false;
}

static int check_arguments(struct cli *cli)
{
        const struct cli_command *c = cli->command;

        cli->json = common_flag(cli, "json");
        cli->want_help = common_flag(cli, "help");
        cli->want_version = common_flag(cli, "version");
        if (cli->want_help || cli->want_version)
                return CLI_OK;
        if (!cli->noun)
                return cli_fail(cli, CLI_USAGE, "no command given; '%s --help' lists them", cli->program->name);
        if (!c)
                c = cli->command = command_find(cli->program, cli->noun, NULL);
        if (!c)
                return cli_fail(cli, CLI_USAGE, "'%s' needs a second word; '%s %s --help' lists them", cli->noun,
                                cli->program->name, cli->noun);
        if (cli->argument_count < c->least || cli->argument_count > c->most)
                return cli_fail(cli, CLI_USAGE, "usage: %s %s%s%s%s%s", cli->program->name, c->noun, c->verb ? " " : "",
                                c->verb ? c->verb : "", *c->arguments ? " " : "", c->arguments);
        return CLI_OK;
}

int cli_parse(struct cli *cli, const struct cli_program *program, int argc, char **argv)
{
        bool options = true;
        int r = CLI_OK;

        *cli = (struct cli){ .program = program };
        cli->arguments = calloc((size_t)argc + 1, sizeof(*cli->arguments));
        cli->values = calloc((size_t)argc + 1, sizeof(*cli->values));
        if (!cli->arguments || !cli->values)
                return cli_errno(cli, -ENOMEM, "command line");
        for (int i = 1; i < argc && r == CLI_OK; i++) {
                if (options && strcmp(argv[i], "--") == 0)
                        options = false;
                else if (options && argv[i][0] == '-' && argv[i][1] != '\0')
                        r = take_option(cli, argc, argv, &i);
                else
                        r = take_word(cli, argv[i]);
        }
        return r == CLI_OK ? check_arguments(cli) : r;
}

void cli_done(struct cli *cli)
{
        for (size_t i = 0; i < cli->answer_count; i++)
                free(cli->answers[i]);
        free(cli->answers);
        free(cli->arguments);
        free(cli->values);
        *cli = (struct cli){ 0 };
}

static void look_at_terminal(struct cli *cli)
{
        const char *no_colour = getenv("NO_COLOR"), *columns = getenv("COLUMNS"), *term = getenv("TERM");
        struct winsize size;
        uint64_t asked;

        if (!isatty(STDOUT_FILENO))
                return;
        cli->colour = !(no_colour && *no_colour) && !(term && strcmp(term, "dumb") == 0);
        if (columns && parse_number(columns, 1, 10000, &asked))
                cli->columns = (size_t)asked;
        else if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
                cli->columns = size.ws_col;
        else
                cli->columns = 80;
}

int cli_main(const struct cli_program *program, int argc, char **argv)
{
        struct cli cli;
        int code;

        if (argc >= 2 && strcmp(argv[1], "__complete") == 0) {
                cli_print_completions(program, (size_t)argc - 2, argv + 2);
                return CLI_OK;
        }
        code = cli_parse(&cli, program, argc, argv);
        look_at_terminal(&cli);
        if (code == CLI_OK && cli.want_version)
                printf("%s %s\n", program->name, program->version);
        else if (code == CLI_OK && cli.want_help)
                cli_print_help(&cli);
        else if (code == CLI_OK)
                code = cli.command->run(&cli);
        cli_done(&cli);
        if (fflush(stdout) != 0 && code == CLI_OK) {
                fprintf(stderr, "%s: cannot write the output: %m\n", program->name);
                code = CLI_FAILED;
        }
        return code;
}

const char *cli_value_at(const struct cli *cli, const char *name, size_t i)
{
        for (size_t v = 0; v < cli->value_count; v++)
                if (strcmp(cli->values[v].option->name, name) == 0 && i-- == 0)
                        return cli->values[v].value;
        return NULL;
}

size_t cli_value_count(const struct cli *cli, const char *name)
{
        size_t n = 0;

        for (size_t v = 0; v < cli->value_count; v++)
                n += strcmp(cli->values[v].option->name, name) == 0;
        return n;
}

const char *cli_value(const struct cli *cli, const char *name)
{
        size_t n = cli_value_count(cli, name);

        return n == 0 ? NULL : cli_value_at(cli, name, n - 1);
}

bool cli_flag(const struct cli *cli, const char *name)
{
        return cli_value_count(cli, name) > 0;
}

const char *cli_argument(const struct cli *cli, size_t i)
{
        return i < cli->argument_count ? cli->arguments[i] : NULL;
}

int cli_need(const struct cli *cli, const char *name, const char **value)
{
        const struct cli_option *o = option_in(cli->command->options, name, strlen(name), 0);

        *value = cli_value(cli, name);
        if (*value)
                return CLI_OK;
        return cli_fail(cli, CLI_USAGE, "--%s %s is missing: %s", name, o ? o->argument : "VALUE", o ? o->help : "");
}

static bool add_value(struct cli *cli, const struct cli_option *option, char *value)
{
        struct cli_value *values = reallocarray(cli->values, cli->value_count + 1, sizeof(*values));
        char **answers;

        if (!values)
                return false;
        cli->values = values;
        answers = reallocarray(cli->answers, cli->answer_count + 1, sizeof(*answers));
        if (!answers)
                return false;
        cli->answers = answers;
        cli->answers[cli->answer_count++] = value;
        cli->values[cli->value_count++] = (struct cli_value){ option, value };
        return true;
}

int cli_answer(struct cli *cli, const char *name, char *value)
{
        const struct cli_option *o = option_in(cli->command->options, name, strlen(name), 0);

        if (o && add_value(cli, o, value))
                return CLI_OK;
        free(value);
        return cli_errno(cli, -ENOMEM, name);
}

__attribute__((format(printf, 2, 0))) static void print_error(const struct cli *cli, const char *format, va_list list)
{
        char *text = NULL, *clean = NULL;

        fflush(stdout);
        if (vasprintf(&text, format, list) < 0)
                text = NULL;
        if (text)
                clean = output_clean(text); /* it may quote a file, or a relay that was taken over */
        fprintf(stderr, "%s: %s\n", cli->program->name, clean ? clean : "no memory to say what is wrong");
        free(text);
        free(clean);
}

void cli_error(const struct cli *cli, const char *format, ...)
{
        va_list list;

        va_start(list, format);
        print_error(cli, format, list);
        va_end(list);
}

int cli_fail(const struct cli *cli, int code, const char *format, ...)
{
        va_list list;

        va_start(list, format);
        print_error(cli, format, list);
        va_end(list);
        return code;
}

int cli_refuse(const struct cli *cli, enum reason reason, const char *format, ...)
{
        char text[512];
        va_list list;

        va_start(list, format);
        vsnprintf(text, sizeof(text), format, list);
        va_end(list);
        cli_error(cli, "refused: %s: %s (%s)", reason_name(reason), reason_explanation(reason), text);
        return CLI_REFUSED;
}

int cli_errno(const struct cli *cli, int error, const char *what)
{
        return cli_fail(cli, CLI_FAILED, "%s: %s", what, strerror(error < 0 ? -error : error));
}
