/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writing manifests, for the vendor's tools. SUIT nests byte strings, so each part is written twice: once counting
 * only, to know the size its head must say.
 */
#include "relay/manifest.h"

#include <string.h>

#include "relay/image.h"
#include "suit.h"

#define SUIT_DIGEST_SIZE  36                           /* encoded: array head, -16, bstr head, SHA-256 */
#define MANIFEST_BODY_MAX (MANIFEST_MAX - 4 * 96 - 64) /* leaves room for four signatures */

typedef void put_part(struct writer *w, const struct manifest_fields *fields);

static void put_wrapped(struct writer *w, put_part *put, const struct manifest_fields *fields)
{
        struct writer measure;

        writer_init(&measure, NULL, 0);
        put(&measure, fields);
        cbor_put_bstr_head(w, writer_needed(&measure));
        put(w, fields);
}

static void put_suit_digest(struct writer *w, const uint8_t digest[SHA256_SIZE])
{
        cbor_put_array(w, 2);
        cbor_put_int(w, SUIT_ALG_SHA256);
        cbor_put_bstr(w, span_of(digest, SHA256_SIZE));
}

static void put_command(struct writer *w, uint64_t label, uint64_t reporting)
{
        cbor_put_uint(w, label);
        cbor_put_uint(w, reporting);
}

static void put_shared_sequence(struct writer *w, const struct manifest_fields *fields)
{
        cbor_put_array(w, 6);
        cbor_put_uint(w, SUIT_OVERRIDE_PARAMETERS);
        cbor_put_map(w, 5);
        cbor_put_uint(w, SUIT_PARAMETER_VENDOR);
        cbor_put_bstr(w, SPAN_OF(fields->vendor_id));
        cbor_put_uint(w, SUIT_PARAMETER_CLASS);
        cbor_put_bstr(w, SPAN_OF(fields->class_id));
        cbor_put_uint(w, SUIT_PARAMETER_DIGEST);
        cbor_put_bstr_head(w, SUIT_DIGEST_SIZE);
        put_suit_digest(w, fields->image_digest);
        cbor_put_uint(w, SUIT_PARAMETER_SIZE);
        cbor_put_uint(w, fields->image_size);
        cbor_put_int(w, SUIT_PARAMETER_BLOCK_LIST);
        cbor_put_bstr(w, SPAN_OF(fields->block_list_digest));
        put_command(w, SUIT_CONDITION_VENDOR, SUIT_REPORT_ALL);
        put_command(w, SUIT_CONDITION_CLASS, SUIT_REPORT_ALL);
}

static void put_common(struct writer *w, const struct manifest_fields *fields)
{
        cbor_put_map(w, 2);
        cbor_put_uint(w, SUIT_COMPONENTS);
        cbor_put_array(w, 1);
        cbor_put_array(w, 1);
        cbor_put_bstr(w, SUIT_COMPONENT);
        cbor_put_uint(w, SUIT_SHARED_SEQUENCE);
        put_wrapped(w, put_shared_sequence, fields);
}

static void put_validate(struct writer *w, const struct manifest_fields *fields)
{
        (void)fields;
        cbor_put_array(w, 2);
        put_command(w, SUIT_CONDITION_IMAGE_MATCH, SUIT_REPORT_ALL);
}

static void put_install(struct writer *w, const struct manifest_fields *fields)
{
        char uri[SUIT_URI_SIZE + 1];

        cbor_put_array(w, 6);
        cbor_put_uint(w, SUIT_OVERRIDE_PARAMETERS);
        cbor_put_map(w, 1);
        cbor_put_uint(w, SUIT_PARAMETER_URI);
        cbor_put_tstr(w, span_of_string(suit_uri(fields->image_digest, uri)));
        put_command(w, SUIT_FETCH, SUIT_REPORT_FAILURE);
        put_command(w, SUIT_CONDITION_IMAGE_MATCH, SUIT_REPORT_ALL);
}

static void put_text(struct writer *w, const struct manifest_fields *fields)
{
        bool described = fields->description.size > 0;

        cbor_put_map(w, 1);
        cbor_put_tstr(w, SUIT_LANGUAGE);
        cbor_put_map(w, described ? 3 : 2);
        if (described) {
                cbor_put_uint(w, SUIT_TEXT_UPDATE_DESCRIPTION);
                cbor_put_tstr(w, fields->description);
        }
        cbor_put_int(w, SUIT_TEXT_URGENCY);
        cbor_put_tstr(w, fields->urgency);
        cbor_put_array(w, 1);
        cbor_put_bstr(w, SUIT_COMPONENT);
        cbor_put_map(w, 1);
        cbor_put_uint(w, SUIT_TEXT_COMPONENT_VERSION);
        cbor_put_tstr(w, fields->version);
}

static void put_manifest(struct writer *w, const struct manifest_fields *fields)
{
        cbor_put_map(w, 6);
        cbor_put_uint(w, SUIT_VERSION);
        cbor_put_uint(w, 1);
        cbor_put_uint(w, SUIT_SEQUENCE);
        cbor_put_uint(w, fields->sequence);
        cbor_put_uint(w, SUIT_COMMON);
        put_wrapped(w, put_common, fields);
        cbor_put_uint(w, SUIT_VALIDATE);
        put_wrapped(w, put_validate, fields);
        cbor_put_uint(w, SUIT_INSTALL);
        put_wrapped(w, put_install, fields);
        cbor_put_uint(w, SUIT_TEXT);
        put_wrapped(w, put_text, fields);
}

