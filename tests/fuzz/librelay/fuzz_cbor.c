/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A whole item that the reader accepts has exactly one encoding: written again it is the same. */
#include <stdlib.h>
#include <string.h>

#include "relay/cbor.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void transcode(struct reader *r, struct writer *w)
{
        size_t items = 0;

        switch (cbor_peek(r)) {
        case CBOR_UINT:
                cbor_put_uint(w, cbor_get_uint(r));
                break;
        case CBOR_NINT:
                writer_bytes(w, cbor_skip(r)); /* may be below INT64_MIN */
                break;
        case CBOR_BSTR:
                cbor_put_bstr(w, cbor_get_bstr(r));
                break;
        case CBOR_TSTR:
                cbor_put_tstr(w, cbor_get_tstr(r));
                break;
        case CBOR_ARRAY:
                items = cbor_get_array(r);
                cbor_put_array(w, items);
                break;
        case CBOR_MAP:
                items = cbor_get_map(r);
                cbor_put_map(w, items);
                items *= 2;
                break;
        case CBOR_TAG:
                cbor_put_tag(w, cbor_get_tag(r));
                items = 1;
                break;
        case CBOR_SIMPLE:
                if (cbor_try_null(r))
                        cbor_put_null(w);
                else
                        cbor_put_bool(w, cbor_get_bool(r));
                break;
        case CBOR_NONE:
                abort();
        }
        while (items-- > 0 && r->result == RELAY_OK)
                transcode(r, w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static uint8_t again[1 << 16];
        struct reader r;
        struct writer w;

        reader_init(&r, span_of(data, size));
        struct span item = cbor_skip(&r);
        if (r.result != RELAY_OK || item.size > sizeof(again))
                return 0;
        reader_init(&r, item);
        writer_init(&w, again, sizeof(again));
        transcode(&r, &w);
        if (reader_finish(&r) != RELAY_OK || !span_equal(writer_span(&w), item))
                abort();
        return 0;
}
