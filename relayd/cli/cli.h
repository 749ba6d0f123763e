/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * What relayctl and fwtool share of a command line: one table of commands, options, help, completion, exit codes.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/reason.h"

/* what a command returns, and the program's exit code */
enum cli_exit {
        CLI_OK = 0,
        CLI_FAILED = 1,
        CLI_USAGE = 2,
        CLI_REFUSED = 3,     /* the reason's name was printed */
        CLI_UNREACHABLE = 4, /* no relay (or broker) answered */
};

struct cli;

struct cli_option {
        const char *name;     /* long name without dashes; NULL ends a table */
        char letter;          /* 0: none */
        const char *argument; /* "FILE"; "[=NAME]": may be left out; NULL: a flag */
        const char *help;
};

struct cli_command {
        const char *noun, *verb; /* verb NULL: the noun alone; noun NULL ends the table */
        const char *arguments;   /* shown in help: "FILE", "[ID]" */
        unsigned least, most;    /* how many arguments */
        bool by_default;         /* runs if the noun stands alone */
        int (*run)(struct cli *cli);
        const struct cli_option *options; /* NULL: none */
        const char *help;                 /* one line */
        const char *details;              /* more lines for --help, or NULL */
};

struct cli_program {
        const char *name, *summary, *version;
        const struct cli_command *commands;
        const struct cli_option *options; /* global ones, beside --json, --help, --version */
};

struct cli_value {
        const struct cli_option *option;
        const char *value;
};

struct cli {
        const struct cli_program *program;
        const struct cli_command *command;
        const char *noun; /* as given; the command may still be unknown */
        const char **arguments;
        size_t argument_count;
        struct cli_value *values;
        size_t value_count;
        char **answers; /* values that cli_answer() added */
        size_t answer_count;
        bool json, want_help, want_version;
        bool colour;    /* on standard output */
        size_t columns; /* of the terminal on standard output; 0: none */
};

/* Runs one command line; gives the exit code. */
int cli_main(const struct cli_program *program, int argc, char **argv);

/* Takes a command line apart. CLI_OK, or CLI_USAGE with the message printed. cli_done() in both cases. */
int cli_parse(struct cli *cli, const struct cli_program *program, int argc, char **argv);
void cli_done(struct cli *cli);

/* last value of an option, or NULL; argument number i, or NULL */
const char *cli_value(const struct cli *cli, const char *name);
const char *cli_argument(const struct cli *cli, size_t i);
bool cli_flag(const struct cli *cli, const char *name);
/* The i-th value of an option that may be repeated, or NULL. */
const char *cli_value_at(const struct cli *cli, const char *name, size_t i);
size_t cli_value_count(const struct cli *cli, const char *name);
/*
 * Adds a value as if the command line had it; takes value over, also on failure. CLI_OK, or CLI_FAILED with message.
 */
int cli_answer(struct cli *cli, const char *name, char *value);
/* the value of an option that must be there: CLI_OK, or CLI_USAGE with the message printed */
int cli_need(const struct cli *cli, const char *name, const char **value);

/* "name: message" on standard error. The second gives code back, for `return cli_fail(...)`. */
void cli_error(const struct cli *cli, const char *format, ...) __attribute__((format(printf, 2, 3)));
int cli_fail(const struct cli *cli, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));
/* Prints the reason with its explanation, what was refused, and gives CLI_REFUSED. */
int cli_refuse(const struct cli *cli, enum reason reason, const char *format, ...)
        __attribute__((format(printf, 3, 4)));
/* "FILE: no such file" and so on for a negative errno; gives CLI_FAILED */
int cli_errno(const struct cli *cli, int error, const char *what);

/* help.c */
void cli_print_help(const struct cli *cli);
/* Candidates for the last word, one a line. */
void cli_print_completions(const struct cli_program *program, size_t count, char *const *words);
extern const struct cli_option cli_common_options[];
