/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PKCS#8 (RFC 5958, RFC 8410) and its encrypted form with PBES2: PBKDF2-HMAC-SHA256, AES-256-CBC (RFC 8018), which is
 * what "openssl genpkey -aes256" writes.
 */
#include "tls/keyfile.h"

#include <errno.h>
#include <string.h>

#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/aes.h>
#include <wolfssl/wolfcrypt/pwdbased.h>

#include "tls/certificate.h"
#include "relay/der.h"
#include "tls/pem.h"
#include "tls/sshkey.h"
#include "util/cleanup.h"
#include "util/files.h"

#define OID_PBES2       SPAN_LITERAL("\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0d")
#define OID_PBKDF2      SPAN_LITERAL("\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0c")
#define OID_HMAC_SHA256 SPAN_LITERAL("\x2a\x86\x48\x86\xf7\x0d\x02\x09")
#define OID_AES_256_CBC SPAN_LITERAL("\x60\x86\x48\x01\x65\x03\x04\x01\x2a")

#define PLAIN_MAX      256     /* bytes of an Ed25519 PKCS#8 structure: 48, more with attributes */
#define ITERATIONS     600000  /* OWASP's figure for PBKDF2-HMAC-SHA256 */
#define ITERATIONS_MAX 5000000 /* a foreign file must not hang us */
#define SALT_SIZE      16
#define SALT_MAX       64
#define KEY_SIZE       32
#define ENCRYPTED_MAX  (PLAIN_MAX + 256)

/* how an encrypted file was made */
struct envelope {
        struct span salt, iv, ciphertext;
        uint32_t iterations;
};

static bool is_given(const char *passphrase)
{
        return passphrase && *passphrase;
}

static size_t put_plain(const uint8_t seed[ED25519_SEED_SIZE], uint8_t out[PLAIN_MAX])
{
        struct writer w;

        writer_init(&w, out, PLAIN_MAX);
        size_t info = der_begin(&w, DER_SEQUENCE);
        der_put_u32(&w, 0);
        size_t algorithm = der_begin(&w, DER_SEQUENCE);
        der_put(&w, DER_OID, OID_ED25519);
        der_end(&w, algorithm);
        size_t key = der_begin(&w, DER_OCTET_STRING);
        der_put(&w, DER_OCTET_STRING, span_of(seed, ED25519_SEED_SIZE));
        der_end(&w, key);
        der_end(&w, info);
        return w.at;
}

static int get_plain(struct span der, uint8_t seed[ED25519_SEED_SIZE])
{
        struct reader r;

        reader_init(&r, der);
        struct reader info = der_enter(&r, DER_SEQUENCE);
        uint64_t version = der_get_u64(&info);
        struct reader algorithm = der_enter(&info, DER_SEQUENCE);
        struct span oid = der_get(&algorithm, DER_OID);
        struct reader octets = der_enter(&info, DER_OCTET_STRING);
        struct span key = der_get(&octets, DER_OCTET_STRING);
        /* attributes [0] and the public key [1] (RFC 5958) may follow and are not needed */
        if (version > 1 || info.result != RELAY_OK || reader_finish(&algorithm) != RELAY_OK ||
            reader_finish(&octets) != RELAY_OK || reader_finish(&r) != RELAY_OK || !span_equal(oid, OID_ED25519) ||
            key.size != ED25519_SEED_SIZE)
                return -EBADMSG;
        memcpy(seed, key.data, ED25519_SEED_SIZE);
        return 0;
}

static int aes_cbc(const char *passphrase, const struct envelope *e, uint8_t *out, int direction)
{
        uint8_t key[KEY_SIZE];
        Aes aes;

        if (wc_PBKDF2(key, (const byte *)passphrase, (int)strlen(passphrase), e->salt.data, (int)e->salt.size,
                      (int)e->iterations, KEY_SIZE, WC_SHA256) != 0)
                return -EIO;
        int failed = wc_AesInit(&aes, NULL, INVALID_DEVID);
        if (!failed) {
                failed = wc_AesSetKey(&aes, key, KEY_SIZE, e->iv.data, direction);
                if (!failed && direction == AES_ENCRYPTION)
                        failed = wc_AesCbcEncrypt(&aes, out, e->ciphertext.data, (word32)e->ciphertext.size);
                else if (!failed)
                        failed = wc_AesCbcDecrypt(&aes, out, e->ciphertext.data, (word32)e->ciphertext.size);
                wc_AesFree(&aes);
        }
        crypto_wipe(key, sizeof(key));
        return failed ? -EIO : 0;
}

