/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Help and completion, both out of the command table. */

#include "cli/cli.h"

#include <stdio.h>
#include <string.h>

static void print_options(const struct cli_option *options)
{
        for (const struct cli_option *o = options; o && o->name; o++) {
                char left[64], letter[8] = "    ";

                if (o->letter)
                        snprintf(letter, sizeof(letter), "-%c, ", o->letter);
                snprintf(left, sizeof(left), "%s--%s%s%s", letter, o->name, o->argument ? " " : "",
                         o->argument ? o->argument : "");
                printf("  %-34s %s\n", left, o->help);
        }
}

static void print_row(const struct cli_command *c)
{
        char left[80];

        snprintf(left, sizeof(left), "%s%s%s%s%s", c->noun, c->verb ? " " : "", c->verb ? c->verb : "",
                 *c->arguments ? " " : "", c->arguments);
        printf("  %-34s %s\n", left, c->help);
}

static void print_command(const struct cli *cli)
{
        const struct cli_command *c = cli->command;

        printf("Usage: %s [OPTIONS] %s%s%s%s%s\n\n%s.\n", cli->program->name, c->noun, c->verb ? " " : "",
               c->verb ? c->verb : "", *c->arguments ? " " : "", c->arguments, c->help);
        if (c->details)
                printf("\n%s\n", c->details);
        puts("\nOptions:");
        print_options(c->options);
        print_options(cli->program->options);
        print_options(cli_common_options);
}

static void print_commands(const struct cli *cli)
{
        const char *before = NULL;

        printf("Usage: %s [OPTIONS] COMMAND [ARGUMENTS]\n\n%s\n\nCommands:\n", cli->program->name,
               cli->program->summary);
        for (const struct cli_command *c = cli->program->commands; c->noun; c++) {
                if (cli->noun && strcmp(cli->noun, c->noun) != 0)
                        continue;
                if (before && strcmp(before, c->noun) != 0 && c->verb)
                        putchar('\n');
                before = c->noun;
                print_row(c);
        }
        puts("\nOptions:");
        print_options(cli->program->options);
        print_options(cli_common_options);
        printf("\nExit codes: 0 done, 1 failed, 2 wrong use, 3 refused (the reason is printed), 4 not reachable.\n");
}

void cli_print_help(const struct cli *cli)
{
        const struct cli_command *only = NULL;
        size_t n = 0;

        for (const struct cli_command *c = cli->program->commands; cli->noun && c->noun; c++)
                if (strcmp(cli->noun, c->noun) == 0) {
                        only = c;
                        n++;
                }
        if (cli->command || n == 1) {
                struct cli one = *cli;

                if (!one.command)
                        one.command = only;
                print_command(&one);
                return;
        }
        print_commands(cli);
}

static bool starts_with(const char *text, const char *prefix)
{
        return strncmp(text, prefix, strlen(prefix)) == 0;
}

static void complete_options(const struct cli_option *options, const char *prefix)
{
        for (const struct cli_option *o = options; o && o->name; o++)
                if (starts_with(o->name, prefix + 2))
                        printf("--%s\n", o->name);
}

/* the words before the last that are no options: noun and verb */
static size_t plain_words(size_t count, char *const *words, const char *out[2])
{
        size_t n = 0;

        for (size_t i = 0; i + 1 < count && n < 2; i++)
                if (words[i][0] != '-')
                        out[n++] = words[i];
        return n;
}

static void complete_words(const struct cli_program *program, const char *noun, const char *prefix)
{
        const char *before = "";

        for (const struct cli_command *c = program->commands; c->noun; c++) {
                if (!noun && strcmp(before, c->noun) != 0 && starts_with(c->noun, prefix))
                        puts(c->noun);
                if (noun && c->verb && strcmp(noun, c->noun) == 0 && starts_with(c->verb, prefix))
                        puts(c->verb);
                before = c->noun;
        }
}

void cli_print_completions(const struct cli_program *program, size_t count, char *const *words)
{
        const char *last = count > 0 ? words[count - 1] : "", *plain[2] = { NULL, NULL };
        size_t n = plain_words(count, words, plain);

        if (!starts_with(last, "--")) {
                if (n < 2)
                        complete_words(program, plain[0], last);
                return;
        }
        for (const struct cli_command *c = program->commands; n > 0 && c->noun; c++)
                if (strcmp(c->noun, plain[0]) == 0 &&
                    (!c->verb || (n > 1 ? strcmp(c->verb, plain[1]) == 0 : c->by_default)))
                        complete_options(c->options, last);
        complete_options(program->options, last);
        complete_options(cli_common_options, last);
}
