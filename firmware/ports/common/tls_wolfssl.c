/* SPDX-License-Identifier: GPL-2.0-or-later */
/* TLS 1.3 client for devices: pins instead of CAs, the private key behind port/secret.h, never in wolfSSL. */

#include <wolfssl/options.h>
#include <wolfssl/ssl.h>
#include <wolfssl/openssl/evp.h>
#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/ed25519.h>

#include "ports/common/tls_wolfssl.h"

#include <string.h>

#include "ports/common/spki.h"
#include "relay/der.h"

#define PLACEHOLDER_DER_SIZE 128

static int receive_callback(WOLFSSL *ssl, char *out, int size, void *context)
{
        struct tls_wolfssl_link *link = context;
        const struct port_net *net = link->owner->net;
        size_t done;

        (void)ssl;
        int r = net->receive(net->context, link->number, out, (size_t)size, &done);
        if (r == 0)
                return (int)done;
        return r == PORT_WANT ? WOLFSSL_CBIO_ERR_WANT_READ : WOLFSSL_CBIO_ERR_CONN_CLOSE;
}

static int send_callback(WOLFSSL *ssl, char *data, int size, void *context)
{
        struct tls_wolfssl_link *link = context;
        const struct port_net *net = link->owner->net;
        size_t done;

        (void)ssl;
        int r = net->send(net->context, link->number, span_of(data, (size_t)size), &done);
        if (r == 0)
                return (int)done;
        return r == PORT_WANT ? WOLFSSL_CBIO_ERR_WANT_WRITE : WOLFSSL_CBIO_ERR_CONN_CLOSE;
}

static int sign_callback(WOLFSSL *ssl, const unsigned char *in, unsigned int in_size, unsigned char *out,
                         unsigned int *out_size, const unsigned char *key, unsigned int key_size, void *context)
{
        struct tls_wolfssl_link *link = context;
        const struct port_secret *secret = link->owner->secret;

        (void)ssl;
        (void)key;
        (void)key_size;
        if (*out_size < SIGNATURE_SIZE || secret->sign(secret->context, span_of(in, in_size), out) != 0)
                return -1;
        *out_size = SIGNATURE_SIZE;
        return 0;
}

static bool is_pinned(const struct tls_wolfssl_link *link, struct span certificate)
{
        uint8_t digest[SHA256_SIZE];
        struct span spki;

        if (spki_of_certificate(certificate, &spki) != RELAY_OK || crypto_sha256(spki, digest) != RELAY_OK)
                return false;
        for (size_t i = 0; i < link->pin_count; i++)
                if (memcmp(digest, link->pins[i], SHA256_SIZE) == 0)
                        return true;
        return false;
}

/* wolfSSL knows no CA here, so it asks about every certificate; the answer depends on the leaf's key alone. */
static int verify_callback(int preverified, WOLFSSL_X509_STORE_CTX *store)
{
        struct tls_wolfssl_link *link = store->userCtx;

        (void)preverified;
        if (!link || !store->certs || store->totalCerts < 1)
                return 0;
        link->pinned = is_pinned(link, span_of(store->certs[0].buffer, store->certs[0].length));
        return link->pinned;
}

#if LIBWOLFSSL_VERSION_HEX >= 0x05006000 && defined(OPENSSL_EXTRA)
/*
 * Stands in for wolfSSL's function of this name. Debian 13's build turns each CA certificate of a peer's chain into an
 * OpenSSL-like object before it asks verify_callback(), cannot do that with Ed25519 keys, and then refuses the chain
 * with MEMORY_E. Nobody here reads these objects: an empty key is enough.
 */
__attribute__((visibility("default"), weak)) WOLFSSL_EVP_PKEY *wolfSSL_d2i_PUBKEY(WOLFSSL_EVP_PKEY **key,
                                                                                  const unsigned char **in, long size)
{
        (void)key;
        (void)in;
        (void)size;
        return wolfSSL_EVP_PKEY_new();
}
#endif

#if LIBWOLFSSL_VERSION_HEX >= 0x05006000
/*
 * wolfSSL 5.7 loses the signature's size when there is no key at all, and compares a bare private key with the
 * certificate. So it gets a whole pair, made here and now; the sign callback is asked instead of it.
 */
