/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* port/net.h over lwIP's raw interface, and lwIP over the Ethernet controller. One instance: lwIP has globals. */

#include "port/net.h"

/* Starts chip and stack with a fixed address. 0 or PORT_E_IO: no controller, which a device can live without. */
int net_lwip_init(void);
struct port_net net_lwip_port(void);
/* Takes in what arrived and what is due. */
void net_lwip_poll(void);
/* When lwIP wants to be polled at the latest, milliseconds of uptime */
uint64_t net_lwip_deadline(void);
