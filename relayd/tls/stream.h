/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Records over a non-blocking socket, for this folder. Memory is held only for bytes that wait; the large buffers are
 * shared by all streams of a context, one of which is at work at a time.
 */

#include "tls/record.h"

struct stream_scratch {
        uint8_t in[2 * RECORD_SIZE_MAX];
        uint8_t out[RECORD_UPDATE_SIZE + RECORD_PLAIN_MAX + RECORD_OVERHEAD];
};

struct stream_bytes {
        uint8_t *data;
        size_t at, size;
};

struct stream {
        struct record record;
        struct stream_scratch *scratch;
        int fd;
        size_t plain_max;             /* bytes of a record that the peer has memory for */
        int end;                      /* what every further read answers; 0: still open */
        struct stream_bytes received; /* not opened yet */
        struct stream_bytes opened;   /* not read yet */
        struct stream_bytes unsent;   /* sealed */
        size_t unsent_plain;          /* bytes of the caller's inside unsent */
};

void stream_free(struct stream *s);
/* as tls_read(), tls_write(), tls_pending(), tls_close_notify() (tls.h); -ECONNABORTED: see record_open() */
int stream_read(struct stream *s, void *data, size_t size, size_t *done);
int stream_write(struct stream *s, struct span data, size_t *done);
bool stream_pending(const struct stream *s);
void stream_close_notify(struct stream *s);
/* What they answered as tls_read() does; an error is put in words, size bytes with its NUL. */
int stream_answer(const struct stream *s, int result, char *words, size_t size);
