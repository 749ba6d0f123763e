/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The cloud of the event benchmarks: a broker that takes QoS 1 publishes, acknowledges them at once and counts them.
 *
 * usage: sink CERTIFICATE KEY
 * Prints its port; for each line on standard input it prints one line of JSON with what arrived so far: distinct events
 * (the number at the start of the payload rises per device), repeats, and gaps. After a line "new" it counts from 0.
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

#define DEVICES_MAX     10000
#define RECEIVE_MAXIMUM 1000

struct client {
        struct conn conn;
        uint8_t version;
};

static struct {
        int epoll;
        struct tls_context *context;
        uint64_t events, repeats, gaps, last_us;
        uint32_t last[DEVICES_MAX];
} sink;

static int reply(struct client *c, const void *bytes, size_t size)
{
        uint8_t *out = conn_room(&c->conn, size);

        if (!out)
                return -ENOBUFS;
        memcpy(out, bytes, size);
        c->conn.out_fill += size;
        return 0;
}

static int on_connect(struct client *c, struct span body)
{
        static const uint8_t old[] = { 0x20, 2, 0, 0 };
        static const uint8_t new[] = { 0x20, 6, 0, 0, 3, 0x21, RECEIVE_MAXIMUM >> 8, RECEIVE_MAXIMUM & 0xff };

        if (body.size < 7)
                return -EPROTO;
        c->version = body.data[6] & 0x7f; /* mosquitto's bridges set the top bit */
        return c->version == 5 ? reply(c, new, sizeof(new)) : reply(c, old, sizeof(old));
}

static uint32_t variable(struct span body, size_t *at)
{
        uint32_t value = 0;

        for (unsigned shift = 0; *at < body.size && shift < 28; shift += 7) {
                uint8_t byte = body.data[(*at)++];
                value |= (uint32_t)(byte & 0x7f) << shift;
                if (!(byte & 0x80))
                        break;
        }
        return value;
}

static void count(struct span topic, struct span payload)
{
        char text[128], number[11];
        const char *device;

        if (!span_to_string(topic, text, sizeof(text)) || !strstr(text, "/events/") || payload.size < 10 ||
            !(device = strstr(text, "/load-")))
                return;
        memcpy(number, payload.data, 10);
        number[10] = '\0';
        uint32_t seq = (uint32_t)strtoul(number, NULL, 10),
                 *last = &sink.last[strtoul(device + 6, NULL, 10) % DEVICES_MAX];
        sink.last_us = now_us();
        if (seq <= *last) {
                sink.repeats++;
                return;
        }
        sink.gaps += seq - *last - 1;
        sink.events++;
        *last = seq;
}

static int on_publish(struct client *c, uint8_t flags, struct span body)
{
        if (body.size < 4)
                return -EPROTO;
        size_t at = 2 + ((size_t)body.data[0] << 8 | body.data[1]);
        struct span topic = span_slice(body, 2, at - 2), id = span_slice(body, at, 2);
        if (flags & 6)
                at += 2;
        if (c->version == 5) {
                uint32_t properties = variable(body, &at);
                at += properties;
        }
        count(topic, span_slice(body, at, body.size));
        if (!(flags & 6) || id.size < 2)
                return 0;
        uint8_t ack[] = { 0x40, 2, id.data[0], id.data[1] };
        return reply(c, ack, sizeof(ack));
}

/* every filter is granted as asked */
static int on_subscribe(struct client *c, struct span body)
{
        uint8_t out[64] = { 0x90, 0, body.data[0], body.data[1] };
        size_t at = 2, fill = 4;

        if (c->version == 5) {
                uint32_t properties = variable(body, &at);
                at += properties;
                out[fill++] = 0;
        }
        while (at + 2 < body.size && fill < sizeof(out)) {
                at += 2 + ((size_t)body.data[at] << 8 | body.data[at + 1]);
                out[fill++] = at < body.size ? body.data[at] & 3 : 0;
                at++;
        }
        out[1] = (uint8_t)(fill - 2);
        return reply(c, out, fill);
}

static int on_packet(struct client *c, uint8_t first, struct span body)
{
        static const uint8_t pong[] = { 0xd0, 0 };

        switch (first >> 4) {
        case 1:
                return on_connect(c, body);
        case 3:
                return on_publish(c, first & 0x0f, body);
        case 8:
                return body.size > 4 ? on_subscribe(c, body) : -EPROTO;
        case 12:
                return reply(c, pong, sizeof(pong));
        case 14:
                return -ECONNRESET;
        default:
                return 0;
        }
}

static int client_turn(struct client *c)
{
        int r = conn_shake(&c->conn);

        if (r != 0)
                return r < 0 ? r : 0;
        r = conn_read(&c->conn);
        size_t at = 0, size;
        struct span body;
        while (r == 0 && (size = packet_at(c->conn.in + at, c->conn.in_fill - at, &body)) > 0) {
                r = on_packet(c, c->conn.in[at], body);
                at += size;
        }
        conn_drop(&c->conn, at);
        return r < 0 ? r : conn_write(&c->conn);
}

static void welcome(int listener)
{
        int fd = accept(listener, NULL, NULL);
        struct client *c = calloc(1, sizeof(*c));

        if (fd < 0 || !c || conn_start(&c->conn, sink.context, fd, sink.epoll, NULL) < 0)
                fprintf(stderr, "sink: a connection is lost\n");
}

static void answer_question(void)
{
        char line[64];

        if (read(STDIN_FILENO, line, sizeof(line)) <= 0)
                exit(0);
        if (line[0] == 'n') {
                memset(sink.last, 0, sizeof(sink.last));
                sink.events = sink.repeats = sink.gaps = 0;
        }
        printf("{\"events\": %llu, \"repeats\": %llu, \"gaps\": %llu, \"last\": %.6f}\n",
               (unsigned long long)sink.events, (unsigned long long)sink.repeats, (unsigned long long)sink.gaps,
               (double)sink.last_us / 1e6);
        fflush(stdout);
}

static void turn(int *listener)
{
        struct epoll_event events[64];
        int n = epoll_wait(sink.epoll, events, 64, -1);

        for (int i = 0; i < n; i++) {
                if (events[i].data.ptr == listener) {
                        welcome(*listener);
                } else if (!events[i].data.ptr) {
                        answer_question();
                } else if (client_turn(events[i].data.ptr) < 0) {
                        conn_stop(events[i].data.ptr);
                        free(events[i].data.ptr);
                }
        }
}

int main(int argc, char **argv)
{
        struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        socklen_t size = sizeof(address);
        int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct epoll_event on_listener = { .events = EPOLLIN, .data.ptr = &listener }, on_stdin = { .events = EPOLLIN };

        if (argc != 3) {
                fprintf(stderr, "usage: %s CERTIFICATE KEY\n", argv[0]);
                return 2;
        }
        struct tls_server_options options = { .certificate_file = argv[1], .key_file = argv[2] };
        sink.epoll = epoll_create1(EPOLL_CLOEXEC);
        if (tls_server_context_new(&sink.context, &options) < 0 || bind(listener, (void *)&address, size) < 0 ||
            listen(listener, 64) < 0 || getsockname(listener, (void *)&address, &size) < 0 ||
            epoll_ctl(sink.epoll, EPOLL_CTL_ADD, listener, &on_listener) < 0 ||
            epoll_ctl(sink.epoll, EPOLL_CTL_ADD, STDIN_FILENO, &on_stdin) < 0) {
                fprintf(stderr, "sink: %s\n", strerror(errno));
                return 1;
        }
        printf("%u\n", ntohs(address.sin_port));
        fflush(stdout);
        for (;;)
                turn(&listener);
}
