/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tls/stream.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "relay/crypto.h"
#include "tls/tls.h"
#include "util/cleanup.h"

static void bytes_clear(struct stream_bytes *b)
{
        if (b->data)
                crypto_wipe(b->data, b->size);
        free(b->data);
        *b = (struct stream_bytes){ 0 };
}

static int bytes_keep(struct stream_bytes *b, struct span bytes)
{
        uint8_t *copy = bytes.size ? malloc(bytes.size) : NULL;

        if (bytes.size && !copy)
                return -ENOMEM;
        if (bytes.size)
                memcpy(copy, bytes.data, bytes.size);
        bytes_clear(b);
        b->data = copy;
        b->size = bytes.size;
        return 0;
}

static size_t bytes_take(struct stream_bytes *b, uint8_t *out, size_t room)
{
        size_t part = b->size - b->at < room ? b->size - b->at : room;

        if (part)
                memcpy(out, b->data + b->at, part);
        b->at += part;
        if (b->at == b->size)
                bytes_clear(b);
        return part;
}

void stream_free(struct stream *s)
{
        bytes_clear(&s->received);
        bytes_clear(&s->opened);
        bytes_clear(&s->unsent);
        record_wipe(&s->record);
}

/* ---- sending */

/* 0: all of it went; TLS_WANT_WRITE; -ECONNRESET */
static int flush(struct stream *s)
{
        while (s->unsent.at < s->unsent.size) {
                ssize_t n = send(s->fd, s->unsent.data + s->unsent.at, s->unsent.size - s->unsent.at, MSG_NOSIGNAL);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return errno == EAGAIN ? TLS_WANT_WRITE : -ECONNRESET;
                s->unsent.at += (size_t)n;
        }
        bytes_clear(&s->unsent);
        return 0;
}

/* What the socket does not take is kept. 0, TLS_WANT_WRITE, or an error */
static int send_or_keep(struct stream *s, const uint8_t *bytes, size_t size)
{
        ssize_t n;

        do
                n = send(s->fd, bytes, size, MSG_NOSIGNAL);
        while (n < 0 && errno == EINTR);
        if (n < 0 && errno != EAGAIN)
                return -ECONNRESET;
        size_t sent = n < 0 ? 0 : (size_t)n;
        if (sent == size)
                return 0;
        int r = bytes_keep(&s->unsent, span_of(bytes + sent, size - sent));
        return r < 0 ? r : TLS_WANT_WRITE;
}

int stream_write(struct stream *s, struct span data, size_t *done)
{
        uint8_t *out = s->scratch->out;
        size_t at = 0;

        if (s->end < 0)
                return s->end;
        int r = flush(s);
        if (r != 0)
                return r;
        if (s->unsent_plain == 0) {
                struct span part = span_slice(data, 0, s->plain_max);
                if (part.size == 0)
                        return -EINVAL;
                int update = record_update_due(&s->record) ? record_update(&s->record, out) : 0;
                if (update >= 0)
                        at = (size_t)update;
                int sealed = update < 0 ? update : record_seal(&s->record, RECORD_DATA, part, out + at);
                if (sealed < 0)
                        return s->end = sealed;
                s->unsent_plain = part.size;
                r = send_or_keep(s, out, at + (size_t)sealed);
                if (r < 0)
                        return s->end = r;
                if (r != 0)
                        return r; /* the caller comes back with the same bytes */
        }
        *done = s->unsent_plain;
        s->unsent_plain = 0;
        return 0;
}

static void send_alert(struct stream *s, uint8_t level, uint8_t alert)
{
        uint8_t content[] = { level, alert }, out[sizeof(content) + RECORD_OVERHEAD];

        if (flush(s) != 0) /* half a record went before; nothing can follow it */
                return;
        int size = record_seal(&s->record, RECORD_ALERT, SPAN_OF(content), out);
        if (size > 0)
                (void)!send(s->fd, out, (size_t)size, MSG_NOSIGNAL | MSG_DONTWAIT);
}

