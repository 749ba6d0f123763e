/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Many devices fetch one image at the same time, each with its own certificate and TLS session, as the update agent
 * does: a window of named blocks, the next one subscribed and the last one unsubscribed as each arrives. Or, to compare
 * with, the same clients take as many bytes from a TLS server that does nothing but send.
 *
 * usage: fanout PORT CA-FILE FOLDER COUNT IMAGE-DIGEST BLOCKS
 *        fanout PORT CA-FILE FOLDER COUNT raw BYTES
 *        fanout serve CERTIFICATE KEY BYTES       prints its port; ends with its standard input
 * Device n is load-n with FOLDER/load-n.crt and .key. Starts when all sessions are open; prints JSON.
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

#define WINDOW      8
#define PACKET_ROOM 256
#define LIMIT_US    60000000u

struct member {
        struct conn conn;
        struct tls_context *context;
        bool asked, connected, done;
        unsigned next, arrived;
        uint16_t packet_id;
        size_t bytes, left; /* received; to be sent, by the server */
};

static struct {
        int epoll;
        struct tls_context *server;
        struct member *members;
        size_t count, online, done;
        const char *digest; /* NULL: raw */
        unsigned blocks;
        size_t raw;
        bool fetching;
} fan;

static size_t put_text(uint8_t *out, const char *text)
{
        size_t size = strlen(text);

        out[0] = (uint8_t)(size >> 8);
        out[1] = (uint8_t)size;
        memcpy(out + 2, text, size);
        return 2 + size;
}

static void finish(struct member *m, uint8_t first, uint8_t *out, size_t at)
{
        out[0] = first;
        out[1] = (uint8_t)(at - 2);
        m->conn.out_fill += at;
}

static void send_connect(struct member *m, size_t number)
{
        uint8_t *out = conn_room(&m->conn, PACKET_ROOM);
        char identity[40];
        size_t at = 2;

        snprintf(identity, sizeof(identity), "load-%zu", number);
        at += put_text(out + at, "MQTT");
        memcpy(out + at, "\x05\x02\0\0\0", 5); /* version, clean start, no keep-alive, no properties */
        at += 5;
        at += put_text(out + at, identity);
        finish(m, 0x10, out, at);
}

/* SUBSCRIBE with QoS 0, or UNSUBSCRIBE, of one block */
static void send_filter(struct member *m, bool subscribe, unsigned block)
{
        uint8_t *out = conn_room(&m->conn, PACKET_ROOM);
        char topic[100];
        size_t at = 2;

        m->packet_id = m->packet_id == UINT16_MAX ? 1 : m->packet_id + 1;
        snprintf(topic, sizeof(topic), "images/%s/%u", fan.digest, block);
        out[at++] = (uint8_t)(m->packet_id >> 8);
        out[at++] = (uint8_t)m->packet_id;
        out[at++] = 0;
        at += put_text(out + at, topic);
        if (subscribe)
                out[at++] = 0;
        finish(m, subscribe ? 0x82 : 0xa2, out, at);
}

static void complete(struct member *m)
{
        m->done = true;
        fan.done++;
}

static int on_block(struct member *m, struct span body)
{
        size_t topic = (size_t)body.data[0] << 8 | body.data[1];
        char text[120];

        if (!span_to_string(span_slice(body, 2, topic), text, sizeof(text)))
                return -EPROTO;
        m->bytes += body.size - 3 - topic;
        send_filter(m, false, (unsigned)strtoul(strrchr(text, '/') + 1, NULL, 10));
        if (m->next < fan.blocks)
                send_filter(m, true, m->next++);
        if (++m->arrived == fan.blocks)
                complete(m);
        return 0;
}

