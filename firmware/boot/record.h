/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* What the boot stage's journal keeps: every decision of the boot stage is one new version of this record. */

#include "port/journal.h"
#include "relay/crypto.h"

enum boot_trial {
        BOOT_TRIAL_NONE = 0,
        BOOT_TRIAL_STAGED = 1, /* by the application */
        BOOT_TRIAL_RUNNING = 2,
        BOOT_TRIAL_CARRIED = 3, /* staged by the local port */
};
enum boot_tried { BOOT_TRIED_NOTHING = 0, BOOT_TRIED_NOT_CONFIRMED = 1, BOOT_TRIED_REFUSED = 2 };

struct boot_record {
        uint32_t boot;
        uint8_t confirmed_slot;
        enum boot_trial trial; /* of the other slot */
        uint8_t tries;         /* starts of tried_manifest */
        enum boot_tried tried; /* how its last try ended */
        uint8_t trust_area;    /* which one is in force: 0 LAYOUT_TRUST, 1 LAYOUT_TRUST_SPARE */
        bool claimed;          /* a site policy is in force */
        uint64_t floor;        /* of sequence numbers */
        uint64_t epoch_floor;  /* approvals of an older epoch are revoked */
        uint64_t time_floor;   /* Unix seconds: it is at least this late; from objects signed by k approvers only */
        uint8_t tried_manifest[SHA256_SIZE];
        uint8_t confirmed_manifest[SHA256_SIZE];
        uint8_t vendor_digest[SHA256_SIZE];     /* of the objects in force: what the trust area must hold */
        uint8_t policy_digest[SHA256_SIZE];     /* zero: unclaimed */
        uint8_t recovery_manifest[SHA256_SIZE]; /* what the recovery areas must hold; zero: this device has none */
        uint8_t identity_area;                  /* which one is in force: 0 LAYOUT_IDENTITY, 1 LAYOUT_IDENTITY_SPARE */
        bool rotate;                            /* the next start takes the next identity key */
        uint32_t rotations;                     /* of the identity key so far */
};

/* 0 and the newest record; RELAY_E_STATE: none; RELAY_E_MALFORMED; flash errors. *journal is usable after STATE, too.
 */
int record_load(struct journal *journal, const struct port_flash *flash, struct boot_record *out);
/* 0: it is in flash, and holds from now on. */
int record_store(struct journal *journal, const struct boot_record *record);
