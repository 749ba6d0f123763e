/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/checkpoint.h"

enum {
        CHECKPOINT_VERSION = 0,
        CHECKPOINT_SITE = 1,
        CHECKPOINT_RELAY = 2,
        CHECKPOINT_COUNT = 3,
        CHECKPOINT_HEAD = 4,
        CHECKPOINT_TIME = 5,
        CHECKPOINT_PREVIOUS = 6,
};
#define CHECKPOINT_REQUIRED 0x3fu /* a bit for each label, the previous one aside */
#define CHECKPOINT_SCRATCH  (CHECKPOINT_MAX + sizeof(CHECKPOINT_AAD) + COSE_SCRATCH_EXTRA)

static void get_field(struct reader *r, int64_t label, struct checkpoint *out)
{
        switch (label) {
        case CHECKPOINT_VERSION:
                cbor_get_version(r, 1);
                break;
        case CHECKPOINT_SITE:
                cbor_get_text(r, identity_is_device, out->site, sizeof(out->site));
                break;
        case CHECKPOINT_RELAY:
                cbor_get_text(r, identity_is_dotted, out->relay, sizeof(out->relay));
                break;
        case CHECKPOINT_COUNT:
                out->count = cbor_get_uint(r);
                break;
        case CHECKPOINT_HEAD:
                cbor_get_bstr_exact(r, out->head, sizeof(out->head));
                break;
        case CHECKPOINT_TIME:
                out->time = cbor_get_uint(r);
                break;
        case CHECKPOINT_PREVIOUS:
                cbor_get_bstr_exact(r, out->previous, sizeof(out->previous));
                out->has_previous = true;
                break;
        default:
                reader_fail(r, RELAY_E_MALFORMED);
                break;
        }
}

int checkpoint_decode(struct span payload, struct checkpoint *out)
{
        struct checkpoint checkpoint = { 0 };
        struct cbor_map m;
        struct reader r;
        int64_t label;
        int result;

        reader_init(&r, payload);
        cbor_map_enter(&m, &r);
        while (cbor_map_next(&m, &label))
                get_field(&r, label, &checkpoint);
        cbor_map_require(&m, CHECKPOINT_REQUIRED);
        result = reader_finish(&r);
        if (result == RELAY_OK)
                *out = checkpoint;
        return result;
}

static int checkpoint_encode(struct writer *w, const struct checkpoint *checkpoint)
{
        if (!identity_is_device(span_of_string(checkpoint->site)) ||
            !identity_is_dotted(span_of_string(checkpoint->relay)))
                return RELAY_E_RANGE;
        cbor_put_map(w, checkpoint->has_previous ? 7 : 6);
        cbor_put_uint(w, CHECKPOINT_VERSION);
        cbor_put_uint(w, 1);
        cbor_put_uint(w, CHECKPOINT_SITE);
        cbor_put_tstr(w, span_of_string(checkpoint->site));
        cbor_put_uint(w, CHECKPOINT_RELAY);
        cbor_put_tstr(w, span_of_string(checkpoint->relay));
        cbor_put_uint(w, CHECKPOINT_COUNT);
        cbor_put_uint(w, checkpoint->count);
        cbor_put_uint(w, CHECKPOINT_HEAD);
        cbor_put_bstr(w, SPAN_OF(checkpoint->head));
        cbor_put_uint(w, CHECKPOINT_TIME);
        cbor_put_uint(w, checkpoint->time);
        if (checkpoint->has_previous) {
                cbor_put_uint(w, CHECKPOINT_PREVIOUS);
                cbor_put_bstr(w, SPAN_OF(checkpoint->previous));
        }
        return writer_finish(w);
}

int checkpoint_sign(struct writer *w, const struct checkpoint *checkpoint, const struct signer *signer)
{
        uint8_t bytes[CHECKPOINT_MAX], scratch[CHECKPOINT_SCRATCH];
        struct writer payload;
        int result;

        writer_init(&payload, bytes, sizeof(bytes));
        result = checkpoint_encode(&payload, checkpoint);
        if (result != RELAY_OK)
                return result;
        return cose_sign1_write(w, signer, SPAN_LITERAL(CHECKPOINT_AAD), writer_span(&payload), false, scratch,
                                sizeof(scratch));
}

enum reason checkpoint_check(struct span sign1, const struct public_key *keys, size_t count, struct checkpoint *out)
{
        uint8_t scratch[CHECKPOINT_SCRATCH];
        struct checkpoint checkpoint;
        struct cose_sign1 opened;

        if (sign1.size > CHECKPOINT_MAX || cose_sign1_decode(sign1, &opened) != RELAY_OK || opened.detached ||
            checkpoint_decode(opened.payload, &checkpoint) != RELAY_OK)
                return REASON_MALFORMED;
        for (size_t i = 0; i < count; i++)
                if (cose_sign1_is_by(&opened, &keys[i], SPAN_LITERAL(CHECKPOINT_AAD), scratch, sizeof(scratch))) {
                        *out = checkpoint;
                        return REASON_NONE;
                }
        return REASON_BAD_SIGNATURE;
}