static int load_placeholder_key(WOLFSSL_CTX *context)
{
        uint8_t der[PLACEHOLDER_DER_SIZE];
        ed25519_key key;
        WC_RNG rng;
        int size = -1;

        if (wc_InitRng(&rng) != 0)
                return RELAY_E_CRYPTO;
        if (wc_ed25519_init(&key) == 0) {
                if (wc_ed25519_make_key(&rng, ED25519_KEY_SIZE, &key) == 0)
                        size = wc_Ed25519KeyToDer(&key, der, sizeof(der));
                wc_ed25519_free(&key);
        }
        wc_FreeRng(&rng);
        if (size < 0 || wolfSSL_CTX_use_PrivateKey_buffer(context, der, size, WOLFSSL_FILETYPE_ASN1) != WOLFSSL_SUCCESS)
                return RELAY_E_CRYPTO;
        return 0;
}
#else
/* wolfSSL 5.5 asks the sign callback only if there is no key. */
static int load_placeholder_key(WOLFSSL_CTX *context)
{
        (void)context;
        return 0;
}
#endif

int tls_wolfssl_shared_init(struct tls_wolfssl_shared *shared)
{
        static int groups[] = { WOLFSSL_ECC_X25519 };

        if (wolfSSL_Init() != WOLFSSL_SUCCESS)
                return RELAY_E_CRYPTO;
        WOLFSSL_CTX *context = wolfSSL_CTX_new(wolfTLSv1_3_client_method());
        if (!context)
                return RELAY_E_CRYPTO;
        wolfSSL_CTX_set_verify(context, WOLFSSL_VERIFY_PEER, verify_callback);
        wolfSSL_CTX_SetIORecv(context, receive_callback);
        wolfSSL_CTX_SetIOSend(context, send_callback);
        wolfSSL_CTX_SetEd25519SignCb(context, sign_callback);
        if (wolfSSL_CTX_set_cipher_list(context, "TLS13-CHACHA20-POLY1305-SHA256:TLS13-AES128-GCM-SHA256") !=
                    WOLFSSL_SUCCESS ||
            wolfSSL_CTX_set_groups(context, groups, 1) != WOLFSSL_SUCCESS || load_placeholder_key(context) != 0) {
                wolfSSL_CTX_free(context);
                return RELAY_E_CRYPTO;
        }
        shared->context = context;
        return 0;
}

void tls_wolfssl_shared_done(struct tls_wolfssl_shared *shared)
{
        wolfSSL_CTX_free(shared->context);
        shared->context = NULL;
        wolfSSL_Cleanup();
}

static int set_up(struct tls_wolfssl_link *link, const struct tls_target *target)
{
        struct tls_wolfssl *tls = link->owner;
        WOLFSSL *ssl = link->ssl;

        /* DER begins with a SEQUENCE, which is no character of PEM's first line */
        int format = tls->certificates.size > 0 && tls->certificates.data[0] == DER_SEQUENCE ? WOLFSSL_FILETYPE_ASN1
                                                                                             : WOLFSSL_FILETYPE_PEM;
        if (wolfSSL_use_certificate_chain_buffer_format(ssl, tls->certificates.data, (long)tls->certificates.size,
                                                        format) != WOLFSSL_SUCCESS ||
            wolfSSL_UseKeyShare(ssl, WOLFSSL_ECC_X25519) != WOLFSSL_SUCCESS)
                return RELAY_E_CRYPTO;
        /* a server with one certificate ignores the name; a numeric address is no name (RFC 6066 section 3) */
        if (strspn(target->host, "0123456789.:abcdef") != strlen(target->host) &&
            wolfSSL_UseSNI(ssl, WOLFSSL_SNI_HOST_NAME, target->host, (unsigned short)strlen(target->host)) !=
                    WOLFSSL_SUCCESS)
                return RELAY_E_CRYPTO;
#ifdef TLS_RECORD_MAX
        /* a server that knows RFC 6066 section 4 sends no larger record; one that does not needs a board with more heap
         */
        if (wolfSSL_UseMaxFragment(ssl, TLS_RECORD_MAX) != WOLFSSL_SUCCESS)
                return RELAY_E_CRYPTO;
#endif
        wolfSSL_SetIOReadCtx(ssl, link);
        wolfSSL_SetIOWriteCtx(ssl, link);
        wolfSSL_SetEd25519SignCtx(ssl, link);
        wolfSSL_SetCertCbCtx(ssl, link);
        return 0;
}

