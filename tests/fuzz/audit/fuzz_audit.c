/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Audit records from outside: what decodes, encodes to the same bytes; the verifier takes anything. */

#include <stdlib.h>
#include <string.h>

#include "audit/audit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_round_trip(struct span in, const struct audit_record *record)
{
        struct audit_head head = { .count = record->number - 1 };
        uint8_t out[AUDIT_RECORD_MAX], key[AUDIT_KEY_SIZE];
        size_t out_size;
        memcpy(head.hash, record->previous, SHA256_SIZE);
        if (audit_append(&head, record, out, &out_size, key) != RELAY_OK || !span_equal(in, span_of(out, out_size)))
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct span in = span_of(data, size);
        struct audit_record record;
        struct audit_verifier verifier;
        audit_verify_start(&verifier, NULL);
        if (audit_decode(in, &record) == RELAY_OK) {
                check_round_trip(in, &record);
                if (audit_verify_next(&verifier, in) != (verifier.what == AUDIT_INTACT))
                        abort();
        } else if (audit_verify_next(&verifier, in) || verifier.what != AUDIT_MALFORMED) {
                abort();
        }
        return 0;
}
