/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tls/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include <wolfssl/options.h>
#include <wolfssl/ssl.h>
#include <wolfssl/error-ssl.h>
#include <wolfssl/openssl/evp.h>
#include <wolfssl/wolfcrypt/asn_public.h>
#include <wolfssl/wolfcrypt/ed25519.h>
#include <wolfssl/wolfcrypt/kdf.h>

#include "tls/certificate.h"
#include "tls/stream.h"
#include "tls/x509.h"
#include "util/cleanup.h"

#define SUITE_CHACHA         "TLS13-CHACHA20-POLY1305-SHA256"
#define SUITE_AES            "TLS13-AES128-GCM-SHA256"
#define CIPHER_SUITES        SUITE_CHACHA ":" SUITE_AES
#define ALPN_NAME            "mqtt"
#define CHAIN_BYTES_MAX      (16 * 1024) /* of a peer's certificates together */
#define DESCRIPTION_SIZE     80
#define ERROR_STRING_SIZE    160
#define PLACEHOLDER_DER_SIZE 128

struct tls_context {
        WOLFSSL_CTX *ctx;
        struct stream_scratch *scratch;
        bool server;
        bool check_ca;
        uint8_t pins[2][SHA256_SIZE];
        size_t pin_count;
        int (*sign)(void *context, struct span transcript_hash, uint8_t signature[SIGNATURE_SIZE]);
        void *sign_context;
};

struct tls {
        WOLFSSL *ssl; /* NULL once the handshake is done: the stream goes on without it */
        struct stream stream;
        struct tls_context *context;
        uint8_t client_secret[RECORD_SECRET_SIZE], server_secret[RECORD_SECRET_SIZE]; /* for application data */
        bool has_client_secret, has_server_secret;
        bool established;
        char *host;
        bool believed;  /* the certificate check ran and agreed */
        int sign_error; /* of context->sign() */
        const char *refusal;
        uint8_t *chain_bytes;
        struct span chain[TLS_CHAIN_MAX];
        size_t chain_count;
        char description[DESCRIPTION_SIZE];
        char error[ERROR_STRING_SIZE];
};

static const char content_start[] = "                                                                "
                                    "TLS 1.3, server CertificateVerify"; /* and a 0 byte: RFC 8446 section 4.4.3 */

/* wolfSSL hands over the whole content; only the hash goes on, and whoever signs builds the content again */
static int sign_callback(WOLFSSL *ssl, const unsigned char *in, unsigned int in_size, unsigned char *out,
                         unsigned int *out_size, const unsigned char *key, unsigned int key_size, void *context)
{
        struct tls *tls = context;

        (void)ssl, (void)key, (void)key_size;
        if (in_size != sizeof(content_start) + 32 && in_size != sizeof(content_start) + 48)
                return BAD_FUNC_ARG;
        if (memcmp(in, content_start, sizeof(content_start)) != 0 || *out_size < SIGNATURE_SIZE)
                return BAD_FUNC_ARG;
        struct span hash = span_of(in + sizeof(content_start), in_size - sizeof(content_start));
        tls->sign_error = tls->context->sign(tls->context->sign_context, hash, out);
        if (tls->sign_error < 0)
                return BAD_STATE_E;
        *out_size = SIGNATURE_SIZE;
        return 0;
}

/* A session needs the peer's chain until the hub has it; wolfSSL's own copy would stay for the session's life. */
static bool keep_chain(struct tls *tls, const WOLFSSL_BUFFER_INFO *certificates, int count)
{
        size_t total = 0, at = 0;

        if (count < 1 || count > TLS_CHAIN_MAX)
                return false;
        for (int i = 0; i < count; i++)
                total += certificates[i].length;
        if (total > CHAIN_BYTES_MAX)
                return false;
        free(tls->chain_bytes);
        tls->chain_count = 0;
        tls->chain_bytes = malloc(total);
        if (!tls->chain_bytes)
                return false;
        for (int i = 0; i < count; i++) {
                memcpy(tls->chain_bytes + at, certificates[i].buffer, certificates[i].length);
                tls->chain[i] = span_of(tls->chain_bytes + at, certificates[i].length);
                at += certificates[i].length;
        }
        tls->chain_count = (size_t)count;
        return true;
}

