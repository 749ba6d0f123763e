/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Certification path validation (RFC 5280 section 6.1) for the small profile of factories and sites: Ed25519 and
 * ECDSA P-256 with SHA-256, chain in order, name constraints on directory names only; what is not understood is
 * refused.
 */
#include "tls/x509.h"

#include <string.h>

#include "tls/certificate.h"
#include "relay/der.h"
#include "tls/pem.h"
#include "util/cleanup.h"
#include "util/files.h"
#include "util/time.h"

#define CHAIN_MAX 4

struct anchor {
        struct certificate certificate; /* its spans point into der */
        uint8_t *der;
};
struct x509_trust {
        struct anchor *anchors;
        size_t count;
};

int x509_trust_new(struct x509_trust **ret)
{
        struct x509_trust *trust = calloc(1, sizeof(*trust));

        if (!trust)
                return -ENOMEM;
        *ret = trust;
        return 0;
}

struct x509_trust *x509_trust_free(struct x509_trust *trust)
{
        if (!trust)
                return NULL;
        for (size_t i = 0; i < trust->count; i++)
                free(trust->anchors[i].der);
        free(trust->anchors);
        free(trust);
        return NULL;
}

bool certificate_may_sign(const struct certificate *c)
{
        return c->is_ca && !c->unknown_critical && (!c->has_usage || c->usage & KEY_USAGE_CERT_SIGN);
}

/*
 * May it stand for a client? The TLS library's opinion does not count here: it knows none of our anchors, so what it
 * says about a client's chain is overruled (tls.c).
 */
bool certificate_may_be_client(const struct certificate *c)
{
        return !c->is_ca && (!c->has_usage || c->usage & KEY_USAGE_DIGITAL_SIGNATURE) &&
               (!c->has_purposes || c->for_clients);
}

static int add_anchor(struct x509_trust *trust, uint8_t *der, size_t size)
{
        struct certificate certificate;

        if (certificate_parse(span_of(der, size), &certificate) != RELAY_OK || !certificate_may_sign(&certificate))
                return -EBADMSG;
        struct anchor *larger = reallocarray(trust->anchors, trust->count + 1, sizeof(*larger));
        if (!larger)
                return -ENOMEM;
        trust->anchors = larger;
        trust->anchors[trust->count++] = (struct anchor){ certificate, der };
        return 0;
}

int x509_trust_add_file(struct x509_trust *trust, const char *pem_file)
{
        _cleanup_free_ uint8_t *text = NULL;
        size_t text_size, added = 0;

        int r = file_read(pem_file, PEM_FILE_MAX, &text, &text_size);
        if (r < 0)
                return r;
        struct span rest = span_of(text, text_size);
        for (;;) {
                char label[32];
                uint8_t *der = NULL;
                size_t size = 0;
                r = pem_next(&rest, label, &der, &size);
                if (r != 0)
                        break;
                r = strcmp(label, PEM_CERTIFICATE) == 0 ? add_anchor(trust, der, size) : -EBADMSG;
                if (r < 0) {
                        free(der);
                        return r;
                }
                added++;
        }
        if (r < 0)
                return r;
        return added ? 0 : -EBADMSG;
}

/* RFC 3279 section 2.2.3: SEQUENCE { r, s } to r || s */
static int ecdsa_signature(struct span der, uint8_t out[SIGNATURE_SIZE])
{
        struct reader r;

        reader_init(&r, der);
        struct reader pair = der_enter(&r, DER_SEQUENCE);
        memset(out, 0, SIGNATURE_SIZE);
        for (size_t i = 0; i < 2; i++) {
                struct span number = der_get(&pair, DER_INTEGER);
                if (number.size == 33 && number.data[0] == 0)
                        number = span_slice(number, 1, 32);
                if (number.size == 0 || number.size > 32)
                        return RELAY_E_MALFORMED;
                memcpy(out + 32 * i + 32 - number.size, number.data, number.size);
        }
        return reader_finish(&pair) == RELAY_OK ? reader_finish(&r) : RELAY_E_MALFORMED;
}

