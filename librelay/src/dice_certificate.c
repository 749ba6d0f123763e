/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The two certificates of an application key (RFC 5280, "X.509 CDI Certificates" of the profile). A boot stage knows no
 * time: both begin in the past and have no end (RFC 5280 section 4.1.2.5).
 */
#include <string.h>

#include "dice_internal.h"
#include "relay/der.h"

#define NOT_BEFORE SPAN_LITERAL("180322235959Z") /* the profile's value where nothing better is known */
#define NOT_AFTER  SPAN_LITERAL("99991231235959Z")

#define OID_KEY_USAGE                SPAN_LITERAL("\x55\x1d\x0f")
#define OID_BASIC_CONSTRAINTS        SPAN_LITERAL("\x55\x1d\x13")
#define OID_SUBJECT_KEY_IDENTIFIER   SPAN_LITERAL("\x55\x1d\x0e")
#define OID_AUTHORITY_KEY_IDENTIFIER SPAN_LITERAL("\x55\x1d\x23")
#define OID_EXTENDED_USAGE           SPAN_LITERAL("\x55\x1d\x25")
#define OID_CLIENT_AUTH              SPAN_LITERAL("\x2b\x06\x01\x05\x05\x07\x03\x02")
#define OID_SERIAL_NUMBER            SPAN_LITERAL("\x55\x04\x05")

/* KeyUsage as a BIT STRING's content: unused bits, bits */
#define USAGE_CERT_SIGN         SPAN_LITERAL("\x02\x04")
#define USAGE_DIGITAL_SIGNATURE SPAN_LITERAL("\x07\x80")

static void put_algorithm(struct writer *w)
{
        size_t at = der_begin(w, DER_SEQUENCE);

        der_put(w, DER_OID, DICE_OID_ED25519);
        der_end(w, at);
}

/* "SERIALNUMBER=<id>" in lower-case hexadecimal */
static void put_id_name(struct writer *w, const uint8_t id[DICE_ID_SIZE])
{
        char text[2 * DICE_ID_SIZE + 1];
        size_t name = der_begin(w, DER_SEQUENCE), set = der_begin(w, DER_SET), pair = der_begin(w, DER_SEQUENCE);

        der_put(w, DER_OID, OID_SERIAL_NUMBER);
        der_put(w, DER_PRINTABLE_STRING, span_of_string(span_to_hex(span_of(id, DICE_ID_SIZE), text, sizeof(text))));
        der_end(w, pair);
        der_end(w, set);
        der_end(w, name);
}

static void put_validity(struct writer *w)
{
        size_t at = der_begin(w, DER_SEQUENCE);

        der_put(w, DER_UTC_TIME, NOT_BEFORE);
        der_put(w, DER_GENERALIZED_TIME, NOT_AFTER);
        der_end(w, at);
}

static void put_key(struct writer *w, const struct public_key *key)
{
        uint8_t spki[KEY_SPKI_MAX];

        writer_bytes(w, span_of(spki, key_to_spki(key, spki)));
}

static void put_authority_key_identifier(struct writer *w, struct span id)
{
        struct der_extension e = der_begin_extension(w, OID_AUTHORITY_KEY_IDENTIFIER, false);
        size_t at = der_begin(w, DER_SEQUENCE);

        der_put(w, DER_CONTEXT(0), id);
        der_end(w, at);
        der_end_extension(w, e);
}

static void put_subject_key_identifier(struct writer *w, struct span id)
{
        struct der_extension e = der_begin_extension(w, OID_SUBJECT_KEY_IDENTIFIER, false);

        der_put(w, DER_OCTET_STRING, id);
        der_end_extension(w, e);
}

static void put_key_usage(struct writer *w, struct span usage)
{
        struct der_extension e = der_begin_extension(w, OID_KEY_USAGE, true);

        der_put(w, DER_BIT_STRING, usage);
        der_end_extension(w, e);
}

