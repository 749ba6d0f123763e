/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* What the posix programs share: files, clock, entropy, log. */

#include "port/clock.h"
#include "port/entropy.h"
#include "port/log.h"
#include "relay/crypto.h"

/* the exit status of a process whose power was cut (--cut-after) */
#define POSIX_EXIT_CUT 86

/* Reads a whole file of at most max bytes; *data is malloc()ed and the caller's. 0 or -errno (-EFBIG). */
int posix_read_file(const char *path, size_t max, uint8_t **data, size_t *size);
/* The 32-byte seed of an unencrypted Ed25519 private key in PKCS#8 PEM (RFC 8410). 0, -EINVAL, -errno. */
int posix_read_key(const char *path, uint8_t seed[ED25519_SEED_SIZE]);

/*
 * Certificates in PEM, as DER one after the other: at most max of them, *data (malloc()ed, the caller's) holds them.
 * 0 and *count, -EINVAL (none, or not readable), -E2BIG (more), -errno.
 */
int posix_read_certificates(const char *path, struct span *certificates, size_t max, size_t *count, uint8_t **data);
/* Creates the file with an Ed25519 public key in PEM (RFC 8410). 0 or -errno (-EEXIST) */
int posix_write_public_key(const char *path, const struct public_key *key);
/* Creates a file with these bytes, mode 0666 before umask. 0 or -errno (-EEXIST) */
int posix_write_file(const char *path, struct span bytes);

struct port_clock posix_clock(void);     /* CLOCK_MONOTONIC */
struct port_entropy posix_entropy(void); /* getrandom() */
/* lines to stderr: "<6>NAME: text" with journald's level prefixes; name must stay */
struct port_log posix_log(const char *name);

#define POSIX_DIGEST_SIZE 80 /* 16 groups of four digits, and what is between them */
/* The digest as people read it out to each other: groups of four hexadecimal digits. Returns out. */
char *posix_format_digest(const uint8_t digest[SHA256_SIZE], char out[POSIX_DIGEST_SIZE]);
