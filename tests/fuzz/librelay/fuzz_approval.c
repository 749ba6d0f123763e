/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Takes the payload or the signed object around it; what decodes has one encoding, and nobody's forged keys pass. */
#include <stdlib.h>

#include "relay/approval.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static uint8_t again[1 << 16];
        static struct approval object;
        struct span in = span_of(data, size);
        struct writer w;
        struct cose_sign1 sign1;
        if (cose_sign1_decode(in, &sign1) == RELAY_OK)
                in = sign1.payload;

        if (approval_decode(in, &object) != RELAY_OK)
                return 0;
        writer_init(&w, again, sizeof(again));
        if (approval_encode(&w, &object) != RELAY_OK || !span_equal(writer_span(&w), in))
                abort();
        return 0;
}
