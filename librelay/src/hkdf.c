/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * HKDF (RFC 5869) with HMAC-SHA-512 (RFC 2104), on top of crypto_sha512(): a boot stage needs no more of the crypto
 * library than its hash.
 */
#include <string.h>

#include "relay/crypto.h"

#define BLOCK_SIZE 128 /* of SHA-512 */
#define PARTS_MAX  3

/* key: at most one block */
static int hmac(struct span key, const struct span *parts, size_t count, uint8_t out[SHA512_SIZE])
{
        uint8_t pad[BLOCK_SIZE] = { 0 }, inner[SHA512_SIZE];
        struct span all[1 + PARTS_MAX] = { SPAN_OF(pad) }, outer[2] = { SPAN_OF(pad), SPAN_OF(inner) };
        int result;

        if (key.size > 0)
                memcpy(pad, key.data, key.size);
        for (size_t i = 0; i < BLOCK_SIZE; i++)
                pad[i] ^= 0x36;
        memcpy(all + 1, parts, count * sizeof(*parts));
        result = crypto_sha512(all, 1 + count, inner);
        for (size_t i = 0; i < BLOCK_SIZE; i++)
                pad[i] ^= 0x36 ^ 0x5c;
        if (result == RELAY_OK)
                result = crypto_sha512(outer, 2, out);
        crypto_wipe(pad, sizeof(pad));
        crypto_wipe(inner, sizeof(inner));
        return result;
}

/* section 2.2; a salt longer than a block counts as its hash (RFC 2104 section 3) */
static int extract(struct span key, struct span salt, uint8_t prk[SHA512_SIZE])
{
        uint8_t hash[SHA512_SIZE];

        if (salt.size > BLOCK_SIZE) {
                int result = crypto_sha512(&salt, 1, hash);

                if (result != RELAY_OK)
                        return result;
                salt = SPAN_OF(hash);
        }
        return hmac(salt, &key, 1, prk);
}

/* section 2.3 */
static int expand(struct span prk, struct span info, uint8_t *out, size_t size)
{
        uint8_t block[SHA512_SIZE], number = 0;
        struct span parts[PARTS_MAX] = { SPAN_EMPTY, info, { &number, 1 } };
        int result = RELAY_OK;

        for (size_t at = 0; at < size && result == RELAY_OK; at += sizeof(block)) {
                number++;
                result = hmac(prk, parts, PARTS_MAX, block);
                parts[0] = SPAN_OF(block);
                if (result == RELAY_OK)
                        memcpy(out + at, block, size - at < sizeof(block) ? size - at : sizeof(block));
        }
        crypto_wipe(block, sizeof(block));
        return result;
}

int crypto_hkdf_sha512(struct span key, struct span salt, struct span info, uint8_t *out, size_t size)
{
        uint8_t prk[SHA512_SIZE];
        int result;

        if (size > 255 * SHA512_SIZE)
                return RELAY_E_RANGE;
        result = extract(key, salt, prk);
        if (result == RELAY_OK)
                result = expand(SPAN_OF(prk), info, out, size);
        crypto_wipe(prk, sizeof(prk));
        return result;
}
