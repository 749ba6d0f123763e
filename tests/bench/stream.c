/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The raw side of the update-fanout benchmark: the relay's TLS, and nothing else, streams bytes to many clients in
 * turns, a block at a time.
 *
 * usage: stream CERTIFICATE KEY COUNT BYTES
 * Prints its port, takes COUNT sessions, and sends BYTES in records of 4 KiB to each when all handshakes are done; then
 * a line, and the end when its input ends.
 */
#include "conn.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define BLOCK 4096u

struct client {
        struct conn conn;
        size_t sent;
        bool waits; /* for room in the socket */
};

struct server {
        struct tls_context *context;
        int epoll, listener;
        struct client *clients;
        size_t count, accepted, shaken, done, bytes;
        const uint8_t *image;
};

static int listen_somewhere(void)
{
        struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t size = sizeof(at);
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 || listen(fd, 1024) < 0 ||
            getsockname(fd, (struct sockaddr *)&at, &size) < 0)
                return -errno;
        printf("%u\n", ntohs(at.sin_port));
        fflush(stdout);
        return fd;
}

static int shake(struct server *s, struct client *c)
{
        if (c->conn.shaken)
                return 0;
        int r = conn_shake(&c->conn);
        s->shaken += r == 0;
        return r < 0 ? r : 0;
}

static int accept_all(struct server *s)
{
        int r = 0;

        while (r == 0 && s->accepted < s->count) {
                int fd = accept(s->listener, NULL, NULL);
                struct client *c = &s->clients[s->accepted++];
                r = fd < 0 ? -errno : conn_start(&c->conn, s->context, fd, s->epoll, NULL);
                if (r == 0)
                        r = shake(s, c);
        }
        return r;
}

/* One block, or as much as the socket takes. */
static int send_block(struct server *s, struct client *c)
{
        size_t done = 0, size = s->bytes - c->sent < BLOCK ? s->bytes - c->sent : BLOCK;
        struct epoll_event event = { .events = EPOLLOUT | EPOLLONESHOT, .data.ptr = &c->conn };

        int r = tls_write(c->conn.tls, span_of(s->image + c->sent, size), &done);
        if (r < 0)
                return r;
        if (r == TLS_WANT_WRITE) {
                c->waits = true;
                return epoll_ctl(s->epoll, EPOLL_CTL_MOD, c->conn.fd, &event) < 0 ? -errno : 0;
        }
        c->sent += done;
        s->done += c->sent == s->bytes;
        return 0;
}

static int look(struct server *s, int timeout)
{
        struct epoll_event events[256];
        int r = 0, n = epoll_wait(s->epoll, events, 256, timeout);

        for (int i = 0; i < n && r == 0; i++) {
                struct client *c = events[i].data.ptr; /* its connection is its first member */
                c->waits = false;
                r = shake(s, c);
        }
        return r;
}

static int stream(struct server *s)
{
        int r = 0;

        while (r == 0 && s->done < s->count) {
                bool idle = true;
                for (size_t i = 0; i < s->count && r == 0; i++) {
                        struct client *c = &s->clients[i];
                        if (c->waits || c->sent == s->bytes)
                                continue;
                        idle = false;
                        r = send_block(s, c);
                }
                if (r == 0)
                        r = look(s, idle ? 1000 : 0);
        }
        return r;
}

int main(int argc, char **argv)
{
        static struct server s;
        char line[8];

        if (argc != 5) {
                fprintf(stderr, "usage: %s CERTIFICATE KEY COUNT BYTES\n", argv[0]);
                return 2;
        }
        struct tls_server_options options = { .certificate_file = argv[1], .key_file = argv[2] };
        s.count = strtoul(argv[3], NULL, 10);
        s.bytes = strtoul(argv[4], NULL, 10);
        s.clients = calloc(s.count, sizeof(*s.clients));
        s.image = calloc(1, s.bytes);
        s.epoll = epoll_create1(EPOLL_CLOEXEC);
        int r = s.clients && s.image && s.epoll >= 0 ? tls_server_context_new(&s.context, &options) : -ENOMEM;
        if (r == 0)
                r = s.listener = listen_somewhere();
        if (r >= 0)
                r = accept_all(&s);
        while (r == 0 && s.shaken < s.count)
                r = look(&s, 1000);
        if (r == 0)
                r = stream(&s);
        if (r < 0) {
                fprintf(stderr, "%s: %s\n", argv[0], strerror(-r));
                return 1;
        }
        puts("sent");
        fflush(stdout);
        return fgets(line, sizeof(line), stdin) ? 1 : 0;
}
