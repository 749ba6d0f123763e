/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * What commands print: JSON as it is with --json, else a table or a record fitted to the terminal. Texts that come from
 * vendors or devices lose their control and direction characters, so that nobody writes on the operator's terminal.
 */

#include <jansson.h>

#include "cli/cli.h"

enum output_format {
        OUTPUT_TEXT,
        OUTPUT_WORD,   /* a state: coloured */
        OUTPUT_REASON, /* of relay/reason.h; none -> - */
        OUTPUT_BYTES,  /* 81920 -> 80.0 KiB */
        OUTPUT_TIME,   /* Unix seconds -> local time; 0 -> - */
        OUTPUT_SHORT,  /* hexadecimal: the first 12 digits */
        OUTPUT_LIST,   /* array of texts, by commas; an empty one is - */
        OUTPUT_YES_NO,
        OUTPUT_COUNT, /* array: how many */
};
struct output_column {
        const char *key, *title;
        enum output_format format;
};

/*
 * One object a row. Columns in which no row has anything are left out; what is too wide for the terminal is cut, and
 * where too little of it would be left, each row becomes a record. Both take over neither; CLI_OK or CLI_FAILED
 */
int output_table(struct cli *cli, const json_t *rows, const struct output_column *columns, size_t count,
                 const char *if_empty);
int output_record(struct cli *cli, const json_t *object, const struct output_column *fields, size_t count);
/* JSON only with --json; else the sentence */
int output_done(struct cli *cli, const json_t *object, const char *format, ...) __attribute__((format(printf, 3, 4)));
int output_json(const json_t *value);
/* one value as text, cleaned; malloc'ed, NULL without memory */
char *output_text(const json_t *value, enum output_format format);
char *output_clean(const char *text);

json_t *json_hex(const void *data, size_t size);
json_t *json_text(const void *data, size_t size);
