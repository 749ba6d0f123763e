/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* CRC-32C (Castagnoli, RFC 3720 appendix B.4): by the processor's instruction where there is one. */

#include <stdint.h>

#include "relay/span.h"

/* crc: 0 for the first piece, the last result for the next ones */
uint32_t crc32c(uint32_t crc, struct span data);
uint32_t crc32c_portable(uint32_t crc, struct span data); /* eight bytes a step, from tables */
