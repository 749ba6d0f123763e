/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hub/gate.h"

#include <errno.h>
#include <stdlib.h>

#include "relay/cbor.h"

#define GATE_KEY    SPAN_LITERAL("gate")
#define GATE_RECORD 32 /* bytes, more than the record can take */

int gate_decode(struct span record, struct gate *out)
{
        struct gate gate = { 0 };
        struct reader r;
        struct cbor_map m;
        int64_t key;
        unsigned seen = 0;

        reader_init(&r, record);
        cbor_map_enter(&m, &r);
        while (cbor_map_next(&m, &key)) {
                switch (key) {
                case 0:
                        if (cbor_get_uint(&r) != 1)
                                reader_fail(&r, RELAY_E_RANGE);
                        break;
                case 1:
                        gate.open = cbor_get_bool(&r);
                        break;
                case 2:
                        gate.until = cbor_get_uint(&r);
                        break;
                default:
                        reader_fail(&r, RELAY_E_MALFORMED);
                }
                seen |= 1u << (key & 3);
        }
        if (seen != 7)
                reader_fail(&r, RELAY_E_MALFORMED);
        int result = reader_finish(&r);
        if (result == RELAY_OK)
                *out = gate;
        return result;
}

int gate_load(struct gate *gate, struct store *store)
{
        uint8_t *record = NULL;
        size_t size = 0;
        int r = store_get(store, STORE_META, GATE_KEY, &record, &size);

        if (r == -ENOENT) {
                *gate = (struct gate){ 0 };
                return 0;
        }
        if (r < 0)
                return r;
        r = gate_decode(span_of(record, size), gate) == RELAY_OK ? 0 : -EBADMSG;
        free(record);
        return r;
}

static int gate_store(struct gate *gate, struct store *store, struct gate next)
{
        uint8_t record[GATE_RECORD];
        struct writer w;

        writer_init(&w, record, sizeof(record));
        cbor_put_map(&w, 3);
        cbor_put_uint(&w, 0);
        cbor_put_uint(&w, 1);
        cbor_put_uint(&w, 1);
        cbor_put_bool(&w, next.open);
        cbor_put_uint(&w, 2);
        cbor_put_uint(&w, next.until);
        int r = store_put(store, STORE_META, GATE_KEY, writer_span(&w));
        if (r == 0)
                *gate = next;
        return r;
}

int gate_open(struct gate *gate, struct store *store, uint64_t until)
{
        return gate_store(gate, store, (struct gate){ .open = true, .until = until });
}

int gate_close(struct gate *gate, struct store *store)
{
        return gate_store(gate, store, (struct gate){ 0 });
}

bool gate_is_open(const struct gate *gate, uint64_t now_s)
{
        return gate->open && (gate->until == 0 || now_s < gate->until);
}

uint64_t gate_deadline(const struct gate *gate)
{
        return gate->open && gate->until > 0 ? gate->until : UINT64_MAX;
}
