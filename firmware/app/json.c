/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A JSON writer without a tree. */

#include "app/json.h"

static void put(struct writer *w, const char *text)
{
        writer_bytes(w, span_of_string(text));
}

static void put_key(struct writer *w, const char *key)
{
        if (w->at > 0 && w->at <= w->size && w->out[w->at - 1] != '{')
                put(w, ",");
        put(w, "\"");
        put(w, key);
        put(w, "\":");
}

void json_open(struct writer *w)
{
        put(w, "{");
}

void json_close(struct writer *w)
{
        put(w, "}");
}

static void put_escaped(struct writer *w, uint8_t c)
{
        static const char digits[] = "0123456789abcdef";

        if (c == '"' || c == '\\')
                writer_u8(w, '\\');
        if (c >= 0x20) {
                writer_u8(w, c);
                return;
        }
        put(w, "\\u00");
        writer_u8(w, (uint8_t)digits[c >> 4]);
        writer_u8(w, (uint8_t)digits[c & 15]);
}

void json_string(struct writer *w, const char *key, struct span value)
{
        put_key(w, key);
        put(w, "\"");
        for (size_t i = 0; i < value.size; i++)
                put_escaped(w, value.data[i]);
        put(w, "\"");
}

void json_hex(struct writer *w, const char *key, struct span bytes)
{
        static const char digits[] = "0123456789abcdef";

        put_key(w, key);
        put(w, "\"");
        for (size_t i = 0; i < bytes.size; i++) {
                writer_u8(w, (uint8_t)digits[bytes.data[i] >> 4]);
                writer_u8(w, (uint8_t)digits[bytes.data[i] & 15]);
        }
        put(w, "\"");
}

void json_digits(struct writer *w, uint64_t value)
{
        uint8_t digits[20];
        size_t n = 0;

        do {
                digits[n++] = (uint8_t)('0' + value % 10);
                value /= 10;
        } while (value > 0);
        while (n > 0)
                writer_u8(w, digits[--n]);
}

void json_uint(struct writer *w, const char *key, uint64_t value)
{
        put_key(w, key);
        json_digits(w, value);
}

void json_bool(struct writer *w, const char *key, bool value)
{
        put_key(w, key);
        put(w, value ? "true" : "false");
}
