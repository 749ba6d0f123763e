/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Load for the event benchmarks: many devices in one process, each with its own certificate, TLS session and window of
 * QoS 1 publishes, the next one sent as soon as one is acknowledged.
 *
 * usage: events PORT CA-FILE FOLDER COUNT SECONDS WINDOW
 * Device n is load-n with FOLDER/load-n.crt and .key. An event's payload begins with its number in ten digits, which
 * the sink checks. Waits till all sessions are open, publishes for so long, waits for the last PUBACKs, prints JSON.
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

#define WINDOW_MAX   200
#define LATENCY_MAX  (8 * 1000 * 1000)
#define PACKET_ROOM  256
#define CONNECT_MAX  30000000u /* microseconds for everybody to connect, and for the last answers */
#define PAYLOAD_REST "{\"moisture\":412,\"light\":1800,\"temperature\":21.4,\"battery\":3.01}"

struct member {
        struct conn conn;
        struct tls_context *context;
        char identity[40];
        bool asked, connected;
        uint32_t seq, waiting;
        uint16_t free_ids[WINDOW_MAX];
        size_t free_count;
        uint64_t sent_us[WINDOW_MAX + 1];
};

struct load {
        int epoll;
        uint32_t boot;
        struct member *members;
        size_t count, online;
        bool publishing;
        uint64_t published, acknowledged, refused;
        uint32_t *latencies;
        size_t latency_count;
};

