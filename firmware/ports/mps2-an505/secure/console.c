/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The console, without interrupts and without a buffer: what was written is out. */

#include "ports/mps2-an505/secure/console.h"

#include "ports/mps2-an505/secure/registers.h"

#define STATE_FULL 1u
#define CTRL_TX    1u
#define DIVISOR    174u /* 115,200 baud of 20 MHz */

void console_init(void)
{
        UART_BAUDDIV = DIVISOR;
        UART_CTRL = CTRL_TX;
}

void console_write(const char *text)
{
        for (; *text != '\0'; text++) {
                while (UART_STATE & STATE_FULL)
                        ;
                UART_DATA = (uint8_t)*text;
        }
}

void console_hex(uint32_t word)
{
        char text[9] = { 0 };

        for (unsigned i = 0; i < 8; i++)
                text[i] = "0123456789abcdef"[word >> (28 - 4 * i) & 15];
        console_write(text);
}

void console_line(unsigned level, const char *a, const char *b)
{
        char head[] = "<0>boot: ";

        head[1] = (char)('0' + level);
        console_write(head);
        console_write(a);
        console_write(b);
        console_write("\n");
}
