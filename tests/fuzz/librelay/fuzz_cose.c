/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>

#include "relay/cose.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static const struct public_key key = { .type = KEY_ED25519, .bytes = { 3 } };
        struct span in = span_of(data, size);
        uint8_t again[4096], scratch[4096];
        struct cose_sign1 sign1;
        struct cose_set set;
        struct writer w;

        if (cose_sign1_decode(in, &sign1) == RELAY_OK)
                cose_sign1_verify(&sign1, &key, SPAN_LITERAL("fuzz"), in, scratch, sizeof(scratch));
        if (cose_set_decode_proposal(in, &set) == RELAY_OK && size <= sizeof(again)) {
                writer_init(&w, again, sizeof(again));
                if (cose_set_write(&w, &set) != RELAY_OK || !span_equal(writer_span(&w), in))
                        abort();
                cose_set_count_valid(&set, SPAN_EMPTY, &key, 1, scratch, sizeof(scratch));
        }
        return 0;
}
