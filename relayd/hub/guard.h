/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The hub's end of the guard's channel (guard/message.h): listens, takes one guard at a time, decodes what it says.
 * What is told to it is the owner's business, and so is what its answers mean.
 */

#include <sys/types.h>
#include <systemd/sd-event.h>

#include "guard/message.h"

struct guard_peer;

struct guard_host {
        void *context;
        void (*before)(void *context); /* ahead of each message: time may have passed */
        void (*said)(void *context, const struct guard_message *message); /* its spans are valid during the call */
        void (*gone)(void *context, int error);
};

/* path: of the socket; uid: who may connect besides our own one, (uid_t)-1: nobody else. 0 or -errno */
int guard_peer_new(struct guard_peer **ret, sd_event *event, const char *path, uid_t uid,
                   const struct guard_host *host);
struct guard_peer *guard_peer_free(struct guard_peer *peer); /* NULL-safe, returns NULL */
bool guard_peer_connected(const struct guard_peer *peer);
/* Queues a message; without a guard nothing. 0, or -errno of the channel */
int guard_peer_send(struct guard_peer *peer, const struct guard_message *message);
