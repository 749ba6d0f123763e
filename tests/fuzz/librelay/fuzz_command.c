/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Takes the payload or the COSE_Sign1 around it; what decodes is signed as the same bytes. */
#include <stdlib.h>

#include "relay/command.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int sign(void *context, struct span message, uint8_t sig[SIGNATURE_SIZE])
{
        (void)context;
        (void)message;
        for (size_t i = 0; i < SIGNATURE_SIZE; i++)
                sig[i] = 0;
        return RELAY_OK;
}

static const struct signer nobody = { .key = { .type = KEY_ED25519 }, .sign = sign };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct span in = span_of(data, size);
        struct command object;
        uint8_t again[2 * COMMAND_MAX];
        struct cose_sign1 sign1;
        struct writer w;

        if (cose_sign1_decode(in, &sign1) == RELAY_OK)
                in = sign1.payload;
        if (in.size > COMMAND_MAX || command_decode(in, &object) != RELAY_OK)
                return 0;
        writer_init(&w, again, sizeof(again));
        if (command_sign(&w, &object, &nobody) != RELAY_OK || cose_sign1_decode(writer_span(&w), &sign1) != RELAY_OK ||
            !span_equal(sign1.payload, in))
                abort();
        return 0;
}
