/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/attest.h"

enum { ROTATION_VERSION = 0, ROTATION_DEVICE = 1, ROTATION_NUMBER = 2, ROTATION_OLD = 3, ROTATION_NEW = 4 };
#define ROTATION_REQUIRED 0x1fu /* a bit for each label */
#define ROTATION_SCRATCH  (ROTATION_MAX + sizeof(ROTATION_AAD) + COSE_SCRATCH_EXTRA)

static bool is_a_change(const struct rotation *rotation)
{
        return rotation->number > 0 && !key_equal(&rotation->old_key, &rotation->new_key);
}

int rotation_sign(struct writer *w, const struct rotation *rotation, const struct signer *old_key)
{
        uint8_t bytes[ROTATION_MAX], scratch[ROTATION_SCRATCH];
        struct span device = span_of_string(rotation->device);
        struct writer payload;
        int result;

        if (!identity_is_device(device) || !is_a_change(rotation))
                return RELAY_E_RANGE;
        if (!key_equal(&old_key->key, &rotation->old_key))
                return RELAY_E_KEY;
        writer_init(&payload, bytes, sizeof(bytes));
        cbor_put_map(&payload, 5);
        cbor_put_uint(&payload, ROTATION_VERSION);
        cbor_put_uint(&payload, 1);
        cbor_put_uint(&payload, ROTATION_DEVICE);
        cbor_put_tstr(&payload, device);
        cbor_put_uint(&payload, ROTATION_NUMBER);
        cbor_put_uint(&payload, rotation->number);
        cbor_put_uint(&payload, ROTATION_OLD);
        key_put_cose(&payload, &rotation->old_key);
        cbor_put_uint(&payload, ROTATION_NEW);
        key_put_cose(&payload, &rotation->new_key);
        result = writer_finish(&payload);
        if (result != RELAY_OK)
                return result;
        return cose_sign1_write(w, old_key, SPAN_LITERAL(ROTATION_AAD), writer_span(&payload), false, scratch,
                                sizeof(scratch));
}

static void get_field(struct reader *r, int64_t label, struct rotation *out)
{
        switch (label) {
        case ROTATION_VERSION:
                cbor_get_version(r, 1);
                break;
        case ROTATION_DEVICE:
                cbor_get_text(r, identity_is_device, out->device, sizeof(out->device));
                break;
        case ROTATION_NUMBER:
                out->number = (uint32_t)cbor_get_uint_max(r, UINT32_MAX);
                break;
        case ROTATION_OLD:
                key_get_cose(r, &out->old_key);
                break;
        case ROTATION_NEW:
                key_get_cose(r, &out->new_key);
                break;
        default:
                reader_fail(r, RELAY_E_MALFORMED);
                break;
        }
}

int rotation_decode(struct span payload, struct rotation *out)
{
        struct rotation rotation = { 0 };
        struct cbor_map m;
        struct reader r;
        int64_t label;
        int result;

        reader_init(&r, payload);
        cbor_map_enter(&m, &r);
        while (cbor_map_next(&m, &label))
                get_field(&r, label, &rotation);
        cbor_map_require(&m, ROTATION_REQUIRED);
        if (!is_a_change(&rotation))
                reader_fail(&r, RELAY_E_RANGE);
        result = reader_finish(&r);
        if (result == RELAY_OK)
                *out = rotation;
        return result;
}

enum reason rotation_check(struct span sign1, const char *device, const struct public_key *old_key,
                           struct rotation *out)
{
        uint8_t scratch[ROTATION_SCRATCH];
        struct rotation rotation;
        struct cose_sign1 opened;

        if (sign1.size > ROTATION_MAX || cose_sign1_decode(sign1, &opened) != RELAY_OK || opened.detached ||
            rotation_decode(opened.payload, &rotation) != RELAY_OK)
                return REASON_MALFORMED;
        if (!span_equal_string(span_of_string(rotation.device), device))
                return REASON_WRONG_DEVICE;
        if (!key_equal(&rotation.old_key, old_key) ||
            !cose_sign1_is_by(&opened, old_key, SPAN_LITERAL(ROTATION_AAD), scratch, sizeof(scratch)))
                return REASON_BAD_SIGNATURE;
        *out = rotation;
        return REASON_NONE;
}
