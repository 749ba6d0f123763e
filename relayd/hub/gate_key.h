/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The gate's key: signs tickets and checkpoints, and opens nothing by itself. Only the hub has it; front ends never.
 */

#include "relay/cose.h"

struct gate_key {
        bool there;
        struct public_key key;
        uint8_t seed[ED25519_SEED_SIZE];
};

/*
 * Reads a PKCS#8 PEM file that nobody but its owner may read. path NULL or "": no key, which is fine.
 * 0, or negative errno with a sentence for people in error.
 */
int gate_key_load(struct gate_key *key, const char *path, char *error, size_t error_size);
void gate_key_wipe(struct gate_key *key);
/* Borrows the key. Only of one that is there. */
struct signer gate_key_signer(const struct gate_key *key);
