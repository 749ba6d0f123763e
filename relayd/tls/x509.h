/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * X.509 certificates (RFC 5280): what the hub checks about a peer, and making them for setup, factory and tests.
 */

#include <stdint.h>

#include "relay/key.h"
#include "relay/reason.h"
#include "relay/topic.h"

struct x509_facts {
        char identity[IDENTITY_SIZE]; /* the one CN of the subject; "" if there is none, two, or a foreign character */
        struct public_key key;        /* KEY_NONE if of another type */
        uint8_t fingerprint[SHA256_SIZE];
        uint64_t not_before, not_after; /* Unix seconds */
        bool is_ca;
};
/* DER; 0 or -EBADMSG */
int x509_parse(struct span der, struct x509_facts *out);

struct x509_trust; /* a set of CA certificates */
int x509_trust_new(struct x509_trust **ret);
struct x509_trust *x509_trust_free(struct x509_trust *trust);
int x509_trust_add_file(struct x509_trust *trust,
                        const char *pem_file); /* several certificates may follow each other */
/* chain of a client: DER, leaf first; signatures, CA flags, path length, name constraints, key usage (a CA, or a
 * certificate for servers only, is no client's). 0, or -EKEYREJECTED.
 * check_time = false on a gateway that does not know the time. */
int x509_trust_verify(struct x509_trust *trust, const struct span *chain, size_t count, bool check_time);

/*
 * What a device with DICE shows (docs/trust.md): a leaf of its boot stage, the device certificate, further ones.
 * Checked here: form of both, one CN that is a device's, equal subjects, path length 0, the constraint to exactly this
 * subject, the leaf's signature by the device certificate's key. NOT checked: whose key that is; x509_trust_verify()
 * (the device certificate is of a factory CA) or a registry that knows the key says so; nor times.
 */
struct x509_device {
        char identity[IDENTITY_MAX + 1];
        struct public_key identity_key;   /* the device certificate's */
        uint8_t fingerprint[SHA256_SIZE]; /* of the identity key */
        struct public_key key;            /* the leaf's: the application's */
        uint64_t not_before, not_after;   /* of the device certificate, Unix seconds; its leaves have no end */
};
/* DER, leaf first. 0; -ENOENT: no device certificate stands behind the leaf; -EKEYREJECTED, -EIO */
int x509_device_chain(const struct span *chain, size_t count, struct x509_device *out);
/*
 * Is a device certificate (or what cannot be read) among those behind the leaf? Then it is no server's chain: device
 * certificates say nothing of host names, and under a CA for devices and servers an opened device would be any server.
 */
bool x509_device_stands_behind(const struct span *chain, size_t count);

struct x509_request {
        const char *common_name, *organisation; /* organisation may be NULL */
        const char *dns_name;                   /* subjectAltName, may be NULL; "127.0.0.1" gives an IP address entry */
        struct public_key key;                  /* subject's */
        bool ca;
        bool device; /* a device certificate: a CA of exactly its own subject (common_name: a device's identity) */
        uint32_t days;
        bool for_server, for_client;
};
/* Signs with issuer_seed (Ed25519). issuer_der empty: self-signed. DER into w. 0 or -errno */
int x509_make(struct writer *w, const struct x509_request *request, struct span issuer_der,
              const uint8_t issuer_seed[ED25519_SEED_SIZE]);
/* PEM <-> DER files. mode: of the new file; refuses to overwrite (-EEXIST). *der is malloc'ed. */
int x509_save_pem(const char *path, struct span der, unsigned mode);
int x509_load_pem(const char *path, uint8_t **der, size_t *size);
