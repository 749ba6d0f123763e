/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Signing requests and answers: what is decoded is encoded again byte by byte. */
#include <stdlib.h>
#include <string.h>

#include "channel/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void same(const struct writer *w, int result, const uint8_t *data, size_t size)
{
        if (result != RELAY_OK || w->at != size || memcmp(w->out, data, size) != 0)
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct channel_sign_request request;
        struct channel_sign_answer answer;
        struct span in = { data, size };
        uint8_t again[128];
        struct writer w;

        if (channel_sign_request_decode(in, &request) == RELAY_OK) {
                writer_init(&w, again, sizeof(again));
                same(&w, channel_sign_request_encode(&w, &request), data, size);
        }
        if (channel_sign_answer_decode(in, &answer) == RELAY_OK) {
                writer_init(&w, again, sizeof(again));
                same(&w, channel_sign_answer_encode(&w, &answer), data, size);
        }
        return 0;
}
