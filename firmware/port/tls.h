/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * TLS 1.3 client over port/net.h: X25519, ChaCha20-Poly1305 preferred; shows the device's certificate.
 * The server is believed if the SHA-256 of its leaf's SubjectPublicKeyInfo is one of the pins; no CA is asked.
 * A TLS 1.3 client is connected before the server has judged the client's certificate: only an application answer
 * (CONNACK) proves the session.
 */

#include "port/port.h"
#include "relay/crypto.h"

struct tls_target {
        const char *host; /* must stay until the link is closed */
        uint16_t port;
        uint8_t pins[2][SHA256_SIZE];
        size_t pin_count; /* 1 or 2 */
};

struct port_tls {
        /* Starts a connection. 0 or an error of port_net.open. target is copied. */
        int (*open)(void *context, unsigned link, const struct tls_target *target);
        /* Drives connection and handshake. 0 once established, PORT_WANT, PORT_E_REFUSED (pin), PORT_E_NAME, PORT_E_IO
         */
        int (*handshake)(void *context, unsigned link);
        /* as in port/net.h, after handshake() gave 0 */
        int (*send)(void *context, unsigned link, struct span data, size_t *done);
        int (*receive)(void *context, unsigned link, void *out, size_t size, size_t *done);
        /* Sends close_notify if it fits, then closes. */
        void (*close)(void *context, unsigned link);
        void *context;
};
