/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Approval requests as CBOR. */

#include "ctl/request.h"

static void get_chain(struct reader *r, struct request_chain *chain)
{
        size_t count = cbor_get_array(r);

        if (count == 0 || count > REQUEST_CHAIN_MAX) {
                reader_fail(r, RELAY_E_RANGE);
                return;
        }
        while (chain->count < count)
                chain->sets[chain->count++] = cbor_get_bstr(r);
}

static void get_field(struct reader *r, int64_t key, struct request_parts *out)
{
        if (key == 0 && cbor_get_uint(r) != 1)
                reader_fail(r, RELAY_E_RANGE);
        else if (key == 1)
                out->envelope = cbor_get_bstr(r);
        else if (key == 2)
                out->policy_set = cbor_get_bstr(r);
        else if (key == 3)
                out->vendor_set = cbor_get_bstr(r);
        else if (key == 4)
                get_chain(r, &out->policies);
        else if (key == 5)
                get_chain(r, &out->vendors);
        else if (key == 6)
                out->revocation_set = cbor_get_bstr(r);
        else if (key != 0)
                reader_fail(r, RELAY_E_MALFORMED);
}

int request_decode(struct span in, struct request_parts *out)
{
        struct request_parts parts = { 0 };
        struct cbor_map m;
        struct reader r;
        int64_t key;

        reader_init(&r, in);
        cbor_map_enter(&m, &r);
        while (cbor_map_next(&m, &key))
                get_field(&r, key, &parts);
        cbor_map_require(&m, 0xf);
        if ((m.seen & 0x40) && parts.revocation_set.size == 0)
                reader_fail(&r, RELAY_E_MALFORMED);
        if (reader_finish(&r) == RELAY_OK)
                *out = parts;
        return reader_finish(&r);
}

static void put_bytes(struct writer *w, unsigned key, struct span bytes)
{
        cbor_put_uint(w, key);
        cbor_put_bstr(w, bytes);
}

static void put_chain(struct writer *w, unsigned key, const struct request_chain *chain)
{
        if (chain->count == 0)
                return;
        cbor_put_uint(w, key);
        cbor_put_array(w, chain->count);
        for (size_t i = 0; i < chain->count; i++)
                cbor_put_bstr(w, chain->sets[i]);
}

int request_encode(struct writer *w, const struct request_parts *parts)
{
        cbor_put_map(w,
                     4u + (parts->policies.count > 0) + (parts->vendors.count > 0) + (parts->revocation_set.size > 0));
        cbor_put_uint(w, 0);
        cbor_put_uint(w, 1);
        put_bytes(w, 1, parts->envelope);
        put_bytes(w, 2, parts->policy_set);
        put_bytes(w, 3, parts->vendor_set);
        put_chain(w, 4, &parts->policies);
        put_chain(w, 5, &parts->vendors);
        if (parts->revocation_set.size > 0)
                put_bytes(w, 6, parts->revocation_set);
        return writer_finish(w);
}