/* a CA of the profile certifies nothing that is a CA again: one image, and nothing is started below it */
static void put_basic_constraints(struct writer *w, bool ca)
{
        struct der_extension e = der_begin_extension(w, OID_BASIC_CONSTRAINTS, true);
        size_t at = der_begin(w, DER_SEQUENCE);

        if (ca) {
                der_put_bool(w, true);
                der_put_u32(w, 0);
        }
        der_end(w, at);
        der_end_extension(w, e);
}

static void put_client_auth(struct writer *w)
{
        struct der_extension e = der_begin_extension(w, OID_EXTENDED_USAGE, false);
        size_t at = der_begin(w, DER_SEQUENCE);

        der_put(w, DER_OID, OID_CLIENT_AUTH);
        der_end(w, at);
        der_end_extension(w, e);
}

static void put_field(struct writer *w, uint8_t number, uint8_t tag, struct span value)
{
        size_t at = der_begin(w, (uint8_t)DER_CONTEXT_CONSTRUCTED(number));

        der_put(w, tag, value);
        der_end(w, at);
}

/* OpenDiceInput, "Custom Extension Format" */
static void put_attestation(struct writer *w, const struct dice_descriptors *descriptors,
                            const struct dice_inputs *inputs, bool critical)
{
        struct der_extension e = der_begin_extension(w, DICE_OID_ATTESTATION, critical);
        size_t at = der_begin(w, DER_SEQUENCE);

        put_field(w, 0, DER_OCTET_STRING, SPAN_OF(inputs->code));
        put_field(w, 1, DER_OCTET_STRING, SPAN_OF(descriptors->code));
        put_field(w, 2, DER_OCTET_STRING, SPAN_OF(inputs->configuration));
        put_field(w, 3, DER_OCTET_STRING, span_of(descriptors->configuration, descriptors->configuration_size));
        put_field(w, 4, DER_OCTET_STRING, SPAN_OF(inputs->authority));
        put_field(w, 5, DER_OCTET_STRING, SPAN_OF(descriptors->authority));
        put_field(w, 6, DICE_ENUMERATED, span_of(&descriptors->mode, 1)); /* as the profile's own programs write it */
        der_end(w, at);
        der_end_extension(w, e);
}

/* what one of the two certificates says */
struct content {
        uint8_t id[DICE_ID_SIZE]; /* of the application key */
        struct dice_descriptors descriptors;
        struct dice_inputs inputs;
};

static int find_content(const struct public_key *key, const struct dice_measurement *measurement, struct content *out)
{
        int result = dice_id(key, out->id);

        if (result != RELAY_OK)
                return result;
        dice_describe(measurement, &out->descriptors);
        return dice_hash_descriptors(&out->descriptors, &out->inputs);
}

static size_t begin_tbs(struct writer *w, const struct content *content)
{
        size_t tbs = der_begin(w, DER_SEQUENCE), version = der_begin(w, DER_CONTEXT_CONSTRUCTED(0));

        der_put_u32(w, 2); /* v3 */
        der_end(w, version);
        der_put_unsigned(w, SPAN_OF(content->id));
        put_algorithm(w);
        return tbs;
}

static void put_cdi_tbs(struct writer *w, const uint8_t identity_id[DICE_ID_SIZE], const struct public_key *key,
                        const struct content *content)
{
        size_t tbs = begin_tbs(w, content), tag, list;

        put_id_name(w, identity_id);
        put_validity(w);
        put_id_name(w, content->id);
        put_key(w, key);
        tag = der_begin(w, DER_CONTEXT_CONSTRUCTED(3));
        list = der_begin(w, DER_SEQUENCE);
        put_authority_key_identifier(w, span_of(identity_id, DICE_ID_SIZE));
        put_subject_key_identifier(w, SPAN_OF(content->id));
        put_key_usage(w, USAGE_CERT_SIGN);
        put_basic_constraints(w, true);
        put_attestation(w, &content->descriptors, &content->inputs, true);
        der_end(w, list);
        der_end(w, tag);
        der_end(w, tbs);
}

