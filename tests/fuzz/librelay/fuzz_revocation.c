/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Takes the payload or the signed set around it; what decodes has one encoding. */
#include <stdlib.h>

#include "relay/revocation.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct span in = span_of(data, size);
        struct revocation object;
        uint8_t again[REVOCATION_MAX];
        struct cose_set set;
        struct writer w;

        if (cose_set_decode(in, &set) == RELAY_OK)
                in = set.payload;
        if (revocation_decode(in, &object) != RELAY_OK)
                return 0;
        writer_init(&w, again, sizeof(again));
        if (revocation_encode(&w, &object) != RELAY_OK || !span_equal(writer_span(&w), in))
                abort();
        return 0;
}
