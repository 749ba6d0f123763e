/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* A session that proves itself: whose it is, until when, and the CONNECT that waits for it. */

#include "hub/broker.h"

struct proof {
        struct proof *next, *previous;
        struct link *link;
        uint64_t due_ms;
        uint64_t commit; /* proven, and opens when this one is on the disk; 0: not proven yet */
        size_t size;     /* of connect; 0: an open session proves itself again */
        uint8_t connect[];
};
