/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * What carries the bytes of the uplink: TCP and TLS 1.3, or a test's own. Answers of handshake, read and write are
 * those of tls/tls.h.
 */

#include <stddef.h>
#include <stdint.h>

#include "relay/span.h"

struct uplink_transport {
        void *context;
        /* NULL: uplink/dial.h. Else a connected, non-blocking socket (given away), or -errno. */
        int (*dial)(void *context);
        /* wraps a connected socket, which stays the uplink's; 0 or -errno */
        int (*open)(void *context, int fd, const char *host, void **ret);
        void (*close)(void *link); /* says a proper end if it can */
        int (*handshake)(void *link);
        int (*read)(void *link, void *data, size_t size, size_t *done);
        int (*write)(void *link, struct span data, size_t *done);
        int (*pending)(void *link); /* not 0: bytes wait inside, the socket may not be readable */
        const char *(*error)(void *link);
};
