/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * What deriving, writing and reading of DICE certificates share.
 */

#include "relay/dice.h"

#define DICE_CONFIGURATION_MAX 31 /* bytes of the configuration descriptor */

/* what was measured, as it is hashed and as certificates say it */
struct dice_descriptors {
        uint8_t code[2 * SHA256_SIZE], configuration[DICE_CONFIGURATION_MAX], authority[SHA256_SIZE];
        size_t configuration_size;
        uint8_t mode;
};
void dice_describe(const struct dice_measurement *measurement, struct dice_descriptors *out);
/* RELAY_OK, RELAY_E_UNSUPPORTED, or an error of the CBOR in it */
int dice_undescribe(const struct dice_descriptors *in, struct dice_measurement *out);
/* the profile's input values of these descriptors; RELAY_OK or RELAY_E_CRYPTO */
int dice_hash_descriptors(const struct dice_descriptors *in, struct dice_inputs *out);

/* tbsCertificate of a CDI certificate: everything in it follows from these. The writer's error, or RELAY_E_CRYPTO */
int dice_write_tbs(struct writer *w, const struct public_key *identity, const struct public_key *key,
                   const struct dice_measurement *measurement);

/* algorithm and signature behind a tbsCertificate; ends what der_begin() began. The writer's error */
int dice_finish_certificate(struct writer *w, size_t certificate, struct span signature);

/* what a device certificate says of the issuer that its key is */
struct dice_issuer {
        struct span subject; /* with tag and length */
        struct span key_identifier;
        struct public_key key;
};
/* RELAY_OK, RELAY_E_KEY, or an error of its DER; nothing is verified: it is the device's own. */
int dice_read_issuer(struct span der, struct dice_issuer *out);

/* content bytes of object identifiers */
#define DICE_OID_ED25519     SPAN_LITERAL("\x2b\x65\x70")
#define DICE_OID_ATTESTATION SPAN_LITERAL("\x2b\x06\x01\x04\x01\xd6\x79\x02\x01\x18")
#define DICE_ENUMERATED      0x0a
