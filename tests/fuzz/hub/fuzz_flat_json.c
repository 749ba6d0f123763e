/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Flat JSON: every span lies inside the input, names are unlike. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "hub/flat_json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_inside(struct span part, struct span whole)
{
        if (part.size > 0 && (part.data < whole.data || part.data + part.size > whole.data + whole.size))
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct span in = span_of(data, size);
        struct flat_json json;

        if (flat_json_decode(in, &json) != RELAY_OK)
                return 0;
        for (size_t i = 0; i < json.count; i++) {
                check_inside(json.members[i].name, in);
                if (json.members[i].type == FLAT_JSON_STRING)
                        check_inside(json.members[i].string, in);
                for (size_t k = 0; k < i; k++)
                        if (span_equal(json.members[i].name, json.members[k].name))
                                abort();
        }
        return 0;
}
