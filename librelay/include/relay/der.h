/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * DER (X.690) on top of librelay's cursor: definite minimal lengths only, single-byte tags, at most 64 KiB.
 */

#include "relay/cursor.h"

enum der_tag {
        DER_BOOLEAN = 0x01,
        DER_INTEGER = 0x02,
        DER_BIT_STRING = 0x03,
        DER_OCTET_STRING = 0x04,
        DER_NULL = 0x05,
        DER_OID = 0x06,
        DER_UTF8_STRING = 0x0c,
        DER_PRINTABLE_STRING = 0x13,
        DER_IA5_STRING = 0x16,
        DER_UTC_TIME = 0x17,
        DER_GENERALIZED_TIME = 0x18,
        DER_SEQUENCE = 0x30,
        DER_SET = 0x31,
};
#define DER_CONTEXT(n)             (0x80 | (n)) /* [n] IMPLICIT of a primitive type */
#define DER_CONTEXT_CONSTRUCTED(n) (0xa0 | (n)) /* [n] EXPLICIT, or IMPLICIT of a SEQUENCE or SET */

/* Content of the next element, which must have this tag. The empty span and the sticky error RELAY_E_MALFORMED (or
 * RELAY_E_TRUNCATED) otherwise. */
struct span der_get(struct reader *r, uint8_t tag);
/* the same, but with its tag and length in front */
struct span der_get_whole(struct reader *r, uint8_t tag);
/* the next element, whatever it is: tag and content */
struct span der_get_any(struct reader *r, uint8_t *tag);
/* Is there a next element, and with this tag? */
bool der_next_is(const struct reader *r, uint8_t tag);
/* A reader of the next element's content; inherits r's error. */
struct reader der_enter(struct reader *r, uint8_t tag);
/* A non-negative INTEGER up to 64 bits */
uint64_t der_get_u64(struct reader *r);
/* BIT STRING without unused bits: its bytes */
struct span der_get_bits(struct reader *r);

/* An element with content written between begin and end: size_t at = der_begin(w, tag); ...; der_end(w, at); */
size_t der_begin(struct writer *w, uint8_t tag);
void der_end(struct writer *w, size_t begin);
void der_put(struct writer *w, uint8_t tag, struct span content);
void der_put_u32(struct writer *w, uint32_t value);
/* INTEGER from big-endian bytes (leading zeros are dropped, one is added where the sign bit would be set) */
void der_put_unsigned(struct writer *w, struct span big_endian);
void der_put_bool(struct writer *w, bool value);
void der_put_bits(struct writer *w, struct span bytes);

/* An X.509 extension (RFC 5280 section 4.1): extnValue is an OCTET STRING around the DER written between begin and end.
 */
struct der_extension {
        size_t outer, value;
};
struct der_extension der_begin_extension(struct writer *w, struct span oid, bool critical);
void der_end_extension(struct writer *w, struct der_extension e);