static bool is_pinned(const struct tls_context *context, const uint8_t fingerprint[SHA256_SIZE])
{
        for (size_t i = 0; i < context->pin_count; i++)
                if (span_equal_constant_time(span_of(fingerprint, SHA256_SIZE), SPAN_OF(context->pins[i])))
                        return true;
        return false;
}

/* NULL, or why the peer's certificate is refused */
static const char *check_leaf(const struct tls *tls, bool chain_is_good)
{
        const struct tls_context *context = tls->context;
        struct certificate leaf;
        struct x509_facts facts;

        if (x509_parse(tls->chain[0], &facts) < 0 || certificate_parse(tls->chain[0], &leaf) != RELAY_OK)
                return "the certificate cannot be read";
        if (context->server) /* the hub knows whom to believe; here the peer only has to prove its key */
                return facts.key.type == KEY_NONE ? "the certificate's key is neither Ed25519 nor P-256" : NULL;
        if (context->pin_count && !is_pinned(context, facts.fingerprint))
                return "the server's key is not the pinned one";
        if (context->check_ca && !chain_is_good)
                return "no CA of ours stands behind the server's certificate";
        if (context->check_ca && x509_device_stands_behind(tls->chain, tls->chain_count))
                return "a device stands behind the server's certificate";
        if (context->check_ca && tls->host && !certificate_names_host(&leaf, tls->host))
                return "the server's certificate is for another host";
        return NULL;
}

/*
 * wolfSSL keeps each CA that a chain brought along, for all connections of this context: what is refused with the leaf
 * would stand behind another leaf, which comes alone.
 */
static bool check_above(struct tls *tls, const WOLFSSL_X509_STORE_CTX *store)
{
        struct span chain[2] = { SPAN_EMPTY };

        if (store->error_depth < store->totalCerts)
                chain[1] = span_of(store->certs[store->error_depth].buffer, store->certs[store->error_depth].length);
        if (x509_device_stands_behind(chain, 2)) /* or it cannot be read */
                tls->refusal = "a device stands behind the server's certificate";
        return tls->refusal == NULL;
}

static int verify_callback(int chain_is_good, WOLFSSL_X509_STORE_CTX *store)
{
        struct tls *tls = store->userCtx;

        store->discardSessionCerts = 1;
        if (!tls)
                return 0;
        if (store->error_depth != 0) /* the leaf comes last and decides */
                return !tls->context->check_ca || (chain_is_good && check_above(tls, store));
        if (!keep_chain(tls, store->certs, store->totalCerts))
                tls->refusal = "the certificate chain is too long";
        else
                tls->refusal = check_leaf(tls, chain_is_good);
        tls->believed = tls->refusal == NULL;
        return tls->believed;
}

/* The handshake this thread is at work on: wolfSSL does not tell the callback below whose key schedule it sees. */
static _Thread_local struct tls *shaking;

/* wolfSSL keeps the traffic secrets to itself, but lets its key schedule (RFC 8446 section 7.1) be done here. */
static int expand_callback(unsigned char *out, unsigned int out_size, const unsigned char *secret,
                           unsigned int secret_size, const unsigned char *protocol, unsigned int protocol_size,
                           const unsigned char *label, unsigned int label_size, const unsigned char *info,
                           unsigned int info_size, int digest, int side)
{
        struct span name = span_of(label, label_size);

        (void)side;
        int r = wc_Tls13_HKDF_Expand_Label(out, out_size, secret, secret_size, protocol, protocol_size, label,
                                           label_size, info, info_size, digest);
        if (r != 0 || !shaking || out_size != RECORD_SECRET_SIZE)
                return r;
        if (span_equal(name, SPAN_LITERAL("c ap traffic"))) {
                memcpy(shaking->client_secret, out, RECORD_SECRET_SIZE);
                shaking->has_client_secret = true;
        } else if (span_equal(name, SPAN_LITERAL("s ap traffic"))) {
                memcpy(shaking->server_secret, out, RECORD_SECRET_SIZE);
                shaking->has_server_secret = true;
        }
        return 0;
}

