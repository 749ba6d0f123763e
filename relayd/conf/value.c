/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From text to a field, and what a row allows in words. */

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "conf/table.h"
#include "relay/topic.h"

struct unit {
        const char *name;
        uint64_t factor;
};
static const struct unit size_units[] = {
        { "K", UINT64_C(1) << 10 },
        { "M", UINT64_C(1) << 20 },
        { "G", UINT64_C(1) << 30 },
        { NULL, 0 },
};
static const struct unit duration_units[] = {
        { "s", 1 }, { "m", 60 }, { "h", 3600 }, { "d", 86400 }, { NULL, 0 },
};

static bool find_unit(const struct conf_row *row, const char *text, uint64_t *factor)
{
        *factor = 1;
        if (!*text)
                return true;
        if (row->type == CONF_NUMBER)
                return row->unit && strcmp(text, row->unit) == 0;
        for (const struct unit *u = row->type == CONF_SIZE ? size_units : duration_units; u->name; u++)
                if (strcmp(text, u->name) == 0) {
                        *factor = u->factor;
                        return true;
                }
        return false;
}

static int parse_number(const struct conf_row *row, const char *text, uint64_t *out)
{
        if (*text < '0' || *text > '9')
                return -EINVAL;
        char *end;
        errno = 0;
        uint64_t value = strtoull(text, &end, 10), factor;
        if (errno || end - text > 19 || !find_unit(row, end, &factor) || value > UINT64_MAX / factor)
                return -EINVAL;
        value *= factor;
        if (value < row->min || value > row->max)
                return -EINVAL;
        *out = value;
        return 0;
}

static int parse_choice(const struct conf_row *row, const char *text, uint64_t *out)
{
        for (uint64_t i = 0; row->choices[i]; i++)
                if (strcmp(row->choices[i], text) == 0) {
                        *out = i;
                        return 0;
                }
        return -EINVAL;
}

static void store_number(void *field, size_t size, uint64_t value)
{
        if (size == sizeof(uint16_t))
                *(uint16_t *)field = (uint16_t)value;
        else if (size == sizeof(uint32_t))
                *(uint32_t *)field = (uint32_t)value;
        else
                *(uint64_t *)field = value;
}

static bool is_printable(struct span text)
{
        for (size_t i = 0; i < text.size; i++)
                if (text.data[i] < ' ' || text.data[i] == 0x7f)
                        return false;
        return span_is_utf8(text);
}

static bool text_is_allowed(const struct conf_row *row, const char *text)
{
        struct span span = span_of_string(text);
        uint8_t pin[SHA256_SIZE];
        if (span.size == 0)
                return row->may_be_empty;
        switch (row->type) {
        case CONF_TEXT:
                return is_printable(span);
        case CONF_PATH:
                return text[0] == '/' && is_printable(span);
        case CONF_SITE:
                return identity_is_device(span);
        case CONF_IDENTITY:
                return identity_is_dotted(span);
        case CONF_PIN:
                return span_from_hex(span, pin, sizeof(pin));
        case CONF_NUMBER:
        case CONF_SIZE:
        case CONF_DURATION:
        case CONF_CHOICE:
                break;
        }
        return false;
}

static int set_text(char **field, const struct conf_row *row, const char *text)
{
        if (!text_is_allowed(row, text))
                return -EINVAL;
        char *copy = strdup(text);
        if (!copy)
                return -ENOMEM;
        free(*field);
        *field = copy;
        return 0;
}

int conf_set(struct conf *conf, const struct conf_row *row, const char *text)
{
        void *field = (uint8_t *)conf + row->offset;
        uint64_t value;
        int result = -EINVAL;
        switch (row->type) {
        case CONF_NUMBER:
        case CONF_SIZE:
        case CONF_DURATION:
                result = parse_number(row, text, &value);
                break;
        case CONF_CHOICE:
                result = parse_choice(row, text, &value);
                break;
        case CONF_TEXT:
        case CONF_PATH:
        case CONF_SITE:
        case CONF_IDENTITY:
        case CONF_PIN:
                return set_text(field, row, text);
        }
        if (result == 0)
                store_number(field, row->size, value);
        return result;
}

/* the largest unit that divides value */
static const char *with_unit(uint64_t value, const struct unit *units, char out[24])
{
        const char *name = "";
        uint64_t factor = 1;
        for (; units->name; units++)
                if (value && value % units->factor == 0) {
                        factor = units->factor;
                        name = units->name;
                }
        snprintf(out, 24, "%" PRIu64 "%s", value / factor, name);
        return out;
}

static void allowed_choices(const struct conf_row *row, char *out, size_t out_size)
{
        size_t at = 0;
        out[0] = '\0';
        for (size_t i = 0; row->choices[i] && at < out_size; i++) {
                const char *glue = i == 0 ? "" : row->choices[i + 1] ? ", " : " or ";
                at += (size_t)snprintf(out + at, out_size - at, "%s%s", glue, row->choices[i]);
        }
}

static const char *text_words(enum conf_type type)
{
        switch (type) {
        case CONF_TEXT:
                return "a printable text";
        case CONF_PATH:
                return "an absolute path";
        case CONF_SITE:
                return "1 to 40 characters of a-z, 0-9 and -";
        case CONF_IDENTITY:
                return "a name with a dot, of a-z, 0-9 and - (relay.s1)";
        case CONF_PIN:
                return "64 hexadecimal digits";
        case CONF_NUMBER:
        case CONF_SIZE:
        case CONF_DURATION:
        case CONF_CHOICE:
                break;
        }
        return "";
}

char *conf_allowed(const struct conf_row *row, char *out, size_t out_size)
{
        char low[24], high[24];
        switch (row->type) {
        case CONF_NUMBER:
                snprintf(out, out_size, "a number from %" PRIu64 " to %" PRIu64 "%s%s", row->min, row->max,
                         row->unit ? " " : "", row->unit ? row->unit : "");
                break;
        case CONF_SIZE:
                snprintf(out, out_size, "a size from %s to %s (K, M, G: powers of 1024)",
                         with_unit(row->min, size_units, low), with_unit(row->max, size_units, high));
                break;
        case CONF_DURATION:
                snprintf(out, out_size, "a time from %s to %s (s, m, h, d; without: seconds)",
                         with_unit(row->min, duration_units, low), with_unit(row->max, duration_units, high));
                break;
        case CONF_CHOICE:
                allowed_choices(row, out, out_size);
                break;
        case CONF_TEXT:
        case CONF_PATH:
        case CONF_SITE:
        case CONF_IDENTITY:
        case CONF_PIN:
                snprintf(out, out_size, "%s%s", text_words(row->type), row->may_be_empty ? ", or nothing" : "");
                break;
        }
        return out;
}
