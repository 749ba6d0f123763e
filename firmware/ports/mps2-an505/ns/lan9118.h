/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* LAN9118 Ethernet controller: frames in and out of its FIFOs, never waiting. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Resets and starts it; mac: its address, as its EEPROM says. false: there is no such chip. */
bool lan9118_init(uint8_t mac[6]);
/* Size of the frame that waits, its CRC included; 0: none. It must be read or dropped then. */
size_t lan9118_waiting(void);
/* Next bytes of that frame; in all exactly its size rounded up to words. */
void lan9118_read(uint32_t *out, size_t words);
void lan9118_drop(size_t size);
/* false: no room in the FIFO. frame: one run of bytes, without CRC. */
bool lan9118_send(const uint8_t *frame, size_t size);
/* Whatever arrived was taken: the interrupt line falls. */
void lan9118_quiet(void);
