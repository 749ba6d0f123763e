/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * DICE-1: how a device proves to the relay's hub who it is and what runs on it, over MQTT 5 enhanced authentication
 * (section 4.12), end to end: whatever lies between can drop it, and nothing else.
 *
 *     CONNECT   method "DICE-1", data empty
 *     AUTH 0x18 data = challenge  = { 0: 1, 1: nonce (bstr 32), 2: relay key (bstr 32) }
 *     AUTH 0x18 data = statement  = COSE_Sign1 of the application key, aad "relayd/dice/1", payload
 *                  { 0: 1, 1: nonce (bstr 32), 2: relay key (bstr 32), 3: device (tstr), 4: boot (uint),
 *                    5: CDI certificate (bstr), ? 6: device certificate (bstr, of the factory CA),
 *                  ? 7: rotation (bstr) }
 *     CONNACK   method "DICE-1", no data
 *
 * relay key: SHA-256 of the SubjectPublicKeyInfo of the relay's TLS key. The device compares it with the pins of the
 * endpoint that it dialled, so one relay's challenge is nothing to another one.
 * boot: the boot counter, filled in by whoever holds the application key (the boot stage), not by the application.
 *
 * Rotation: the old identity key says which one follows it, aad "relayd/rotation/1":
 *     rotation = COSE_Sign1 { 0: 1, 1: device (tstr), 2: number (uint, of this rotation, from 1, rises),
 *                             3: COSE_Key old, 4: COSE_Key new }
 * A statement carries the newest one. Its certificate is the new key's already, so a verifier that knows the old key
 * takes the rotation first (attest_decode(), rotation_check()), then appraises by the new key.
 */

#include "relay/cose.h"
#include "relay/dice.h"

#define ATTEST_METHOD        "DICE-1"
#define ATTEST_AAD           "relayd/dice/1"
#define ATTEST_NONCE_SIZE    32
#define ATTEST_CHALLENGE_MAX 80   /* bytes */
#define ATTEST_STATEMENT_MAX 3072 /* bytes of the COSE_Sign1 */
#define ROTATION_AAD         "relayd/rotation/1"
#define ROTATION_MAX         384 /* bytes of the COSE_Sign1 */

struct attest_challenge {
        uint8_t nonce[ATTEST_NONCE_SIZE];
        uint8_t relay[SHA256_SIZE]; /* relay key */
};
int attest_challenge_encode(struct writer *w, const struct attest_challenge *challenge);
int attest_challenge_decode(struct span in, struct attest_challenge *out);

struct attest_statement {
        struct attest_challenge challenge;
        char device[IDENTITY_MAX + 1];
        uint32_t boot;
        struct span certificate;        /* CDI certificate, DER */
        struct span device_certificate; /* DER; empty: none */
        struct span rotation;           /* empty: none */
};
/* Signs with the application key. scratch: ATTEST_STATEMENT_MAX + 128 bytes. The writer's error, RELAY_E_SPACE. */
int attest_sign(struct writer *w, const struct attest_statement *statement, const struct signer *signer,
                uint8_t *scratch, size_t scratch_size);
/* Form only; the spans of *out point into sign1. RELAY_OK, RELAY_E_MALFORMED, TRUNCATED, RANGE, UNSUPPORTED. */
int attest_decode(struct span sign1, struct attest_statement *out);
/*
 * The whole appraisal that needs no registry: form, nonce, relay key and device as asked, the CDI certificate by the
 * identity key, the statement's signature by the certificate's key.
 * REASON_NONE and *statement, *evidence; MALFORMED, WRONG_NONCE (nonce or relay key), WRONG_DEVICE, BAD_SIGNATURE.
 * scratch: ATTEST_STATEMENT_MAX + 128 bytes.
 */
enum reason attest_check(struct span sign1, const struct attest_challenge *asked, const char *device,
                         const struct public_key *identity, struct attest_statement *statement,
                         struct dice_evidence *evidence, uint8_t *scratch, size_t scratch_size);

struct rotation {
        char device[IDENTITY_MAX + 1];
        uint32_t number;
        struct public_key old_key, new_key;
};
/* RELAY_E_RANGE (device, number 0, no other key), RELAY_E_KEY (signer is not old_key), or the writer's error */
int rotation_sign(struct writer *w, const struct rotation *rotation, const struct signer *old_key);
/* The payload; form only. RELAY_OK, RELAY_E_MALFORMED, TRUNCATED, RANGE, UNSUPPORTED, KEY. */
int rotation_decode(struct span payload, struct rotation *out);
/* REASON_NONE, MALFORMED, WRONG_DEVICE, BAD_SIGNATURE (not by old_key, or another old key named), REPLAYED_COMMAND is
 * the caller's to find (number). */
enum reason rotation_check(struct span sign1, const char *device, const struct public_key *old_key,
                           struct rotation *out);
