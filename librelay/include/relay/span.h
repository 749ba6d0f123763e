/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * A borrowed run of bytes. Whoever holds a span owns nothing: it is valid as long as the buffer it came from.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct span {
        const uint8_t *data; /* may be NULL only if size is 0 */
        size_t size;         /* bytes */
};

#define SPAN_EMPTY ((struct span){ NULL, 0 })
/* span of a fixed-size array */
#define SPAN_OF(array) ((struct span){ (const uint8_t *)(array), sizeof(array) })
/* span of a string literal, without its NUL */
#define SPAN_LITERAL(text) ((struct span){ (const uint8_t *)("" text), sizeof(text) - 1 })

struct span span_of_string(const char *text); /* without the NUL; NULL gives the empty span */
struct span span_of(const void *data, size_t size);
/* bytes [from, from + size) clamped to what is there; never reads outside */
struct span span_slice(struct span s, size_t from, size_t size);
bool span_equal(struct span a, struct span b);
bool span_equal_string(struct span a, const char *text);
/* memcmp order, shorter first on a common prefix: < 0, 0, > 0 */
int span_compare(struct span a, struct span b);
/* equality whose time depends only on the size: for secrets and digests */
bool span_equal_constant_time(struct span a, struct span b);
/* Copies and NUL-terminates; refuses (false, out = "") if it does not fit or holds a NUL byte. */
bool span_to_string(struct span s, char *out, size_t out_size);
/* lower-case hexadecimal, out needs 2 * s.size + 1 bytes; returns out */
char *span_to_hex(struct span s, char *out, size_t out_size);
/* Exactly out_size bytes from 2 * out_size hexadecimal digits of either case; false otherwise. */
bool span_from_hex(struct span hex, uint8_t *out, size_t out_size);
bool span_is_utf8(struct span s); /* well-formed UTF-8 (RFC 3629), no U+0000 */
