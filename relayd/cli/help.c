/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Help and completion, both out of the command table. */

#include "cli/cli.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define SYNOPSIS_SIZE 80
#define PLAIN_WORDS   3

static bool ends_sentence(const char *text)
{
        size_t size = strlen(text);

        return size > 0 && strchr(".?!", text[size - 1]);
}

static void print_options(const struct cli_option *options)
{
        for (const struct cli_option *o = options; o && o->name; o++) {
                char left[64], letter[8] = "    ";

                if (o->letter)
                        snprintf(letter, sizeof(letter), "-%c, ", o->letter);
                snprintf(left, sizeof(left), "%s--%s%s%s", letter, o->name,
                         o->argument && o->argument[0] != '[' ? " " : "", o->argument ? o->argument : "");
                printf("  %-34s %s\n", left, o->help);
        }
}

/* noun, verb and arguments, as they are typed */
static const char *synopsis(const struct cli_command *c, char out[SYNOPSIS_SIZE])
{
        snprintf(out, SYNOPSIS_SIZE, "%s%s%s%s%s", c->noun, c->verb ? " " : "", c->verb ? c->verb : "",
                 *c->arguments ? " " : "", c->arguments);
        return out;
}

static void print_row(const struct cli_command *c)
{
        char left[SYNOPSIS_SIZE];

        printf("  %-34s %s\n", synopsis(c, left), c->help);
}

static void print_command(const struct cli *cli)
{
        const struct cli_command *c = cli->command;
        char words[SYNOPSIS_SIZE];

        printf("Usage: %s [OPTIONS] %s\n\n%c%s%s\n", cli->program->name, synopsis(c, words), toupper(c->help[0]),
               c->help + 1, ends_sentence(c->help) ? "" : ".");
        if (c->details)
                printf("\n%s\n", c->details);
        puts("\nOptions:");
        print_options(c->options);
        print_options(cli->program->options);
        print_options(cli_common_options);
}

/* Nouns of several rows stand in paragraphs of their own, those of one row together. */
static bool begins_paragraph(const struct cli_command *commands, const struct cli_command *c)
{
        if (c == commands || strcmp(c[-1].noun, c->noun) == 0)
                return false;
        bool alone = !c[1].noun || strcmp(c[1].noun, c->noun) != 0;
        bool before_alone = c - 1 == commands || strcmp(c[-2].noun, c[-1].noun) != 0;
        return !alone || !before_alone;
}

static void print_commands(const struct cli *cli)
{

        printf("Usage: %s [OPTIONS] COMMAND [ARGUMENTS]\n\n%s\n\nCommands:\n", cli->program->name,
               cli->program->summary);
        for (const struct cli_command *c = cli->program->commands; c->noun; c++) {
                if (cli->noun && strcmp(cli->noun, c->noun) != 0)
                        continue;
                if (!cli->noun && begins_paragraph(cli->program->commands, c))
                        putchar('\n');
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

/* Is the word behind this one its value? Only options of the whole program stand before noun and verb. */
static bool takes_value(const struct cli_program *program, const char *word)
{
        for (const struct cli_option *o = program->options; o && o->name; o++)
                if (o->argument && ((starts_with(word, "--") && strcmp(word + 2, o->name) == 0) ||
                                    (word[1] == o->letter && word[1] && !word[2])))
                        return true;
        return false;
}

/* the words before the last that are no options: noun, verb, and perhaps a first argument */
static size_t plain_words(const struct cli_program *program, size_t count, char *const *words,
                          const char *out[PLAIN_WORDS])
{
        size_t n = 0;

        for (size_t i = 0; i + 1 < count && n < PLAIN_WORDS; i++)
                if (words[i][0] != '-')
                        out[n++] = words[i];
                else if (takes_value(program, words[i]))
                        i++;
        return n;
}

/* "add|remove WINDOW": the first argument is one of these words */
static void complete_choices(const struct cli_program *program, const char *const plain[PLAIN_WORDS],
                             const char *prefix)
{
        for (const struct cli_command *c = program->commands; c->noun; c++) {
                size_t end = strcspn(c->arguments, " ");

                if (!c->verb || strcmp(c->noun, plain[0]) != 0 || strcmp(c->verb, plain[1]) != 0 ||
                    !memchr(c->arguments, '|', end))
                        continue;
                for (size_t at = 0, size; at < end; at += size + 1) {
                        size = strcspn(c->arguments + at, "| ");
                        if (strncmp(c->arguments + at, prefix, strlen(prefix)) == 0)
                                printf("%.*s\n", (int)size, c->arguments + at);
                }
        }
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
        const char *last = count > 0 ? words[count - 1] : "", *plain[PLAIN_WORDS] = { NULL };
        size_t n = plain_words(program, count, words, plain);

        if (!starts_with(last, "--")) {
                if (n < 2)
                        complete_words(program, plain[0], last);
                else if (n == 2)
                        complete_choices(program, plain, last);
                return;
        }
        for (const struct cli_command *c = program->commands; n > 0 && c->noun; c++)
                if (strcmp(c->noun, plain[0]) == 0 &&
                    (!c->verb || (n > 1 ? strcmp(c->verb, plain[1]) == 0 : c->by_default)))
                        complete_options(c->options, last);
        complete_options(program->options, last);
        complete_options(cli_common_options, last);
}
