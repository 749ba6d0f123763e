/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Records of commands: what is accepted is exactly what would be written again. Input: u8 size of the key, key, value.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "hub/command_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct span in, const struct writer *w)
{
        if (writer_finish(w) != RELAY_OK || !span_equal(writer_span(w), in))
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static uint8_t out[COMMAND_RECORD_MAX];
        struct command_record record;
        struct span in = span_of(data, size), key, value;
        struct writer w;

        if (size == 0)
                return 0;
        key = span_slice(in, 1, data[0]);
        value = span_slice(in, 1 + key.size, size);
        if (command_record_decode(key, value, &record) != RELAY_OK)
                return 0;
        writer_init(&w, out, COMMAND_RECORD_KEY_MAX);
        command_record_put_key(&w, &record);
        check(key, &w);
        writer_init(&w, out, sizeof(out));
        command_record_put_value(&w, &record);
        check(value, &w);
        return 0;
}