static int context_new(struct tls_context **ret, WOLFSSL_METHOD *method, int verify)
{
        int groups[] = { WOLFSSL_ECC_X25519, WOLFSSL_ECC_SECP256R1 };
        struct tls_context *context = calloc(1, sizeof(*context));

        if (!context || wolfSSL_Init() != WOLFSSL_SUCCESS) {
                free(context);
                return -ENOMEM;
        }
        context->ctx = wolfSSL_CTX_new(method);
        context->scratch = malloc(sizeof(*context->scratch));
        if (!context->ctx || !context->scratch ||
            wolfSSL_CTX_set_cipher_list(context->ctx, CIPHER_SUITES) != WOLFSSL_SUCCESS ||
            wolfSSL_CTX_set_groups(context->ctx, groups, 2) != WOLFSSL_SUCCESS) {
                tls_context_free(context);
                return -ENOMEM;
        }
        wolfSSL_CTX_set_verify(context->ctx, verify, verify_callback);
        wolfSSL_CTX_set_session_cache_mode(context->ctx, WOLFSSL_SESS_CACHE_OFF);
        wolfSSL_CTX_no_ticket_TLSv13(context->ctx);
        wolfSSL_CTX_SetHKDFExpandLabelCb(context->ctx, expand_callback);
        *ret = context;
        return 0;
}

struct tls_context *tls_context_free(struct tls_context *context)
{
        if (!context)
                return NULL;
        wolfSSL_CTX_free(context->ctx);
        wolfSSL_Cleanup();
        free(context->scratch);
        free(context);
        return NULL;
}

static int load_identity(struct tls_context *context, const char *certificate_file, const char *key_file)
{
        if (access(certificate_file, R_OK) < 0 || (key_file && access(key_file, R_OK) < 0))
                return -errno;
        if (wolfSSL_CTX_use_certificate_chain_file(context->ctx, certificate_file) != WOLFSSL_SUCCESS)
                return -EBADMSG;
        if (key_file &&
            (wolfSSL_CTX_use_PrivateKey_file(context->ctx, key_file, WOLFSSL_FILETYPE_PEM) != WOLFSSL_SUCCESS ||
             wolfSSL_CTX_check_private_key(context->ctx) != WOLFSSL_SUCCESS))
                return -EKEYREJECTED;
        return 0;
}

#if LIBWOLFSSL_VERSION_HEX >= 0x05006000
/*
 * Stands in for wolfSSL's function of this name. Debian 13's build turns each CA certificate of a peer's chain into an
 * OpenSSL-like object before it asks verify_callback(), cannot do that with Ed25519 keys, and then refuses the chain
 * with MEMORY_E. Nobody here reads these objects: an empty key is enough.
 */
__attribute__((visibility("default"), weak)) WOLFSSL_EVP_PKEY *wolfSSL_d2i_PUBKEY(WOLFSSL_EVP_PKEY **key,
                                                                                  const unsigned char **in, long size)
{
        (void)key, (void)in, (void)size;
        return wolfSSL_EVP_PKEY_new();
}

/*
 * wolfSSL 5.7 loses the signature's size when a server has no key at all, and compares a bare private key with the
 * certificate. So it gets a whole pair, made here and now; the sign callback is asked instead of it.
 */
