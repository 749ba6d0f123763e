/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Load for the handshake benchmark: opens mutual TLS 1.3 connections one after the other in a few processes, each
 * followed by MQTT CONNECT and its CONNACK (a TLS 1.3 client believes in its success before the server has judged it).
 *
 * usage: handshakes PORT CA-FILE IDENTITY-PREFIX SECONDS PROCESSES [HOLD]
 * Process n is the identity PREFIX-n with PREFIX-n.crt and .key; with PREFIX-n.cdi it proves itself by DICE-1. Prints
 * one line of JSON. With HOLD, each process opens that many sessions with client ids of their own and keeps them till
 * its standard input ends: for session memory.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "prove.h"
#include "relay/mqttclient.h"
#include "tls/tls.h"

static uint64_t now_ms(void)
{
        struct timespec t;
        clock_gettime(CLOCK_MONOTONIC, &t);
        return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static int wait_fd(int fd, int answer)
{
        struct pollfd p = { .fd = fd, .events = answer == TLS_WANT_WRITE ? POLLOUT : POLLIN };
        return poll(&p, 1, 10000) == 1 ? 0 : -ETIMEDOUT;
}

static int connect_to(uint16_t port)
{
        struct sockaddr_in to = { .sin_family = AF_INET,
                                  .sin_port = htons(port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        int one = 1;

        if (fd < 0)
                return -errno;
        if (connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0) {
                int error = -errno;
                close(fd);
                return error;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        struct linger linger = { .l_onoff = 1, .l_linger = 0 }; /* no TIME_WAIT: ports would run out */
        setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
        return fd;
}

static int write_all(struct tls *tls, int fd, struct span data)
{
        while (data.size) {
                size_t done = 0;
                int r = tls_write(tls, data, &done);
                if (r < 0 || r == TLS_CLOSED)
                        return r < 0 ? r : -ECONNRESET;
                if (r > 0 && (r = wait_fd(fd, r)) < 0)
                        return r;
                data = span_slice(data, done, data.size);
        }
        return 0;
}

/* 0: open; 1: the relay goes on asking; negative: it refused */
static int take_events(struct mqtt_client *client, struct prove *prove)
{
        struct mqtt_client_event event;

        while (mqtt_client_next(client, &event) == RELAY_OK) {
                if (event.type != MQTT_CLIENT_EVENT_AUTH)
                        return event.type == MQTT_CLIENT_EVENT_CONNACK && event.packet.ack.reason == 0 ? 0 : -EACCES;
                if (mqtt_client_auth(client, prove_answer(prove, event.packet.props.authentication_data)) != RELAY_OK)
                        return -EBADMSG;
        }
        return 1;
}

static int write_output(struct tls *tls, int fd, struct mqtt_client *client)
{
        struct span output = mqtt_client_output(client);
        int r = write_all(tls, fd, output);

        if (r == 0)
                mqtt_client_sent(client, output.size, now_ms());
        return r;
}

static int mqtt_open(struct tls *tls, int fd, const char *client_id, struct prove *prove)
{
        uint8_t rx[1024], tx[ATTEST_STATEMENT_MAX + 512], in[512];
        struct mqtt_client client;
        struct mqtt_client_config config = { .client_id = span_of_string(client_id),
                                             .clean_start = true,
                                             .keep_alive_s = 0,
                                             .maximum_packet_size = sizeof(rx),
                                             .connack_timeout_ms = 10000 };

        mqtt_client_init(&client, rx, sizeof(rx), tx, sizeof(tx), now_ms());
        if (prove->certificate.size)
                config.authentication_method = SPAN_LITERAL(ATTEST_METHOD);
        if (mqtt_client_connect(&client, &config, now_ms()) < 0)
                return -EINVAL;
        int r = write_output(tls, fd, &client);
        while (r >= 0) {
                size_t done = 0;
                r = tls_read(tls, in, sizeof(in), &done);
                if (r == TLS_WANT_READ || r == TLS_WANT_WRITE) {
                        r = wait_fd(fd, r);
                        continue;
                }
                if (r != 0)
                        return r < 0 ? r : -ECONNRESET;
                mqtt_client_input(&client, span_of(in, done), now_ms());
                r = take_events(&client, prove);
                if (r <= 0)
                        return r;
                r = write_output(tls, fd, &client);
        }
        return r;
}

/* One connection up to its CONNACK. keep: leave it open and forget it (the process's end closes it). */
static int session_open(struct tls_context *context, uint16_t port, const char *client_id, struct prove *prove,
                        bool keep)
{
        struct tls *tls = NULL;
        int fd = connect_to(port);
        if (fd < 0)
                return fd;
        int r = tls_new(&tls, context, fd, "127.0.0.1");
        while (r >= 0 && (r = tls_handshake(tls)) > 0)
                r = wait_fd(fd, r) < 0 ? -ETIMEDOUT : 1;
        if (r == 0)
                r = mqtt_open(tls, fd, client_id, prove);
        if (r < 0)
                fprintf(stderr, "%s: %s (%s)\n", client_id, strerror(-r), tls ? tls_error_string(tls) : "");
        if (keep && r == 0)
                return 0;
        tls_free(tls);
        close(fd);
        return r;
}

static int run(uint16_t port, const char *ca, const char *prefix, int number, unsigned seconds, unsigned hold,
               long *count)
{
        char certificate[512], key[512], own[512], identity[128];
        const char *slash = strrchr(prefix, '/');
        struct tls_context *context;

        snprintf(certificate, sizeof(certificate), "%s-%d.crt", prefix, number);
        snprintf(key, sizeof(key), "%s-%d.key", prefix, number);
        snprintf(identity, sizeof(identity), "%s-%d", slash ? slash + 1 : prefix, number);
        struct tls_client_options options = { .certificate_file = certificate, .key_file = key, .ca_file = ca };
        struct prove prove;

        snprintf(own, sizeof(own), "%s-%d", prefix, number);
        int r = prove_load(&prove, own, identity);
        if (r == 0)
                r = tls_client_context_new(&context, &options);
        if (r < 0) {
                fprintf(stderr, "%s: %s\n", certificate, strerror(-r));
                return 1;
        }
        for (unsigned i = 0; i < hold; i++) {
                char client_id[192];
                snprintf(client_id, sizeof(client_id), "%s.%u", identity, i);
                if (session_open(context, port, client_id, &prove, true) < 0)
                        return 1;
                ++*count;
        }
        for (uint64_t end = now_ms() + seconds * 1000ull; !hold && now_ms() < end; ++*count)
                if (session_open(context, port, identity, &prove, false) < 0)
                        return 1;
        return 0;
}

int main(int argc, char **argv)
{
        if (argc < 6) {
                fprintf(stderr, "usage: %s PORT CA-FILE IDENTITY-PREFIX SECONDS PROCESSES [HOLD]\n", argv[0]);
                return 2;
        }
        uint16_t port = (uint16_t)strtoul(argv[1], NULL, 10);
        unsigned seconds = (unsigned)strtoul(argv[4], NULL, 10),
                 hold = argc > 6 ? (unsigned)strtoul(argv[6], NULL, 10) : 0;
        int processes = (int)strtol(argv[5], NULL, 10), failed = 0;
        long *counts = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0), total = 0;
        int ready[2];

        if (counts == MAP_FAILED || processes < 1 || processes > 64 || pipe(ready) < 0)
                return 1;
        for (int i = 0; i < processes; i++) {
                if (fork() == 0) {
                        int r = run(port, argv[2], argv[3], i + 1, seconds, hold, &counts[i]);
                        if (write(ready[1], r ? "f" : "k", 1) != 1)
                                _exit(1);
                        char byte;
                        while (hold && read(STDIN_FILENO, &byte, 1) > 0)
                                ;
                        _exit(r);
                }
        }
        for (int i = 0; i < processes; i++) {
                char state;
                failed += read(ready[0], &state, 1) != 1 || state != 'k';
        }
        for (int i = 0; i < processes; i++)
                total += counts[i];
        printf("{\"sessions\": %ld, \"failed\": %d}\n", total, failed);
        fflush(stdout);
        while (wait(NULL) > 0)
                ;
        return failed ? 1 : 0;
}
