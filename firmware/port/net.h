/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * TCP, never waiting. A link (0 to PORT_LINKS - 1) is one connection. Nagle's algorithm is off (TCP_NODELAY).
 */

#include "port/port.h"

struct port_net {
        /* Starts connecting (resolving the name first). 0, PORT_E_NAME, PORT_E_IO. The link must be closed. */
        int (*open)(void *context, unsigned link, const char *host, uint16_t port);
        /* 0 once connected, PORT_WANT, PORT_E_NAME, PORT_E_REFUSED, PORT_E_IO */
        int (*connected)(void *context, unsigned link);
        /* 0 and *done > 0, PORT_WANT, PORT_E_IO */
        int (*send)(void *context, unsigned link, struct span data, size_t *done);
        /* 0 and *done > 0, PORT_WANT, PORT_CLOSED, PORT_E_IO */
        int (*receive)(void *context, unsigned link, void *out, size_t size, size_t *done);
        /* At once, without waiting for the peer; a closed link stays closed. */
        void (*close)(void *context, unsigned link);
        void *context;
};