static void put_scheme(struct writer *w, const struct envelope *e)
{
        size_t scheme = der_begin(w, DER_SEQUENCE);
        der_put(w, DER_OID, OID_PBES2);
        size_t parameters = der_begin(w, DER_SEQUENCE);

        size_t derivation = der_begin(w, DER_SEQUENCE);
        der_put(w, DER_OID, OID_PBKDF2);
        size_t derivation_parameters = der_begin(w, DER_SEQUENCE);
        der_put(w, DER_OCTET_STRING, e->salt);
        der_put_u32(w, e->iterations);
        size_t prf = der_begin(w, DER_SEQUENCE);
        der_put(w, DER_OID, OID_HMAC_SHA256);
        der_put(w, DER_NULL, SPAN_EMPTY);
        der_end(w, prf);
        der_end(w, derivation_parameters);
        der_end(w, derivation);

        size_t cipher = der_begin(w, DER_SEQUENCE);
        der_put(w, DER_OID, OID_AES_256_CBC);
        der_put(w, DER_OCTET_STRING, e->iv);
        der_end(w, cipher);
        der_end(w, parameters);
        der_end(w, scheme);
}

/* pads plain in place (PKCS#7 padding, RFC 5652 section 6.3) */
static int encrypt(uint8_t plain[PLAIN_MAX], size_t size, const char *passphrase, struct writer *w)
{
        uint8_t salt[SALT_SIZE], iv[AES_BLOCK_SIZE], ciphertext[PLAIN_MAX];
        size_t padding = AES_BLOCK_SIZE - size % AES_BLOCK_SIZE;

        if (crypto_random(salt, sizeof(salt)) != RELAY_OK || crypto_random(iv, sizeof(iv)) != RELAY_OK)
                return -EIO;
        memset(plain + size, (int)padding, padding);
        struct envelope e = { SPAN_OF(salt), SPAN_OF(iv), span_of(plain, size + padding), ITERATIONS };
        int r = aes_cbc(passphrase, &e, ciphertext, AES_ENCRYPTION);
        if (r < 0)
                return r;
        size_t info = der_begin(w, DER_SEQUENCE);
        put_scheme(w, &e);
        der_put(w, DER_OCTET_STRING, span_of(ciphertext, size + padding));
        der_end(w, info);
        return writer_finish(w) == RELAY_OK ? 0 : -ENOBUFS;
}

static bool get_derivation(struct reader *parameters, struct envelope *e)
{
        struct reader derivation = der_enter(parameters, DER_SEQUENCE);
        struct span oid = der_get(&derivation, DER_OID);
        struct reader values = der_enter(&derivation, DER_SEQUENCE);

        e->salt = der_get(&values, DER_OCTET_STRING);
        uint64_t iterations = der_get_u64(&values);
        e->iterations = (uint32_t)iterations;
        if (der_next_is(&values, DER_INTEGER) && der_get_u64(&values) != KEY_SIZE)
                return false;
        struct reader prf = der_enter(&values, DER_SEQUENCE);
        struct span prf_oid = der_get(&prf, DER_OID);
        return values.result == RELAY_OK && reader_finish(&values) == RELAY_OK && span_equal(oid, OID_PBKDF2) &&
               span_equal(prf_oid, OID_HMAC_SHA256) && iterations >= 1 && iterations <= ITERATIONS_MAX &&
               e->salt.size >= 1 && e->salt.size <= SALT_MAX;
}

static int get_envelope(struct span der, struct envelope *e)
{
        struct reader r;

        reader_init(&r, der);
        struct reader info = der_enter(&r, DER_SEQUENCE);
        struct reader scheme = der_enter(&info, DER_SEQUENCE);
        struct span oid = der_get(&scheme, DER_OID);
        struct reader parameters = der_enter(&scheme, DER_SEQUENCE);
        e->ciphertext = der_get(&info, DER_OCTET_STRING);
        if (reader_finish(&info) != RELAY_OK || reader_finish(&r) != RELAY_OK || reader_finish(&scheme) != RELAY_OK ||
            !span_equal(oid, OID_PBES2) || !get_derivation(&parameters, e))
                return -EBADMSG;

        struct reader cipher = der_enter(&parameters, DER_SEQUENCE);
        struct span cipher_oid = der_get(&cipher, DER_OID);
        e->iv = der_get(&cipher, DER_OCTET_STRING);
        if (reader_finish(&cipher) != RELAY_OK || reader_finish(&parameters) != RELAY_OK ||
            !span_equal(cipher_oid, OID_AES_256_CBC) || e->iv.size != AES_BLOCK_SIZE || e->ciphertext.size == 0 ||
            e->ciphertext.size > PLAIN_MAX || e->ciphertext.size % AES_BLOCK_SIZE)
                return -EBADMSG;
        return 0;
}

