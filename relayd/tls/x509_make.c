/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writes Ed25519-signed certificates (RFC 5280, RFC 8410).
 */
#include "tls/x509.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <time.h>

#include "tls/certificate.h"
#include "relay/der.h"

#define SERIAL_SIZE    16
#define BACKDATE_S     3600 /* clocks of gateways and devices differ */
#define GENERALIZED_AT 2050 /* section 4.1.2.5: UTCTime through 2049 */

static void put_algorithm(struct writer *w)
{
        size_t at = der_begin(w, DER_SEQUENCE);
        der_put(w, DER_OID, OID_ED25519);
        der_end(w, at);
}

static void put_name_part(struct writer *w, struct span oid, const char *value)
{
        size_t set = der_begin(w, DER_SET), pair = der_begin(w, DER_SEQUENCE);
        der_put(w, DER_OID, oid);
        der_put(w, DER_UTF8_STRING, span_of_string(value));
        der_end(w, pair);
        der_end(w, set);
}

static void put_subject(struct writer *w, const struct x509_request *request)
{
        size_t at = der_begin(w, DER_SEQUENCE);
        if (request->organisation)
                put_name_part(w, OID_ORGANISATION, request->organisation);
        put_name_part(w, OID_COMMON_NAME, request->common_name);
        der_end(w, at);
}

static void put_time(struct writer *w, time_t when)
{
        char text[32];
        struct tm utc;

        gmtime_r(&when, &utc);
        bool generalized = utc.tm_year + 1900 >= GENERALIZED_AT;
        strftime(text, sizeof(text), "%Y%m%d%H%M%SZ", &utc);
        der_put(w, generalized ? DER_GENERALIZED_TIME : DER_UTC_TIME, span_of_string(generalized ? text : text + 2));
}

static void put_validity(struct writer *w, uint32_t days)
{
        time_t now = time(NULL);
        size_t at = der_begin(w, DER_SEQUENCE);
        put_time(w, now > BACKDATE_S ? now - BACKDATE_S : 0);
        put_time(w, now + (time_t)days * 86400);
        der_end(w, at);
}

/* Key identifiers, RFC 5280 section 4.2.1.2 method (1): SHA-1 there, but any hash may stand in for it (RFC 7093). */
#define KEY_IDENTIFIER_SIZE 20

struct key_identifiers {
        uint8_t subject[KEY_IDENTIFIER_SIZE];
        struct span issuer; /* as its certificate says; empty: it has none */
};

static void put_basic_constraints(struct writer *w, const struct x509_request *request)
{
        struct der_extension e = der_begin_extension(w, OID_BASIC_CONSTRAINTS, true);
        size_t at = der_begin(w, DER_SEQUENCE);
        if (request->ca || request->device)
                der_put_bool(w, true);
        if (request->device) /* a factory CA has no path length: it stands above device certificates */
                der_put_u32(w, 0);
        der_end(w, at);
        der_end_extension(w, e);
}

static void put_key_usage(struct writer *w, const struct x509_request *request)
{
        struct der_extension e = der_begin_extension(w, OID_KEY_USAGE, true);
        /* BIT STRING: unused bits of the second byte, bits */
        static const uint8_t ca[] = { 1, KEY_USAGE_CERT_SIGN | KEY_USAGE_CRL_SIGN },
                             device[] = { 2, KEY_USAGE_CERT_SIGN }, end[] = { 7, KEY_USAGE_DIGITAL_SIGNATURE };
        der_put(w, DER_BIT_STRING, span_of(request->device ? device : request->ca ? ca : end, 2));
        der_end_extension(w, e);
}

static void put_extended_usage(struct writer *w, const struct x509_request *request)
{
        struct der_extension e = der_begin_extension(w, OID_EXTENDED_USAGE, false);
        size_t at = der_begin(w, DER_SEQUENCE);
        if (request->for_server)
                der_put(w, DER_OID, OID_SERVER_AUTH);
        if (request->for_client || request->device) /* so that no leaf of a device's key is a server's, either */
                der_put(w, DER_OID, OID_CLIENT_AUTH);
        der_end(w, at);
        der_end_extension(w, e);
}

/* RFC 5280 section 4.2.1.10: permitted is the directoryName that the subject is */
static void put_name_constraint(struct writer *w, const struct x509_request *request)
{
        struct der_extension e = der_begin_extension(w, OID_NAME_CONSTRAINTS, true);
        size_t at = der_begin(w, DER_SEQUENCE), permitted = der_begin(w, DER_CONTEXT_CONSTRUCTED(0)),
               subtree = der_begin(w, DER_SEQUENCE), name = der_begin(w, DER_CONTEXT_CONSTRUCTED(4));
        put_subject(w, request);
        der_end(w, name);
        der_end(w, subtree);
        der_end(w, permitted);
        der_end(w, at);
        der_end_extension(w, e);
}

static void put_alternative_name(struct writer *w, const char *name)
{
        uint8_t address[16];
        struct der_extension e = der_begin_extension(w, OID_ALTERNATIVE_NAME, false);
        size_t at = der_begin(w, DER_SEQUENCE);

        if (inet_pton(AF_INET, name, address) == 1)
                der_put(w, DER_CONTEXT(7), span_of(address, 4));
        else if (inet_pton(AF_INET6, name, address) == 1)
                der_put(w, DER_CONTEXT(7), span_of(address, 16));
        else
                der_put(w, DER_CONTEXT(2), span_of_string(name));
        der_end(w, at);
        der_end_extension(w, e);
}

