/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Ed25519 keys as OpenSSH writes them (RFC 4253 section 6.6, RFC 8709): the key blob
 *     string "ssh-ed25519", string key (32 bytes)          string: u32 length, bytes
 * and the line of a .pub file: "ssh-ed25519 BASE64 COMMENT".
 */

#include "relay/key.h"

#define SSH_BLOB_SIZE        51 /* bytes of a key blob */
#define SSH_FINGERPRINT_SIZE (7 + 43 + 1)

/* RELAY_OK; RELAY_E_UNSUPPORTED (a key of another type), RELAY_E_MALFORMED, RELAY_E_TRUNCATED */
int ssh_blob_read(struct span blob, struct public_key *key);
/* key: Ed25519 */
void ssh_blob_write(const struct public_key *key, uint8_t blob[SSH_BLOB_SIZE]);
/* "SHA256:..." as ssh-keygen -l shows it; returns out */
char *ssh_fingerprint(const struct public_key *key, char out[SSH_FINGERPRINT_SIZE]);
/* The first line of a .pub file. 0; -ENOENT if it is none; -EBADMSG if it is one of no Ed25519 key, or broken; -ENOMEM
 */
int ssh_line_read(struct span text, struct public_key *key);
