/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Stored records of policy: what is taken, is written the same again, and can be used. */

#include <stdlib.h>
#include <string.h>

#include "policy/gate.h"
#include "policy/repeat.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_repeat(struct span in)
{
        struct repeat repeat;
        uint8_t out[REPEAT_RECORD_SIZE];
        if (!repeat_decode(in, &repeat)) {
                if (repeat.used)
                        abort();
                return;
        }
        repeat_encode(&repeat, out);
        if (repeat.used && !span_equal(in, SPAN_OF(out)))
                abort();
        if (repeat.used && repeat_check(&repeat, repeat.boot, repeat.top) != REPEAT_SEEN)
                abort();
        repeat_check(&repeat, repeat.boot, repeat.top + 70);
        repeat_check(&repeat, repeat.boot, repeat.top / 2);
}

static void fuzz_gate(struct span in)
{
        static struct gate_settings settings, again;
        static uint8_t out[GATE_RECORD_MAX];
        const struct gate_facts facts = { .device = "a", .time_known = true, .minute_known = true };
        struct writer w;

        if (!gate_decode(in, &settings)) {
                if (settings.count > 0)
                        abort();
                return;
        }
        writer_init(&w, out, sizeof(out));
        gate_encode(&w, &settings);
        if (writer_finish(&w) != RELAY_OK || !gate_decode(writer_span(&w), &again) || again.count != settings.count)
                abort();
        if (in.size != 9 && !span_equal(in, writer_span(&w)))
                abort();
        for (size_t i = 0; i < settings.count; i++)
                if (!gate_entry_is_valid(&settings.entries[i]))
                        abort();
        (void)gate_decide(&settings, &facts);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        fuzz_repeat(span_of(data, size));
        fuzz_gate(span_of(data, size));
        return 0;
}
