/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hub/gate.h"

#include <errno.h>
#include <stdlib.h>

#define GATE_KEY SPAN_LITERAL("gate")

int gate_load(struct gate *gate, struct store *store)
{
        uint8_t *record = NULL;
        size_t size = 0;
        int r = store_get(store, STORE_META, GATE_KEY, &record, &size);

        if (r == -ENOENT) {
                *gate = (struct gate){ GATE_CLOSED, 0 };
                return 0;
        }
        if (r < 0)
                return r;
        r = gate_decode(span_of(record, size), gate) ? 0 : -EBADMSG;
        free(record);
        return r;
}

int gate_save(struct gate *gate, struct store *store, struct gate next)
{
        uint8_t record[GATE_RECORD_SIZE];

        gate_encode(&next, record);
        int r = store_put(store, STORE_META, GATE_KEY, SPAN_OF(record));
        if (r == 0)
                *gate = next;
        return r;
}
