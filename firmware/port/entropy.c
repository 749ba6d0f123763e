/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether a source of random bytes is alive. */

#include "port/entropy.h"

#include <string.h>

#define DRAW   32u
#define REPEAT 5  /* equal bytes in a row */
#define MOST   16 /* equal bytes in all */

static bool looks_random(const uint8_t bytes[2 * DRAW])
{
        uint8_t seen[256] = { 0 };
        unsigned run = 0;

        for (unsigned i = 0; i < 2 * DRAW; i++) {
                run = i > 0 && bytes[i] == bytes[i - 1] ? run + 1 : 1;
                if (run >= REPEAT || ++seen[bytes[i]] >= MOST)
                        return false;
        }
        return memcmp(bytes, bytes + DRAW, DRAW) != 0;
}

int entropy_check(const struct port_entropy *entropy)
{
        uint8_t bytes[2 * DRAW] = { 0 };

        int r = entropy->fill(entropy->context, bytes, DRAW);
        if (r == 0)
                r = entropy->fill(entropy->context, bytes + DRAW, DRAW);
        return r == 0 && !looks_random(bytes) ? PORT_E_IO : r;
}
