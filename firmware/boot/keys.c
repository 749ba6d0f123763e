/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Derives, certifies, signs. */

#include "boot/keys.h"

#include <string.h>

/* RFC 8446 section 4.4.3 */
#define VERIFY_SPACES  64
#define VERIFY_CONTEXT "TLS 1.3, client CertificateVerify" /* its zero counts, too */
#define VERIFY_HEAD    (VERIFY_SPACES + sizeof(VERIFY_CONTEXT))
#define SHA384_SIZE    48

#define KEYS_TRIED_MAX 8 /* identity keys that a certificate may be of, from the newest on */

static int seed_after(const uint8_t secret[DICE_SECRET_SIZE], uint32_t rotations, uint8_t seed[ED25519_SEED_SIZE])
{
        uint8_t rotated[DICE_SECRET_SIZE];

        int r = dice_rotated_secret(secret, rotations, rotated);
        if (r == 0)
                r = dice_key_seed(rotated, seed);
        crypto_wipe(rotated, sizeof(rotated));
        return r;
}

int keys_identity(const uint8_t secret[DICE_SECRET_SIZE], uint32_t rotations, struct public_key *out)
{
        uint8_t seed[ED25519_SEED_SIZE];

        int r = seed_after(secret, rotations, seed);
        if (r == 0)
                r = crypto_ed25519_public(seed, out);
        crypto_wipe(seed, sizeof(seed));
        return r;
}

static int sign_with(void *context, struct span message, uint8_t signature[SIGNATURE_SIZE])
{
        return crypto_ed25519_sign(context, message, signature);
}

int keys_rotation(struct writer *w, const uint8_t secret[DICE_SECRET_SIZE], uint32_t rotations, const char *name)
{
        struct rotation rotation = { .number = rotations };
        uint8_t seed[ED25519_SEED_SIZE];

        if (rotations == 0 || !span_to_string(span_of_string(name), rotation.device, sizeof(rotation.device)))
                return RELAY_E_RANGE;
        int r = keys_identity(secret, rotations, &rotation.new_key);
        if (r == 0)
                r = seed_after(secret, rotations - 1, seed);
        if (r == 0)
                r = crypto_ed25519_public(seed, &rotation.old_key);
        if (r == 0) {
                const struct signer signer = { .key = rotation.old_key, .sign = sign_with, .context = seed };
                r = rotation_sign(w, &rotation, &signer);
        }
        crypto_wipe(seed, sizeof(seed));
        return r;
}

/* ---- one start */

static int derive_application_key(struct boot_keys *keys, const uint8_t secret[DICE_SECRET_SIZE],
                                  const struct keys_facts *facts)
{
        uint8_t rotated[DICE_SECRET_SIZE], cdi[DICE_SECRET_SIZE];

        int r = dice_rotated_secret(secret, facts->rotations, rotated);
        if (r == 0)
                r = dice_cdi_attest(rotated, facts->measurement, cdi);
        if (r == 0)
                r = dice_key_seed(cdi, keys->seed);
        if (r == 0)
                r = crypto_ed25519_public(keys->seed, &keys->key);
        crypto_wipe(rotated, sizeof(rotated));
        crypto_wipe(cdi, sizeof(cdi));
        return r;
}

static int issue_certificate(struct boot_keys *keys, const uint8_t secret[DICE_SECRET_SIZE],
                             const struct keys_facts *facts)
{
        uint8_t seed[ED25519_SEED_SIZE];
        struct writer w;

        writer_init(&w, keys->certificate, sizeof(keys->certificate));
        int r = seed_after(secret, facts->rotations, seed);
        if (r == 0)
                r = crypto_ed25519_public(seed, &keys->identity);
        if (r == 0)
                r = dice_write_certificate(&w, seed, &keys->key, facts->measurement);
        crypto_wipe(seed, sizeof(seed));
        if (r == 0)
                keys->certificate_size = writer_needed(&w);
        return r;
}

