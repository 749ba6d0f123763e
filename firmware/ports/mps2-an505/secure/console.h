/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Lines of the boot stage on the console. Never secrets: the application shares the wire. */

#include <stdint.h>

/* After the isolation is set up: the UART belongs to the other side. */
void console_init(void);
void console_write(const char *text);
/* eight digits */
void console_hex(uint32_t word);
/* "<level>boot: " a b newline */
void console_line(unsigned level, const char *a, const char *b);
