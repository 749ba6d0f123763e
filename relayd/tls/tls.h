/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * TLS 1.3 over a non-blocking socket. wolfSSL stays in this folder.
 * X25519 and P-256; ChaCha20-Poly1305 and AES-128-GCM; mutual authentication always. The sessions of a context share
 * buffers: one thread at a time works with a context and its sessions.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/key.h"

#define TLS_CHAIN_MAX 4

/* positive answers */
#define TLS_WANT_READ  1
#define TLS_WANT_WRITE 2
#define TLS_CLOSED     3 /* the peer closed properly */

struct tls_context;
struct tls;

struct tls_server_options {
        const char *certificate_file; /* PEM chain, leaf first */
        const char *key_file;         /* PEM; NULL: sign() is asked instead */
        /* Makes the server's CertificateVerify signature from the transcript hash (32 or 48 bytes); blocking; 0 or
         * -errno. */
        int (*sign)(void *context, struct span transcript_hash, uint8_t signature[SIGNATURE_SIZE]);
        void *sign_context;
};
/* The server asks every client for a certificate and checks that it holds its key; whom to believe is the hub's. */
/* 0; -ENOENT etc. for files that cannot be read, -EBADMSG: not a certificate, -EKEYREJECTED: key does not fit */
int tls_server_context_new(struct tls_context **ret, const struct tls_server_options *options);

struct tls_client_options {
        const char *certificate_file; /* PEM chain, leaf first */
        const char *key_file;         /* PEM (PKCS#8) */
        const char *ca_file;          /* PEM; or NULL: pins decide alone */
        uint8_t pins[2][SHA256_SIZE]; /* SHA-256 of the server key's SubjectPublicKeyInfo */
        size_t pin_count;             /* with pins, the server key must be one of them, whatever a CA says */
};
int tls_client_context_new(struct tls_context **ret, const struct tls_client_options *options);
struct tls_context *tls_context_free(struct tls_context *context);

/* fd: connected, non-blocking, stays the caller's. host: for the CA check and SNI; NULL for servers and pins.
 * -EINVAL: a CA file alone, without a host to look for */
int tls_new(struct tls **ret, struct tls_context *context, int fd, const char *host);
struct tls *tls_free(struct tls *tls);

/* 0 done, TLS_WANT_*, or -errno: -EKEYREJECTED (certificate or pin), -EPROTO (alert, no common version), -ECONNRESET,
 * -EPIPE */
int tls_handshake(struct tls *tls);
/* 0 and *done > 0, TLS_WANT_*, TLS_CLOSED, or -errno. After a tls_write() that answered TLS_WANT_WRITE, the next one
 * must begin with the same bytes. */
int tls_read(struct tls *tls, void *data, size_t size, size_t *done);
int tls_write(struct tls *tls, struct span data, size_t *done);
bool tls_pending(const struct tls *tls); /* decrypted bytes wait: read before sleeping */
void tls_close_notify(struct tls *tls);  /* best effort */
/* The peer's certificates (DER, leaf first), valid until tls_forget_peer_chain() or tls_free(). */
size_t tls_peer_chain(const struct tls *tls, struct span certificates[TLS_CHAIN_MAX]);
void tls_forget_peer_chain(struct tls *tls); /* saves its memory for the rest of the session */
/* "TLSv1.3, X25519, TLS_CHACHA20_POLY1305_SHA256", and the last error in words */
const char *tls_describe(const struct tls *tls);
const char *tls_error_string(const struct tls *tls);
