/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The front end: listening sockets and connections on one side, the hub's channel on the other.
 */

#include <systemd/sd-event.h>

#include "channel/peer.h"
#include "session/session.h"
#include "tls/tls.h"
#include "util/log.h"

struct front;

struct front_options {
        const char *channel, *sign, *certificate;
        const int *listen_fds; /* listening; the front end closes them */
        size_t listen_count;
        uint32_t connections_max;
};
/* 0; -errno (logged) */
int front_new(struct front **ret, sd_event *event, const struct front_options *options);
/* Closes all sessions with DISCONNECT 0x8B, as far as their sockets take it now. NULL-safe, returns NULL */
struct front *front_free(struct front *front);
