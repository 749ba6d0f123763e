/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading and verifying manifests. The profile is one fixed template, so the reader walks along it and names the first
 * thing that stands elsewhere: RELAY_E_UNSUPPORTED for SUIT outside the profile, RELAY_E_MALFORMED for no SUIT at all,
 * RELAY_E_SPACE for an image of a size nobody takes.
 */
#include "relay/manifest.h"

#include <string.h>

#include "relay/image.h"
#include "suit.h"
#include "text.h"

#define VERIFY_SCRATCH 256 /* Sig_structure over a SUIT_Digest of 36 bytes, with room for foreign protected headers */

char *suit_uri(const uint8_t image_digest[SHA256_SIZE], char out[SUIT_URI_SIZE + 1])
{
        memcpy(out, "images/", 7);
        span_to_hex(span_of(image_digest, SHA256_SIZE), out + 7, 2 * SHA256_SIZE + 1);
        return out;
}

/* version and urgency go into topics' payloads and tables as they are */
bool suit_word_is_valid(struct span text)
{
        if (text.size < 1 || text.size > MANIFEST_TEXT_MAX)
                return false;
        for (size_t i = 0; i < text.size; i++) {
                uint8_t c = text.data[i];
                if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
                      c == '+' || c == '-' || c == '_' || c == '~'))
                        return false;
        }
        return true;
}

bool suit_text_is_displayable(struct span text)
{
        return text.size <= MANIFEST_TEXT_MAX && text_is_displayable(text, "");
}

/* ---- the template's pieces */

static void expect_int(struct reader *r, int64_t value)
{
        if (cbor_get_int(r) != value)
                reader_fail(r, RELAY_E_UNSUPPORTED);
}

static void expect_array(struct reader *r, size_t items)
{
        if (cbor_get_array(r) != items)
                reader_fail(r, RELAY_E_UNSUPPORTED);
}

static void expect_map(struct cbor_map *m, struct reader *r, size_t pairs)
{
        cbor_map_enter(m, r);
        if (m->left != pairs)
                reader_fail(r, RELAY_E_UNSUPPORTED);
}

static void expect_key(struct cbor_map *m, int64_t label)
{
        int64_t found = 0;

        if (!cbor_map_next(m, &found) || found != label)
                reader_fail(m->r, RELAY_E_UNSUPPORTED);
}

static void expect_bytes(struct reader *r, struct span found, struct span wanted)
{
        if (!span_equal(found, wanted))
                reader_fail(r, RELAY_E_UNSUPPORTED);
}

/* a condition or directive without arguments: its label and a reporting policy */
static void expect_command(struct reader *r, int64_t label)
{
        expect_int(r, label);
        if (cbor_get_uint(r) > SUIT_REPORT_ALL)
                reader_fail(r, RELAY_E_UNSUPPORTED);
}

/* Opens a bstr-wrapped item: its content must be one whole well-formed item before its meaning is looked at. */
static void open_wrapped(struct reader *r, struct reader *inner)
{
        struct reader check;

        reader_init(inner, cbor_get_bstr(r));
        check = *inner;
        cbor_skip(&check);
        if (reader_finish(&check) != RELAY_OK)
                reader_fail(r, RELAY_E_MALFORMED);
        if (r->result != RELAY_OK)
                reader_fail(inner, r->result);
}

static void close_wrapped(struct reader *r, struct reader *inner)
{
        int result = reader_finish(inner);

        if (result != RELAY_OK)
                reader_fail(r, result);
}

static void get_suit_digest(struct reader *r, uint8_t out[SHA256_SIZE])
{
        struct reader digest;

        open_wrapped(r, &digest);
        expect_array(&digest, 2);
        expect_int(&digest, SUIT_ALG_SHA256);
        cbor_get_bstr_exact(&digest, out, SHA256_SIZE);
        close_wrapped(r, &digest);
}

/* ---- the manifest's parts */