static int load_placeholder_key(struct tls_context *context)
{
        uint8_t der[PLACEHOLDER_DER_SIZE];
        ed25519_key key;
        WC_RNG rng;
        int size = -1;

        if (wc_InitRng(&rng) != 0)
                return -EIO;
        if (wc_ed25519_init(&key) == 0) {
                if (wc_ed25519_make_key(&rng, ED25519_KEY_SIZE, &key) == 0)
                        size = wc_Ed25519KeyToDer(&key, der, sizeof(der));
                wc_ed25519_free(&key);
        }
        wc_FreeRng(&rng);
        if (size < 0 ||
            wolfSSL_CTX_use_PrivateKey_buffer(context->ctx, der, size, WOLFSSL_FILETYPE_ASN1) != WOLFSSL_SUCCESS)
                return -EIO;
        return 0;
}
#else
/* wolfSSL 5.5 asks the sign callback only if there is no key. */
static int load_placeholder_key(struct tls_context *context)
{
        (void)context;
        return 0;
}
#endif

static int ask_for_signatures(struct tls_context *context, const struct tls_server_options *options)
{
        context->sign = options->sign;
        context->sign_context = options->sign_context;
        wolfSSL_CTX_SetEd25519SignCb(context->ctx, sign_callback);
        return load_placeholder_key(context);
}

int tls_server_context_new(struct tls_context **ret, const struct tls_server_options *options)
{
        struct tls_context *context = NULL;

        if (!options->key_file && !options->sign)
                return -EINVAL;
        int r = context_new(&context, wolfTLSv1_3_server_method(),
                            WOLFSSL_VERIFY_PEER | WOLFSSL_VERIFY_FAIL_IF_NO_PEER_CERT);
        if (r < 0)
                return r;
        r = load_identity(context, options->certificate_file, options->key_file);
        if (r == 0 && !options->key_file)
                r = ask_for_signatures(context, options);
        if (r < 0) {
                tls_context_free(context);
                return r;
        }
        context->server = true;
        *ret = context;
        return 0;
}

int tls_client_context_new(struct tls_context **ret, const struct tls_client_options *options)
{
        struct tls_context *context = NULL;

        if (options->pin_count > 2 || (!options->ca_file && options->pin_count == 0))
                return -EINVAL;
        int r = context_new(&context, wolfTLSv1_3_client_method(), WOLFSSL_VERIFY_PEER);
        if (r < 0)
                return r;
        r = load_identity(context, options->certificate_file, options->key_file);
        if (r == 0 && options->ca_file && access(options->ca_file, R_OK) < 0)
                r = -errno;
        if (r == 0 && options->ca_file &&
            wolfSSL_CTX_load_verify_locations(context->ctx, options->ca_file, NULL) != WOLFSSL_SUCCESS)
                r = -EBADMSG;
        if (r < 0) {
                tls_context_free(context);
                return r;
        }
        context->check_ca = options->ca_file != NULL;
        memcpy(context->pins, options->pins, sizeof(context->pins));
        context->pin_count = options->pin_count;
        *ret = context;
        return 0;
}

static int prepare_client(struct tls *tls, const char *host)
{
        struct in6_addr unused;

        if (wolfSSL_UseKeyShare(tls->ssl, WOLFSSL_ECC_X25519) != WOLFSSL_SUCCESS)
                return -ENOMEM;
        if (!host)
                return tls->context->check_ca && !tls->context->pin_count ? -EINVAL : 0;
        tls->host = strdup(host);
        if (!tls->host)
                return -ENOMEM;
        /* RFC 6066 section 3: no addresses in SNI */
        bool is_address = inet_pton(AF_INET, host, &unused) == 1 || inet_pton(AF_INET6, host, &unused) == 1;
        if (!is_address &&
            wolfSSL_UseSNI(tls->ssl, WOLFSSL_SNI_HOST_NAME, host, (unsigned short)strlen(host)) != WOLFSSL_SUCCESS)
                return -EINVAL;
        return 0;
}

