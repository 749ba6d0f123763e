/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "conn.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

uint64_t now_us(void)
{
        struct timespec t;
        clock_gettime(CLOCK_MONOTONIC, &t);
        return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

int conn_start(struct conn *c, struct tls_context *context, int fd, int epoll, const char *host)
{
        struct epoll_event event = { .events = EPOLLIN, .data.ptr = c };
        int one = 1;

        c->fd = fd;
        c->epoll = epoll;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0 || epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0)
                return -errno;
        return tls_new(&c->tls, context, fd, host);
}

void conn_stop(struct conn *c)
{
        c->tls = tls_free(c->tls);
        if (c->fd > 0)
                close(c->fd);
        c->fd = 0;
}

static void want_write(struct conn *c, bool wanted)
{
        struct epoll_event event = { .events = EPOLLIN | (wanted ? EPOLLOUT : 0), .data.ptr = c };

        if (c->wants_write != wanted)
                epoll_ctl(c->epoll, EPOLL_CTL_MOD, c->fd, &event);
        c->wants_write = wanted;
}

int conn_shake(struct conn *c)
{
        int r = c->shaken ? 0 : tls_handshake(c->tls);

        if (r >= 0)
                want_write(c, r == TLS_WANT_WRITE);
        c->shaken = r == 0;
        return r > 0 ? 1 : r;
}

int conn_read(struct conn *c)
{
        while (c->in_fill < sizeof(c->in)) {
                size_t done = 0;
                int r = tls_read(c->tls, c->in + c->in_fill, sizeof(c->in) - c->in_fill, &done);
                if (r == TLS_WANT_READ)
                        return 0;
                if (r != 0)
                        return r < 0 ? r : -ECONNRESET;
                c->in_fill += done;
                if (!tls_pending(c->tls))
                        break;
        }
        return 0;
}

int conn_write(struct conn *c)
{
        size_t at = 0;
        int r = 0;

        while (at < c->out_fill && r == 0) {
                size_t done = 0;
                r = tls_write(c->tls, span_of(c->out + at, c->out_fill - at), &done);
                at += r == 0 ? done : 0;
        }
        if (r < 0)
                return r;
        memmove(c->out, c->out + at, c->out_fill - at);
        c->out_fill -= at;
        want_write(c, c->out_fill > 0);
        return 0;
}

uint8_t *conn_room(struct conn *c, size_t size)
{
        return sizeof(c->out) - c->out_fill >= size ? c->out + c->out_fill : NULL;
}

size_t packet_at(const uint8_t *bytes, size_t size, struct span *body)
{
        size_t left = 0;

        for (size_t i = 1; i < size && i < 5; i++) {
                left |= (size_t)(bytes[i] & 0x7f) << (7 * (i - 1));
                if (bytes[i] & 0x80)
                        continue;
                if (size - i - 1 < left)
                        return 0;
                *body = span_of(bytes + i + 1, left);
                return i + 1 + left;
        }
        return 0;
}

void conn_drop(struct conn *c, size_t bytes)
{
        memmove(c->in, c->in + bytes, c->in_fill - bytes);
        c->in_fill -= bytes;
}