static void put_key_identifiers(struct writer *w, const struct key_identifiers *identifiers)
{
        struct der_extension e = der_begin_extension(w, OID_SUBJECT_KEY_IDENTIFIER, false);
        der_put(w, DER_OCTET_STRING, SPAN_OF(identifiers->subject));
        der_end_extension(w, e);
        if (identifiers->issuer.size == 0)
                return;
        e = der_begin_extension(w, OID_AUTHORITY_KEY_IDENTIFIER, false);
        size_t at = der_begin(w, DER_SEQUENCE);
        der_put(w, DER_CONTEXT(0), identifiers->issuer);
        der_end(w, at);
        der_end_extension(w, e);
}

static void put_extensions(struct writer *w, const struct x509_request *request,
                           const struct key_identifiers *identifiers)
{
        size_t tag = der_begin(w, DER_CONTEXT_CONSTRUCTED(3)), list = der_begin(w, DER_SEQUENCE);

        put_basic_constraints(w, request);
        put_key_usage(w, request);
        put_key_identifiers(w, identifiers);
        if (request->device)
                put_name_constraint(w, request);
        if (request->for_server || request->for_client || request->device)
                put_extended_usage(w, request);
        if (request->dns_name)
                put_alternative_name(w, request->dns_name);
        der_end(w, list);
        der_end(w, tag);
}

static void put_tbs(struct writer *w, const struct x509_request *request, struct span issuer, struct span spki,
                    const struct key_identifiers *identifiers, const uint8_t serial[SERIAL_SIZE])
{
        size_t tbs = der_begin(w, DER_SEQUENCE), version = der_begin(w, DER_CONTEXT_CONSTRUCTED(0));

        der_put_u32(w, 2); /* v3 */
        der_end(w, version);
        der_put_unsigned(w, span_of(serial, SERIAL_SIZE));
        put_algorithm(w);
        if (issuer.size)
                writer_bytes(w, issuer);
        else
                put_subject(w, request);
        put_validity(w, request->days);
        put_subject(w, request);
        writer_bytes(w, spki);
        put_extensions(w, request, identifiers);
        der_end(w, tbs);
}

static int identify_key(struct span spki, uint8_t out[KEY_IDENTIFIER_SIZE])
{
        uint8_t hash[SHA256_SIZE];
        struct reader r;

        reader_init(&r, spki);
        struct reader content = der_enter(&r, DER_SEQUENCE);
        der_get(&content, DER_SEQUENCE); /* the algorithm */
        struct span key = der_get_bits(&content);
        if (content.result != RELAY_OK)
                return -EINVAL;
        if (crypto_sha256(key, hash) != RELAY_OK)
                return -EIO;
        memcpy(out, hash, KEY_IDENTIFIER_SIZE);
        return 0;
}

/* The issuer's subject, after a check that the seed is its key's: a certificate nobody can verify helps nobody. */
static int find_issuer(const struct x509_request *request, struct span issuer_der,
                       const uint8_t seed[ED25519_SEED_SIZE], struct span *issuer, struct span *issuer_key_identifier)
{
        struct public_key own, wanted = request->key;
        struct certificate c;

        if (crypto_ed25519_public(seed, &own) != RELAY_OK)
                return -EIO;
        *issuer = *issuer_key_identifier = SPAN_EMPTY;
        if (issuer_der.size) {
                if (certificate_parse(issuer_der, &c) != RELAY_OK || key_from_spki(c.spki, &wanted) != RELAY_OK)
                        return -EBADMSG;
                *issuer = c.subject;
                *issuer_key_identifier = c.subject_key_identifier;
        }
        return key_equal(&own, &wanted) ? 0 : -EINVAL;
}

int x509_make(struct writer *w, const struct x509_request *request, struct span issuer_der,
              const uint8_t issuer_seed[ED25519_SEED_SIZE])
{
        uint8_t serial[SERIAL_SIZE], signature[SIGNATURE_SIZE], spki[KEY_SPKI_MAX];
        struct key_identifiers identifiers;
        struct span issuer;

        if (!request->common_name || !*request->common_name || request->key.type == KEY_NONE || request->days == 0 ||
            (request->device && !identity_is_device(span_of_string(request->common_name))))
                return -EINVAL;
        size_t spki_size = key_to_spki(&request->key, spki);
        int r = find_issuer(request, issuer_der, issuer_seed, &issuer, &identifiers.issuer);
        if (r == 0)
                r = identify_key(span_of(spki, spki_size), identifiers.subject);
        if (r < 0)
                return r;
        if (crypto_random(serial, sizeof(serial)) != RELAY_OK)
                return -EIO;
        serial[0] = (uint8_t)(serial[0] & 0x7f) | 0x40; /* positive and of full length */

        size_t certificate = der_begin(w, DER_SEQUENCE), tbs_at = w->at;
        put_tbs(w, request, issuer, span_of(spki, spki_size), &identifiers, serial);
        if (writer_finish(w) != RELAY_OK)
                return -ENOBUFS;
        if (crypto_ed25519_sign(issuer_seed, span_of(w->out + tbs_at, w->at - tbs_at), signature) != RELAY_OK)
                return -EIO;
        put_algorithm(w);
        der_put_bits(w, SPAN_OF(signature));
        der_end(w, certificate);
        return writer_finish(w) == RELAY_OK ? 0 : -ENOBUFS;
}
