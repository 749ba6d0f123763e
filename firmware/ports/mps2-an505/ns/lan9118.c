/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Driver after the LAN9118's data sheet; 32-bit accesses only. */

#include "ports/mps2-an505/ns/lan9118.h"

#include <string.h>

#include "ports/mps2-an505/registers.h"

#define RX_DATA    0x00u
#define TX_DATA    0x20u
#define RX_STATUS  0x40u
#define TX_STATUS  0x48u
#define IRQ_CFG    0x54u
#define INT_STS    0x58u
#define INT_EN     0x5cu
#define BYTE_TEST  0x64u
#define RX_CFG     0x6cu
#define TX_CFG     0x70u
#define HW_CFG     0x74u
#define RX_DP_CTRL 0x78u
#define RX_INF     0x7cu
#define TX_INF     0x80u
#define MAC_CMD    0xa4u
#define MAC_DATA   0xa8u

#define BYTE_TEST_VALUE 0x87654321u
#define HW_CFG_RESET    0x1u
#define HW_CFG_5K_TX    0x00150000u /* store and forward; 5 KB of the chip's memory for sending */
#define TX_CFG_ON       0x2u
#define IRQ_CFG_ON      0x111u /* enabled, active high, push-pull */
#define INT_RX_STATUS   0x8u   /* a frame is complete */
#define RX_DP_DISCARD   0x80000000u
#define RX_STATUS_BAD   0x8000u
#define MAC_BUSY        0x80000000u
#define MAC_READ        0x40000000u
#define MAC_CR          1u
#define MAC_ADDRH       2u
#define MAC_ADDRL       3u
#define MAC_CR_ON       0x10000cu /* full duplex, both directions */
#define TX_FIRST_LAST   0x3000u

static volatile uint32_t *chip(uint32_t offset)
{
        return an505_register(AN505_ETHERNET, offset);
}

static void mac_wait(void)
{
        while (*chip(MAC_CMD) & MAC_BUSY)
                ;
}

static uint32_t mac_read(uint32_t index)
{
        *chip(MAC_CMD) = MAC_BUSY | MAC_READ | index;
        mac_wait();
        return *chip(MAC_DATA);
}

static void mac_write(uint32_t index, uint32_t value)
{
        *chip(MAC_DATA) = value;
        *chip(MAC_CMD) = MAC_BUSY | index;
        mac_wait();
}

bool lan9118_init(uint8_t mac[6])
{
        if (*chip(BYTE_TEST) != BYTE_TEST_VALUE)
                return false;
        *chip(HW_CFG) = HW_CFG_RESET;
        while (*chip(HW_CFG) & HW_CFG_RESET)
                ;
        *chip(HW_CFG) = HW_CFG_5K_TX;
        uint32_t low = mac_read(MAC_ADDRL), high = mac_read(MAC_ADDRH);
        for (unsigned i = 0; i < 6; i++)
                mac[i] = (uint8_t)(i < 4 ? low >> 8 * i : high >> 8 * (i - 4));
        *chip(TX_CFG) = TX_CFG_ON;
        mac_write(MAC_CR, MAC_CR_ON);
        *chip(IRQ_CFG) = IRQ_CFG_ON;
        *chip(INT_EN) = INT_RX_STATUS;
        *an505_register(SCS, SCS_NVIC_ISER(AN505_ETHERNET_IRQ)) = 1u << AN505_ETHERNET_IRQ % 32u;
        return true;
}

size_t lan9118_waiting(void)
{
        while (*chip(RX_INF) >> 16 & 0xff) {
                uint32_t status = *chip(RX_STATUS);
                size_t size = status >> 16 & 0x3fff;
                if (!(status & RX_STATUS_BAD) && size > 4)
                        return size;
                lan9118_drop(size);
        }
        return 0;
}

void lan9118_read(uint32_t *out, size_t words)
{
        for (size_t i = 0; i < words; i++)
                out[i] = *chip(RX_DATA);
}

void lan9118_drop(size_t size)
{
        if (size >= 16) { /* the chip can only do it for four words and more */
                *chip(RX_DP_CTRL) = RX_DP_DISCARD;
                while (*chip(RX_DP_CTRL) & RX_DP_DISCARD)
                        ;
                return;
        }
        for (size_t i = 0; i < (size + 3) / 4; i++)
                (void)*chip(RX_DATA);
}

bool lan9118_send(const uint8_t *frame, size_t size)
{
        size_t words = (size + 3) / 4;

        while (*chip(TX_INF) >> 16 & 0xff)
                (void)*chip(TX_STATUS);
        if ((*chip(TX_INF) & 0xffff) < 4 * words + 8)
                return false;
        *chip(TX_DATA) = TX_FIRST_LAST | (uint32_t)size;
        *chip(TX_DATA) = (uint32_t)size;
        for (size_t at = 0; at < size; at += 4) {
                uint32_t word = 0;
                memcpy(&word, frame + at, size - at < 4 ? size - at : 4);
                *chip(TX_DATA) = word;
        }
        return true;
}

void lan9118_quiet(void)
{
        *chip(INT_STS) = INT_RX_STATUS;
        *an505_register(SCS, SCS_NVIC_ICPR(AN505_ETHERNET_IRQ)) = 1u << AN505_ETHERNET_IRQ % 32u;
}
