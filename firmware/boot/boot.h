/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The boot stage: decides which image runs and whom the device believes. It alone verifies (both vendor signatures,
 * class, sequence, approvals, digest of the memory that will be executed), tries a staged image, and goes back unless
 * that image confirms in time.
 *
 *  - The confirmed slot runs if its manifest is the one that was confirmed, its sequence is not below the floor, and
 * its image is the manifest's. Who signed and approved it was asked when it was tried: whose keys count may have
 * changed since, and a device that stops for that would be bricked by its owner's rotation.
 *  - A staged slot is tried: at most PORT_BOOT_TRIES_MAX times for one manifest, each try needs to be staged anew, and
 *    everything is verified at that start against what is in force then. A power cut takes the staging back, as nobody
 *    knows how long it took.
 *  - k approvals count, or, for a staged slot, a rule of the site policy. There is no clock here: of an approval's
 * window the end is compared with the time floor, the beginning is not looked at. See docs/firmware.md.
 *  - A start that was a try and did not confirm is over at the next start: back to the confirmed slot.
 *  - Confirming raises the floor to the image's sequence, for ever. An older image never runs again, not even when the
 *    newer one is damaged: then the other slot runs only if it is at the floor or above and has k approvals.
 *  - Successors of vendor key set and site policy, and revocations, are verified here and hold from one journal record
 *    on, so they hold wholly or not at all. Approval epoch and time floor never fall while a site owns the device.
 *  - What will be executed is measured, and the keys of this start are derived from that and the device secret: another
 *    image has another application key, and cannot get a certificate with this one's measurement. Then the secret is
 *    wiped and locked away until the next reset.
 *  - If no slot may run, the recovery image does, which was written with the device; only if that is damaged, too, the
 *    device waits for people. See "Recovery" in docs/firmware.md.
 *  - Nothing unverified is ever executed. Every change of state is one journal record, so power may go at any moment.
 */

#include "boot/identity.h"
#include "boot/keys.h"
#include "boot/layout.h"
#include "boot/record.h"
#include "boot/trust.h"
#include "port/boot.h"
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
        /*
         * Called once in every start, before the first byte of an image is executed: makes LAYOUT_SECRET unreadable
         * until the next reset, also for the boot stage itself. 0, or negative: then nothing runs. NULL: this board
         * cannot, and its documents say so.
         */
        int (*lock)(void *context);
        void *context;
        bool power_on; /* this start follows a loss of power, not a reset */
};

struct boot_image {
        uint64_t sequence;
        uint32_t size;
        uint8_t manifest[SHA256_SIZE];
        uint8_t digest[SHA256_SIZE];
};

/* what is needed for one thing at a time only */
union boot_room {
        struct slot_manifest slot;
        struct {
                uint8_t set[TRUST_OBJECT_MAX], scratch[TRUST_OBJECT_MAX];
        } read;
        struct {
                struct site_policy next;
                uint8_t scratch[TRUST_OBJECT_MAX];
        } accept;
};

struct boot {
        struct boot_board board;
        struct journal journal;
        struct boot_record record;
        struct vendor_keys vendor;
        struct site_policy policy; /* zero while unclaimed */
        char identity[IDENTITY_MAX + 1];
        uint8_t class_id[CLASS_ID_SIZE];
        unsigned identity_area;   /* where it was readable */
        unsigned trust_area;      /* the same of trust */
        size_t certificate_count; /* device certificate and those above it */
        unsigned running;         /* slot; in recovery the one to fill */
        bool recovery;            /* the recovery image runs */
        struct boot_image image;
        struct boot_keys keys; /* of what runs */
        enum reason
                refused; /* why this start did not try the staged image; REASON_NONE: nothing was staged, or tried */
        union boot_room room;
};

/* what a factory makes a device of, beside the images and their manifests, which it has written */
struct boot_factory {
        const uint8_t *secret; /* DICE_SECRET_SIZE bytes */
        struct device_identity identity;
        struct span vendor_set;  /* a signed set, which the factory vouches for */
        const uint8_t *manifest; /* digest of slot 0's: it counts as confirmed */
        uint64_t sequence;       /* its */
        const uint8_t *recovery; /* digest of the recovery image's; NULL: there is none */
};
/*
 * After manufacture: secret, identity, vendor key set and the first journal record. The device is unclaimed. 0,
 * RELAY_E_MALFORMED (not a vendor key set), RELAY_E_RANGE (identity), flash errors.
 */
int boot_provision(const struct port_flash *flash, const struct boot_factory *factory);

