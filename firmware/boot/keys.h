/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The keys of one start: derived from the device secret and what was measured (relay/dice.h), and certified. Only the
 * application key stays in memory. Number n of the identity key's rotations gives the key that signs; the device
 * certificate may still be of an earlier one, and then that one signs the TLS leaf.
 */

#include "relay/attest.h"

struct boot_keys {
        struct public_key identity;      /* the newest identity key */
        struct public_key key;           /* application key; KEY_NONE: none could be derived */
        uint8_t seed[ED25519_SEED_SIZE]; /* its private half */
        size_t certificate_size, leaf_size, rotation_size;
        uint8_t certificate[DICE_CERTIFICATE_MAX]; /* CDI certificate, DER */
        uint8_t leaf[DICE_CERTIFICATE_MAX];        /* of TLS, DER; no device certificate: empty */
        uint8_t rotation[ROTATION_MAX];            /* from the identity key before; never rotated: empty */
};

struct keys_facts {
        const char *name;
        uint32_t rotations;             /* of the identity key so far */
        struct span device_certificate; /* DER; empty: none yet */
        const struct dice_measurement *measurement;
};
/*
 * secret: of the device; the caller wipes it. 0, RELAY_E_CRYPTO, RELAY_E_MALFORMED (the device certificate),
 * RELAY_E_KEY (it is of none of this device's keys); then *keys is zero but for what could be derived without it.
 */
int keys_derive(struct boot_keys *keys, const uint8_t secret[DICE_SECRET_SIZE], const struct keys_facts *facts);

/* The identity key after so many rotations. 0 or RELAY_E_CRYPTO */
int keys_identity(const uint8_t secret[DICE_SECRET_SIZE], uint32_t rotations, struct public_key *out);
/* The statement that the identity key before signed, of rotation number rotations (at least 1). The writer's error */
int keys_rotation(struct writer *w, const uint8_t secret[DICE_SECRET_SIZE], uint32_t rotations, const char *name);
/* Which of the device's identity keys, newest first, is this certificate's? 0 and *rotations, or as keys_derive() */
int keys_find(const uint8_t secret[DICE_SECRET_SIZE], uint32_t newest, struct span device_certificate,
              uint32_t *rotations);

/*
 * Signs the content of a TLS 1.3 client CertificateVerify (RFC 8446 section 4.4.3), and nothing else: another message
 * would be somebody else's signature. 0, RELAY_E_RANGE, RELAY_E_STATE (no key), RELAY_E_CRYPTO
 */
int keys_sign(const struct boot_keys *keys, struct span message, uint8_t signature[SIGNATURE_SIZE]);
/* Signs the statement of DICE-1; certificate and rotation are filled in. scratch as for attest_sign() */
int keys_attest(const struct boot_keys *keys, struct attest_statement *statement, struct writer *w, uint8_t *scratch,
                size_t scratch_size);
