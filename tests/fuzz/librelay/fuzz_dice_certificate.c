/* SPDX-License-Identifier: GPL-2.0-or-later */
/* As a CDI certificate: what is taken is what we would write. As the device certificate of a boot stage: a leaf, or
 * none. */
#include <stdlib.h>

#include "fuzz_dice_key.h"
#include "relay/dice.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static const uint8_t seed[ED25519_SEED_SIZE] = { 1 };
        const struct dice_measurement measurement = { .mode = DICE_MODE_NORMAL };
        uint8_t out[DICE_CERTIFICATE_MAX];
        struct dice_evidence evidence;
        struct writer w;

        if (dice_read_certificate(span_of(data, size), &sample_identity, &evidence) == RELAY_OK &&
            (evidence.key.type != KEY_ED25519 || size > DICE_CERTIFICATE_MAX ||
             evidence.measurement.mode > DICE_MODE_RECOVERY))
                abort();
        writer_init(&w, out, sizeof(out));
        if (dice_write_leaf(&w, seed, span_of(data, size), &sample_identity, &measurement) == RELAY_OK)
                abort(); /* the seed is nobody's in the corpus */
        return 0;
}
