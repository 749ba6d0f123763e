/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Values as text, tables, records, JSON. */

#include "cli/output.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "relay/reason.h"
#include "relay/span.h"
#include "util/cleanup.h"

#define COLUMNS_MAX 12
/* No column is cut below it: what is left has to tell rows apart; of a time it is the date. */
#define WIDTH_LEAST       10
#define WIDTH_LEAST_SHORT 8 /* hexadecimal */

static const struct {
        const char *word, *colour;
} word_colours[] = {
        { "up", "32" },         { "open", "32" },      { "online", "32" },   { "approved", "32" },
        { "registered", "32" }, { "installed", "32" }, { "yes", "32" },      { "pending", "33" },
        { "closed", "33" },     { "offline", "33" },   { "approval", "33" }, { "gate", "33" },
        { "down", "31" },       { "denied", "31" },    { "revoked", "31" },  { "security", "1;31" },
        { "confirmed", "32" },
};

/* bytes of a UTF-8 character that starts here; jansson gives valid UTF-8 */
static size_t character_size(const char *at)
{
        unsigned char c = (unsigned char)*at;

        return c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
}

/* C0, DEL, C1, and the marks that turn the direction of what follows (U+061C, U+200E/F, U+202A-E, U+2066-9) */
static bool character_is_harmful(const char *at)
{
        const unsigned char *c = (const unsigned char *)at;

        if (c[0] < 0x20 || c[0] == 0x7f)
                return true;
        if ((c[0] == 0xc2 && c[1] < 0xa0) || (c[0] == 0xd8 && c[1] == 0x9c))
                return true;
        if (c[0] != 0xe2)
                return false;
        return (c[1] == 0x80 && (c[2] == 0x8e || c[2] == 0x8f || (c[2] >= 0xa8 && c[2] <= 0xae))) ||
               (c[1] == 0x81 && c[2] >= 0xa6 && c[2] <= 0xa9);
}

char *output_clean(const char *text)
{
        char *out = malloc(strlen(text) + 1), *to = out;

        if (!out)
                return NULL;
        while (*text) {
                size_t size = strnlen(text, character_size(text));

                if (character_is_harmful(text)) {
                        *to++ = '?';
                } else {
                        memcpy(to, text, size);
                        to += size;
                }
                text += size;
        }
        *to = '\0';
        return out;
}

static size_t text_width(const char *text)
{
        size_t n = 0;

        for (; *text; text++)
                n += ((unsigned char)*text & 0xc0) != 0x80;
        return n;
}

static void print_padded(const char *text, size_t width, bool last)
{
        size_t has = text_width(text), shown = 0;
        size_t room = has > width && width > 0 ? width - 1 : has;

        for (; *text && shown < room; shown++) {
                size_t size = character_size(text);

                fwrite(text, 1, size, stdout);
                text += size;
        }
        if (room < has) {
                fputs("…", stdout);
                shown++;
        }
        for (; !last && shown < width; shown++)
                putchar(' ');
}

static const char *colour_of(const char *word)
{
        for (size_t i = 0; i < sizeof(word_colours) / sizeof(*word_colours); i++)
                if (strcmp(word_colours[i].word, word) == 0)
                        return word_colours[i].colour;
        return NULL;
}

static void print_cell(struct cli *cli, const char *text, size_t width, enum output_format format, bool last)
{
        const char *colour = cli->colour && format == OUTPUT_WORD ? colour_of(text) : NULL;

        if (colour)
                printf("\x1b[%sm", colour);
        print_padded(text, width, last);
        if (colour)
                fputs("\x1b[0m", stdout);
}

static char *format_bytes(json_int_t value)
{
        static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
        uint64_t whole = value < 0 ? 0 : (uint64_t)value, tenths = 0;
        size_t unit = 0;
        char *out = NULL;

        for (; whole >= 1024 && unit < 4; unit++) {
                tenths = whole % 1024 * 10 / 1024;
                whole /= 1024;
        }
        if (unit == 0)
                return asprintf(&out, "%" PRIu64 " B", whole) < 0 ? NULL : out;
        return asprintf(&out, "%" PRIu64 ".%" PRIu64 " %s", whole, tenths, units[unit]) < 0 ? NULL : out;
}

static char *format_time(json_int_t value)
{
        time_t at = (time_t)value;
        struct tm tm;
        char text[40];

        if (value == 0 || !localtime_r(&at, &tm))
                return strdup("-");
        strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
        return strdup(text);
}

