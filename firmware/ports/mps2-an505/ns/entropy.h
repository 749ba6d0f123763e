/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Random numbers. The board has no generator: a noise source is wired to a UART, and its bytes seed wolfCrypt's
 * Hash_DRBG. A source that is silent or stuck gives errors, never numbers.
 */

#include "port/entropy.h"

void entropy_init(void);
struct port_entropy entropy_port(void);
/* For wolfCrypt: a seed straight from the source, its health checked. 0 or -1 */
int entropy_seed(unsigned char *out, unsigned int size);
/* For lwIP's port and sequence numbers: they need not be secret, so there always is one. */
uint32_t entropy_word(void);
