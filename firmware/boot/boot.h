/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The boot stage: decides which image runs. It alone verifies (both vendor signatures, class, sequence, k approvals,
 * digest of the memory that will be executed), tries a staged image, and goes back unless that image confirms in time.
 *
 *  - The confirmed slot runs if it verifies, its sequence is not below the floor, and its manifest is the one that was
 *    confirmed: the slots are the application's to write, so being in that slot proves nothing.
 *  - A staged slot is tried: at most PORT_BOOT_TRIES_MAX times for one manifest, each try needs to be staged anew.
 *  - A start that was a try and did not confirm is over at the next start: back to the confirmed slot.
 *  - Confirming raises the floor to the image's sequence, for ever. An older image never runs again, not even when the
 *    newer one is damaged: then the other slot runs only if it is at the floor or above and approved, else recovery.
 *  - Nothing unverified is ever executed. Every state change is one journal record, so power may go at any moment.
 */

#include "boot/layout.h"
#include "boot/trust.h"
#include "port/boot.h"
#include "port/journal.h"
#include "port/slot.h"

/* what the board does for the boot stage */
struct boot_board {
        const struct port_flash *flash;
        /*
         * Brings the image where it would be executed, makes it unchangeable there, and measures that very memory.
         * image: the area, size: bytes of the image. 0 and the SHA-256, or negative. Called again, it may forget the
         * image before.
         */
        int (*load)(void *context, const struct flash_area *image, uint32_t size, uint8_t digest[SHA256_SIZE]);
        void *context;
};

enum boot_trial { BOOT_TRIAL_NONE = 0, BOOT_TRIAL_STAGED = 1, BOOT_TRIAL_RUNNING = 2 };
enum boot_tried { BOOT_TRIED_NOTHING = 0, BOOT_TRIED_NOT_CONFIRMED = 1, BOOT_TRIED_REFUSED = 2 };

/* what the journal keeps */
struct boot_record {
        uint32_t boot;
        uint8_t confirmed_slot;
        enum boot_trial trial; /* of the other slot */
        uint8_t tries;         /* starts of tried_manifest */
        enum boot_tried tried; /* how its last try ended */
        uint64_t floor;
        uint64_t epoch_floor; /* approvals of an older epoch are revoked */
        uint8_t tried_manifest[SHA256_SIZE];
        uint8_t confirmed_manifest[SHA256_SIZE];
};

struct boot_image {
        uint64_t sequence;
        uint32_t size;
        uint8_t manifest[SHA256_SIZE];
        uint8_t digest[SHA256_SIZE];
};

struct boot {
        struct boot_board board;
        struct journal journal;
        struct boot_record record;
        struct vendor_keys vendor;
        struct site_policy policy;
        char identity[IDENTITY_MAX + 1];
        uint8_t class_id[CLASS_ID_SIZE];
        unsigned running; /* slot */
        struct boot_image image;
        struct slot_manifest manifest; /* room for reading a slot */
        uint8_t scratch[2 * LAYOUT_TRUST_BUFFER + 4096];
};

/* After manufacture: the first journal record; slot 0 counts as confirmed, with this manifest (digest) and sequence. */
int boot_provision(const struct port_flash *flash, uint64_t sequence, const uint8_t manifest[SHA256_SIZE]);

enum boot_answer {
        BOOT_RUN = 0,
        BOOT_RECOVERY = 1, /* nothing may be executed: wait for people */
};
struct boot_outcome {
        unsigned slot;
        bool trying;            /* watch the confirm deadline */
        enum reason reasons[2]; /* why slot 0, 1 does not run, for the log; REASON_NONE: not looked at, or runs */
};
/*
 * One start: counts it, decides, and leaves the chosen image loaded. BOOT_RUN, BOOT_RECOVERY, or a flash error.
 * b is filled from flash. What was decided is in the journal before the function returns.
 */
int boot_start(struct boot *b, const struct boot_board *board, struct boot_outcome *out);

/* the application's requests; contracts in port/boot.h */
int boot_stage(struct boot *b, enum reason *refusal);
int boot_confirm(struct boot *b);
void boot_status(const struct boot *b, struct port_boot_status *out);
