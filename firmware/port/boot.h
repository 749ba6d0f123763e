/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * What the application may ask of the boot stage. The boot stage believes nothing of it: it verifies a staged image
 * itself, again at the next start, and goes back unless the new image confirms in time.
 */

#include "port/port.h"
#include "relay/crypto.h"
#include "relay/reason.h"
#include "relay/sitepolicy.h"
#include "relay/vendor.h"

#define PORT_BOOT_TRIES_MAX 3 /* starts of one manifest without a confirmation */

struct port_boot_status {
        uint32_t boot;                 /* boot counter, rises with every start */
        uint8_t slot;                  /* running slot, 0 or 1; the spare one is 1 - slot */
        bool confirmed;                /* false: this start is a try, and port_boot.confirm() is due */
        bool recovery;                 /* this is the recovery image: both slots are spare, slot is the one to fill */
        uint64_t floor;                /* an image's sequence must be above it */
        uint64_t sequence;             /* of the running image */
        uint8_t manifest[SHA256_SIZE]; /* manifest digest of the running image */
        uint8_t image[SHA256_SIZE];    /* digest of the running image */
        /* of the image that was confirmed last; in recovery it may be fetched again without new approvals (a repair) */
        uint8_t confirmed_manifest[SHA256_SIZE];
        uint8_t tries;            /* how often tried_manifest was started without a confirmation */
        enum reason tried_reason; /* why its last try ended; REASON_NONE: never tried, or running now */
        uint8_t tried_manifest[SHA256_SIZE];
        uint64_t policy_epoch, vendor_epoch; /* of the objects in force */
        uint64_t approval_epoch;             /* approvals of an older one are revoked */
        uint64_t time_floor;                 /* Unix seconds: issued of the newest object signed by k */
};

/* What changes whom the device believes; each travels as a signed set and is verified by the boot stage alone. */
enum port_boot_object { PORT_BOOT_POLICY, PORT_BOOT_VENDOR, PORT_BOOT_REVOCATION };

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
        /*
         * A successor of the site policy or vendor key set, or a revocation. 0 and *refusal (REASON_NONE: in force now
         * and for ever, also after a power cut; else nothing changed), or PORT_E_IO. NULL: what is in force never
         * changes, and nobody asks for successors.
         */
        int (*accept)(void *context, enum port_boot_object object, struct span signed_set, enum reason *refusal);
        /* Copies what is in force now. 0 or PORT_E_IO. */
        int (*trusted)(void *context, struct site_policy *policy, struct vendor_keys *vendor);
        /* Restarts the device; may return, if the board needs a moment. */
        void (*reset)(void *context);
        void *context;
};
