/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ed25519 is in the device once, on the secure side: this stands in for wolfCrypt's, asks there, and saves 20 KB.
 * Verifying takes the message where it lies. Nothing here signs: the device's key is the secure side's, which wolfSSL
 * asks by a callback.
 */

#include <wolfssl/wolfcrypt/settings.h>

#include <wolfssl/wolfcrypt/ed25519.h>
#include <wolfssl/wolfcrypt/error-crypt.h>

#include <string.h>

#include "ports/mps2-an505/veneer.h"

int wc_ed25519_init_ex(ed25519_key *key, void *heap, int device)
{
        (void)heap;
        (void)device;
        memset(key, 0, sizeof(*key));
        return 0;
}

int wc_ed25519_init(ed25519_key *key)
{
        return wc_ed25519_init_ex(key, NULL, INVALID_DEVID);
}

void wc_ed25519_free(ed25519_key *key)
{
        (void)key;
}

/* Whether it is a point of the curve is found when it is used. */
int wc_ed25519_import_public(const byte *in, word32 size, ed25519_key *key)
{
        if (size != ED25519_PUB_KEY_SIZE)
                return BAD_FUNC_ARG;
        memcpy(key->p, in, ED25519_PUB_KEY_SIZE);
        key->pubKeySet = 1;
        return 0;
}

int wc_ed25519_verify_msg(const byte *signature, word32 size, const byte *message, word32 message_size, int *valid,
                          ed25519_key *key)
{
        *valid = size == ED25519_SIG_SIZE && secure_verify(key->p, signature, message, message_size);
        return *valid ? 0 : SIG_VERIFY_E;
}

/* ---- there is no private key on this side */

int wc_ed25519_import_private_only(const byte *in, word32 size, ed25519_key *key)
{
        (void)in;
        (void)size;
        (void)key;
        return NOT_COMPILED_IN;
}

int wc_ed25519_import_private_key(const byte *in, word32 size, const byte *public, word32 public_size, ed25519_key *key)
{
        (void)public;
        (void)public_size;
        return wc_ed25519_import_private_only(in, size, key);
}

int wc_ed25519_make_public(ed25519_key *key, unsigned char *out, word32 size)
{
        (void)key;
        (void)out;
        (void)size;
        return NOT_COMPILED_IN;
}

int wc_ed25519_sign_msg(const byte *message, word32 size, byte *out, word32 *out_size, ed25519_key *key)
{
        (void)message;
        (void)size;
        (void)out;
        (void)out_size;
        (void)key;
        return NOT_COMPILED_IN;
}
