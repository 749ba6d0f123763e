/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * relay/crypto.h with wolfCrypt. The only file of librelay that includes wolfSSL.
 */
/* Debian's build options decide structure sizes and names: before every other wolfSSL header */
#include <wolfssl/options.h>

#include <wolfssl/wolfcrypt/ecc.h>
#include <wolfssl/wolfcrypt/ed25519.h>
#include <wolfssl/wolfcrypt/error-crypt.h>
#include <wolfssl/wolfcrypt/random.h>
#include <wolfssl/wolfcrypt/sha.h>
#include <wolfssl/wolfcrypt/sha256.h>
#include <wolfssl/wolfcrypt/sha512.h>

#include <string.h>

#include "relay/crypto.h"

_Static_assert(sizeof(wc_Sha256) <= sizeof(struct sha256), "struct sha256 is too small for this wolfSSL");
_Static_assert(_Alignof(wc_Sha256) <= _Alignof(struct sha256), "struct sha256 is not aligned for this wolfSSL");

static wc_Sha256 *sha256_state(struct sha256 *h)
{
        return (wc_Sha256 *)(void *)h->opaque;
}

int crypto_sha256_init(struct sha256 *h)
{
        return wc_InitSha256(sha256_state(h)) == 0 ? RELAY_OK : RELAY_E_CRYPTO;
}

int crypto_sha256_update(struct sha256 *h, struct span data)
{
        if (data.size == 0)
                return RELAY_OK;
        if (data.size > UINT32_MAX)
                return RELAY_E_RANGE;
        return wc_Sha256Update(sha256_state(h), data.data, (word32)data.size) == 0 ? RELAY_OK : RELAY_E_CRYPTO;
}

int crypto_sha256_final(struct sha256 *h, uint8_t out[SHA256_SIZE])
{
        return wc_Sha256Final(sha256_state(h), out) == 0 ? RELAY_OK : RELAY_E_CRYPTO;
}

int crypto_sha256(struct span data, uint8_t out[SHA256_SIZE])
{
        struct sha256 h;
        int result = crypto_sha256_init(&h);

        if (result == RELAY_OK)
                result = crypto_sha256_update(&h, data);
        if (result == RELAY_OK)
                result = crypto_sha256_final(&h, out);
        return result;
}

int crypto_sha512(const struct span *parts, size_t count, uint8_t out[SHA512_SIZE])
{
        wc_Sha512 h;
        int rc;

        if (wc_InitSha512(&h) != 0)
                return RELAY_E_CRYPTO;
        rc = 0;
        for (size_t i = 0; i < count && rc == 0; i++) {
                if (parts[i].size > UINT32_MAX)
                        rc = BAD_FUNC_ARG;
                else if (parts[i].size > 0)
                        rc = wc_Sha512Update(&h, parts[i].data, (word32)parts[i].size);
        }
        if (rc == 0)
                rc = wc_Sha512Final(&h, out);
        wc_Sha512Free(&h);
        crypto_wipe(&h, sizeof(h)); /* secrets go through it; not every version wipes */
        return rc == 0 ? RELAY_OK : RELAY_E_CRYPTO;
}

#ifndef NO_SHA
int crypto_sha1(struct span data, uint8_t out[SHA1_SIZE])
{
        wc_Sha h;
        int rc;

        if (data.size > UINT32_MAX)
                return RELAY_E_RANGE;
        if (wc_InitSha(&h) != 0)
                return RELAY_E_CRYPTO;
        rc = data.size ? wc_ShaUpdate(&h, data.data, (word32)data.size) : 0;
        if (rc == 0)
                rc = wc_ShaFinal(&h, out);
        wc_ShaFree(&h);
        return rc == 0 ? RELAY_OK : RELAY_E_CRYPTO;
}
#endif

/*
 * Points whose order divides 8, and y coordinates not below the field's prime: with such a "key" one signature fits
 * many messages. The sign bit is ignored.
 */
static bool ed25519_key_is_weak(const uint8_t y[32])
{
        static const uint8_t small_order[][32] = {
                { 0 },
                { 1 },
                { 0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
                  0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05 },
                { 0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
                  0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a },
                { 0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                  0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f },
        };
        uint8_t masked[32];
        bool above_prime = y[0] >= 0xed;

        memcpy(masked, y, sizeof(masked));
        masked[31] &= 0x7f;
        for (size_t i = 0; i < sizeof(small_order) / sizeof(small_order[0]); i++)
                if (memcmp(masked, small_order[i], sizeof(masked)) == 0)
                        return true;
        for (size_t i = 1; i < 31; i++)
                above_prime = above_prime && masked[i] == 0xff;
        return above_prime && masked[31] == 0x7f;
}

static int ed25519_verify(const uint8_t public_key[32], struct span message, const uint8_t sig[SIGNATURE_SIZE])
{
        ed25519_key key;
        int valid = 0, result = RELAY_E_KEY;

        if (ed25519_key_is_weak(public_key))
                return RELAY_E_KEY;
        if (wc_ed25519_init(&key) != 0)
                return RELAY_E_CRYPTO;
        if (wc_ed25519_import_public(public_key, 32, &key) == 0) {
                int rc = wc_ed25519_verify_msg(sig, SIGNATURE_SIZE, message.data, (word32)message.size, &valid, &key);
                result = rc == MEMORY_E ? RELAY_E_CRYPTO : rc == 0 && valid == 1 ? RELAY_OK : RELAY_E_SIGNATURE;
        }
        wc_ed25519_free(&key);
        return result;
}

