/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Takes the payload or the signed object around it; what decodes has one encoding, and nobody's forged keys pass. */
#include <stdlib.h>

#include "relay/sitepolicy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static uint8_t again[1 << 16];
        static struct site_policy object;
        struct span in = span_of(data, size);
        struct writer w;
        struct cose_set set;
        if (cose_set_decode(in, &set) == RELAY_OK)
                in = set.payload;

        if (site_policy_decode(in, &object) != RELAY_OK)
                return 0;
        writer_init(&w, again, sizeof(again));
        if (site_policy_encode(&w, &object) != RELAY_OK || !span_equal(writer_span(&w), in))
                abort();
        return 0;
}