static uint32_t get_image_size(struct reader *r)
{
        uint64_t size = cbor_get_uint(r);

        if (size >= 1 && size <= IMAGE_SIZE_MAX)
                return (uint32_t)size;
        reader_fail(r, RELAY_E_SPACE);
        return 0;
}

static void get_shared_sequence(struct reader *outer, struct manifest_fields *fields)
{
        struct cbor_map m;
        struct reader r;

        open_wrapped(outer, &r);
        expect_array(&r, 6);
        expect_int(&r, SUIT_OVERRIDE_PARAMETERS);
        expect_map(&m, &r, 5);
        expect_key(&m, SUIT_PARAMETER_VENDOR);
        cbor_get_bstr_exact(&r, fields->vendor_id, sizeof(fields->vendor_id));
        expect_key(&m, SUIT_PARAMETER_CLASS);
        cbor_get_bstr_exact(&r, fields->class_id, sizeof(fields->class_id));
        expect_key(&m, SUIT_PARAMETER_DIGEST);
        get_suit_digest(&r, fields->image_digest);
        expect_key(&m, SUIT_PARAMETER_SIZE);
        fields->image_size = get_image_size(&r);
        expect_key(&m, SUIT_PARAMETER_BLOCK_LIST);
        cbor_get_bstr_exact(&r, fields->block_list_digest, sizeof(fields->block_list_digest));
        expect_command(&r, SUIT_CONDITION_VENDOR);
        expect_command(&r, SUIT_CONDITION_CLASS);
        close_wrapped(outer, &r);
}

static void get_common(struct reader *outer, struct manifest_fields *fields)
{
        struct cbor_map m;
        struct reader r;

        open_wrapped(outer, &r);
        expect_map(&m, &r, 2);
        expect_key(&m, SUIT_COMPONENTS);
        expect_array(&r, 1);
        expect_array(&r, 1);
        expect_bytes(&r, cbor_get_bstr(&r), SUIT_COMPONENT);
        expect_key(&m, SUIT_SHARED_SEQUENCE);
        get_shared_sequence(&r, fields);
        close_wrapped(outer, &r);
}

static void get_validate(struct reader *outer)
{
        struct reader r;

        open_wrapped(outer, &r);
        expect_array(&r, 2);
        expect_command(&r, SUIT_CONDITION_IMAGE_MATCH);
        close_wrapped(outer, &r);
}

static void get_install(struct reader *outer, const struct manifest_fields *fields)
{
        char uri[SUIT_URI_SIZE + 1];
        struct cbor_map m;
        struct reader r;

        open_wrapped(outer, &r);
        expect_array(&r, 6);
        expect_int(&r, SUIT_OVERRIDE_PARAMETERS);
        expect_map(&m, &r, 1);
        expect_key(&m, SUIT_PARAMETER_URI);
        expect_bytes(&r, cbor_get_tstr(&r), span_of_string(suit_uri(fields->image_digest, uri)));
        expect_command(&r, SUIT_FETCH);
        expect_command(&r, SUIT_CONDITION_IMAGE_MATCH);
        close_wrapped(outer, &r);
}

static struct span get_word(struct reader *r)
{
        struct span text = cbor_get_tstr(r);

        if (!suit_word_is_valid(text))
                reader_fail(r, RELAY_E_UNSUPPORTED);
        return text;
}

/* the texts of our one component: its id, then its version */
static void get_component_text(struct reader *r, struct cbor_map *language, struct manifest_fields *fields)
{
        struct cbor_map component;
        struct reader id;
        struct span key = SPAN_EMPTY;

        if (!cbor_map_next_encoded(language, &key))
                reader_fail(r, RELAY_E_UNSUPPORTED);
        reader_init(&id, key);
        expect_array(&id, 1);
        expect_bytes(&id, cbor_get_bstr(&id), SUIT_COMPONENT);
        close_wrapped(r, &id);
        expect_map(&component, r, 1);
        expect_key(&component, SUIT_TEXT_COMPONENT_VERSION);
        fields->version = get_word(r);
}

