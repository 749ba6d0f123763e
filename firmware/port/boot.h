/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * What the application may ask of the boot stage. The boot stage believes nothing of it: it verifies a staged image
 * itself, again at the next start, and goes back unless the new image confirms in time.
 */

#include "port/port.h"
#include "relay/crypto.h"
#include "relay/reason.h"

#define PORT_BOOT_TRIES_MAX 3 /* starts of one manifest without a confirmation */

struct port_boot_status {
        uint32_t boot;                 /* boot counter, rises with every start */
        uint8_t slot;                  /* running slot, 0 or 1; the spare one is 1 - slot */
        bool confirmed;                /* false: this start is a try, and port_boot.confirm() is due */
        uint64_t floor;                /* an image's sequence must be above it */
        uint64_t sequence;             /* of the running image */
        uint8_t manifest[SHA256_SIZE]; /* manifest digest of the running image */
        uint8_t image[SHA256_SIZE];    /* digest of the running image */
        uint8_t tries;                 /* how often tried_manifest was started without a confirmation */
        enum reason tried_reason;      /* why its last try ended; REASON_NONE: never tried, or running now */
        uint8_t tried_manifest[SHA256_SIZE];
};

struct port_boot {
        /* 0 or PORT_E_IO */
        int (*status)(void *context, struct port_boot_status *out);
        /*
         * Asks that the spare slot (manifest, approvals and image written by the application) be tried at the next
         * start. 0 and *refusal (REASON_NONE: it will be), or PORT_E_IO.
         */
        int (*stage)(void *context, enum reason *refusal);
        /* The running image works: keep it, raise the floor. 0 or PORT_E_IO. No effect if confirmed already. */
        int (*confirm)(void *context);
        /* Restarts the device; may return, if the board needs a moment. */
        void (*reset)(void *context);
        void *context;
};
