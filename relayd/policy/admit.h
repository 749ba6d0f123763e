/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * May this certificate have a session? A pure decision: the caller gathers the facts (registry, role files, X.509,
 * clock) and does what comes out.
 */

#include <stdbool.h>
#include <stdint.h>

#include "relay/reason.h"

enum admit_kind { ADMIT_DEVICE = 0, ADMIT_APPLICATION = 1 };
/* what the registry (devices) or the role files (applications: only NONE and REGISTERED) say about the identity */
enum admit_registration { ADMIT_UNKNOWN = 0, ADMIT_PENDING, ADMIT_REGISTERED, ADMIT_REVOKED };
/* the record's fingerprint (SHA-256 of the SubjectPublicKeyInfo) against the certificate's */
enum admit_pin { ADMIT_PIN_NONE = 0, ADMIT_PIN_EQUAL, ADMIT_PIN_DIFFERENT };
enum admit_time { ADMIT_TIME_OUTSIDE = 0, ADMIT_TIME_WITHIN, ADMIT_TIME_UNKNOWN };

struct admit_facts {
        enum admit_kind kind;
        bool identity_valid; /* exactly one CN of the right form; false: kind does not matter */
        bool forged;         /* a device certificate stands behind the leaf, and did not issue it, or not for it */
        bool proves_itself;  /* its device certificate counts less than the proof (DICE-1) that it owes the hub */
        enum admit_registration registration;
        enum admit_pin pin;
        bool chain_verified;  /* by a factory CA, including its name constraints */
        enum admit_time time; /* is now inside the certificate's validity? UNKNOWN: the gateway has no clock yet */
        bool refuse_unknown;  /* configuration: [devices] unknown = refuse */
        uint32_t sessions, sessions_max; /* twice as many while sessions are taken over */
        bool takes_over;                 /* this identity has a session already, which the new one replaces */
        uint32_t pending, pending_max;   /* pending records there are and may be; half of
                                          * these without a factory certificate */
};

struct admit_result {
        struct decision decision;
        bool record_pending; /* write (or replace) the pending record of this identity with this certificate */
};

/*
 * A registered identity needs its pinned key; without a pin a chain to a factory CA. An unpinned record and no chain,
 * or another key than the pinned one: FOREIGN_CERTIFICATE. But who proves itself may come with a factory certificate of
 * an identity key that it changed since: which one counts, the proof says. An unknown device waits as pending (or is
 * refused); a pending record is replaced only by a certificate that a factory CA vouches for. Applications are never
 * pending. Deny reasons: BAD_IDENTITY, REVOKED_DEVICE, EXPIRED_CERTIFICATE, UNKNOWN_DEVICE, PENDING_DEVICE,
 * FOREIGN_CERTIFICATE, TOO_MANY_SESSIONS.
 */
struct admit_result admit_decide(const struct admit_facts *facts);
