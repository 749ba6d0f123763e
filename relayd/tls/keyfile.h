/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Ed25519 private keys in files: PKCS#8 PEM (RFC 8410), optionally under a passphrase (PBES2, AES-256-CBC), readable by
 * openssl; public halves as SubjectPublicKeyInfo PEM (KEY.pub).
 */

#include "relay/key.h"

/* 0; -EEXIST (never overwrites); passphrase NULL or "": unencrypted. The file gets mode 0600. */
int keyfile_save(const char *path, const uint8_t seed[ED25519_SEED_SIZE], const char *passphrase);
/* positive answer: the file is encrypted and the passphrase is missing or wrong */
#define KEYFILE_PASSPHRASE 1
int keyfile_load(const char *path, const char *passphrase, uint8_t seed[ED25519_SEED_SIZE]);
int keyfile_save_public(const char *path, const struct public_key *key);
/* PEM SubjectPublicKeyInfo, or a certificate's key (Ed25519 or P-256); or a line of OpenSSH ("ssh-ed25519 AAAA...") */
int keyfile_load_public(const char *path, struct public_key *key);
