/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The C library's allocator within the bounds of application.ld. */

#include <wolfssl/options.h>
#include <wolfssl/wolfcrypt/types.h>

#include "ports/mps2-an505/ns/heap.h"

#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>

#define PAINT 0x5a5aa5a5u

extern uint8_t heap_start[], heap_end[];
extern uint32_t stack_bottom[], stack_top[];

void *_sbrk(ptrdiff_t size);

static uint8_t *top = heap_start;
static size_t used, peak;

void *_sbrk(ptrdiff_t size)
{
        uint8_t *before = top;

        if (size > heap_end - top || size < heap_start - top)
                return (void *)-1; /* NOLINT(performance-no-int-to-ptr): what the C library expects */
        top += size;
        return before;
}

static void *count(void *memory)
{
        used += memory ? malloc_usable_size(memory) : 0;
        peak = used > peak ? used : peak;
        return memory;
}

void *XMALLOC(size_t size, void *heap, int type)
{
        (void)heap;
        (void)type;
        return count(malloc(size));
}

void XFREE(void *memory, void *heap, int type)
{
        (void)heap;
        (void)type;
        used -= memory ? malloc_usable_size(memory) : 0;
        free(memory);
}

void *XREALLOC(void *memory, size_t size, void *heap, int type)
{
        size_t before = memory ? malloc_usable_size(memory) : 0;
        void *after = realloc(memory, size);

        (void)heap;
        (void)type;
        if (after)
                used -= before;
        return count(after);
}

void heap_paint_stack(void)
{
        uint32_t *here;

        __asm__ volatile("mov %0, sp" : "=r"(here));
        for (uint32_t *word = stack_bottom; word < here; word++)
                *(volatile uint32_t *)word = PAINT;
}

struct heap_figures heap_figures(void)
{
        const uint32_t *word = stack_bottom;

        while (word < stack_top && *(const volatile uint32_t *)word == PAINT)
                word++;
        return (struct heap_figures){ .heap = used,
                                      .heap_peak = peak,
                                      .heap_size = (size_t)(heap_end - heap_start),
                                      .stack_peak = (size_t)(stack_top - word) * sizeof(*word),
                                      .stack_size = (size_t)(stack_top - stack_bottom) * sizeof(*word) };
}
