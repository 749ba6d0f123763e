/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/der.h"

#include <string.h>

/* X.690 sections 8.1.2 and 10.1: single-byte tag, shortest definite length */
static struct span get_element(struct reader *r, uint8_t *tag, bool whole)
{
        size_t start = r->at;

        *tag = reader_u8(r);
        size_t size = reader_u8(r);
        if ((*tag & 0x1f) == 0x1f)
                reader_fail(r, RELAY_E_MALFORMED);
        if (size == 0x81) {
                size = reader_u8(r);
                if (size < 0x80)
                        reader_fail(r, RELAY_E_MALFORMED);
        } else if (size == 0x82) {
                size = reader_u16(r);
                if (size < 0x100)
                        reader_fail(r, RELAY_E_MALFORMED);
        } else if (size >= 0x80) {
                reader_fail(r, RELAY_E_MALFORMED);
        }
        struct span content = reader_bytes(r, size);
        if (r->result != RELAY_OK)
                return SPAN_EMPTY;
        return whole ? span_slice(r->in, start, r->at - start) : content;
}

static struct span get_tagged(struct reader *r, uint8_t tag, bool whole)
{
        uint8_t found;
        struct span s = get_element(r, &found, whole);

        if (found != tag) {
                reader_fail(r, RELAY_E_MALFORMED);
                return SPAN_EMPTY;
        }
        return s;
}

struct span der_get(struct reader *r, uint8_t tag)
{
        return get_tagged(r, tag, false);
}

struct span der_get_whole(struct reader *r, uint8_t tag)
{
        return get_tagged(r, tag, true);
}

struct span der_get_any(struct reader *r, uint8_t *tag)
{
        return get_element(r, tag, false);
}

bool der_next_is(const struct reader *r, uint8_t tag)
{
        return reader_left(r) > 0 && r->in.data[r->at] == tag;
}

struct reader der_enter(struct reader *r, uint8_t tag)
{
        struct reader inner;

        reader_init(&inner, der_get(r, tag));
        if (r->result != RELAY_OK)
                reader_fail(&inner, r->result);
        return inner;
}

uint64_t der_get_u64(struct reader *r)
{
        struct span bytes = der_get(r, DER_INTEGER);
        uint64_t value = 0;

        /* X.690 section 8.3.2: at least one byte, no needless leading zero */
        if (bytes.size == 0 || bytes.data[0] & 0x80 || bytes.size > 9 || (bytes.size == 9 && bytes.data[0] != 0) ||
            (bytes.size > 1 && bytes.data[0] == 0 && !(bytes.data[1] & 0x80))) {
                reader_fail(r, RELAY_E_MALFORMED);
                return 0;
        }
        for (size_t i = 0; i < bytes.size; i++)
                value = value << 8 | bytes.data[i];
        return value;
}

struct span der_get_bits(struct reader *r)
{
        struct span bits = der_get(r, DER_BIT_STRING);

        if (bits.size == 0 || bits.data[0] != 0) {
                reader_fail(r, RELAY_E_MALFORMED);
                return SPAN_EMPTY;
        }
        return span_slice(bits, 1, bits.size - 1);
}

#define LENGTH_ROOM 3 /* 0x82, two bytes; shortened by der_end() */

size_t der_begin(struct writer *w, uint8_t tag)
{
        writer_u8(w, tag);
        size_t begin = w->at;
        writer_bytes(w, SPAN_LITERAL("\0\0\0"));
        return begin;
}

void der_end(struct writer *w, size_t begin)
{
        size_t size = w->at - begin - LENGTH_ROOM;
        size_t length_size = size < 0x80 ? 1 : size < 0x100 ? 2 : 3;

        if (w->result != RELAY_OK || w->at > w->size || size > 0xffff) {
                writer_fail(w, RELAY_E_SPACE);
                return;
        }
        uint8_t *at = w->out + begin;
        memmove(at + length_size, at + LENGTH_ROOM, size);
        if (length_size > 1)
                *at++ = (uint8_t)(0x80 | (length_size - 1));
        if (length_size > 2)
                *at++ = (uint8_t)(size >> 8);
        *at = (uint8_t)size;
        w->at -= LENGTH_ROOM - length_size;
}

void der_put(struct writer *w, uint8_t tag, struct span content)
{
        size_t begin = der_begin(w, tag);
        writer_bytes(w, content);
        der_end(w, begin);
}

void der_put_unsigned(struct writer *w, struct span big_endian)
{
        while (big_endian.size > 1 && big_endian.data[0] == 0)
                big_endian = span_slice(big_endian, 1, big_endian.size - 1);
        size_t begin = der_begin(w, DER_INTEGER);
        if (big_endian.size == 0 || big_endian.data[0] & 0x80)
                writer_u8(w, 0);
        writer_bytes(w, big_endian);
        der_end(w, begin);
}

void der_put_u32(struct writer *w, uint32_t value)
{
        uint8_t bytes[4] = { (uint8_t)(value >> 24), (uint8_t)(value >> 16), (uint8_t)(value >> 8), (uint8_t)value };
        der_put_unsigned(w, SPAN_OF(bytes));
}

void der_put_bool(struct writer *w, bool value)
{
        der_put(w, DER_BOOLEAN, value ? SPAN_LITERAL("\xff") : SPAN_LITERAL("\0"));
}

void der_put_bits(struct writer *w, struct span bytes)
{
        size_t begin = der_begin(w, DER_BIT_STRING);
        writer_u8(w, 0);
        writer_bytes(w, bytes);
        der_end(w, begin);
}

struct der_extension der_begin_extension(struct writer *w, struct span oid, bool critical)
{
        struct der_extension e = { .outer = der_begin(w, DER_SEQUENCE) };

        der_put(w, DER_OID, oid);
        if (critical)
                der_put_bool(w, true);
        e.value = der_begin(w, DER_OCTET_STRING);
        return e;
}

void der_end_extension(struct writer *w, struct der_extension e)
{
        der_end(w, e.value);
        der_end(w, e.outer);
}
