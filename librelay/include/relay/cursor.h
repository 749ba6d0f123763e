/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Bounded reading and writing with a sticky error: a decoder reads ten fields and checks once.
 * After an error every read gives zeros (or the empty span) and every write does nothing but count.
 */

#include "relay/result.h"
#include "relay/span.h"

struct reader {
        struct span in;
        size_t at;  /* next byte */
        int result; /* RELAY_OK or the first error */
};

/* Borrows in, which has to outlive what is read: spans that come out point into it. */
void reader_init(struct reader *r, struct span in);
void reader_fail(struct reader *r, int result); /* the first error stays */
size_t reader_left(const struct reader *r);     /* 0 after an error */
uint8_t reader_u8(struct reader *r);
uint16_t reader_u16(struct reader *r); /* big-endian, as all below */
uint32_t reader_u32(struct reader *r);
uint64_t reader_u64(struct reader *r);
/* the next size bytes, borrowed; the empty span and RELAY_E_TRUNCATED if there are fewer */
struct span reader_bytes(struct reader *r, size_t size);
/* RELAY_E_MALFORMED if bytes are left, else the sticky result */
int reader_finish(struct reader *r);

/*
 * A writer without room goes on counting, so the same code measures and writes:
 * init with data = NULL, size = 0, write, read writer_needed().
 */
struct writer {
        uint8_t *out;
        size_t size;
        size_t at; /* bytes asked for so far, also past the end */
        int result;
};

/* Borrows out, size bytes. */
void writer_init(struct writer *w, void *out, size_t size);
void writer_fail(struct writer *w, int result); /* the first error stays */
void writer_u8(struct writer *w, uint8_t value);
void writer_u16(struct writer *w, uint16_t value); /* big-endian, as all below */
void writer_u32(struct writer *w, uint32_t value);
void writer_u64(struct writer *w, uint64_t value);
void writer_bytes(struct writer *w, struct span bytes);
size_t writer_needed(const struct writer *w); /* bytes asked for so far, also those that did not fit */
/* what was written so far (empty after an error) */
struct span writer_span(const struct writer *w);
/* RELAY_OK, RELAY_E_SPACE if it did not fit, or the sticky result */
int writer_finish(const struct writer *w);
