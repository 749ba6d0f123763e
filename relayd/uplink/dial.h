/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Name to connected TCP socket without blocking the loop: literal addresses at once, names by getaddrinfo() in a thread
 * of its own; the addresses are tried in the resolver's order.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <systemd/sd-event.h>

struct dial;

#define DIAL_WHY_SIZE 200

struct dial_request {
        const char *host; /* copied */
        uint16_t port;
        void (*done)(void *context, int fd, const char *error);
        /* May this address be tried? If not, why: a sentence. NULL: every address may. */
        bool (*allowed)(void *context, const struct sockaddr *address, char why[DIAL_WHY_SIZE]);
        void *context;
};

/*
 * done is called once from the loop: fd (connected, non-blocking, TCP_NODELAY, the callee's now) or -1 and a sentence
 * why. The dial is over then, but still has to be freed (inside done is fine). The time limit is the caller's.
 */
int dial_start(struct dial **ret, sd_event *event, const struct dial_request *request);
struct dial *dial_free(struct dial *dial); /* cancels; NULL-safe, returns NULL */
