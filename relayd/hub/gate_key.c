/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The gate's key; see gate_key.h. */

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "hub/gate_key.h"
#include "tls/keyfile.h"

#define OTHERS (S_IRWXG | S_IRWXO)

static int check_mode(const char *path, char *error, size_t error_size)
{
        struct stat info;

        if (stat(path, &info) < 0) {
                int result = -errno;
                snprintf(error, error_size, "[gate] key = %s: %s", path, strerror(-result));
                return result;
        }
        if (!(info.st_mode & OTHERS))
                return 0;
        snprintf(error, error_size, "[gate] key = %s: others than its owner may use it (mode %03o); chmod 600 it", path,
                 (unsigned)info.st_mode & 0777);
        return -EACCES;
}

int gate_key_load(struct gate_key *key, const char *path, char *error, size_t error_size)
{
        struct gate_key next = { .there = true };
        int result;

        *key = (struct gate_key){ 0 };
        if (!path || !*path)
                return 0;
        result = check_mode(path, error, error_size);
        if (result < 0)
                return result;
        result = keyfile_load(path, NULL, next.seed);
        if (result == 0 && crypto_ed25519_public(next.seed, &next.key) == RELAY_OK) {
                *key = next;
        } else {
                snprintf(error, error_size, "[gate] key = %s: %s", path,
                         result == KEYFILE_PASSPHRASE ? "it must not have a passphrase: nobody could type it at boot"
                                                      : "not an Ed25519 private key (PKCS#8 PEM)");
                result = result < 0 ? result : -EBADMSG;
        }
        crypto_wipe(next.seed, sizeof(next.seed));
        return result;
}

void gate_key_wipe(struct gate_key *key)
{
        crypto_wipe(key, sizeof(*key));
}

static int sign(void *context, struct span message, uint8_t sig[SIGNATURE_SIZE])
{
        const struct gate_key *key = context;

        return crypto_ed25519_sign(key->seed, message, sig);
}

struct signer gate_key_signer(const struct gate_key *key)
{
        return (struct signer){ key->key, sign, (void *)key };
}
