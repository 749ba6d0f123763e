/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/cursor.h"

#include <string.h>

void reader_init(struct reader *r, struct span in)
{
        *r = (struct reader){ .in = in, .at = 0, .result = RELAY_OK };
}

void reader_fail(struct reader *r, int result)
{
        if (r->result == RELAY_OK)
                r->result = result;
}

size_t reader_left(const struct reader *r)
{
        return r->result == RELAY_OK ? r->in.size - r->at : 0;
}

struct span reader_bytes(struct reader *r, size_t size)
{
        struct span bytes;

        if (size > reader_left(r)) {
                reader_fail(r, RELAY_E_TRUNCATED);
                return SPAN_EMPTY;
        }
        if (size == 0)
                return SPAN_EMPTY;
        bytes = (struct span){ r->in.data + r->at, size };
        r->at += size;
        return bytes;
}

static uint64_t reader_big_endian(struct reader *r, size_t size)
{
        struct span bytes = reader_bytes(r, size);
        uint64_t value = 0;

        for (size_t i = 0; i < bytes.size; i++)
                value = value << 8 | bytes.data[i];
        return value;
}

uint8_t reader_u8(struct reader *r)
{
        return (uint8_t)reader_big_endian(r, 1);
}

uint16_t reader_u16(struct reader *r)
{
        return (uint16_t)reader_big_endian(r, 2);
}

uint32_t reader_u32(struct reader *r)
{
        return (uint32_t)reader_big_endian(r, 4);
}

uint64_t reader_u64(struct reader *r)
{
        return reader_big_endian(r, 8);
}

int reader_finish(struct reader *r)
{
        if (reader_left(r) > 0)
                reader_fail(r, RELAY_E_MALFORMED);
        return r->result;
}

void writer_init(struct writer *w, void *out, size_t size)
{
        *w = (struct writer){ .out = out, .size = out ? size : 0, .at = 0, .result = RELAY_OK };
}

void writer_fail(struct writer *w, int result)
{
        if (w->result == RELAY_OK)
                w->result = result;
}

void writer_bytes(struct writer *w, struct span bytes)
{
        if (bytes.size == 0)
                return;
        if (w->result == RELAY_OK && w->at <= w->size && bytes.size <= w->size - w->at)
                memcpy(w->out + w->at, bytes.data, bytes.size);
        w->at += bytes.size;
}

static void writer_big_endian(struct writer *w, uint64_t value, size_t size)
{
        uint8_t bytes[8];

        for (size_t i = size; i > 0; i--, value >>= 8)
                bytes[i - 1] = (uint8_t)value;
        writer_bytes(w, span_of(bytes, size));
}

void writer_u8(struct writer *w, uint8_t value)
{
        writer_bytes(w, span_of(&value, 1));
}

void writer_u16(struct writer *w, uint16_t value)
{
        writer_big_endian(w, value, 2);
}

void writer_u32(struct writer *w, uint32_t value)
{
        writer_big_endian(w, value, 4);
}

void writer_u64(struct writer *w, uint64_t value)
{
        writer_big_endian(w, value, 8);
}

size_t writer_needed(const struct writer *w)
{
        return w->at;
}

int writer_finish(const struct writer *w)
{
        if (w->result != RELAY_OK)
                return w->result;
        return w->at > w->size ? RELAY_E_SPACE : RELAY_OK;
}

struct span writer_span(const struct writer *w)
{
        return writer_finish(w) == RELAY_OK ? span_of(w->out, w->at) : SPAN_EMPTY;
}