static int on_packet(struct member *m, uint8_t first, struct span body)
{
        switch (first >> 4) {
        case 2:
                if (body.size < 2 || body.data[1] != 0)
                        return -EACCES;
                m->connected = true;
                fan.online++;
                return 0;
        case 3:
                return body.size > 3 ? on_block(m, body) : -EPROTO;
        case 14:
                return -ECONNRESET;
        default:
                return 0;
        }
}

static int read_packets(struct member *m)
{
        size_t at = 0, size;
        struct span body;
        int r = 0;

        while (r == 0 && conn_room(&m->conn, 2 * PACKET_ROOM) &&
               (size = packet_at(m->conn.in + at, m->conn.in_fill - at, &body)) > 0) {
                r = on_packet(m, m->conn.in[at], body);
                at += size;
        }
        conn_drop(&m->conn, at);
        return r;
}

static void read_raw(struct member *m)
{
        m->bytes += m->conn.in_fill;
        m->conn.in_fill = 0;
        if (!m->done && m->bytes >= fan.raw)
                complete(m);
}

/* The first byte or the first window: from here on data comes. */
static void begin(struct member *m)
{
        if (!fan.digest)
                *conn_room(&m->conn, 1) = 'x', m->conn.out_fill++;
        while (fan.digest && m->next < WINDOW && m->next < fan.blocks)
                send_filter(m, true, m->next++);
}

static int member_turn(struct member *m)
{
        int r = conn_shake(&m->conn);

        if (r != 0)
                return r < 0 ? r : 0;
        if (!m->asked) {
                m->asked = true;
                if (fan.digest)
                        send_connect(m, (size_t)(m - fan.members) + 1);
                else
                        fan.online++;
        }
        do {
                r = conn_read(&m->conn);
                if (r == 0 && fan.digest)
                        r = read_packets(m);
                else if (r == 0)
                        read_raw(m);
        } while (r == 0 && tls_pending(m->conn.tls));
        return r < 0 ? r : conn_write(&m->conn);
}

