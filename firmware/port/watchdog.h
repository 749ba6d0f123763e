/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* The watchdog resets a device whose main loop stands still. Only the main loop feeds it. */

#include "port/port.h"

struct port_watchdog {
        void (*feed)(void *context);
        void *context;
};
