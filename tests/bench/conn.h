/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * A TLS connection with a buffer each way, for the benchmark's programs, and just enough MQTT framing.
 */
#include <stdint.h>

#include "tls/tls.h"

#define CONN_IN_SIZE  (64 * 1024)
#define CONN_OUT_SIZE (64 * 1024)

struct conn {
        int fd, epoll;
        struct tls *tls;
        bool shaken, wants_write;
        size_t in_fill, out_fill;
        uint8_t in[CONN_IN_SIZE], out[CONN_OUT_SIZE];
};

uint64_t now_us(void);
/* Takes a connected fd; epoll events carry c. */
int conn_start(struct conn *c, struct tls_context *context, int fd, int epoll, const char *host);
void conn_stop(struct conn *c);
/* Goes on with the handshake: 0 done, 1 not yet, or -errno. */
int conn_shake(struct conn *c);
/* Reads what is there: 0, or -errno (-ECONNRESET: also a proper end). */
int conn_read(struct conn *c);
/* Writes what the socket takes: 0, or -errno. */
int conn_write(struct conn *c);
/* Room for size bytes of output; whoever fills them adds to out_fill. NULL: none now. */
uint8_t *conn_room(struct conn *c, size_t size);

/* The MQTT packet at the start of bytes: its size, 0 (not whole yet); *body: behind the fixed header. */
size_t packet_at(const uint8_t *bytes, size_t size, struct span *body);
/* Drops this many bytes of input. */
void conn_drop(struct conn *c, size_t bytes);