static int prepare_server(struct tls *tls)
{
        char name[] = ALPN_NAME;

        if (tls->context->sign)
                wolfSSL_SetEd25519SignCtx(tls->ssl, tls);
        return wolfSSL_UseALPN(tls->ssl, name, sizeof(name) - 1, WOLFSSL_ALPN_FAILED_ON_MISMATCH) == WOLFSSL_SUCCESS
                       ? 0
                       : -ENOMEM;
}

int tls_new(struct tls **ret, struct tls_context *context, int fd, const char *host)
{
        struct tls *tls = calloc(1, sizeof(*tls));

        if (!tls)
                return -ENOMEM;
        tls->context = context;
        tls->ssl = wolfSSL_new(context->ctx);
        if (!tls->ssl || wolfSSL_set_fd(tls->ssl, fd) != WOLFSSL_SUCCESS) {
                tls_free(tls);
                return -ENOMEM;
        }
        wolfSSL_SetCertCbCtx(tls->ssl, tls);
        wolfSSL_SetIOWriteFlags(tls->ssl, MSG_NOSIGNAL);
        wolfSSL_set_using_nonblock(tls->ssl, 1);
        int r = context->server ? prepare_server(tls) : prepare_client(tls, host);
        if (r < 0) {
                tls_free(tls);
                return r;
        }
        *ret = tls;
        return 0;
}

struct tls *tls_free(struct tls *tls)
{
        if (!tls)
                return NULL;
        wolfSSL_free(tls->ssl);
        stream_free(&tls->stream);
        crypto_wipe(tls->client_secret, sizeof(tls->client_secret));
        crypto_wipe(tls->server_secret, sizeof(tls->server_secret));
        free(tls->chain_bytes);
        free(tls->host);
        free(tls);
        return NULL;
}

static int note_error(struct tls *tls, int error)
{
        char text[WOLFSSL_MAX_ERROR_SZ];

        if (tls->refusal) {
                snprintf(tls->error, sizeof(tls->error), "%s", tls->refusal);
                return -EKEYREJECTED;
        }
        if (tls->sign_error < 0) {
                snprintf(tls->error, sizeof(tls->error), "no signature for the handshake");
                return tls->sign_error;
        }
        if (error == SOCKET_PEER_CLOSED_E || error == SOCKET_ERROR_E) {
                snprintf(tls->error, sizeof(tls->error), "connection lost");
                return -ECONNRESET;
        }
        wolfSSL_ERR_error_string((unsigned long)error, text);
        snprintf(tls->error, sizeof(tls->error), "%.140s (%d)", text, error);
        return error == NO_PEER_CERT ? -EKEYREJECTED : -EPROTO;
}

static int answer(struct tls *tls, int result)
{
        int error = wolfSSL_get_error(tls->ssl, result);

        switch (error) {
        case WOLFSSL_ERROR_WANT_READ:
                return TLS_WANT_READ;
        case WOLFSSL_ERROR_WANT_WRITE:
                return TLS_WANT_WRITE;
        case WOLFSSL_ERROR_ZERO_RETURN:
                return TLS_CLOSED;
        default:
                return note_error(tls, error);
        }
}

/* wolfSSL's name to the registered one (RFC 8446 appendix B.4) */
static const char *suite_name(const char *name)
{
        static const char *const names[][2] = {
                { SUITE_CHACHA, "TLS_CHACHA20_POLY1305_SHA256" },
                { SUITE_AES, "TLS_AES_128_GCM_SHA256" },
        };

        for (size_t i = 0; name && i < sizeof(names) / sizeof(names[0]); i++)
                if (strcmp(name, names[i][0]) == 0)
                        return names[i][1];
        return name ? name : "unknown";
}

static void describe(struct tls *tls)
{
        snprintf(tls->description, sizeof(tls->description), "%s, %s, %s", wolfSSL_get_version(tls->ssl),
                 wolfSSL_get_curve_name(tls->ssl), suite_name(wolfSSL_get_cipher_name(tls->ssl)));
}

