/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The signing thread: makes the front ends' TLS 1.3 handshake signatures (RFC 8446 section 4.4.3), and nothing else.
 * It alone has the relay's TLS key, its own thread and its own SEQPACKET socket, so neither the disk nor the hub's
 * loop delays a handshake. It signs only a content it builds itself around a hash.
 */

#include <stdint.h>
#include <sys/types.h>

#include "relay/key.h"

struct signer;

struct signer_options {
        const char *path;       /* of the socket; replaced if one is there; mode 0660 */
        const char *key_file;   /* Ed25519, PKCS#8 PEM */
        const char *passphrase; /* or NULL */
        uid_t peer_uid;         /* who may connect besides our own uid; (uid_t)-1: nobody else */
        gid_t group;            /* of the socket; (gid_t)-1: as it is */
};
/* Loads the key, listens, starts the thread. 0; KEYFILE_PASSPHRASE (tls/keyfile.h); -errno */
int signer_start(struct signer **ret, const struct signer_options *options);
/* Ends the thread, removes the socket, wipes the key. NULL-safe, returns NULL */
struct signer *signer_stop(struct signer *signer);
void signer_public_key(const struct signer *signer, struct public_key *key);
uint64_t signer_count(const struct signer *signer); /* signatures made so far */

/* content that is signed: 64 spaces, context string, 0, hash (32 or 48 bytes). Returns its size, 0 for other hashes */
#define SIGNER_CONTENT_MAX (64 + 33 + 1 + 48)
size_t signer_content(struct span hash, uint8_t out[SIGNER_CONTENT_MAX]);
