/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines on the first UART: journald's level, milliseconds since the start, who says it, what. */

#include "ports/mps2-an505/ns/uart.h"

#include "ports/mps2-an505/registers.h"
#include "ports/mps2-an505/ns/clock.h"

#define BAUD 115200u

void uart_init(void)
{
        *an505_register(AN505_UART_CONSOLE, UART_BAUDDIV) = AN505_CLOCK_HZ / BAUD;
        *an505_register(AN505_UART_CONSOLE, UART_CTRL) = UART_CTRL_TX;
}

void uart_write(const char *text)
{
        for (; *text != '\0'; text++) {
                while (*an505_register(AN505_UART_CONSOLE, UART_STATE) & UART_STATE_FULL)
                        ;
                *an505_register(AN505_UART_CONSOLE, UART_DATA) = (uint8_t)*text;
        }
}

static void write_number(uint64_t number)
{
        char digits[21];
        size_t at = sizeof(digits) - 1;

        digits[at] = '\0';
        do {
                digits[--at] = (char)('0' + number % 10);
                number /= 10;
        } while (number > 0);
        uart_write(digits + at);
}

static void line(void *context, enum port_log_level level, const char *text)
{
        static const char *const priorities[] = { "<3>", "<4>", "<6>", "<7>" };

        uart_write(priorities[level]);
        uart_write((const char *)context);
        uart_write(" ");
        write_number(clock_now_ms());
        uart_write(": ");
        uart_write(text);
        uart_write("\n");
}

struct port_log uart_log(const char *name)
{
        return (struct port_log){ .line = line, .context = (void *)(uintptr_t)name };
}