/* signed by whichever of the identity keys the device certificate is of, the newest first */
static int issue_leaf(const uint8_t secret[DICE_SECRET_SIZE], uint32_t newest, struct span device_certificate,
                      const struct public_key *key, const struct dice_measurement *measurement, struct writer *w,
                      uint32_t *number)
{
        uint8_t seed[ED25519_SEED_SIZE];
        struct writer begun = *w;
        int r = RELAY_E_KEY;

        for (uint32_t back = 0; r == RELAY_E_KEY && back <= newest && back < KEYS_TRIED_MAX; back++) {
                *w = begun;
                *number = newest - back;
                r = seed_after(secret, *number, seed);
                if (r == 0)
                        r = dice_write_leaf(w, seed, device_certificate, key, measurement);
        }
        crypto_wipe(seed, sizeof(seed));
        return r;
}

int keys_find(const uint8_t secret[DICE_SECRET_SIZE], uint32_t newest, struct span device_certificate,
              uint32_t *rotations)
{
        const struct dice_measurement nothing = { 0 };
        uint8_t leaf[DICE_CERTIFICATE_MAX];
        struct public_key key;
        struct writer w;

        writer_init(&w, leaf, sizeof(leaf));
        int r = keys_identity(secret, newest, &key);
        return r == 0 ? issue_leaf(secret, newest, device_certificate, &key, &nothing, &w, rotations) : r;
}

static int issue(struct boot_keys *keys, const uint8_t secret[DICE_SECRET_SIZE], const struct keys_facts *facts)
{
        struct writer w;
        uint32_t number;

        int r = issue_certificate(keys, secret, facts);
        if (r == 0 && facts->rotations > 0) {
                writer_init(&w, keys->rotation, sizeof(keys->rotation));
                r = keys_rotation(&w, secret, facts->rotations, facts->name);
                keys->rotation_size = r == 0 ? writer_needed(&w) : 0;
        }
        if (r < 0 || facts->device_certificate.size == 0)
                return r;
        writer_init(&w, keys->leaf, sizeof(keys->leaf));
        r = issue_leaf(secret, facts->rotations, facts->device_certificate, &keys->key, facts->measurement, &w,
                       &number);
        keys->leaf_size = r == 0 ? writer_needed(&w) : 0;
        return r;
}

int keys_derive(struct boot_keys *keys, const uint8_t secret[DICE_SECRET_SIZE], const struct keys_facts *facts)
{
        memset(keys, 0, sizeof(*keys));
        int r = derive_application_key(keys, secret, facts);
        return r == 0 ? issue(keys, secret, facts) : r;
}

/* ---- use */

static bool is_certificate_verify(struct span message)
{
        if (message.size != VERIFY_HEAD + SHA256_SIZE && message.size != VERIFY_HEAD + SHA384_SIZE)
                return false;
        for (size_t i = 0; i < VERIFY_SPACES; i++)
                if (message.data[i] != ' ')
                        return false;
        return memcmp(message.data + VERIFY_SPACES, VERIFY_CONTEXT, sizeof(VERIFY_CONTEXT)) == 0;
}

int keys_sign(const struct boot_keys *keys, struct span message, uint8_t signature[SIGNATURE_SIZE])
{
        if (keys->key.type == KEY_NONE)
                return RELAY_E_STATE;
        return is_certificate_verify(message) ? crypto_ed25519_sign(keys->seed, message, signature) : RELAY_E_RANGE;
}

int keys_attest(const struct boot_keys *keys, struct attest_statement *statement, struct writer *w, uint8_t *scratch,
                size_t scratch_size)
{
        const struct signer signer = { .key = keys->key, .sign = sign_with, .context = (void *)keys->seed };

        if (keys->certificate_size == 0)
                return RELAY_E_STATE;
        statement->certificate = span_of(keys->certificate, keys->certificate_size);
        statement->rotation = span_of(keys->rotation, keys->rotation_size);
        return attest_sign(w, statement, &signer, scratch, scratch_size);
}