void stream_close_notify(struct stream *s)
{
        if (s->end >= 0)
                send_alert(s, 1, ALERT_CLOSE_NOTIFY);
}

/* ---- receiving */

static void end(struct stream *s, int result)
{
        s->end = result == RECORD_CLOSED ? TLS_CLOSED : result;
        if (result == -EPROTO)
                send_alert(s, 2, s->record.alert);
}

/* Opens records of in until there is application data for the caller, and keeps what is behind them. */
static int open_records(struct stream *s, uint8_t *in, size_t fill, uint8_t *data, size_t room, size_t *done)
{
        size_t at = 0;
        int r = 0;

        while (*done < room && r == 0) {
                struct span content;
                size_t consumed = 0;
                r = record_open(&s->record, in + at, fill - at, &consumed, &content);
                at += consumed;
                if (r != 0 || content.size == 0)
                        continue;
                size_t part = content.size < room - *done ? content.size : room - *done;
                memcpy(data + *done, content.data, part);
                *done += part;
                r = bytes_keep(&s->opened, span_slice(content, part, content.size));
        }
        if (r < 0 || r == RECORD_CLOSED) {
                end(s, r);
                return r;
        }
        return bytes_keep(&s->received, span_of(in + at, fill - at));
}

static int receive(struct stream *s, size_t *fill)
{
        ssize_t n;

        do
                n = recv(s->fd, s->scratch->in + *fill, sizeof(s->scratch->in) - *fill, 0);
        while (n < 0 && errno == EINTR);
        if (n < 0 && errno == EAGAIN)
                return TLS_WANT_READ;
        if (n <= 0)
                return s->end = -ECONNRESET;
        *fill += (size_t)n;
        return 0;
}

static bool is_whole(const struct stream_bytes *b)
{
        size_t size = b->size - b->at;

        return size >= RECORD_HEADER_SIZE &&
               size - RECORD_HEADER_SIZE >= ((size_t)b->data[b->at + 3] << 8 | b->data[b->at + 4]);
}

int stream_read(struct stream *s, void *data, size_t size, size_t *done)
{
        uint8_t *in = s->scratch->in;
        size_t got = 0;

        if (size == 0)
                return -EINVAL;
        if (s->opened.size) {
                *done = bytes_take(&s->opened, data, size);
                return 0;
        }
        if (s->end)
                return s->end;
        bool whole = is_whole(&s->received);
        size_t fill = bytes_take(&s->received, in, sizeof(s->scratch->in));
        int r = whole ? open_records(s, in, fill, data, size, &got) : 0;
        if (got == 0 && s->end == 0 && r == 0) {
                if (whole) /* what is left after records without data */
                        fill = bytes_take(&s->received, in, sizeof(s->scratch->in));
                r = receive(s, &fill);
                if (r == 0)
                        r = open_records(s, in, fill, data, size, &got);
                else if (r == TLS_WANT_READ && bytes_keep(&s->received, span_of(in, fill)) < 0)
                        r = s->end = -ENOMEM;
        }
        if (got) { /* an end that came behind it is the next answer */
                *done = got;
                return 0;
        }
        return s->end ? s->end : r ? r : TLS_WANT_READ;
}

bool stream_pending(const struct stream *s)
{
        return s->opened.size > 0 || is_whole(&s->received);
}

int stream_answer(const struct stream *s, int result, char *words, size_t size)
{
        uint8_t alert = s->record.alert;

        switch (result) {
        case -ECONNABORTED:
                snprintf(words, size, "the peer gave up: %s (alert %u)", record_alert_name(alert), alert);
                return -EPROTO;
        case -EPROTO:
                snprintf(words, size, "the peer breaks TLS: %s", record_alert_name(alert));
                return -EPROTO;
        case -ECONNRESET:
                snprintf(words, size, "connection lost");
                return -ECONNRESET;
        default:
                if (result < 0)
                        snprintf(words, size, "%s", strerror(-result));
                return result;
        }
}
