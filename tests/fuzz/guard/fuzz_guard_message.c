/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages between hub and guard: what is taken is written again as the same bytes.
 */
#include <stdlib.h>
#include <string.h>

#include "guard/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static uint8_t bytes[GUARD_MESSAGE_MAX];
        struct guard_message m;
        struct writer w;

        if (guard_message_decode(span_of(data, size), &m) != RELAY_OK)
                return 0;
        writer_init(&w, bytes, sizeof(bytes));
        if (guard_message_encode(&w, &m) != RELAY_OK || !span_equal(writer_span(&w), span_of(data, size)))
                abort();
        return 0;
}
