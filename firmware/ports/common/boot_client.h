/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* The application's side of the boot channel: port/boot.h, port/secret.h and port/watchdog.h by messages. */

#include "port/boot.h"
#include "port/secret.h"
#include "port/watchdog.h"
#include "ports/common/boot_channel.h"

/* How a message gets to the boot stage on this board. */
struct boot_transport {
        /* buffer: BOOT_MESSAGE_MAX bytes, of which the first size are the request; the answer takes their place.
         * 0 and *answered (bytes of the answer), or PORT_E_IO */
        int (*exchange)(void *context, uint8_t *buffer, size_t size, size_t *answered);
        /* Restarts the device; may return, if the board needs a moment. */
        void (*reset)(void *context);
        void *context;
};

/* who this device is */
struct boot_identity {
        char name[IDENTITY_MAX + 1];
        uint8_t class_id[CLASS_ID_SIZE];
        size_t certificates_size;
        uint8_t certificates[BOOT_CHAIN_MAX]; /* what a TLS server is shown, leaf first */
};

struct boot_client {
        struct boot_transport transport;
        uint8_t *buffer;
        struct port_boot boot;
        struct port_secret secret;
        struct port_watchdog watchdog;
        struct boot_identity identity;
};
/*
 * Fills the ports and asks who this device is. buffer: BOOT_MESSAGE_MAX bytes, used inside calls only, so the board may
 * share it. 0, PORT_E_IO, RELAY_E_MALFORMED. client must not move.
 */
int boot_client_init(struct boot_client *client, const struct boot_transport *transport, uint8_t *buffer);
