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
        struct gate gate;
        uint8_t out[GATE_RECORD_SIZE];
        if (!gate_decode(in, &gate)) {
                if (gate.state != GATE_CLOSED)
                        abort();
                return;
        }
        gate_encode(&gate, out);
        if (!span_equal(in, SPAN_OF(out)))
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        fuzz_repeat(span_of(data, size));
        fuzz_gate(span_of(data, size));
        return 0;
}
