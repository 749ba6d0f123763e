/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Records of updates: what is accepted is exactly what would be written again. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "hub/update_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct span in, const struct writer *w)
{
        if (writer_finish(w) != RELAY_OK || !span_equal(writer_span(w), in))
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static uint8_t out[UPDATE_RECORD_MAX];
        struct span in = span_of(data, size);
        struct update_record update;
        struct update_device_record device;
        struct writer w;

        if (update_record_decode(in, &update) == RELAY_OK) {
                writer_init(&w, out, sizeof(out));
                update_record_encode(&w, &update);
                check(in, &w);
        }
        if (update_device_record_decode(in, &device) == RELAY_OK) {
                writer_init(&w, out, UPDATE_DEVICE_RECORD_MAX);
                update_device_record_encode(&w, &device);
                check(in, &w);
        }
        return 0;
}
