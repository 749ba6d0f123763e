/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The little that the checks need of a board: output, end, a counter of instructions, the stack's bounds.
 */
#include <stdint.h>

extern uint32_t stack_bottom[], stack_top[]; /* an505.ld */

/* To the host by semihosting, which QEMU must be started with. */
void board_print(const char *text);
_Noreturn void board_exit(int status);

/*
 * Instructions executed since reset, give or take ten, if QEMU runs with -icount shift=6 (64 ns of its time for each);
 * good for 3.3 thousand million of them.
 */
uint32_t board_instructions(void);