/* A wrong passphrase shows as broken padding or as something that is no key. */
static int decrypt(struct span der, const char *passphrase, uint8_t seed[ED25519_SEED_SIZE])
{
        uint8_t plain[PLAIN_MAX];
        struct envelope e;

        int r = get_envelope(der, &e);
        if (r < 0)
                return r;
        if (!is_given(passphrase))
                return KEYFILE_PASSPHRASE;
        r = aes_cbc(passphrase, &e, plain, AES_DECRYPTION);
        if (r < 0)
                return r;
        size_t size = e.ciphertext.size, padding = plain[size - 1];
        bool good = padding >= 1 && padding <= AES_BLOCK_SIZE;
        for (size_t i = 1; good && i <= padding; i++)
                good = plain[size - i] == padding;
        if (!good || get_plain(span_of(plain, size - padding), seed) < 0)
                r = KEYFILE_PASSPHRASE;
        crypto_wipe(plain, sizeof(plain));
        return r;
}

static int save(const char *path, const char *label, struct span der, mode_t mode)
{
        char *text = pem_encode(label, der);
        if (!text)
                return -ENOMEM;
        int r = file_create(path, text, strlen(text), mode);
        crypto_wipe(text, strlen(text));
        free(text);
        return r;
}

int keyfile_save(const char *path, const uint8_t seed[ED25519_SEED_SIZE], const char *passphrase)
{
        uint8_t plain[PLAIN_MAX], encrypted[ENCRYPTED_MAX];
        struct writer w;
        int r;

        size_t size = put_plain(seed, plain);
        if (is_given(passphrase)) {
                writer_init(&w, encrypted, sizeof(encrypted));
                r = encrypt(plain, size, passphrase, &w);
                if (r == 0)
                        r = save(path, PEM_ENCRYPTED_PRIVATE_KEY, writer_span(&w), 0600);
        } else {
                r = save(path, PEM_PRIVATE_KEY, span_of(plain, size), 0600);
        }
        crypto_wipe(plain, sizeof(plain));
        return r;
}

static int load_from_text(struct span text, const char *passphrase, uint8_t seed[ED25519_SEED_SIZE])
{
        uint8_t *der = NULL, loaded[ED25519_SEED_SIZE];
        size_t size = 0;

        int r = pem_find(text, PEM_PRIVATE_KEY, &der, &size);
        if (r == 0) {
                r = get_plain(span_of(der, size), loaded);
        } else if (r == -ENOENT) {
                r = pem_find(text, PEM_ENCRYPTED_PRIVATE_KEY, &der, &size);
                if (r == 0)
                        r = decrypt(span_of(der, size), passphrase, loaded);
        }
        if (r == 0)
                memcpy(seed, loaded, sizeof(loaded));
        crypto_wipe(loaded, sizeof(loaded));
        if (der)
                crypto_wipe(der, size);
        free(der);
        return r == -ENOENT ? -EBADMSG : r;
}

int keyfile_load(const char *path, const char *passphrase, uint8_t seed[ED25519_SEED_SIZE])
{
        uint8_t *text = NULL;
        size_t size;

        int r = file_read(path, PEM_FILE_MAX, &text, &size);
        if (r < 0)
                return r;
        r = load_from_text(span_of(text, size), passphrase, seed);
        crypto_wipe(text, size);
        free(text);
        return r;
}

int keyfile_save_public(const char *path, const struct public_key *key)
{
        uint8_t spki[KEY_SPKI_MAX];
        size_t size = key_to_spki(key, spki);

        if (size == 0)
                return -EINVAL;
        return save(path, PEM_PUBLIC_KEY, span_of(spki, size), 0644);
}

int keyfile_load_public(const char *path, struct public_key *key)
{
        _cleanup_free_ uint8_t *text = NULL, *der = NULL;
        size_t text_size, size;
        struct certificate certificate = { 0 };

        int r = file_read(path, PEM_FILE_MAX, &text, &text_size);
        if (r < 0)
                return r;
        r = ssh_line_read(span_of(text, text_size), key);
        if (r != -ENOENT)
                return r;
        r = pem_find(span_of(text, text_size), PEM_PUBLIC_KEY, &der, &size);
        struct span spki = span_of(der, size);
        if (r == -ENOENT) {
                r = pem_find(span_of(text, text_size), PEM_CERTIFICATE, &der, &size);
                if (r == 0 && certificate_parse(span_of(der, size), &certificate) != RELAY_OK)
                        r = -EBADMSG;
                spki = r == 0 ? certificate.spki : SPAN_EMPTY;
        }
        if (r < 0)
                return r == -ENOENT ? -EBADMSG : r;
        return key_from_spki(spki, key) == RELAY_OK ? 0 : -EBADMSG;
}
