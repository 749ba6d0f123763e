/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* The heap, which is wolfSSL's alone, and how much of memory was ever used. */

#include <stddef.h>

struct heap_figures {
        size_t heap, heap_peak, heap_size; /* bytes in use now, at most, of how many */
        size_t stack_peak, stack_size;
};
struct heap_figures heap_figures(void);
/* Paints the stack's free part, so that its use can be told later. Once, at the start. */
void heap_paint_stack(void);
