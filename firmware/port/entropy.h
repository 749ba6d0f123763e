/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Random bytes for jitter and nonces. TLS keys take theirs from the same source inside the TLS port. */

#include "port/port.h"

struct port_entropy {
        /* size random bytes into out; 0 or PORT_E_IO */
        int (*fill)(void *context, void *out, size_t size);
        void *context;
};