bool certificate_is_signed_by(const struct certificate *c, const struct certificate *issuer)
{
        struct public_key key;
        uint8_t signature[SIGNATURE_SIZE];

        if (!span_equal(c->issuer, issuer->subject) || key_from_spki(issuer->spki, &key) != RELAY_OK)
                return false;
        switch (c->algorithm) {
        case CERTIFICATE_ED25519:
                if (key.type != KEY_ED25519 || c->signature.size != SIGNATURE_SIZE)
                        return false;
                memcpy(signature, c->signature.data, SIGNATURE_SIZE);
                break;
        case CERTIFICATE_ECDSA_SHA256:
                if (key.type != KEY_P256 || ecdsa_signature(c->signature, signature) != RELAY_OK)
                        return false;
                break;
        case CERTIFICATE_UNKNOWN:
                return false;
        }
        return crypto_verify(&key, c->tbs, signature) == RELAY_OK;
}

/* Is the subject inside the tree below base? (section 7.1: base's RDNs stand first in it; compared byte by byte) */
static bool name_is_below(struct span subject, struct span base)
{
        struct reader s, b;

        reader_init(&s, subject);
        reader_init(&b, base);
        struct span names = der_get(&s, DER_SEQUENCE), prefix = der_get(&b, DER_SEQUENCE);
        return s.result == RELAY_OK && b.result == RELAY_OK && reader_finish(&b) == RELAY_OK &&
               names.size >= prefix.size && span_equal(span_slice(names, 0, prefix.size), prefix);
}

/* section 4.2.1.10; -1 if a subtree is not a plain directoryName */
static int any_subtree_holds(struct span subtrees, struct span subject)
{
        struct reader list;
        bool holds = false;

        reader_init(&list, subtrees);
        while (reader_left(&list) > 0) {
                struct reader subtree = der_enter(&list, DER_SEQUENCE);
                struct reader directory = der_enter(&subtree, DER_CONTEXT_CONSTRUCTED(4));
                struct span base = der_get_whole(&directory, DER_SEQUENCE);
                if (reader_finish(&directory) != RELAY_OK || reader_finish(&subtree) != RELAY_OK)
                        return -1;
                holds |= name_is_below(subject, base);
        }
        return list.result == RELAY_OK ? holds : -1;
}

static bool constraints_hold(const struct certificate *ca, const struct certificate *below, size_t count)
{
        if (!ca->has_constraints)
                return true;
        for (size_t i = 0; i < count; i++) {
                if (ca->permitted.size && any_subtree_holds(ca->permitted, below[i].subject) != 1)
                        return false;
                if (ca->excluded.size && any_subtree_holds(ca->excluded, below[i].subject) != 0)
                        return false;
        }
        return true;
}

/* May ca stand above these count certificates (leaf first)? */
static bool may_stand_above(const struct certificate *ca, const struct certificate *below, size_t count)
{
        if (ca->has_purposes && !ca->for_clients)
                return false;
        return certificate_may_sign(ca) && (!ca->has_path_length || count - 1 <= ca->path_length) &&
               certificate_is_signed_by(&below[count - 1], ca) && constraints_hold(ca, below, count);
}

/*
 * A device's key speaks for that device, even if its factory forgot to say so. An anchor may have any name: its owner
 * said what it is.
 */
static bool device_keeps_to_itself(const struct certificate *ca, const struct certificate *below, size_t count)
{
        return !certificate_is_device_ca(ca) || (count == 1 && certificate_device_holds(ca, below));
}

static bool is_valid_now(const struct certificate *c, uint64_t now)
{
        return c->not_before <= now && now <= c->not_after;
}

static bool find_anchor(const struct x509_trust *trust, const struct certificate *path, size_t count, bool check_time,
                        uint64_t now)
{
        for (size_t i = 0; i < trust->count; i++) {
                const struct certificate *ca = &trust->anchors[i].certificate;
                if (may_stand_above(ca, path, count) && (!check_time || is_valid_now(ca, now)))
                        return true;
        }
        return false;
}

int x509_trust_verify(struct x509_trust *trust, const struct span *chain, size_t count, bool check_time)
{
        struct certificate path[CHAIN_MAX];
        uint64_t now = time_real_ms() / TIME_MS_PER_S;

        for (size_t i = 0; i < count && i < CHAIN_MAX; i++) {
                if (certificate_parse(chain[i], &path[i]) != RELAY_OK || path[i].unknown_critical)
                        return -EKEYREJECTED;
                if (i == 0 && !certificate_may_be_client(&path[0]))
                        return -EKEYREJECTED;
                if (check_time && !is_valid_now(&path[i], now))
                        return -EKEYREJECTED;
                if (i > 0 && (!may_stand_above(&path[i], path, i) || !device_keeps_to_itself(&path[i], path, i)))
                        return -EKEYREJECTED;
                if (find_anchor(trust, path, i + 1, check_time, now))
                        return 0;
        }
        return -EKEYREJECTED;
}
