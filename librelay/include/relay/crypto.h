/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * What librelay needs of a crypto library: link-time functions, one backend file (crypto/wolfcrypt.c).
 */

#include "relay/result.h"
#include "relay/span.h"

#define SHA256_SIZE       32
#define SHA512_SIZE       64
#define SHA1_SIZE         20
#define SIGNATURE_SIZE    64 /* Ed25519 (RFC 8032) and ES256 in COSE form r || s (RFC 9053 section 2.1) */
#define ED25519_SEED_SIZE 32

enum key_type {
        KEY_NONE = 0,
        KEY_ED25519 = 1, /* bytes[0..31]: RFC 8032 public key */
        KEY_P256 = 2,    /* bytes[0..63]: x || y */
};

struct public_key {
        enum key_type type;
        uint8_t bytes[64]; /* unused bytes are zero */
};

struct sha256 {
        _Alignas(16) uint64_t
                opaque[32]; /* backend state; checked by _Static_assert in the backend; no pointers, may be dropped */
};
int crypto_sha256_init(struct sha256 *h);
int crypto_sha256_update(struct sha256 *h, struct span data);
int crypto_sha256_final(struct sha256 *h, uint8_t out[SHA256_SIZE]);
/* SHA-256 of one run of bytes */
int crypto_sha256(struct span data, uint8_t out[SHA256_SIZE]);
/* SHA-1, for UUIDv5 names in the vendor's tools only: devices never need it, and nothing is trusted by it */
int crypto_sha1(struct span data, uint8_t out[SHA1_SIZE]);

/* SHA-512 of several runs of bytes, one after the other */
int crypto_sha512(const struct span *parts, size_t count, uint8_t out[SHA512_SIZE]);
/* HKDF with SHA-512 (RFC 5869), extract and expand. size: at most 255 * 64 bytes. 0, RELAY_E_RANGE, RELAY_E_CRYPTO */
int crypto_hkdf_sha512(struct span key, struct span salt, struct span info, uint8_t *out, size_t size);

/*
 * RELAY_OK if sig is key's signature over message. RELAY_E_SIGNATURE if not, RELAY_E_KEY for an unusable key
 * (Ed25519 points of small order are refused), RELAY_E_CRYPTO if the library failed.
 */
int crypto_verify(const struct public_key *key, struct span message, const uint8_t sig[SIGNATURE_SIZE]);

/* Ed25519 (RFC 8032 section 5.1.6). seed: the 32-byte private key; key: out, its public half. */
int crypto_ed25519_public(const uint8_t seed[ED25519_SEED_SIZE], struct public_key *key);
int crypto_ed25519_sign(const uint8_t seed[ED25519_SEED_SIZE], struct span message, uint8_t sig[SIGNATURE_SIZE]);

/* size random bytes from the library's generator */
int crypto_random(void *out, size_t size);
/* overwrites secrets; the compiler cannot drop it */
void crypto_wipe(void *data, size_t size);
