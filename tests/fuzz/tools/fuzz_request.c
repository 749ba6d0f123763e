/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Exported approval requests: what decodes must encode to the same bytes, and its parts must lie inside. */

#include <stdlib.h>
#include <string.h>

#include "ctl/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_inside(struct span part, const uint8_t *data, size_t size)
{
        if (part.size > 0 && (part.data < data || part.data + part.size > data + size))
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct request_parts parts;
        uint8_t *again;
        struct writer w;

        if (request_decode(span_of(data, size), &parts) != RELAY_OK)
                return 0;
        check_inside(parts.envelope, data, size);
        check_inside(parts.policy_set, data, size);
        check_inside(parts.vendor_set, data, size);
        check_inside(parts.revocation_set, data, size);
        for (size_t i = 0; i < parts.policies.count; i++)
                check_inside(parts.policies.sets[i], data, size);
        for (size_t i = 0; i < parts.vendors.count; i++)
                check_inside(parts.vendors.sets[i], data, size);
        again = malloc(size);
        if (!again)
                abort();
        writer_init(&w, again, size);
        if (request_encode(&w, &parts) != RELAY_OK || writer_needed(&w) != size)
                abort();
        if (memcmp(again, data, size) != 0)
                abort();
        free(again);
        return 0;
}