static int member_start(struct member *m, uint16_t port, const char *ca, const char *folder, size_t number)
{
        struct sockaddr_in to = { .sin_family = AF_INET,
                                  .sin_port = htons(port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        char certificate[512], key[512];

        snprintf(certificate, sizeof(certificate), "%s/load-%zu.crt", folder, number);
        snprintf(key, sizeof(key), "%s/load-%zu.key", folder, number);
        struct tls_client_options options = { .certificate_file = certificate, .key_file = key, .ca_file = ca };
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        int r = tls_client_context_new(&m->context, &options);
        if (r < 0 || fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
                return r < 0 ? r : -errno;
        r = conn_start(&m->conn, m->context, fd, fan.epoll, "127.0.0.1");
        return r < 0 ? r : member_turn(m); /* nothing may wake it, if the server was quick */
}

static int turn(void)
{
        struct epoll_event events[64];
        int n = epoll_wait(fan.epoll, events, 64, 100);

        for (int i = 0; i < n; i++) {
                struct member *m = events[i].data.ptr;
                int r = member_turn(m);
                if (r < 0) {
                        fprintf(stderr, "load-%zu: %s (%s)\n", (size_t)(m - fan.members) + 1, strerror(-r),
                                tls_error_string(m->conn.tls));
                        return r;
                }
        }
        return 0;
}

static int fetch(void)
{
        uint64_t limit = now_us() + LIMIT_US, start;
        size_t bytes = 0;
        int r = 0;

        while (r == 0 && fan.online < fan.count && now_us() < limit)
                r = turn();
        start = now_us();
        for (size_t i = 0; r == 0 && fan.online == fan.count && i < fan.count; i++) {
                begin(&fan.members[i]);
                r = conn_write(&fan.members[i].conn);
        }
        while (r == 0 && fan.done < fan.count && now_us() < limit)
                r = turn();
        if (r < 0 || fan.done < fan.count) {
                fprintf(stderr, "%zu sessions opened, %zu of %zu fetched everything\n", fan.online, fan.done,
                        fan.count);
                return 1;
        }
        uint64_t took = now_us() - start;
        for (size_t i = 0; i < fan.count; i++)
                bytes += fan.members[i].bytes;
        printf("{\"bytes\": %zu, \"seconds\": %.6f}\n", bytes, (double)took / 1e6);
        return 0;
}

/* ---- a server that only sends */

static int serve_turn(struct member *m)
{
        int r = conn_shake(&m->conn);

        if (r != 0)
                return r < 0 ? r : 0;
        r = conn_read(&m->conn);
        if (m->conn.in_fill > 0 && !m->asked) {
                m->asked = true;
                m->left = fan.raw;
        }
        m->conn.in_fill = 0;
        while (r == 0) {
                size_t part = sizeof(m->conn.out) - m->conn.out_fill;
                part = part < m->left ? part : m->left;
                m->conn.out_fill += part;
                m->left -= part;
                size_t before = m->conn.out_fill;
                r = conn_write(&m->conn);
                if (m->conn.out_fill == before || (m->left == 0 && m->conn.out_fill == 0))
                        break;
        }
        return r;
}

static int serve(const char *certificate, const char *key)
{
        struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        struct tls_server_options options = { .certificate_file = certificate, .key_file = key };
        struct epoll_event on_listener = { .events = EPOLLIN }, on_stdin = { .events = EPOLLIN, .data.ptr = &fan },
                           event;
        int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        socklen_t size = sizeof(address);

        if (tls_server_context_new(&fan.server, &options) < 0 || bind(listener, (void *)&address, size) < 0 ||
            listen(listener, 64) < 0 || getsockname(listener, (void *)&address, &size) < 0 ||
            epoll_ctl(fan.epoll, EPOLL_CTL_ADD, listener, &on_listener) < 0 ||
            epoll_ctl(fan.epoll, EPOLL_CTL_ADD, STDIN_FILENO, &on_stdin) < 0)
                return 1;
        printf("%u\n", ntohs(address.sin_port));
        fflush(stdout);
        while (epoll_wait(fan.epoll, &event, 1, -1) >= 0) {
                struct member *m = event.data.ptr;
                if (event.data.ptr == &fan)
                        return 0;
                if (!m) {
                        int fd = accept(listener, NULL, NULL);
                        m = calloc(1, sizeof(*m));
                        if (fd < 0 || !m || conn_start(&m->conn, fan.server, fd, fan.epoll, NULL) < 0)
                                return 1;
                } else if (serve_turn(m) < 0) {
                        conn_stop(&m->conn);
                        free(m);
                }
        }
        return 1;
}

int main(int argc, char **argv)
{
        fan.epoll = epoll_create1(EPOLL_CLOEXEC);
        if (argc == 5 && strcmp(argv[1], "serve") == 0) {
                fan.raw = strtoul(argv[4], NULL, 10);
                return serve(argv[2], argv[3]);
        }
        if (argc != 7) {
                fprintf(stderr, "usage: %s PORT CA-FILE FOLDER COUNT IMAGE-DIGEST BLOCKS | .. raw BYTES | serve ..\n",
                        argv[0]);
                return 2;
        }
        fan.count = strtoul(argv[4], NULL, 10);
        fan.members = calloc(fan.count, sizeof(*fan.members));
        fan.digest = strcmp(argv[5], "raw") == 0 ? NULL : argv[5];
        fan.blocks = (unsigned)strtoul(argv[6], NULL, 10);
        fan.raw = strtoul(argv[6], NULL, 10);
        if (!fan.members)
                return 1;
        for (size_t i = 0; i < fan.count; i++) {
                int r = member_start(&fan.members[i], (uint16_t)strtoul(argv[1], NULL, 10), argv[2], argv[3], i + 1);
                if (r < 0) {
                        fprintf(stderr, "load-%zu: %s\n", i + 1, strerror(-r));
                        return 1;
                }
        }
        return fetch();
}
