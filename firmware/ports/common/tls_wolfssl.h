/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* port/tls.h with wolfSSL, over any port/net.h. wolfSSL allocates; nothing else here does. */

#include "port/net.h"
#include "port/secret.h"
#include "port/tls.h"

struct WOLFSSL;
struct WOLFSSL_CTX;

/* What all devices of one process share. */
struct tls_wolfssl_shared {
        struct WOLFSSL_CTX *context;
};
/* 0 or RELAY_E_CRYPTO */
int tls_wolfssl_shared_init(struct tls_wolfssl_shared *shared);
void tls_wolfssl_shared_done(struct tls_wolfssl_shared *shared);

struct tls_wolfssl_link {
        struct WOLFSSL *ssl;
        struct tls_wolfssl *owner;
        unsigned number;
        bool connected; /* TCP */
        bool pinned;    /* the server showed a pinned key */
        uint8_t pins[2][SHA256_SIZE];
        size_t pin_count;
};

struct tls_wolfssl {
        struct tls_wolfssl_shared *shared;
        const struct port_net *net;
        const struct port_secret *secret;
        struct span certificates; /* DER, one after the other, or PEM; leaf first */
        struct tls_wolfssl_link links[PORT_LINKS];
};

/* Everything stays the caller's and must outlive tls. */
void tls_wolfssl_init(struct tls_wolfssl *tls, struct tls_wolfssl_shared *shared, const struct port_net *net,
                      const struct port_secret *secret, struct span certificates);
struct port_tls tls_wolfssl_port(struct tls_wolfssl *tls);