static void put_leaf_tbs(struct writer *w, struct span name, struct span authority, const struct public_key *key,
                         const struct content *content)
{
        size_t tbs = begin_tbs(w, content), tag, list;

        writer_bytes(w, name);
        put_validity(w);
        writer_bytes(w, name);
        put_key(w, key);
        tag = der_begin(w, DER_CONTEXT_CONSTRUCTED(3));
        list = der_begin(w, DER_SEQUENCE);
        put_authority_key_identifier(w, authority);
        put_subject_key_identifier(w, SPAN_OF(content->id));
        put_key_usage(w, USAGE_DIGITAL_SIGNATURE);
        put_basic_constraints(w, false);
        put_client_auth(w);
        put_attestation(w, &content->descriptors, &content->inputs, false);
        der_end(w, list);
        der_end(w, tag);
        der_end(w, tbs);
}

int dice_write_tbs(struct writer *w, const struct public_key *identity, const struct public_key *key,
                   const struct dice_measurement *measurement)
{
        uint8_t identity_id[DICE_ID_SIZE];
        struct content content;
        int result = dice_id(identity, identity_id);

        if (result == RELAY_OK)
                result = find_content(key, measurement, &content);
        if (result != RELAY_OK)
                return result;
        put_cdi_tbs(w, identity_id, key, &content);
        return writer_finish(w);
}

int dice_finish_certificate(struct writer *w, size_t certificate, struct span signature)
{
        put_algorithm(w);
        der_put_bits(w, signature);
        der_end(w, certificate);
        return writer_finish(w);
}

/* signs what stands in w from tbs_at on */
static int put_signature(struct writer *w, size_t certificate, size_t tbs_at,
                         const uint8_t identity_seed[ED25519_SEED_SIZE])
{
        uint8_t signature[SIGNATURE_SIZE];
        int result = writer_finish(w);

        if (result == RELAY_OK)
                result = crypto_ed25519_sign(identity_seed, span_of(w->out + tbs_at, w->at - tbs_at), signature);
        return result == RELAY_OK ? dice_finish_certificate(w, certificate, SPAN_OF(signature)) : result;
}

int dice_write_certificate(struct writer *w, const uint8_t identity_seed[ED25519_SEED_SIZE],
                           const struct public_key *key, const struct dice_measurement *measurement)
{
        struct public_key identity;
        int result = crypto_ed25519_public(identity_seed, &identity);
        size_t certificate, tbs_at;

        if (result != RELAY_OK)
                return result;
        certificate = der_begin(w, DER_SEQUENCE);
        tbs_at = w->at;
        result = dice_write_tbs(w, &identity, key, measurement);
        return result == RELAY_OK ? put_signature(w, certificate, tbs_at, identity_seed) : result;
}

int dice_write_leaf(struct writer *w, const uint8_t identity_seed[ED25519_SEED_SIZE], struct span device_certificate,
                    const struct public_key *key, const struct dice_measurement *measurement)
{
        struct public_key identity;
        struct dice_issuer issuer;
        struct content content;
        size_t certificate, tbs_at;
        int result = crypto_ed25519_public(identity_seed, &identity);

        if (result == RELAY_OK)
                result = dice_read_issuer(device_certificate, &issuer);
        if (result == RELAY_OK && !key_equal(&identity, &issuer.key))
                result = RELAY_E_KEY;
        if (result == RELAY_OK)
                result = find_content(key, measurement, &content);
        if (result != RELAY_OK)
                return result;
        certificate = der_begin(w, DER_SEQUENCE);
        tbs_at = w->at;
        put_leaf_tbs(w, issuer.subject, issuer.key_identifier, key, &content);
        return put_signature(w, certificate, tbs_at, identity_seed);
}
