/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The noise source on a UART, with the two continuous health tests of NIST SP 800-90B section 4.4. */

#include "ports/mps2-an505/ns/entropy.h"

#include "ports/mps2-an505/registers.h"
#include "ports/mps2-an505/ns/clock.h"
#include "relay/crypto.h"

#define SILENCE_MS 1000u /* for one byte */
/* A byte is credited with 4 bits only, and one healthy source in 2^40 may be called sick. */
#define REPEATS_MAX    11u
#define WINDOW         512u
#define PROPORTION_MAX 87u

static struct {
        uint8_t last, first; /* of a run of equal bytes, of the window */
        unsigned run, seen, like_first;
        bool sick; /* for good: until a restart */
} health;

void entropy_init(void)
{
        *an505_register(AN505_UART_ENTROPY, UART_BAUDDIV) = 16;
        *an505_register(AN505_UART_ENTROPY, UART_CTRL) = UART_CTRL_RX;
}

/* repetition count test, adaptive proportion test */
static void check_health(uint8_t byte)
{
        health.run = health.run > 0 && byte == health.last ? health.run + 1 : 1;
        health.last = byte;
        if (health.seen == 0) {
                health.first = byte;
                health.like_first = 0;
        }
        health.like_first += byte == health.first;
        health.seen = (health.seen + 1) % WINDOW;
        if (health.run >= REPEATS_MAX || health.like_first >= PROPORTION_MAX)
                health.sick = true;
}

static int read_byte(uint8_t *byte)
{
        uint64_t end = clock_now_ms() + SILENCE_MS;

        while (!(*an505_register(AN505_UART_ENTROPY, UART_STATE) & UART_STATE_READY))
                if (clock_now_ms() >= end)
                        return PORT_E_IO;
        *byte = (uint8_t)*an505_register(AN505_UART_ENTROPY, UART_DATA);
        check_health(*byte);
        return health.sick ? PORT_E_IO : 0;
}

int entropy_seed(unsigned char *out, unsigned int size)
{
        int r = health.sick ? PORT_E_IO : 0;

        for (unsigned int i = 0; i < size && r == 0; i++)
                r = read_byte(&out[i]);
        return r == 0 ? 0 : -1;
}

static int fill(void *context, void *out, size_t size)
{
        (void)context;
        return crypto_random(out, size) == RELAY_OK ? 0 : PORT_E_IO;
}

struct port_entropy entropy_port(void)
{
        return (struct port_entropy){ .fill = fill };
}

uint32_t entropy_word(void)
{
        uint32_t word;

        if (entropy_seed((unsigned char *)&word, sizeof(word)) != 0)
                word = *an505_register(AN505_FPGAIO, FPGAIO_COUNTER) * UINT32_C(2654435761);
        return word;
}