/*
 * The stream goes on where wolfSSL stands: nothing was sent or opened under the new keys, and wolfSSL reads record by
 * record, so that whatever follows the last Finished still waits in the socket.
 */
static int begin_stream(struct tls *tls)
{
        const char *suite = wolfSSL_get_cipher_name(tls->ssl);
        word64 sent = 1, received = 1;

        wolfSSL_GetSequenceNumber(tls->ssl, &sent);
        wolfSSL_GetPeerSequenceNumber(tls->ssl, &received);
        if (!tls->has_client_secret || !tls->has_server_secret || sent || received || wolfSSL_pending(tls->ssl))
                return -EPROTO;
        bool aes = suite && strcmp(suite, SUITE_AES) == 0, server = tls->context->server;
        if (!aes && (!suite || strcmp(suite, SUITE_CHACHA) != 0))
                return -EPROTO;
        tls->stream.fd = wolfSSL_get_fd(tls->ssl);
        tls->stream.scratch = tls->context->scratch;
        int most = wolfSSL_GetMaxOutputSize(tls->ssl); /* small devices ask for less (RFC 6066 section 4) */
        tls->stream.plain_max = most > 0 && most < RECORD_PLAIN_MAX ? (size_t)most : RECORD_PLAIN_MAX;
        return record_init(&tls->stream.record, aes ? RECORD_AES_128_GCM : RECORD_CHACHA20_POLY1305, server,
                           server ? tls->client_secret : tls->server_secret,
                           server ? tls->server_secret : tls->client_secret);
}

static int establish(struct tls *tls)
{
        if (!tls->believed) { /* no path may lead here without the check */
                tls->refusal = "no certificate";
                return note_error(tls, 0);
        }
        describe(tls);
        int r = begin_stream(tls);
        if (r < 0) {
                tls->refusal = "the handshake left no usable keys";
                note_error(tls, 0);
                return r;
        }
        crypto_wipe(tls->client_secret, sizeof(tls->client_secret));
        crypto_wipe(tls->server_secret, sizeof(tls->server_secret));
        wolfSSL_free(tls->ssl);
        tls->ssl = NULL;
        tls->established = true;
        return 0;
}

int tls_handshake(struct tls *tls)
{
        if (tls->established)
                return 0;
        shaking = tls;
        int result = tls->context->server ? wolfSSL_accept(tls->ssl) : wolfSSL_connect(tls->ssl);
        shaking = NULL;

        if (result != WOLFSSL_SUCCESS) {
                int r = answer(tls, result);
                return r == TLS_CLOSED ? -ECONNRESET : r;
        }
        return establish(tls);
}

int tls_read(struct tls *tls, void *data, size_t size, size_t *done)
{
        if (!tls->established)
                return -ENOTCONN;
        return stream_answer(&tls->stream, stream_read(&tls->stream, data, size, done), tls->error, sizeof(tls->error));
}

int tls_write(struct tls *tls, struct span data, size_t *done)
{
        if (!tls->established)
                return -ENOTCONN;
        return stream_answer(&tls->stream, stream_write(&tls->stream, data, done), tls->error, sizeof(tls->error));
}

bool tls_pending(const struct tls *tls)
{
        return tls->established && stream_pending(&tls->stream);
}

void tls_close_notify(struct tls *tls)
{
        if (tls->established)
                stream_close_notify(&tls->stream);
        else
                wolfSSL_shutdown(tls->ssl);
}

size_t tls_peer_chain(const struct tls *tls, struct span certificates[TLS_CHAIN_MAX])
{
        memcpy(certificates, tls->chain, sizeof(tls->chain));
        return tls->chain_count;
}

void tls_forget_peer_chain(struct tls *tls)
{
        free(tls->chain_bytes);
        tls->chain_bytes = NULL;
        tls->chain_count = 0;
}

const char *tls_describe(const struct tls *tls)
{
        return tls->description;
}

const char *tls_error_string(const struct tls *tls)
{
        return tls->error;
}
