/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* One row for each key of the configuration. */

#include "conf/conf.h"

enum conf_type {
        CONF_TEXT,     /* char *: any printable text */
        CONF_PATH,     /* char *: absolute path */
        CONF_SITE,     /* char *: [a-z0-9-]{1,40} */
        CONF_IDENTITY, /* char *: dotted name */
        CONF_PIN,      /* char *: 64 hexadecimal digits */
        CONF_NUMBER,
        CONF_SIZE,     /* bytes, with K, M, G */
        CONF_DURATION, /* seconds, with s, m, h, d */
        CONF_CHOICE,   /* enum: place in choices */
};

struct conf_row {
        const char *section, *key;
        enum conf_type type;
        bool may_be_empty;          /* texts only */
        size_t offset;              /* in struct conf */
        size_t size;                /* bytes of the field */
        uint64_t min, max;          /* numbers, sizes, durations */
        const char *unit;           /* of a CONF_NUMBER; NULL: none */
        const char *const *choices; /* NULL-terminated */
        const char *fallback;       /* default as it would be written; NULL: the key has to be set */
        const char *help;           /* sentences */
};

extern const struct conf_row conf_table[];
extern const size_t conf_table_size;
struct conf_section {
        const char *name, *help;
};
extern const struct conf_section conf_sections[];
extern const size_t conf_sections_size;

/* What a row allows, for people: "a size from 16M to 1T (K, M, G: powers of 1024)". Returns out. */
char *conf_allowed(const struct conf_row *row, char *out, size_t out_size);
/* Sets the row's field from text. 0, -EINVAL (not allowed; nothing changed), -ENOMEM. */
int conf_set(struct conf *conf, const struct conf_row *row, const char *text);