#ifdef HAVE_ECC
static int p256_verify(const uint8_t xy[64], struct span message, const uint8_t sig[SIGNATURE_SIZE])
{
        uint8_t digest[SHA256_SIZE], der[ECC_MAX_SIG_SIZE];
        word32 der_size = sizeof(der);
        ecc_key key;
        int valid = 0, result;

        result = crypto_sha256(message, digest);
        if (result != RELAY_OK)
                return result;
        if (wc_ecc_init(&key) != 0)
                return RELAY_E_CRYPTO;
        if (wc_ecc_import_unsigned(&key, xy, xy + 32, NULL, ECC_SECP256R1) != 0 || wc_ecc_check_key(&key) != 0) {
                result = RELAY_E_KEY;
        } else if (wc_ecc_rs_raw_to_sig(sig, 32, sig + 32, 32, der, &der_size) != 0) {
                result = RELAY_E_SIGNATURE;
        } else {
                int rc = wc_ecc_verify_hash(der, der_size, digest, sizeof(digest), &valid, &key);
                result = rc == MEMORY_E ? RELAY_E_CRYPTO : rc == 0 && valid == 1 ? RELAY_OK : RELAY_E_SIGNATURE;
        }
        wc_ecc_free(&key);
        return result;
}
#else
/* a boot stage of devices whose vendor and approvers have Ed25519 keys only */
static int p256_verify(const uint8_t xy[64], struct span message, const uint8_t sig[SIGNATURE_SIZE])
{
        (void)xy;
        (void)message;
        (void)sig;
        return RELAY_E_KEY;
}
#endif

int crypto_verify(const struct public_key *key, struct span message, const uint8_t sig[SIGNATURE_SIZE])
{
        if (message.size > UINT32_MAX)
                return RELAY_E_RANGE;
        if (!message.data) /* wolfCrypt refuses a NULL message even if empty */
                message.data = (const uint8_t *)"";
        switch (key->type) {
        case KEY_NONE:
                return RELAY_E_KEY;
        case KEY_ED25519:
                return ed25519_verify(key->bytes, message, sig);
        case KEY_P256:
                return p256_verify(key->bytes, message, sig);
        }
        return RELAY_E_KEY;
}

/* the whole key pair of a seed; the caller frees key if RELAY_OK */
static int ed25519_from_seed(const uint8_t seed[ED25519_SEED_SIZE], ed25519_key *key, uint8_t public_key[32])
{
        if (wc_ed25519_init(key) != 0)
                return RELAY_E_CRYPTO;
        if (wc_ed25519_import_private_only(seed, ED25519_SEED_SIZE, key) == 0 &&
            wc_ed25519_make_public(key, public_key, 32) == 0)
                return RELAY_OK;
        wc_ed25519_free(key);
        return RELAY_E_CRYPTO;
}

int crypto_ed25519_public(const uint8_t seed[ED25519_SEED_SIZE], struct public_key *key)
{
        uint8_t public_key[32];
        ed25519_key pair;
        int result = ed25519_from_seed(seed, &pair, public_key);

        if (result != RELAY_OK)
                return result;
        wc_ed25519_free(&pair);
        *key = (struct public_key){ .type = KEY_ED25519 };
        memcpy(key->bytes, public_key, sizeof(public_key));
        return RELAY_OK;
}

int crypto_ed25519_sign(const uint8_t seed[ED25519_SEED_SIZE], struct span message, uint8_t sig[SIGNATURE_SIZE])
{
        uint8_t public_key[32], out[SIGNATURE_SIZE];
        word32 size = sizeof(out);
        ed25519_key pair;
        int result;

        if (message.size > UINT32_MAX)
                return RELAY_E_RANGE;
        result = ed25519_from_seed(seed, &pair, public_key);
        if (result != RELAY_OK)
                return result;
        if (!message.data)
                message.data = (const uint8_t *)"";
        /* trusted: it was made of the seed just now, and making it again would take as long as a signature */
        if (wc_ed25519_import_private_key_ex(seed, ED25519_SEED_SIZE, public_key, sizeof(public_key), &pair, 1) != 0 ||
            wc_ed25519_sign_msg(message.data, (word32)message.size, out, &size, &pair) != 0 || size != sizeof(out))
                result = RELAY_E_CRYPTO;
        wc_ed25519_free(&pair);
        if (result == RELAY_OK)
                memcpy(sig, out, sizeof(out));
        return result;
}

#ifndef WC_NO_RNG
int crypto_random(void *out, size_t size)
{
        WC_RNG rng;
        int result;

        if (size > UINT32_MAX)
                return RELAY_E_RANGE;
        if (wc_InitRng(&rng) != 0)
                return RELAY_E_CRYPTO;
        result = wc_RNG_GenerateBlock(&rng, out, (word32)size) == 0 ? RELAY_OK : RELAY_E_CRYPTO;
        wc_FreeRng(&rng);
        return result;
}
#endif

void crypto_wipe(void *data, size_t size)
{
        volatile uint8_t *byte = data;

        while (size-- > 0)
                *byte++ = 0;
}
