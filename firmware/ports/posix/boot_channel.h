/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * How the application asks the boot stage on this port: a SOCK_SEQPACKET pair, one request, one answer.
 * Request: one byte, then its argument. Answer: one byte (0 done, 1 failed), then the result. Big-endian.
 */

#include "boot/boot.h"
#include "boot/trust.h"
#include "port/secret.h"
#include "port/watchdog.h"

#define BOOT_CHANNEL_MAX 16384 /* both trusted objects at once */

enum boot_request {
        BOOT_REQUEST_STATUS = 'S',
        BOOT_REQUEST_STAGE = 'T',
        BOOT_REQUEST_CONFIRM = 'C',
        BOOT_REQUEST_SIGN = 'G',     /* message -> signature */
        BOOT_REQUEST_IDENTITY = 'I', /* -> name, class, public key, certificates */
        BOOT_REQUEST_ACCEPT = 'A',   /* object (one byte), signed set -> reason */
        BOOT_REQUEST_TRUSTED = 'U',  /* -> vendor key set, site policy: payloads, each with its size (u16) */
        BOOT_REQUEST_FEED = 'W',     /* no answer */
};

/* ---- application's side */
struct boot_client {
        int fd;
        struct port_boot boot;
        struct port_secret secret;
        struct port_watchdog watchdog;
        struct device_identity identity; /* seed is zero: it stays with the boot stage */
};
/* Fills the ports and asks for the identity. 0 or -errno. client must not move. */
int boot_client_init(struct boot_client *client, int fd);

/* ---- boot stage's side */
struct boot_server {
        struct boot *boot;
        struct device_identity identity;
        struct public_key key;
        bool fed; /* set by every BOOT_REQUEST_FEED */
};
/* One request of size bytes into an answer; returns the answer's size, 0: none. */
size_t boot_server_answer(struct boot_server *server, const uint8_t *request, size_t size,
                          uint8_t answer[BOOT_CHANNEL_MAX]);
