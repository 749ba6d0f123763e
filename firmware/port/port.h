/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * What a board must provide. Each port/x.h is one contract: a struct of functions with a context, filled by the board
 * (ports/<board>/), used by the application (app/) and the boot stage (boot/). Nothing here blocks or allocates.
 *
 * Results follow librelay's rule: 0 is success, negative is an error that travels up, positive an answer.
 */

#include "relay/result.h"
#include "relay/span.h"

enum port_result {
        PORT_WANT = 16,   /* nothing now: call again when the link may have moved */
        PORT_CLOSED = 17, /* the peer closed properly */

        PORT_E_IO = -64,      /* the hardware (flash, socket) failed */
        PORT_E_REFUSED = -65, /* nobody listens, or the peer's key has no pin, or the peer refused us */
        PORT_E_NAME = -66,    /* the host's name is not known */
};

#define PORT_LINKS 2 /* connections at one time: the session and a candidate */