static char *format_list(const json_t *array)
{
        char *out = strdup(json_array_size(array) == 0 ? "-" : "");
        const json_t *item;
        size_t i;

        json_array_foreach(array, i, item)
        {
                char *more = NULL, *one = output_text(item, OUTPUT_TEXT);

                if (!out || !one || asprintf(&more, "%s%s%s", out, i > 0 ? ", " : "", one) < 0)
                        more = NULL;
                free(out);
                free(one);
                out = more;
        }
        return out;
}

static char *format_plain(const json_t *value)
{
        char *out = NULL;

        if (json_is_string(value))
                return *json_string_value(value) ? output_clean(json_string_value(value)) : strdup("-");
        if (json_is_boolean(value))
                return strdup(json_is_true(value) ? "yes" : "no");
        if (json_is_integer(value))
                return asprintf(&out, "%" JSON_INTEGER_FORMAT, json_integer_value(value)) < 0 ? NULL : out;
        if (json_is_array(value))
                return format_list(value);
        return value && !json_is_null(value) ? json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY) : strdup("-");
}

static char *format_short(const json_t *value)
{
        char *out = format_plain(value);

        if (out && strlen(out) > 12)
                out[12] = '\0';
        return out;
}

static char *format_reason(const json_t *value)
{
        const char *name = json_string_value(value);

        return name && strcmp(name, reason_name(REASON_NONE)) == 0 ? strdup("-") : format_plain(value);
}

char *output_text(const json_t *value, enum output_format format)
{
        char *out = NULL;

        switch (format) {
        case OUTPUT_BYTES:
                return format_bytes(json_integer_value(value));
        case OUTPUT_TIME:
                return format_time(json_integer_value(value));
        case OUTPUT_SHORT:
                return format_short(value);
        case OUTPUT_REASON:
                return format_reason(value);
        case OUTPUT_COUNT:
                return asprintf(&out, "%zu", json_array_size(value)) < 0 ? NULL : out;
        case OUTPUT_TEXT:
        case OUTPUT_WORD:
        case OUTPUT_LIST:
        case OUTPUT_YES_NO:
                break;
        }
        return format_plain(value);
}

int output_json(const json_t *value)
{
        if (!value || json_dumpf(value, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY) != 0)
                return CLI_FAILED;
        putchar('\n');
        return CLI_OK;
}

struct table {
        const json_t *rows;
        struct output_column columns[COLUMNS_MAX];
        size_t widths[COLUMNS_MAX];
        size_t count;
        char **cells; /* row by row */
};

static bool has_anything(const json_t *rows, const struct output_column *column)
{
        const json_t *row;
        size_t i;

        json_array_foreach(rows, i, row)
        {
                _cleanup_free_ char *text = output_text(json_object_get(row, column->key), column->format);

                if (text && strcmp(text, "-") != 0)
                        return true;
        }
        return false;
}

static void table_free(struct table *table)
{
        for (size_t i = 0; table->cells && i < json_array_size(table->rows) * table->count; i++)
                free(table->cells[i]);
        free(table->cells);
}

static int table_fill(struct table *table, const struct output_column *columns, size_t count)
{
        const json_t *row;
        size_t r;

        for (size_t i = 0; i < count; i++) {
                if (i > 0 && !has_anything(table->rows, &columns[i]))
                        continue;
                table->widths[table->count] = text_width(columns[i].title);
                table->columns[table->count++] = columns[i];
        }
        table->cells = calloc(json_array_size(table->rows) * table->count, sizeof(*table->cells));
        if (!table->cells)
                return CLI_FAILED;
        json_array_foreach(table->rows, r, row) for (size_t i = 0; i < table->count; i++)
        {
                const struct output_column *column = &table->columns[i];
                char *text = output_text(json_object_get(row, column->key), column->format);

                if (!text)
                        return CLI_FAILED;
                table->cells[r * table->count + i] = text;
                if (text_width(text) > table->widths[i])
                        table->widths[i] = text_width(text);
        }
        return CLI_OK;
}

/* The widest column that may still give does, until the line fits; false if none may give any more. */
static bool fit_widths(struct table *table, size_t room)
{
        size_t *widths = table->widths;

        for (;;) {
                size_t total = 2 * (table->count - 1), widest = table->count;

                for (size_t i = 0; i < table->count; i++) {
                        size_t least = table->columns[i].format == OUTPUT_SHORT ? WIDTH_LEAST_SHORT : WIDTH_LEAST;

                        total += widths[i];
                        if (widths[i] > least && (widest == table->count || widths[i] > widths[widest]))
                                widest = i;
                }
                if (room == 0 || total <= room)
                        return true;
                if (widest == table->count)
                        return false;
                widths[widest]--;
        }
}

