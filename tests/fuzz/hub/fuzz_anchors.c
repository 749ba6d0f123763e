/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the cloud or a caller gives as policy, vendor key set or revocation: any bytes are judged, nothing that is
 * refused stays, and what is taken is held. The first byte is the kind. */

#include <stdlib.h>
#include <string.h>

#include "hub/anchors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct store *open_store(void)
{
        const struct store_options options = { .size_max = 4 << 20 };
        struct store *store;
        char detail[256];

        if (store_open(&options, &store, detail, sizeof(detail)) != 0)
                abort();
        return store;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static struct store *store;
        struct anchors anchors = { 0 };

        if (size == 0)
                return 0;
        if (!store)
                store = open_store();
        enum anchor_kind kind = (enum anchor_kind)(data[0] % ANCHOR_KINDS);
        struct span set = span_of(data + 1, size - 1);
        const struct anchor_claim claim = anchor_claim(kind, set);
        bool taken = anchors_take(&anchors, store, "site-1", kind, set) == REASON_NONE;
        if (taken && (claim.epoch == 0 || !anchors_hold(&anchors, kind, &claim) ||
                      !span_equal(anchors_set(&anchors, kind, claim.epoch), set)))
                abort();
        if (!taken && anchors_epoch(&anchors, kind) != 0)
                abort();
        if (taken && anchors_take(&anchors, store, "site-1", kind, set) == REASON_NONE)
                abort();
        anchors_clear(&anchors);
        return 0;
}