static void link_close(void *context, unsigned number)
{
        struct tls_wolfssl *tls = context;
        struct tls_wolfssl_link *link = &tls->links[number];

        if (link->ssl) {
                if (link->connected)
                        wolfSSL_shutdown(link->ssl);
                wolfSSL_free(link->ssl);
                link->ssl = NULL;
        }
        tls->net->close(tls->net->context, number);
}

static int link_open(void *context, unsigned number, const struct tls_target *target)
{
        struct tls_wolfssl *tls = context;
        struct tls_wolfssl_link *link = &tls->links[number];

        *link = (struct tls_wolfssl_link){ .owner = tls, .number = number, .pin_count = target->pin_count };
        memcpy(link->pins, target->pins, sizeof(link->pins));
        link->ssl = wolfSSL_new(tls->shared->context);
        if (!link->ssl)
                return RELAY_E_CRYPTO;
        int r = set_up(link, target);
        if (r == 0)
                r = tls->net->open(tls->net->context, number, target->host, target->port);
        if (r < 0)
                link_close(tls, number);
        return r;
}

static int wanted(WOLFSSL *ssl, int result)
{
        int error = wolfSSL_get_error(ssl, result);

        if (error == WOLFSSL_ERROR_WANT_READ || error == WOLFSSL_ERROR_WANT_WRITE)
                return PORT_WANT;
        return error == WOLFSSL_ERROR_ZERO_RETURN ? PORT_CLOSED : PORT_E_IO;
}

static int link_handshake(void *context, unsigned number)
{
        struct tls_wolfssl *tls = context;
        struct tls_wolfssl_link *link = &tls->links[number];

        if (!link->ssl)
                return PORT_E_IO;
        if (!link->connected) {
                int r = tls->net->connected(tls->net->context, number);
                if (r != 0)
                        return r;
                link->connected = true;
        }
        int result = wolfSSL_connect(link->ssl);
        if (result != WOLFSSL_SUCCESS) {
                int r = wanted(link->ssl, result);
                return r == PORT_WANT ? r : PORT_E_REFUSED;
        }
        return link->pinned ? 0 : PORT_E_REFUSED;
}

static int link_send(void *context, unsigned number, struct span data, size_t *done)
{
        struct tls_wolfssl *tls = context;
        WOLFSSL *ssl = tls->links[number].ssl;

        if (!ssl)
                return PORT_E_IO;
        int result = wolfSSL_write(ssl, data.data, (int)data.size);
        if (result <= 0)
                return wanted(ssl, result);
        *done = (size_t)result;
        return 0;
}

static int link_receive(void *context, unsigned number, void *out, size_t size, size_t *done)
{
        struct tls_wolfssl *tls = context;
        WOLFSSL *ssl = tls->links[number].ssl;

        if (!ssl)
                return PORT_E_IO;
        int result = wolfSSL_read(ssl, out, (int)size);
        if (result <= 0)
                return wanted(ssl, result);
        *done = (size_t)result;
        return 0;
}

void tls_wolfssl_init(struct tls_wolfssl *tls, struct tls_wolfssl_shared *shared, const struct port_net *net,
                      const struct port_secret *secret, struct span certificates)
{
        *tls = (struct tls_wolfssl){ .shared = shared, .net = net, .secret = secret, .certificates = certificates };
}

struct port_tls tls_wolfssl_port(struct tls_wolfssl *tls)
{
        return (struct port_tls){ .open = link_open,
                                  .handshake = link_handshake,
                                  .send = link_send,
                                  .receive = link_receive,
                                  .close = link_close,
                                  .context = tls };
}
