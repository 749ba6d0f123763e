/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/revocation.h"

enum { REVOCATION_VERSION = 0, REVOCATION_SITE = 1, REVOCATION_EPOCH = 2, REVOCATION_ISSUED = 3 };
#define REVOCATION_REQUIRED 0x0fu /* a bit for each label */

static void get_field(struct reader *r, int64_t label, struct revocation *out)
{
        switch (label) {
        case REVOCATION_VERSION:
                cbor_get_version(r, 1);
                break;
        case REVOCATION_SITE:
                cbor_get_text(r, identity_is_device, out->site, sizeof(out->site));
                break;
        case REVOCATION_EPOCH:
                out->epoch = cbor_get_uint(r);
                break;
        case REVOCATION_ISSUED:
                out->issued = cbor_get_uint(r);
                break;
        default:
                reader_fail(r, RELAY_E_MALFORMED);
                break;
        }
}

int revocation_decode(struct span payload, struct revocation *out)
{
        struct revocation revocation = { 0 };
        struct cbor_map m;
        struct reader r;
        int64_t label;
        int result;

        reader_init(&r, payload);
        cbor_map_enter(&m, &r);
        while (cbor_map_next(&m, &label))
                get_field(&r, label, &revocation);
        cbor_map_require(&m, REVOCATION_REQUIRED);
        result = reader_finish(&r);
        if (result == RELAY_OK)
                *out = revocation;
        return result;
}

int revocation_encode(struct writer *w, const struct revocation *revocation)
{
        if (!identity_is_device(span_of_string(revocation->site)))
                return RELAY_E_RANGE;
        cbor_put_map(w, 4);
        cbor_put_uint(w, REVOCATION_VERSION);
        cbor_put_uint(w, 1);
        cbor_put_uint(w, REVOCATION_SITE);
        cbor_put_tstr(w, span_of_string(revocation->site));
        cbor_put_uint(w, REVOCATION_EPOCH);
        cbor_put_uint(w, revocation->epoch);
        cbor_put_uint(w, REVOCATION_ISSUED);
        cbor_put_uint(w, revocation->issued);
        return writer_finish(w);
}

enum reason revocation_accept(struct span signed_set, const struct site_policy *policy, uint64_t floor,
                              struct revocation *out, uint8_t *scratch, size_t scratch_size)
{
        struct span aad = SPAN_LITERAL(REVOCATION_AAD);
        struct revocation revocation;
        struct cose_set set;

        if (signed_set.size > REVOCATION_MAX)
                return REASON_TOO_LARGE;
        if (cose_set_decode(signed_set, &set) != RELAY_OK || revocation_decode(set.payload, &revocation) != RELAY_OK)
                return REASON_MALFORMED;
        if (set.payload.size + aad.size + COSE_SCRATCH_EXTRA > scratch_size)
                return REASON_TOO_LARGE;
        if (!span_equal_string(span_of_string(revocation.site), policy->site))
                return REASON_WRONG_SITE;
        if (revocation.epoch <= floor)
                return REASON_OLD_EPOCH;
        if (policy->threshold == 0 || cose_set_count_valid(&set, aad, policy->approvers, policy->approver_count,
                                                           scratch, scratch_size) < policy->threshold)
                return REASON_UNDER_SIGNED;
        *out = revocation;
        return REASON_NONE;
}
