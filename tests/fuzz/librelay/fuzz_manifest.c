/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The profile is one template: the part of a manifest that the reader accepts is what the writer makes of its fields.
 */
#include <stdlib.h>

#include "relay/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The writer's reporting policies are its own; the reader takes any: only the digest-relevant fields are compared. */
static void compare(const struct manifest_fields *a, const struct manifest_fields *b)
{
        if (a->sequence != b->sequence || a->image_size != b->image_size ||
            !span_equal(SPAN_OF(a->vendor_id), SPAN_OF(b->vendor_id)) ||
            !span_equal(SPAN_OF(a->class_id), SPAN_OF(b->class_id)) ||
            !span_equal(SPAN_OF(a->image_digest), SPAN_OF(b->image_digest)) ||
            !span_equal(SPAN_OF(a->block_list_digest), SPAN_OF(b->block_list_digest)) ||
            !span_equal(a->version, b->version) || !span_equal(a->urgency, b->urgency) ||
            !span_equal(a->description, b->description))
                abort();
}

static void decode_and_write(struct span envelope)
{
        static const struct vendor_keys keys = { .organisation_count = 1,
                                                 .developer_count = 1,
                                                 .organisation = { { .type = KEY_ED25519, .bytes = { 3 } } },
                                                 .developer = { { .type = KEY_ED25519, .bytes = { 4 } } } };
        struct manifest_unverified in, again;
        struct manifest_verified verified;
        uint8_t bytes[MANIFEST_MAX];
        struct writer w;

        if (manifest_decode(envelope, &in) != REASON_NONE)
                return;
        if (manifest_verify(&in, &keys, &verified) == REASON_NONE)
                abort();
        writer_init(&w, bytes, sizeof(bytes));
        if (manifest_encode(&w, &in.fields) != RELAY_OK || manifest_decode(writer_span(&w), &again) != REASON_NONE)
                abort();
        compare(&in.fields, &again.fields);
}

/* The digest stops most changed envelopes early: so the input also stands as a manifest under its own right digest. */
static void decode_wrapped(struct span manifest)
{
        static uint8_t bytes[1 << 21];
        uint8_t digest[SHA256_SIZE];
        struct writer w;

        writer_init(&w, bytes, sizeof(bytes));
        cbor_put_bstr(&w, manifest);
        if (crypto_sha256(writer_span(&w), digest) != RELAY_OK)
                abort();
        writer_init(&w, bytes, sizeof(bytes));
        writer_bytes(&w, SPAN_LITERAL("\xd8\x6b\xa2\x02\x58\x27\x81\x58\x24\x82\x2f"));
        cbor_put_bstr(&w, SPAN_OF(digest));
        cbor_put_uint(&w, 3);
        cbor_put_bstr(&w, manifest);
        decode_and_write(writer_span(&w));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        decode_and_write(span_of(data, size));
        decode_wrapped(span_of(data, size));
        return 0;
}
