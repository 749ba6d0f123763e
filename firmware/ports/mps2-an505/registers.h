/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Registers of QEMU's mps2-an505 that this port uses. A peripheral given to the application's side is reached through
 * its non-secure alias by both sides.
 */
#include <stdint.h>

#include "ports/mps2-an505/map.h"

#define AN505_CLOCK_HZ 20000000u

#define AN505_UART_CONSOLE 0x40200000u
#define AN505_UART_ENTROPY 0x40202000u
#define AN505_FPGAIO       0x40302000u
#define AN505_ETHERNET     0x42000000u
#define AN505_ETHERNET_IRQ 48u

static inline volatile uint32_t *an505_register(uint32_t base, uint32_t offset)
{
        return (volatile uint32_t *)(uintptr_t)(base + offset); /* NOLINT(performance-no-int-to-ptr) */
}

/* CMSDK UART: the same on every instance */
#define UART_DATA        0x00u
#define UART_STATE       0x04u
#define UART_STATE_FULL  1u /* transmitter */
#define UART_STATE_READY 2u /* receiver */
#define UART_CTRL        0x08u
#define UART_CTRL_TX     1u
#define UART_CTRL_RX     2u
#define UART_BAUDDIV     0x10u

#define FPGAIO_COUNTER 0x18u /* up, at AN505_CLOCK_HZ */

/* the core's own, of whichever side asks */
#define SCS                0xe000e000u
#define SCS_SYST_CSR       0x010u
#define SCS_SYST_RVR       0x014u
#define SCS_SYST_CVR       0x018u
#define SCS_NVIC_ISER(n)   (0x100u + 4u * ((n) / 32u))
#define SCS_NVIC_ICPR(n)   (0x280u + 4u * ((n) / 32u))
#define SCS_ICSR           0xd04u
#define SCS_ICSR_PENDSTCLR 0x02000000u
#define SCS_AIRCR          0xd0cu
#define SCS_AIRCR_RESET    0x05fa0004u