/* the envelope up to the first signature; signatures: how many follow and the bytes they take with their bstr heads */
static void put_envelope_head(struct writer *w, struct span suit_digest, size_t signatures, size_t signature_bytes)
{
        struct writer digest;

        writer_init(&digest, NULL, 0);
        cbor_put_bstr(&digest, suit_digest);
        cbor_put_tag(w, SUIT_ENVELOPE_TAG);
        cbor_put_map(w, 2);
        cbor_put_uint(w, SUIT_AUTHENTICATION);
        cbor_put_bstr_head(w, 1 + writer_needed(&digest) + signature_bytes);
        cbor_put_array(w, 1 + signatures);
        cbor_put_bstr(w, suit_digest);
}

static bool can_be_written(const struct manifest_fields *fields)
{
        return fields->image_size >= 1 && fields->image_size <= IMAGE_SIZE_MAX && suit_word_is_valid(fields->version) &&
               suit_word_is_valid(fields->urgency) && suit_text_is_displayable(fields->description);
}

int manifest_encode(struct writer *w, const struct manifest_fields *fields)
{
        uint8_t body_bytes[MANIFEST_BODY_MAX], digest[SHA256_SIZE], suit_digest_bytes[SUIT_DIGEST_SIZE];
        struct writer body, suit_digest;
        int result;

        if (!can_be_written(fields))
                return RELAY_E_RANGE;
        writer_init(&body, body_bytes, sizeof(body_bytes));
        put_wrapped(&body, put_manifest, fields);
        result = writer_finish(&body);
        if (result == RELAY_OK)
                result = crypto_sha256(writer_span(&body), digest);
        if (result != RELAY_OK)
                return result;
        writer_init(&suit_digest, suit_digest_bytes, sizeof(suit_digest_bytes));
        put_suit_digest(&suit_digest, digest);
        put_envelope_head(w, writer_span(&suit_digest), 0, 0);
        cbor_put_uint(w, SUIT_MANIFEST);
        writer_bytes(w, writer_span(&body));
        return writer_finish(w);
}

int manifest_add_signature(struct writer *w, struct span envelope, const struct signer *signer)
{
        uint8_t sign1_bytes[COSE_SIGN1_OVERHEAD], scratch[SUIT_DIGEST_SIZE + COSE_SCRATCH_EXTRA];
        struct manifest_unverified in;
        struct writer sign1, measure;
        enum reason reason = manifest_decode(envelope, &in);
        int result;

        if (reason != REASON_NONE)
                return reason == REASON_UNSUPPORTED_MANIFEST ? RELAY_E_UNSUPPORTED : RELAY_E_MALFORMED;
        if (in.signature_count == MANIFEST_SIGNATURES_MAX)
                return RELAY_E_SPACE;
        if (manifest_signed_by(&in, &signer->key))
                return RELAY_E_STATE;
        writer_init(&sign1, sign1_bytes, sizeof(sign1_bytes));
        result = cose_sign1_write(&sign1, signer, SPAN_EMPTY, in.suit_digest, true, scratch, sizeof(scratch));
        if (result != RELAY_OK)
                return result;

        writer_init(&measure, NULL, 0);
        for (size_t i = 0; i < in.signature_count; i++)
                cbor_put_bstr(&measure, in.signatures[i]);
        cbor_put_bstr(&measure, writer_span(&sign1));
        put_envelope_head(w, in.suit_digest, in.signature_count + 1, writer_needed(&measure));
        for (size_t i = 0; i < in.signature_count; i++)
                cbor_put_bstr(w, in.signatures[i]);
        cbor_put_bstr(w, writer_span(&sign1));
        cbor_put_uint(w, SUIT_MANIFEST);
        cbor_put_bstr(w, in.manifest);
        return writer_finish(w);
}

/* UUIDv5 (RFC 9562 section 5.5): SHA-1 of the name space's UUID and the name */
static int uuid5(const uint8_t space[16], const char *name, uint8_t out[16])
{
        uint8_t text[16 + 256], digest[SHA1_SIZE];
        struct writer w;
        int result;

        writer_init(&w, text, sizeof(text));
        writer_bytes(&w, span_of(space, 16));
        writer_bytes(&w, span_of_string(name));
        result = writer_finish(&w);
        if (result == RELAY_OK)
                result = crypto_sha1(writer_span(&w), digest);
        if (result != RELAY_OK)
                return result;
        memcpy(out, digest, 16);
        out[6] = (uint8_t)((out[6] & 0x0f) | 0x50);
        out[8] = (uint8_t)((out[8] & 0x3f) | 0x80);
        return RELAY_OK;
}

int manifest_vendor_id(const char *domain, uint8_t out[VENDOR_ID_SIZE])
{
        /* the DNS name space, RFC 9562 section 6.6 */
        static const uint8_t dns[16] = { 0x6b, 0xa7, 0xb8, 0x10, 0x9d, 0xad, 0x11, 0xd1,
                                         0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8 };

        return uuid5(dns, domain, out);
}

int manifest_class_id(const uint8_t vendor_id[VENDOR_ID_SIZE], const char *name, uint8_t out[CLASS_ID_SIZE])
{
        return uuid5(vendor_id, name, out);
}
