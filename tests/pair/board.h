/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* The greenhouse of docs/firmware.md, for its application in tests. */

#include <stdbool.h>
#include <stdint.h>

uint32_t board_degrees(void);
void board_heat(bool on);
