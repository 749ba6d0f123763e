/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* The boot stage's side of the boot channel. */

#include "boot/boot.h"
#include "boot/trust.h"
#include "ports/common/boot_channel.h"

struct boot_server {
        struct boot *boot;
        bool fed;         /* set by every BOOT_REQUEST_FEED */
        uint8_t *message; /* BOOT_MESSAGE_MAX bytes of the boot stage's own memory: a request is copied here, and judged
                             here, so that the application cannot change it meanwhile; the answer takes its place */
};
/* boot: after boot_start() gave something to run; stays the caller's */
void boot_server_init(struct boot_server *server, struct boot *boot);
/* The request of size bytes (at most BOOT_MESSAGE_MAX) in server->message; returns the answer's size, at least 1. */
size_t boot_server_answer(struct boot_server *server, size_t size);
