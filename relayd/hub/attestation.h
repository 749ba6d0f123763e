/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * DICE-1 at the hub (relay/attest.h): asks, checks what a device answers, and lets the registry appraise it. No socket,
 * no clock; the broker carries the packets, the registry's side is struct attestation_registry.
 */

#include "policy/appraise.h"
#include "relay/attest.h"
#include "relay/reason.h"
#include "relay/topic.h"

/* What a session's device showed. */
struct attestation_proof {
        const char *device;
        /* NULL both: a plain CONNECT, nothing is proven */
        const struct attest_statement *statement; /* boot counter, rotation (empty: none) */
        const struct dice_evidence *evidence;     /* what was measured, by the key of attestation_registry.key() */
        bool again;                               /* the session is open already */
};
struct attestation_verdict {
        enum reason reason; /* REASON_NONE: the session may open (or go on); else why not: the registry has alerted */
        enum attestation_trust trust;
        bool quarantined; /* only the way of updates is open to it */
        bool staged;      /* the registry staged what has to be on the disk before the session opens */
};

/* What the appraisal asks of the registry of devices. */
struct attestation_registry {
        void *context;
        /*
         * The identity key whose CDI certificates count: the registered one, or the one which this rotation
         * (COSE_Sign1, may be empty) names as its successor. Changes nothing: what the rotation says is kept by
         * appraise(), once all of it is proven. false: no registered device of this name.
         */
        bool (*key)(void *context, const char *device, struct span rotation, struct public_key *out);
        /*
         * Whether that will do, what follows, and keeping it: sticky "proves itself", highest boot counter, clones,
         * known images, rotation. Called for each session that opens and each re-authentication, nothing else.
         * *out: reason NOT_ATTESTED when the host is called.
         */
        void (*appraise)(void *context, const struct attestation_proof *proof, struct attestation_verdict *out);
};

/* One session's side of it. All zero at the start. */
struct attestation {
        bool asked; /* challenge waits for its answer */
        struct attest_challenge challenge;
        struct attestation_verdict verdict; /* of the last step that ended it */
};

/* A challenge to send, encoded into out; one that waited before is forgotten. relay: SHA-256 of the SPKI of the relay's
 * TLS key. 0 or RELAY_E_CRYPTO (no random numbers): refuse. */
int attestation_ask(struct attestation *a, const uint8_t relay[SHA256_SIZE], struct writer *out);
/*
 * The device's answer. application: fingerprint of the key which the session's TLS certificate has, by the front end's
 * word; the proof must be by the same. Serves one challenge once. Fills a->verdict. REASON_NONE: the statement is good,
 * and the registry was asked what follows; else it was not: MALFORMED, WRONG_NONCE, WRONG_DEVICE, BAD_SIGNATURE,
 * UNKNOWN_DEVICE, FOREIGN_CERTIFICATE (another key than the session's), NOT_ATTESTED (nothing was asked).
 */
enum reason attestation_answer(struct attestation *a, const struct attestation_registry *registry, const char *device,
                               const uint8_t application[SHA256_SIZE], bool again, struct span sign1);
/* A plain CONNECT. */
void attestation_plain(struct attestation *a, const struct attestation_registry *registry, const char *device);