static int connect_to(uint16_t port)
{
        struct sockaddr_in to = { .sin_family = AF_INET,
                                  .sin_port = htons(port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

        return fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 ? -errno : fd;
}

static size_t put_text(uint8_t *out, const char *text)
{
        size_t size = strlen(text);

        out[0] = (uint8_t)(size >> 8);
        out[1] = (uint8_t)size;
        memcpy(out + 2, text, size);
        return 2 + size;
}

static void send_connect(struct member *m)
{
        uint8_t *out = conn_room(&m->conn, PACKET_ROOM);
        size_t at = 2;

        at += put_text(out + at, "MQTT");
        memcpy(out + at, "\x05\x02\0\0\0", 5); /* version, clean start, no keep-alive, no properties */
        at += 5;
        at += put_text(out + at, m->identity);
        out[0] = 0x10;
        out[1] = (uint8_t)(at - 2);
        m->conn.out_fill += at;
}

static size_t put_user_property(uint8_t *out, const char *name, uint32_t value)
{
        char digits[12];

        out[0] = 0x26;
        snprintf(digits, sizeof(digits), "%u", value);
        size_t at = 1 + put_text(out + 1, name);
        return at + put_text(out + at, digits);
}

static void publish(struct load *load, struct member *m)
{
        uint8_t *out = conn_room(&m->conn, PACKET_ROOM);
        char topic[80];

        if (!out)
                return;
        uint16_t id = m->free_ids[--m->free_count];
        snprintf(topic, sizeof(topic), "sites/s1/devices/%s/events/soil", m->identity);
        size_t at = 3 + put_text(out + 3, topic);
        out[at++] = (uint8_t)(id >> 8);
        out[at++] = (uint8_t)id;
        size_t properties = at++;
        m->seq++;
        at += put_user_property(out + at, "seq", m->seq);
        at += put_user_property(out + at, "boot", load->boot);
        out[properties] = (uint8_t)(at - properties - 1);
        at += (size_t)snprintf((char *)out + at, PACKET_ROOM - at, "%010u%s", m->seq, PAYLOAD_REST);
        size_t body = at - 3;
        out[0] = 0x32;
        out[1] = (uint8_t)((body & 0x7f) | 0x80); /* bodies are longer than 127 bytes */
        out[2] = (uint8_t)(body >> 7);
        m->conn.out_fill += at;
        m->sent_us[id] = now_us();
        m->waiting++;
        load->published++;
}

static int on_packet(struct load *load, struct member *m, uint8_t type, struct span body)
{
        if (type == 2) {
                if (body.size < 2 || body.data[1] != 0)
                        return -EACCES;
                m->connected = true;
                load->online++;
                return 0;
        }
        if (type == 14)
                return -ECONNRESET;
        if (type != 4 || body.size < 2)
                return 0;
        uint16_t id = (uint16_t)(body.data[0] << 8 | body.data[1]);
        if (id == 0 || id > WINDOW_MAX || m->waiting == 0)
                return -EPROTO;
        if (body.size > 2 && body.data[2] >= 0x80)
                load->refused++;
        else
                load->acknowledged++;
        if (load->latency_count < LATENCY_MAX)
                load->latencies[load->latency_count++] = (uint32_t)(now_us() - m->sent_us[id]);
        m->free_ids[m->free_count++] = id;
        m->waiting--;
        return 0;
}

static int member_turn(struct load *load, struct member *m)
{
        int r = conn_shake(&m->conn);

        if (r != 0)
                return r < 0 ? r : 0;
        if (!m->asked) {
                send_connect(m);
                m->asked = true;
        }
        r = conn_read(&m->conn);
        size_t at = 0, size;
        struct span body;
        while (r == 0 && (size = packet_at(m->conn.in + at, m->conn.in_fill - at, &body)) > 0) {
                r = on_packet(load, m, m->conn.in[at] >> 4, body);
                at += size;
        }
        conn_drop(&m->conn, at);
        while (r == 0 && load->publishing && m->connected && m->free_count > 0 && conn_room(&m->conn, PACKET_ROOM))
                publish(load, m);
        return r < 0 ? r : conn_write(&m->conn);
}

static int member_start(struct load *load, struct member *m, uint16_t port, const char *ca, const char *folder,
                        size_t number)
{
        char certificate[512], key[512];

        snprintf(m->identity, sizeof(m->identity), "load-%zu", number);
        snprintf(certificate, sizeof(certificate), "%s/%s.crt", folder, m->identity);
        snprintf(key, sizeof(key), "%s/%s.key", folder, m->identity);
        struct tls_client_options options = { .certificate_file = certificate, .key_file = key, .ca_file = ca };
        int r = tls_client_context_new(&m->context, &options);
        int fd = r < 0 ? r : connect_to(port);
        if (fd < 0)
                return fd;
        r = conn_start(&m->conn, m->context, fd, load->epoll, "127.0.0.1");
        return r < 0 ? r : member_turn(load, m); /* nothing may wake it, if the server was quick */
}

static int turn(struct load *load)
{
        struct epoll_event events[256];
        int n = epoll_wait(load->epoll, events, 256, 100);

        for (int i = 0; i < n; i++) {
                struct member *m = events[i].data.ptr;
                int r = member_turn(load, m);
                if (r < 0) {
                        fprintf(stderr, "%s: %s (%s)\n", m->identity, strerror(-r), tls_error_string(m->conn.tls));
                        return r;
                }
        }
        return 0;
}

static bool all_acknowledged(const struct load *load)
{
        return load->published == load->acknowledged + load->refused;
}

static int compare(const void *a, const void *b)
{
        uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
        return (x > y) - (x < y);
}

static double milliseconds(const struct load *load, double part)
{
        return load->latency_count ? load->latencies[(size_t)((double)(load->latency_count - 1) * part)] / 1000.0 : 0;
}

static int run(struct load *load, double seconds)
{
        int r = 0;
        uint64_t limit = now_us() + CONNECT_MAX;

        while (r == 0 && load->online < load->count && now_us() < limit)
                r = turn(load);
        if (r < 0 || load->online < load->count) {
                fprintf(stderr, "%zu of %zu sessions opened\n", load->online, load->count);
                return r < 0 ? r : -ETIMEDOUT;
        }
        uint64_t start = now_us(), end = start + (uint64_t)(seconds * 1e6);
        load->publishing = true;
        for (size_t i = 0; r == 0 && i < load->count; i++)
                r = member_turn(load, &load->members[i]);
        while (r == 0 && now_us() < end)
                r = turn(load);
        load->publishing = false;
        while (r == 0 && !all_acknowledged(load) && now_us() < end + CONNECT_MAX)
                r = turn(load);
        qsort(load->latencies, load->latency_count, sizeof(uint32_t), compare);
        printf("{\"published\": %llu, \"acknowledged\": %llu, \"refused\": %llu, \"start\": %.6f, \"p50\": %.3f, "
               "\"p99\": %.3f}\n",
               (unsigned long long)load->published, (unsigned long long)load->acknowledged,
               (unsigned long long)load->refused, (double)start / 1e6, milliseconds(load, 0.5),
               milliseconds(load, 0.99));
        return r;
}

int main(int argc, char **argv)
{
        static struct load load;

        if (argc != 7) {
                fprintf(stderr, "usage: %s PORT CA-FILE FOLDER COUNT SECONDS WINDOW\n", argv[0]);
                return 2;
        }
        size_t window = strtoul(argv[6], NULL, 10);
        load.count = strtoul(argv[4], NULL, 10);
        load.boot = (uint32_t)(now_us() / 1000000);
        load.members = calloc(load.count, sizeof(*load.members));
        load.latencies = malloc(LATENCY_MAX * sizeof(uint32_t));
        load.epoll = epoll_create1(EPOLL_CLOEXEC);
        if (!load.members || !load.latencies || load.epoll < 0 || window < 1 || window > WINDOW_MAX)
                return 1;
        for (size_t i = 0; i < load.count; i++) {
                struct member *m = &load.members[i];
                for (size_t id = 1; id <= window; id++)
                        m->free_ids[m->free_count++] = (uint16_t)id;
                int r = member_start(&load, m, (uint16_t)strtoul(argv[1], NULL, 10), argv[2], argv[3], i + 1);
                if (r < 0) {
                        fprintf(stderr, "%s: %s\n", m->identity, strerror(-r));
                        return 1;
                }
        }
        return run(&load, strtod(argv[5], NULL)) < 0 ? 1 : 0;
}