static void print_titles(struct cli *cli, const struct table *table)
{
        if (cli->colour)
                fputs("\x1b[1m", stdout);
        for (size_t i = 0; i < table->count; i++) {
                print_padded(table->columns[i].title, table->widths[i], i + 1 == table->count);
                if (i + 1 < table->count)
                        fputs("  ", stdout);
        }
        puts(cli->colour ? "\x1b[0m" : "");
}

#define TIME_MINUTES 16 /* 2026-11-22 12:00 */
#define TIME_DATE    10

/* Times and digests need no mark where they were cut. */
static void cut_cells(struct table *table)
{
        for (size_t c = 0; c < json_array_size(table->rows) * table->count; c++) {
                size_t width = table->widths[c % table->count];
                enum output_format format = table->columns[c % table->count].format;

                if (strlen(table->cells[c]) <= width)
                        continue;
                if (format == OUTPUT_TIME)
                        table->cells[c][width >= TIME_MINUTES ? TIME_MINUTES : TIME_DATE] = '\0';
                if (format == OUTPUT_SHORT)
                        table->cells[c][width] = '\0';
        }
}

static void print_rows(struct cli *cli, const struct table *table)
{
        print_titles(cli, table);
        for (size_t c = 0; c < json_array_size(table->rows) * table->count; c++) {
                size_t column = c % table->count;
                bool last = column + 1 == table->count;

                print_cell(cli, table->cells[c], table->widths[column], table->columns[column].format, last);
                fputs(last ? "\n" : "  ", stdout);
        }
}

static void print_field(struct cli *cli, const char *title, size_t width, const char *text, enum output_format format)
{
        printf("%*s: ", (int)width, title);
        print_cell(cli, text, 0, format, true);
        putchar('\n');
}

static size_t widest_title(const struct output_column *columns, size_t count)
{
        size_t width = 0;

        for (size_t i = 0; i < count; i++)
                if (text_width(columns[i].title) > width)
                        width = text_width(columns[i].title);
        return width;
}

static void print_blocks(struct cli *cli, const struct table *table)
{
        size_t width = widest_title(table->columns, table->count);

        for (size_t c = 0; c < json_array_size(table->rows) * table->count; c++) {
                const struct output_column *column = &table->columns[c % table->count];

                if (c > 0 && c % table->count == 0)
                        putchar('\n');
                print_field(cli, column->title, width, table->cells[c], column->format);
        }
}

int output_table(struct cli *cli, const json_t *rows, const struct output_column *columns, size_t count,
                 const char *if_empty)
{
        struct table table = { .rows = rows };
        int r;

        if (cli->json)
                return output_json(rows);
        if (json_array_size(rows) == 0) {
                puts(if_empty);
                return CLI_OK;
        }
        r = table_fill(&table, columns, count);
        if (r == CLI_OK) {
                if (fit_widths(&table, cli->columns)) {
                        cut_cells(&table);
                        print_rows(cli, &table);
                } else {
                        print_blocks(cli, &table);
                }
        }
        table_free(&table);
        return r;
}

int output_record(struct cli *cli, const json_t *object, const struct output_column *fields, size_t count)
{
        size_t width = widest_title(fields, count);

        if (cli->json)
                return output_json(object);
        for (size_t i = 0; i < count; i++) {
                const json_t *value = json_object_get(object, fields[i].key);
                _cleanup_free_ char *text = value ? output_text(value, fields[i].format) : NULL;

                if (text)
                        print_field(cli, fields[i].title, width, text, fields[i].format);
        }
        return CLI_OK;
}

int output_done(struct cli *cli, const json_t *object, const char *format, ...)
{
        va_list list;

        if (cli->json)
                return output_json(object);
        va_start(list, format);
        vprintf(format, list);
        va_end(list);
        putchar('\n');
        return CLI_OK;
}

json_t *json_hex(const void *data, size_t size)
{
        char *hex = malloc(2 * size + 1);
        json_t *value;

        if (!hex)
                return NULL;
        value = json_string(span_to_hex(span_of(data, size), hex, 2 * size + 1));
        free(hex);
        return value;
}

json_t *json_text(const void *data, size_t size)
{
        return json_stringn(size > 0 ? data : "", size);
}
