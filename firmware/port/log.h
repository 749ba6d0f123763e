/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Lines for people: a serial console, or stderr. Never secrets. */

#include "port/port.h"

enum port_log_level { PORT_LOG_ERROR, PORT_LOG_WARNING, PORT_LOG_INFO, PORT_LOG_DEBUG };

struct port_log {
        /* text: one line, NUL-terminated, without a newline */
        void (*line)(void *context, enum port_log_level level, const char *text);
        void *context;
};