static void get_text(struct reader *outer, struct manifest_fields *fields)
{
        struct cbor_map text, language;
        struct span key = SPAN_EMPTY;
        struct reader r;

        open_wrapped(outer, &r);
        expect_map(&text, &r, 1);
        if (!cbor_map_next_encoded(&text, &key) || key.size < 1)
                reader_fail(&r, RELAY_E_UNSUPPORTED);
        expect_bytes(&r, span_slice(key, 1, key.size), SUIT_LANGUAGE);
        cbor_map_enter(&language, &r);
        if (language.left == 3) {
                expect_key(&language, SUIT_TEXT_UPDATE_DESCRIPTION);
                fields->description = cbor_get_tstr(&r);
                if (fields->description.size == 0 || !suit_text_is_displayable(fields->description))
                        reader_fail(&r, RELAY_E_UNSUPPORTED);
        } else if (language.left != 2) {
                reader_fail(&r, RELAY_E_UNSUPPORTED);
        }
        expect_key(&language, SUIT_TEXT_URGENCY);
        fields->urgency = get_word(&r);
        get_component_text(&r, &language, fields);
        close_wrapped(outer, &r);
}

static int decode_manifest(struct span manifest, struct manifest_fields *fields)
{
        struct cbor_map m;
        struct reader r;

        reader_init(&r, manifest);
        expect_map(&m, &r, 6);
        expect_key(&m, SUIT_VERSION);
        expect_int(&r, 1);
        expect_key(&m, SUIT_SEQUENCE);
        fields->sequence = cbor_get_uint(&r);
        expect_key(&m, SUIT_COMMON);
        get_common(&r, fields);
        expect_key(&m, SUIT_VALIDATE);
        get_validate(&r);
        expect_key(&m, SUIT_INSTALL);
        get_install(&r, fields);
        expect_key(&m, SUIT_TEXT);
        get_text(&r, fields);
        return reader_finish(&r);
}

/* ---- the envelope */

static int decode_authentication(struct span wrapper, struct manifest_unverified *out, uint8_t digest[SHA256_SIZE])
{
        struct reader r, at_digest;
        size_t items;

        reader_init(&r, wrapper);
        items = cbor_get_array(&r);
        if (items < 1 || items > 1 + MANIFEST_SIGNATURES_MAX)
                reader_fail(&r, RELAY_E_UNSUPPORTED);
        at_digest = r;
        out->suit_digest = cbor_get_bstr(&at_digest);
        get_suit_digest(&r, digest);
        for (size_t i = 1; i < items && r.result == RELAY_OK; i++)
                out->signatures[out->signature_count++] = cbor_get_bstr(&r);
        return reader_finish(&r);
}

/* SHA-256 of the manifest in its bstr, head included: what SUIT digests */
static int digest_wrapped(struct span manifest, uint8_t out[SHA256_SIZE])
{
        uint8_t head_bytes[9];
        struct writer head;
        struct sha256 h;
        int result = crypto_sha256_init(&h);

        writer_init(&head, head_bytes, sizeof(head_bytes));
        cbor_put_bstr_head(&head, manifest.size);
        if (result == RELAY_OK)
                result = crypto_sha256_update(&h, writer_span(&head));
        if (result == RELAY_OK)
                result = crypto_sha256_update(&h, manifest);
        if (result == RELAY_OK)
                result = crypto_sha256_final(&h, out);
        return result;
}

