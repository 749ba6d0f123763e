/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A device's question: what decodes has one encoding. */
#include <stdlib.h>

#include "relay/ticket.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct span in = span_of(data, size);
        struct gate_request object;
        uint8_t again[GATE_REQUEST_MAX];
        struct writer w;

        if (gate_request_decode(in, &object) != RELAY_OK)
                return 0;
        writer_init(&w, again, sizeof(again));
        if (gate_request_encode(&w, &object) != RELAY_OK || !span_equal(writer_span(&w), in))
                abort();
        return 0;
}
