/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Registers that only the secure side has, or that it sets for the other side: Cortex-M33 and the board's IoT Kit. */

#include <stdint.h>

#define REGISTER(address) (*(volatile uint32_t *)(address)) /* NOLINT(performance-no-int-to-ptr) */

/* ---- the core: Armv8-M Architecture Reference Manual, D1.2 */
#define ITNS(n)  REGISTER(0xe000e380u + 4 * (n)) /* interrupt n * 32 + bit goes to the non-secure side */
#define ICSR     REGISTER(0xe000ed04u)
#define AIRCR    REGISTER(0xe000ed0cu)
#define SHCSR    REGISTER(0xe000ed24u)
#define CFSR     REGISTER(0xe000ed28u)
#define HFSR     REGISTER(0xe000ed2cu)
#define MMFAR    REGISTER(0xe000ed34u)
#define BFAR     REGISTER(0xe000ed38u)
#define SAU_CTRL REGISTER(0xe000edd0u)
#define SAU_RNR  REGISTER(0xe000edd8u)
#define SAU_RBAR REGISTER(0xe000eddcu)
#define SAU_RLAR REGISTER(0xe000ede0u)
#define SFSR     REGISTER(0xe000ede4u)
#define SFAR     REGISTER(0xe000ede8u)
#define VTOR_NS  REGISTER(0xe002ed08u)
#define CFSR_NS  REGISTER(0xe002ed28u)

#define AIRCR_KEY       0x05fa0000u
#define AIRCR_PRIS      0x4000u /* exceptions of the non-secure side rank behind those of the secure side */
#define AIRCR_RESET     0x0004u
#define SHCSR_FAULTS_ON 0x000f0000u /* secure, usage, bus, memory: not all of them as a hard fault */
#define SAU_CTRL_ON     1u
#define SAU_RLAR_ON     1u
#define SAU_RLAR_NSC    2u /* secure memory that may hold veneers */

/* ---- secure privilege control block of the IoT Kit */
#define SECRESPCFG     REGISTER(0x50080010u) /* 1: a refused access is a bus error, not a zero */
#define NSCCFG         REGISTER(0x50080014u) /* bit 0: the code alias may hold veneers */
#define AHBNSPPCEXP(n) REGISTER(0x50080060u + 4 * (n))
#define APBNSPPCEXP(n) REGISTER(0x50080080u + 4 * (n))

/* ---- memory protection controllers: one for code, one for each bank of RAM */
#define MPC_CODE           0x58007000u
#define MPC_RAM            0x58008000u
#define MPC_RAM_UPPER      0x58009000u
#define MPC_CTRL(mpc)      REGISTER((mpc) + 0x00u)
#define MPC_BLOCK_CFG(mpc) REGISTER((mpc) + 0x14u) /* a block has 2^(this + 5) bytes */
#define MPC_INDEX(mpc)     REGISTER((mpc) + 0x18u)
#define MPC_LUT(mpc)       REGISTER((mpc) + 0x1cu) /* of the 32 blocks at the index: 1 is non-secure */

#define MPC_CTRL_BUS_ERROR 0x00000010u
#define MPC_CTRL_LOCKED    0x80000000u /* until the next reset */

/* ---- the secure watchdog (CMSDK): first an NMI, then a reset; counts down at 20 MHz */
#define WATCHDOG_LOAD    REGISTER(0x50081000u)
#define WATCHDOG_VALUE   REGISTER(0x50081004u)
#define WATCHDOG_CTRL    REGISTER(0x50081008u)
#define WATCHDOG_LOCK    REGISTER(0x50081c00u)
#define WATCHDOG_CTRL_ON 3u
#define WATCHDOG_UNLOCK  0x1acce551u

/* ---- UART 0: the application's, borrowed for lines of the boot stage; both use the non-secure alias */
#define UART_DATA    REGISTER(0x40200000u)
#define UART_STATE   REGISTER(0x40200004u)
#define UART_CTRL    REGISTER(0x40200008u)
#define UART_BAUDDIV REGISTER(0x40200010u)