static int decode_envelope(struct span envelope, struct manifest_unverified *out)
{
        uint8_t claimed[SHA256_SIZE];
        struct span authentication;
        struct reader r, check;
        struct cbor_map m;
        int result;

        reader_init(&check, envelope);
        cbor_skip(&check);
        if (reader_finish(&check) != RELAY_OK)
                return check.result;
        reader_init(&r, envelope);
        if (cbor_get_tag(&r) != SUIT_ENVELOPE_TAG)
                reader_fail(&r, RELAY_E_MALFORMED);
        expect_map(&m, &r, 2);
        expect_key(&m, SUIT_AUTHENTICATION);
        authentication = cbor_get_bstr(&r);
        expect_key(&m, SUIT_MANIFEST);
        out->manifest = cbor_get_bstr(&r);
        result = reader_finish(&r);
        if (result == RELAY_OK)
                result = decode_authentication(authentication, out, claimed);
        if (result == RELAY_OK)
                result = digest_wrapped(out->manifest, out->digest);
        if (result == RELAY_OK && !span_equal(SPAN_OF(claimed), SPAN_OF(out->digest)))
                result = RELAY_E_MALFORMED;
        reader_init(&check, out->manifest);
        cbor_skip(&check);
        if (result == RELAY_OK && reader_finish(&check) != RELAY_OK)
                result = RELAY_E_MALFORMED;
        return result == RELAY_OK ? decode_manifest(out->manifest, &out->fields) : result;
}

enum reason manifest_decode(struct span envelope, struct manifest_unverified *out)
{
        struct manifest_unverified manifest = { .envelope = envelope };
        int result;

        if (envelope.size > MANIFEST_MAX)
                return REASON_TOO_LARGE;
        result = decode_envelope(envelope, &manifest);
        if (result == RELAY_E_UNSUPPORTED)
                return REASON_UNSUPPORTED_MANIFEST;
        if (result == RELAY_E_SPACE)
                return REASON_TOO_LARGE;
        if (result != RELAY_OK)
                return REASON_MALFORMED;
        *out = manifest;
        return REASON_NONE;
}

bool manifest_signed_by(const struct manifest_unverified *in, const struct public_key *key)
{
        uint8_t id[KEY_ID_SIZE], scratch[VERIFY_SCRATCH];

        if (key_id(key, id) != RELAY_OK)
                return false;
        for (size_t i = 0; i < in->signature_count; i++) {
                struct cose_sign1 sign1;
                if (cose_sign1_decode(in->signatures[i], &sign1) != RELAY_OK || !sign1.detached)
                        continue;
                /* a signature of another tool may have no key id; one that names another key is not tried */
                if (sign1.key_id.size && !span_equal(sign1.key_id, SPAN_OF(id)))
                        continue;
                if (cose_sign1_verify(&sign1, key, SPAN_EMPTY, in->suit_digest, scratch, sizeof(scratch)) == RELAY_OK)
                        return true;
        }
        return false;
}

static bool signed_by_one_of(const struct manifest_unverified *in, const struct public_key *keys, size_t count,
                             const struct public_key *except, size_t except_count)
{
        for (size_t i = 0; i < count; i++)
                if (key_find(except, except_count, &keys[i]) < 0 && manifest_signed_by(in, &keys[i]))
                        return true;
        return false;
}

enum reason manifest_verify(const struct manifest_unverified *in, const struct vendor_keys *keys,
                            struct manifest_verified *out)
{
        if (!signed_by_one_of(in, keys->organisation, keys->organisation_count, NULL, 0))
                return REASON_ORGANISATION_SIGNATURE;
        /* two roles, two keys, even if a vendor key set should ever come here that was not decoded */
        if (!signed_by_one_of(in, keys->developer, keys->developer_count, keys->organisation, keys->organisation_count))
                return REASON_DEVELOPER_SIGNATURE;
        if (!span_equal(SPAN_OF(in->fields.vendor_id), SPAN_OF(keys->vendor_id)))
                return REASON_WRONG_VENDOR;
        *out = (struct manifest_verified){ .envelope = in->envelope, .fields = in->fields };
        memcpy(out->digest, in->digest, sizeof(out->digest));
        return REASON_NONE;
}
