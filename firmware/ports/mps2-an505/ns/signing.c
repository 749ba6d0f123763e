/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Nothing here signs: the key is the secure side's, which wolfSSL asks by a callback. Its own function for that, which
 * it would link with 30 KB of tables, is replaced by this one (--wrap).
 */

#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/ed25519.h>
#include <wolfssl/wolfcrypt/error-crypt.h>

int __wrap_wc_ed25519_sign_msg(const byte *in, word32 in_size, byte *out, word32 *out_size, ed25519_key *key);

int __wrap_wc_ed25519_sign_msg(const byte *in, word32 in_size, byte *out, word32 *out_size, ed25519_key *key)
{
        (void)in;
        (void)in_size;
        (void)out;
        (void)out_size;
        (void)key;
        return NOT_COMPILED_IN;
}
