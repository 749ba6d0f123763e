/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Uptime. There is no wall clock: trusted time comes from the gate, and only for this boot. */

#include "port/port.h"

struct port_clock {
        /* milliseconds since some moment of this boot; never goes back */
        uint64_t (*now_ms)(void *context);
        void *context;
};
