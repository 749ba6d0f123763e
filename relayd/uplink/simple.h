/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * A blocking MQTT 5 client over TLS 1.3 for command line tools: connect, publish a list.
 * Every call has a time limit; one thread, one connection.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/crypto.h"

#define SIMPLE_ERROR_SIZE 256

struct simple;

struct simple_options {
        const char *host; /* name or literal address */
        uint16_t port;
        const char *certificate_file, *key_file; /* PEM */
        const char *ca_file;                     /* PEM or NULL */
        uint8_t pins[2][SHA256_SIZE];            /* one of ca_file and pins is needed */
        size_t pin_count;
        const char *client_id; /* of this session; it starts clean and ends with the connection */
        uint32_t timeout_ms;   /* of connecting, and of silence of the broker while something is awaited; 0: 10,000 */
};

/* error: a sentence for people, SIMPLE_ERROR_SIZE bytes, in all functions. 0, or -errno: -ETIMEDOUT, -ECONNREFUSED,
 * -EKEYREJECTED (certificate or pin), -EACCES (the broker refuses the session), -EPROTO, -ENOENT (name, file) ... */
int simple_open(struct simple **ret, const struct simple_options *options, char error[SIMPLE_ERROR_SIZE]);
struct simple *simple_close(struct simple *client); /* says DISCONNECT; NULL-safe, returns NULL */

struct simple_message {
        const char *topic;
        struct span payload; /* empty with retain: clears what is retained */
        bool retain;
};
/*
 * Publishes all of them in order, QoS 1, as many in flight as the broker allows, and waits for every PUBACK.
 * progress (may be NULL) is told how many are acknowledged. -EACCES: the broker refused a message (error names it),
 * -EMSGSIZE: larger than the broker takes.
 */
int simple_publish(struct simple *client, const struct simple_message *messages, size_t count,
                   void (*progress)(void *context, size_t acknowledged, size_t count), void *context,
                   char error[SIMPLE_ERROR_SIZE]);
static inline void simple_closep(struct simple **client)
{
        *client = simple_close(*client);
}
