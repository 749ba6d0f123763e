/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Approval requests as CBOR. */

#include "ctl/request.h"

int request_decode(struct span in, struct request_parts *out)
{
        struct request_parts parts = { 0 };
        struct cbor_map m;
        struct reader r;
        unsigned seen = 0;
        int64_t key;

        reader_init(&r, in);
        cbor_map_enter(&m, &r);
        while (cbor_map_next(&m, &key)) {
                if (key == 0 && cbor_get_uint(&r) != 1)
                        reader_fail(&r, RELAY_E_RANGE);
                if (key == 1)
                        parts.envelope = cbor_get_bstr(&r);
                else if (key == 2)
                        parts.policy_set = cbor_get_bstr(&r);
                else if (key == 3)
                        parts.vendor_set = cbor_get_bstr(&r);
                else if (key != 0)
                        reader_fail(&r, RELAY_E_MALFORMED);
                seen++;
        }
        if (seen != 4)
                reader_fail(&r, RELAY_E_MALFORMED);
        if (reader_finish(&r) == RELAY_OK)
                *out = parts;
        return reader_finish(&r);
}

int request_encode(struct writer *w, const struct request_parts *parts)
{
        cbor_put_map(w, 4);
        cbor_put_uint(w, 0);
        cbor_put_uint(w, 1);
        cbor_put_uint(w, 1);
        cbor_put_bstr(w, parts->envelope);
        cbor_put_uint(w, 2);
        cbor_put_bstr(w, parts->policy_set);
        cbor_put_uint(w, 3);
        cbor_put_bstr(w, parts->vendor_set);
        return writer_finish(w);
}
