/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading of certificates that a boot stage deals with: its own device certificate, and CDI certificates.
 *
 * All of a CDI certificate follows from two keys and the measurement. So it is read for these, written again, and has
 * to be the same: nothing in it can be other than this code would have written it.
 */
#include <string.h>

#include "dice_internal.h"
#include "relay/der.h"

struct parts {
        struct span tbs, signature; /* tbs with tag and length */
};

static int split(struct span der, struct parts *out)
{
        struct reader r, outer;

        reader_init(&r, der);
        outer = der_enter(&r, DER_SEQUENCE);
        out->tbs = der_get_whole(&outer, DER_SEQUENCE);
        der_get(&outer, DER_SEQUENCE); /* the algorithm, which the tbsCertificate names, too */
        out->signature = der_get_bits(&outer);
        if (reader_finish(&outer) != RELAY_OK)
                return outer.result;
        return reader_finish(&r);
}

/* fields of a tbsCertificate that say something */
struct fields {
        struct span subject, key, extensions; /* subject and key (SubjectPublicKeyInfo) with tag and length */
};

static int read_fields(struct span tbs, struct fields *out)
{
        struct reader r, content, explicit_tag;

        reader_init(&r, tbs);
        content = der_enter(&r, DER_SEQUENCE);
        der_get(&content, DER_CONTEXT_CONSTRUCTED(0)); /* version */
        der_get(&content, DER_INTEGER);                /* serial number */
        der_get(&content, DER_SEQUENCE);               /* algorithm */
        der_get(&content, DER_SEQUENCE);               /* issuer */
        der_get(&content, DER_SEQUENCE);               /* validity */
        out->subject = der_get_whole(&content, DER_SEQUENCE);
        out->key = der_get_whole(&content, DER_SEQUENCE);
        explicit_tag = der_enter(&content, DER_CONTEXT_CONSTRUCTED(3));
        out->extensions = der_get(&explicit_tag, DER_SEQUENCE);
        if (reader_finish(&explicit_tag) != RELAY_OK)
                return explicit_tag.result;
        return reader_finish(&content);
}

/* The extension's value; the empty span if there is none, or what stands there is no list of extensions. */
static struct span find_extension(struct span extensions, struct span wanted)
{
        struct reader r;

        reader_init(&r, extensions);
        while (reader_left(&r) > 0) {
                struct reader extension = der_enter(&r, DER_SEQUENCE);
                struct span oid = der_get(&extension, DER_OID), value;

                if (der_next_is(&extension, DER_BOOLEAN))
                        der_get(&extension, DER_BOOLEAN); /* critical */
                value = der_get(&extension, DER_OCTET_STRING);
                if (reader_finish(&extension) == RELAY_OK && span_equal(oid, wanted))
                        return value;
        }
        return SPAN_EMPTY;
}

int dice_read_issuer(struct span der, struct dice_issuer *out)
{
        struct dice_issuer issuer;
        struct fields fields;
        struct parts parts;
        struct reader r;
        int result = split(der, &parts);

        if (result == RELAY_OK)
                result = read_fields(parts.tbs, &fields);
        if (result != RELAY_OK)
                return result;
        if (key_from_spki(fields.key, &issuer.key) != RELAY_OK)
                return RELAY_E_KEY;
        issuer.subject = fields.subject;
        reader_init(&r, find_extension(fields.extensions, SPAN_LITERAL("\x55\x1d\x0e"))); /* subjectKeyIdentifier */
        issuer.key_identifier = der_get(&r, DER_OCTET_STRING);
        if (reader_finish(&r) != RELAY_OK)
                return RELAY_E_MALFORMED;
        *out = issuer;
        return RELAY_OK;
}

static struct span get_field(struct reader *r, uint8_t number, uint8_t tag)
{
        struct reader field = der_enter(r, (uint8_t)DER_CONTEXT_CONSTRUCTED(number));
        struct span value = der_get(&field, tag);

        if (reader_finish(&field) != RELAY_OK)
                reader_fail(r, field.result);
        return value;
}

