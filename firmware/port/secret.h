/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Use of the application's private key (relay/dice.h), which stays where the board keeps it (boot stage, secure side).
 * The application gets signatures for two purposes and never the key. A port without isolation says so in its
 * documentation.
 */

#include "port/port.h"
#include "relay/attest.h"

#define PORT_SIGN_MAX 256 /* bytes of a CertificateVerify content */

struct port_secret {
        struct public_key key; /* Ed25519 */
        /*
         * Signs the content of a TLS 1.3 client CertificateVerify (RFC 8446 section 4.4.3: 64 spaces, context string,
         * zero, transcript hash) and nothing else. 0, RELAY_E_RANGE (another message), PORT_E_IO.
         */
        int (*sign)(void *context, struct span message, uint8_t signature[SIGNATURE_SIZE]);
        /*
         * The statement of DICE-1 for this challenge, boot counter and certificates filled in by whoever holds the
         * key. out: size bytes, ATTEST_STATEMENT_MAX are always enough. 0 and *written, RELAY_E_SPACE, PORT_E_IO.
         * NULL: this device has no DICE.
         */
        int (*attest)(void *context, const struct attest_challenge *challenge, uint8_t *out, size_t size,
                      size_t *written);
        void *context;
};
