/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Random bytes for jitter and nonces. TLS keys take theirs from the same source inside the TLS port.
 *
 * A source that has nothing to give says so (PORT_E_IO) instead of giving something. One that fails without knowing it
 * is noticed by entropy_check(), as far as two draws show it. Without entropy a device opens no connection; its
 * product goes on.
 */

#include "port/port.h"

struct port_entropy {
        /* size random bytes into out; 0 or PORT_E_IO */
        int (*fill)(void *context, void *out, size_t size);
        void *context;
};

/*
 * Is the source alive? Draws twice 32 bytes: refused if the draws are equal, if one value stands five times in a row
 * (the repetition count test of NIST SP 800-90B, section 4.4.1, for full entropy and a false alarm in 2^26), or
 * sixteen times in all. It cannot tell a good source from a clever one: what the hardware's own tests say belongs into
 * fill(). 0 or PORT_E_IO.
 */
int entropy_check(const struct port_entropy *entropy);