/*
 * Reads journal, identity and trust without counting a start: for the local port. 0 and *trust (REASON_NONE, or why
 * what should be in force is not readable); RELAY_E_STATE (never provisioned), RELAY_E_MALFORMED, flash errors.
 */
int boot_open(struct boot *b, const struct boot_board *board, enum reason *trust);

enum boot_answer {
        BOOT_RUN = 0,
        BOOT_RECOVERY = 1,  /* no slot may run, and the recovery image is loaded: run it */
        BOOT_UNCLAIMED = 2, /* no site owns the device: wait for boot_claim() by the local port */
        BOOT_STUCK = 3,     /* nothing may be executed: wait for people, and say so */
};
struct boot_outcome {
        unsigned slot;
        bool trying;            /* watch the confirm deadline */
        enum reason reasons[2]; /* why slot 0, 1 does not run, for the log; REASON_NONE: not looked at, or runs */
        enum reason recovery;   /* the same of the recovery image */
        int keys;               /* 0, or why there is no key to connect with: RELAY_E_STATE (no device certificate yet),
                                   what identity_read_secret() or keys_derive() returned;
                                   PORT_E_IO: the journal cannot be written, and what was confirmed runs without keys */
};
/*
 * One start: counts it, decides, leaves the chosen image loaded, derives its keys, and locks the secret. enum
 * boot_answer, or what boot_open() or the board's lock returns.
 * b is filled from flash. What was decided is in the journal before the function returns.
 */
int boot_start(struct boot *b, const struct boot_board *board, struct boot_outcome *out);

/* The application's requests; contracts in port/boot.h. signed_set: memory that the application cannot change now. */
int boot_stage(struct boot *b, enum reason *refusal);
int boot_confirm(struct boot *b);
int boot_accept(struct boot *b, enum port_boot_object object, struct span signed_set, enum reason *refusal);
void boot_status(const struct boot *b, struct port_boot_status *out);
bool boot_has_recovery(const struct boot *b); /* was a recovery image written at manufacture? */
/* As in port/secret.h; the statement goes into w, as it stands there signed. */
int boot_sign(const struct boot *b, struct span message, uint8_t signature[SIGNATURE_SIZE]);
int boot_attest(struct boot *b, const struct attest_challenge *challenge, struct writer *w);
/* What a TLS server is shown: leaf, device certificate, one above it; DER. The writer's error, or the flash's */
int boot_put_chain(struct boot *b, struct writer *w);

/*
 * By somebody who stands before the device, never by a request of the application.
 * boot_claim: a first site policy for an unclaimed device; the person has compared its digest. 0 and *refusal
 * (OLD_POLICY: there is one; else as site_policy_accept_first(), and POLICY_INVALID if it shares a key with the
 * vendor), or PORT_E_IO.
 * boot_carry: as boot_stage(), for an image that was written into the spare slot here. Without a ticket and without
 * trusted time: TICKET_REQUIRED if the policy demands one, NO_TRUSTED_TIME if windows are what is missing; rules do not
 * count. It is tried at the next start, also after a loss of power.
 * boot_unclaim: forgets the site policy, its approval epoch and time floor, and erases both places where it may stand.
 * Identity, vendor key set, boot counter and sequence floor stay. Again after a power cut, it ends what was begun.
 * 0 or PORT_E_IO.
 */
int boot_claim(struct boot *b, struct span policy_set, enum reason *refusal);
int boot_carry(struct boot *b, enum reason *refusal);
int boot_unclaim(struct boot *b);

/*
 * boot_certify: new certificates for this device, device certificate first. 0; RELAY_E_MALFORMED, RELAY_E_KEY (of none
 * of this device's identity keys; if a rotation is due, the next one counts, too), RELAY_E_RANGE (another name, or too
 * large), PORT_E_IO.
 * boot_rotate: the next start takes the next identity key. 0, RELAY_E_RANGE (there is no further number), PORT_E_IO.
 * boot_identity_key: the public identity key after this many rotations; before the secret is locked. 0 or an error
 */
int boot_certify(struct boot *b, const struct span *certificates, size_t count);
int boot_rotate(struct boot *b);
int boot_identity_key(const struct boot *b, uint32_t rotations, struct public_key *out);

/* ---- inside the boot stage */

unsigned boot_spare(const struct boot *b); /* the slot that is not the confirmed one */
/* One journal record: 0, and it holds from now on; or PORT_E_IO */
int boot_store(struct boot *b, const struct boot_record *record);
/* Another manifest than the one tried before has its own tries. */
void boot_note_tried(struct boot_record *record, const uint8_t manifest[SHA256_SIZE]);
