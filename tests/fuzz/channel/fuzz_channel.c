/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What channel_decode() takes, channel_encode() writes again byte by byte. */
#include <stdlib.h>
#include <string.h>

#include "channel/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t again[CHANNEL_HEADER_SIZE + CHANNEL_PAYLOAD_MAX];

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct channel_message message;
        struct reader r;

        reader_init(&r, (struct span){ data, size });
        while (reader_left(&r) > 0) {
                struct writer w;
                size_t start = r.at;
                if (channel_decode(&r, &message) != RELAY_OK)
                        return 0;
                writer_init(&w, again, sizeof(again));
                if (channel_encode(&w, &message) != RELAY_OK || w.at != r.at - start ||
                    memcmp(again, data + start, w.at) != 0)
                        abort();
        }
        return 0;
}
