/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Use of the device's private key, which stays where the board keeps it (boot stage, secure side). The application
 * gets signatures, never the key. A port without isolation says so in its documentation.
 */

#include "port/port.h"
#include "relay/crypto.h"

struct port_secret {
        struct public_key key; /* Ed25519 */
        /* An Ed25519 signature (RFC 8032) over message, at most 512 bytes. 0, RELAY_E_RANGE, PORT_E_IO. */
        int (*sign)(void *context, struct span message, uint8_t signature[SIGNATURE_SIZE]);
        void *context;
};
