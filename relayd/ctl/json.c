/* SPDX-License-Identifier: GPL-2.0-or-later */
/* D-Bus values as JSON, whatever their types. */

#include <errno.h>
#include <string.h>

#include "cli/output.h"
#include "ctl/bus.h"

#define DEPTH_MAX 16

static json_t *read_value(sd_bus_message *m, unsigned depth);

static json_t *read_basic(sd_bus_message *m, char type)
{
        union {
                uint8_t y;
                int16_t n;
                uint16_t q;
                int32_t i;
                uint32_t u;
                int64_t x;
                uint64_t t;
                double d;
                int b;
                const char *s;
        } v;

        if (sd_bus_message_read_basic(m, type, &v) <= 0)
                return NULL;
        switch (type) {
        case 'y':
                return json_integer(v.y);
        case 'n':
                return json_integer(v.n);
        case 'q':
                return json_integer(v.q);
        case 'i':
                return json_integer(v.i);
        case 'u':
                return json_integer(v.u);
        case 'x':
                return json_integer(v.x);
        case 't':
                return json_integer((json_int_t)v.t);
        case 'd':
                return json_real(v.d);
        case 'b':
                return json_boolean(v.b);
        case 's':
        case 'o':
        case 'g':
                return json_string(v.s);
        }
        return NULL;
}

static json_t *read_bytes(sd_bus_message *m)
{
        const void *data = NULL;
        size_t size = 0;

        return sd_bus_message_read_array(m, 'y', &data, &size) < 0 ? NULL : json_hex(data, size);
}

/* a{?*}: keys become text */
static bool read_pair(sd_bus_message *m, json_t *object, unsigned depth)
{
        const char *contents;
        json_t *key, *value;
        bool good;
        char type;

        if (sd_bus_message_peek_type(m, &type, &contents) <= 0 || sd_bus_message_enter_container(m, type, contents) < 0)
                return false;
        key = read_value(m, depth);
        value = read_value(m, depth);
        good = json_is_string(key) && value && sd_bus_message_exit_container(m) >= 0;
        if (good)
                json_object_set(object, json_string_value(key), value);
        json_decref(key);
        json_decref(value);
        return good;
}

static json_t *read_container(sd_bus_message *m, char type, const char *contents, unsigned depth)
{
        bool object = type == 'a' && contents[0] == '{';
        json_t *out = object ? json_object() : json_array();

        if (sd_bus_message_enter_container(m, type, contents) < 0)
                goto failed;
        while (sd_bus_message_at_end(m, false) == 0) {
                json_t *item;

                if (object) {
                        if (!read_pair(m, out, depth))
                                goto failed;
                        continue;
                }
                item = read_value(m, depth);
                if (!item)
                        goto failed;
                json_array_append_new(out, item);
        }
        if (sd_bus_message_exit_container(m) < 0)
                goto failed;
        return out;
failed:
        json_decref(out);
        return NULL;
}

static json_t *read_value(sd_bus_message *m, unsigned depth)
{
        const char *contents;
        json_t *inner;
        char type;

        if (depth >= DEPTH_MAX || sd_bus_message_peek_type(m, &type, &contents) <= 0)
                return NULL;
        if (type == 'a' && strcmp(contents, "y") == 0)
                return read_bytes(m);
        if (type == 'a' || type == 'r')
                return read_container(m, type, contents, depth + 1);
        if (type != 'v')
                return read_basic(m, type);
        if (sd_bus_message_enter_container(m, 'v', contents) < 0)
                return NULL;
        inner = read_value(m, depth + 1);
        if (sd_bus_message_exit_container(m) < 0) {
                json_decref(inner);
                return NULL;
        }
        return inner;
}

json_t *ctl_json(sd_bus_message *m)
{
        return read_value(m, 0);
}

void ctl_kebab(const char *camel, char *out, size_t size)
{
        size_t n = 0;

        for (size_t i = 0; camel[i] && n + 2 < size; i++) {
                bool upper = camel[i] >= 'A' && camel[i] <= 'Z';

                if (upper && i > 0)
                        out[n++] = '-';
                out[n++] = upper ? (char)(camel[i] + ('a' - 'A')) : camel[i];
        }
        out[n] = '\0';
}