/* a field of at most size bytes; how many it has */
static size_t copy_field(struct reader *r, uint8_t number, uint8_t tag, uint8_t *out, size_t size)
{
        struct span value = get_field(r, number, tag);

        if (value.size > size) {
                reader_fail(r, RELAY_E_UNSUPPORTED);
                return 0;
        }
        if (value.size > 0)
                memcpy(out, value.data, value.size);
        return value.size;
}

/* The descriptors alone: hashes are compared when it is written again. Other fields of the profile are not ours. */
static int read_descriptors(struct span attestation, struct dice_descriptors *out)
{
        struct reader r, fields;

        reader_init(&r, attestation);
        fields = der_enter(&r, DER_SEQUENCE);
        *out = (struct dice_descriptors){ 0 };
        get_field(&fields, 0, DER_OCTET_STRING);
        if (!der_next_is(&fields, DER_CONTEXT_CONSTRUCTED(1)))
                reader_fail(&fields, RELAY_E_UNSUPPORTED);
        copy_field(&fields, 1, DER_OCTET_STRING, out->code, sizeof(out->code));
        get_field(&fields, 2, DER_OCTET_STRING);
        out->configuration_size = copy_field(&fields, 3, DER_OCTET_STRING, out->configuration,
                                             sizeof(out->configuration));
        get_field(&fields, 4, DER_OCTET_STRING);
        if (!der_next_is(&fields, DER_CONTEXT_CONSTRUCTED(5)))
                reader_fail(&fields, RELAY_E_UNSUPPORTED);
        copy_field(&fields, 5, DER_OCTET_STRING, out->authority, sizeof(out->authority));
        copy_field(&fields, 6, DICE_ENUMERATED, &out->mode, 1);
        if (reader_left(&fields) > 0)
                reader_fail(&fields, RELAY_E_UNSUPPORTED);
        if (reader_finish(&fields) != RELAY_OK)
                return fields.result;
        return reader_finish(&r);
}

static int read_evidence(struct span tbs, struct dice_evidence *out)
{
        struct dice_descriptors descriptors;
        struct fields fields;
        struct span attestation;
        int result = read_fields(tbs, &fields);

        if (result != RELAY_OK)
                return result;
        if (key_from_spki(fields.key, &out->key) != RELAY_OK || out->key.type != KEY_ED25519)
                return RELAY_E_UNSUPPORTED;
        attestation = find_extension(fields.extensions, DICE_OID_ATTESTATION);
        if (attestation.size == 0)
                return RELAY_E_MALFORMED;
        result = read_descriptors(attestation, &descriptors);
        return result == RELAY_OK ? dice_undescribe(&descriptors, &out->measurement) : result;
}

static int is_what_we_write(struct span der, const struct parts *parts, const struct public_key *identity,
                            const struct dice_evidence *evidence)
{
        uint8_t again[DICE_CERTIFICATE_MAX];
        struct writer w;
        size_t certificate;
        int result;

        writer_init(&w, again, sizeof(again));
        certificate = der_begin(&w, DER_SEQUENCE);
        result = dice_write_tbs(&w, identity, &evidence->key, &evidence->measurement);
        if (result == RELAY_OK)
                result = dice_finish_certificate(&w, certificate, parts->signature);
        if (result != RELAY_OK)
                return result;
        return span_equal(writer_span(&w), der) ? RELAY_OK : RELAY_E_MALFORMED;
}

int dice_read_certificate(struct span der, const struct public_key *identity, struct dice_evidence *out)
{
        struct dice_evidence evidence;
        struct parts parts;
        int result;

        if (der.size > DICE_CERTIFICATE_MAX)
                return RELAY_E_MALFORMED;
        result = split(der, &parts);
        if (result == RELAY_OK)
                result = read_evidence(parts.tbs, &evidence);
        if (result != RELAY_OK)
                return result;
        if (identity->type != KEY_ED25519 || parts.signature.size != SIGNATURE_SIZE)
                return RELAY_E_SIGNATURE;
        result = crypto_verify(identity, parts.tbs, parts.signature.data);
        if (result == RELAY_OK)
                result = is_what_we_write(der, &parts, identity, &evidence);
        if (result == RELAY_OK)
                *out = evidence;
        return result;
}
