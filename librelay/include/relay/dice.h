/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Open Profile for DICE (version 2.5) with HKDF-SHA-512 and Ed25519: what a boot stage derives from the device secret
 * and what it measured, the certificates it issues, and reading them.
 *
 *     device secret (UDS) -> identity key                 ASYM_KDF(UDS); its public half stands in the factory list
 *     UDS and the inputs  -> CDI_Attest -> application key, another one for every image, mode and owner of trust
 *
 * Two certificates are issued for the application key, both signed by the identity key:
 *  - the profile's own (CDI certificate): subject and issuer are SERIALNUMBER=<id>, keyCertSign, critical extension
 *    1.3.6.1.4.1.11129.2.1.24. It travels inside DICE-1 only (relay/attest.h).
 *  - the TLS leaf: subject equal to the device certificate's (O and one CN, the identity), digitalSignature,
 *    clientAuth, the same extension not critical. Chain: leaf, device certificate, factory CA.
 *
 * Inputs as we fill them (docs/trust.md):
 *     code descriptor          = image digest (32 bytes) || manifest digest (32 bytes)
 *     configuration descriptor = deterministic CBOR { 0: 1, 1: class id (bstr 16), 2: sequence (uint) }
 *     authority descriptor     = digest of the vendor key set in force (32 bytes)
 *     hidden                   = zeros
 * code, configuration and authority are the SHA-512 of their descriptors.
 */

#include "relay/key.h"
#include "relay/manifest.h"
#include "relay/topic.h"

#define DICE_SECRET_SIZE     32 /* UDS, CDI */
#define DICE_INPUT_SIZE      64 /* each of code, configuration, authority, hidden */
#define DICE_ID_SIZE         20
#define DICE_CERTIFICATE_MAX 1024 /* bytes of DER, either certificate */

enum dice_mode { DICE_MODE_NOT_CONFIGURED = 0, DICE_MODE_NORMAL = 1, DICE_MODE_DEBUG = 2, DICE_MODE_RECOVERY = 3 };

/* what was measured; the meaning of the profile's input values here */
struct dice_measurement {
        uint8_t image[SHA256_SIZE];    /* digest of the memory that is executed */
        uint8_t manifest[SHA256_SIZE]; /* of its manifest; zeros if there is none */
        uint8_t class_id[CLASS_ID_SIZE];
        uint64_t sequence;
        uint8_t vendor[SHA256_SIZE]; /* digest of the vendor key set in force */
        enum dice_mode mode;
};

/* ASYM_KDF of the profile: the Ed25519 seed that belongs to a UDS or a CDI. 0 or RELAY_E_CRYPTO */
int dice_key_seed(const uint8_t secret[DICE_SECRET_SIZE], uint8_t seed[ED25519_SEED_SIZE]);
/* CDI_Attest for these inputs; wipe it after use. 0 or RELAY_E_CRYPTO */
int dice_cdi_attest(const uint8_t uds[DICE_SECRET_SIZE], const struct dice_measurement *measurement,
                    uint8_t cdi[DICE_SECRET_SIZE]);
/* The same for raw input values of the profile, as its published examples have them. */
struct dice_inputs {
        uint8_t code[DICE_INPUT_SIZE], configuration[DICE_INPUT_SIZE], authority[DICE_INPUT_SIZE];
        uint8_t hidden[DICE_INPUT_SIZE];
        uint8_t mode;
};
int dice_cdi_attest_of(const uint8_t uds[DICE_SECRET_SIZE], const struct dice_inputs *inputs,
                       uint8_t cdi[DICE_SECRET_SIZE]);
/*
 * The secret that takes the UDS's place after the identity key's rotation of this number; number 0: the UDS itself.
 * KDF(UDS, no salt, "rotation <number>"), so whoever holds the UDS finds every key, and from none of them another.
 */
int dice_rotated_secret(const uint8_t uds[DICE_SECRET_SIZE], uint32_t number, uint8_t out[DICE_SECRET_SIZE]);
/* Identifier of a public key, as it stands in serial numbers and key identifiers. 0 or RELAY_E_CRYPTO */
int dice_id(const struct public_key *key, uint8_t id[DICE_ID_SIZE]);

/*
 * DER into w (DICE_CERTIFICATE_MAX bytes are enough); the writer's sticky error, or RELAY_E_CRYPTO.
 * identity_seed: of the identity key; key: the application key. Both are deterministic.
 */
int dice_write_certificate(struct writer *w, const uint8_t identity_seed[ED25519_SEED_SIZE],
                           const struct public_key *key, const struct dice_measurement *measurement);
/*
 * device_certificate: DER, of the factory CA for the identity key: subject and key identifier are taken from it.
 * RELAY_E_MALFORMED if it is none, RELAY_E_KEY if it is another key's: nobody could verify the leaf. (After a rotation
 * the leaf is signed by the identity key that the device certificate names, until a new certificate is there.)
 */
int dice_write_leaf(struct writer *w, const uint8_t identity_seed[ED25519_SEED_SIZE], struct span device_certificate,
                    const struct public_key *key, const struct dice_measurement *measurement);

/* what a CDI certificate says, once its signature was verified */
struct dice_evidence {
        struct public_key key; /* the application key */
        struct dice_measurement measurement;
};
/*
 * Reads a CDI certificate of ours in whole and verifies it with the identity key: form, fields of the profile,
 * descriptors against hashes, signature. RELAY_OK, RELAY_E_MALFORMED, RELAY_E_TRUNCATED, RELAY_E_UNSUPPORTED (a field
 * outside the inputs above), RELAY_E_SIGNATURE.
 */
int dice_read_certificate(struct span der, const struct public_key *identity, struct dice_evidence *out);
