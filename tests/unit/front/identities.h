/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * NAME.crt and NAME.key in the current folder.
 */
#include "scratch.h"

#include "tls/keyfile.h"
#include "tls/x509.h"

/* issuer: a name made before, or NULL for self-signed; number: the seed's first byte */
static inline void make_identity(const char *name, uint8_t number, const char *issuer, struct x509_request request)
{
        uint8_t seed[ED25519_SEED_SIZE] = { number }, issuer_seed[ED25519_SEED_SIZE], out[2048], *issuer_der = NULL;
        size_t issuer_size = 0;
        char path[64];
        struct writer w;

        memcpy(issuer_seed, seed, sizeof(seed));
        if (issuer) {
                snprintf(path, sizeof(path), "%s.key", issuer);
                assert_int_equal(keyfile_load(path, NULL, issuer_seed), 0);
                snprintf(path, sizeof(path), "%s.crt", issuer);
                assert_int_equal(x509_load_pem(path, &issuer_der, &issuer_size), 0);
        }
        request.days = request.days ? request.days : 100;
        assert_int_equal(crypto_ed25519_public(seed, &request.key), 0);
        writer_init(&w, out, sizeof(out));
        assert_int_equal(x509_make(&w, &request, span_of(issuer_der, issuer_size), issuer_seed), 0);
        free(issuer_der);
        snprintf(path, sizeof(path), "%s.crt", name);
        assert_int_equal(x509_save_pem(path, writer_span(&w), 0644), 0);
        snprintf(path, sizeof(path), "%s.key", name);
        assert_int_equal(keyfile_save(path, seed, NULL), 0);
}
