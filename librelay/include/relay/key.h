/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Public keys as they travel: COSE_Key (RFC 9052 section 7) inside CBOR, SubjectPublicKeyInfo (RFC 5280, RFC 8410)
 * for fingerprints and pins. A key id is a hint only: whoever decides compares whole keys.
 */

#include "relay/cbor.h"
#include "relay/crypto.h"

#define KEY_ID_SIZE  8
#define KEY_SPKI_MAX 91 /* P-256; Ed25519 takes 44 */

bool key_equal(const struct public_key *a, const struct public_key *b); /* KEY_NONE equals nothing */
/* the key's place in the list, or -1 */
int key_find(const struct public_key *list, size_t count, const struct public_key *key);
/* true if some key stands in the list twice */
bool key_list_repeats(const struct public_key *list, size_t count);

/* DER SubjectPublicKeyInfo into out (KEY_SPKI_MAX bytes); returns its size, 0 for KEY_NONE */
size_t key_to_spki(const struct public_key *key, uint8_t out[KEY_SPKI_MAX]);
/* Exactly the DER forms key_to_spki() writes (uncompressed P-256); others RELAY_E_UNSUPPORTED or RELAY_E_MALFORMED */
int key_from_spki(struct span der, struct public_key *key);
/* SHA-256 of the SubjectPublicKeyInfo: fingerprint and TLS pin (RFC 7469 section 2.4) */
int key_fingerprint(const struct public_key *key, uint8_t out[SHA256_SIZE]);
/* its first 8 bytes */
int key_id(const struct public_key *key, uint8_t out[KEY_ID_SIZE]);

/* COSE_Key: {1: 1, -1: 6, -2: x} or {1: 2, -1: 1, -2: x, -3: y}, in deterministic key order */
void key_put_cose(struct writer *w, const struct public_key *key);
void key_get_cose(struct reader *r, struct public_key *key);
