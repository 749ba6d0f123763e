/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* The console: lines for people. */

#include "port/log.h"

void uart_init(void);
void uart_write(const char *text);
/* name stands before each line and must stay */
struct port_log uart_log(const char *name);
