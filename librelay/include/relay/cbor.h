/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * CBOR, deterministically encoded (RFC 8949 section 4.2.1), on top of cursor.h.
 *
 * The reader accepts only: shortest-form heads, definite lengths, no floats, simple values false/true/null,
 * at most CBOR_DEPTH_MAX nested containers. Map keys must come in bytewise ascending order of their encoding
 * and so cannot repeat: cbor_map_*() checks it. Everything else sets the reader's sticky error to RELAY_E_MALFORMED.
 */

#include "relay/cursor.h"

#define CBOR_DEPTH_MAX 12

enum cbor_major {
        CBOR_UINT = 0,
        CBOR_NINT = 1,
        CBOR_BSTR = 2,
        CBOR_TSTR = 3,
        CBOR_ARRAY = 4,
        CBOR_MAP = 5,
        CBOR_TAG = 6,
        CBOR_SIMPLE = 7,
        CBOR_NONE = 8, /* nothing left, or a sticky error */
};

/* ---- writing: items are appended to a writer in order; the caller writes map keys in ascending encoded order */
void cbor_put_uint(struct writer *w, uint64_t value);
void cbor_put_int(struct writer *w, int64_t value);
void cbor_put_bstr(struct writer *w, struct span bytes);
void cbor_put_bstr_head(struct writer *w, size_t size); /* the caller then writes exactly size bytes */
void cbor_put_tstr(struct writer *w, struct span text);
void cbor_put_array(struct writer *w, size_t items);
void cbor_put_map(struct writer *w, size_t pairs);
void cbor_put_tag(struct writer *w, uint64_t tag);
void cbor_put_bool(struct writer *w, bool value);
void cbor_put_null(struct writer *w);

/* ---- reading */
enum cbor_major cbor_peek(const struct reader *r);
uint64_t cbor_get_uint(struct reader *r);
int64_t cbor_get_int(struct reader *r); /* either sign; RELAY_E_RANGE outside int64_t */
/* a uint no larger than max, else RELAY_E_RANGE */
uint64_t cbor_get_uint_max(struct reader *r, uint64_t max);
struct span cbor_get_bstr(struct reader *r);
/* a bstr of exactly size bytes copied to out, else RELAY_E_RANGE and zeros */
void cbor_get_bstr_exact(struct reader *r, uint8_t *out, size_t size);
uint64_t cbor_get_bstr_head(struct reader *r); /* size; the bytes need not be in the reader's input */
struct span cbor_get_tstr(struct reader *r);   /* checks UTF-8 */
/* a tstr that is_valid(), copied to out (size bytes) with a 0 behind it; else RELAY_E_RANGE */
void cbor_get_text(struct reader *r, bool (*is_valid)(struct span text), char *out, size_t size);
/* a uint of exactly this value, else RELAY_E_UNSUPPORTED */
void cbor_get_version(struct reader *r, uint64_t version);
size_t cbor_get_array(struct reader *r); /* item count, never more than bytes left */
size_t cbor_get_map(struct reader *r);   /* pair count, never more than bytes left / 2 */
uint64_t cbor_get_tag(struct reader *r);
bool cbor_get_bool(struct reader *r);
bool cbor_try_null(struct reader *r); /* consumes a null if one is next */
/* Skips one whole item (checking all of it) and gives the bytes it took, for signed parts kept verbatim. */
struct span cbor_skip(struct reader *r);

/*
 * Walks a map with integer keys in order:
 *     struct cbor_map m; int64_t key;
 *     cbor_map_enter(&m, &r);
 *     while (cbor_map_next(&m, &key)) switch (key) { case 0: ...; break; default: reader_fail(&r, RELAY_E_MALFORMED); }
 * cbor_map_next() fails the reader on a duplicate or out-of-order key. The body must consume the value.
 * cbor_map_require(&m, bits) then fails it with RELAY_E_MALFORMED unless all these keys came: bit 1u << key, 0 to 31.
 */
struct cbor_map {
        struct reader *r;
        size_t left;
        struct span previous_key; /* encoded */
        uint32_t seen;            /* bit 1u << key of each key from 0 to 31 that came */
};
void cbor_map_enter(struct cbor_map *m, struct reader *r);
bool cbor_map_next(struct cbor_map *m, int64_t *key);
void cbor_map_require(const struct cbor_map *m, uint32_t keys);
/* the same for keys of any type: *key is the key as encoded */
bool cbor_map_next_encoded(struct cbor_map *m, struct span *key);
