/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * lwIP as this port needs it: IPv4, TCP by its raw interface, names; no thread, no heap but its own.
 */
#include <stdint.h>

uint32_t entropy_word(void); /* entropy.c */

#define NO_SYS                    1
#define SYS_LIGHTWEIGHT_PROT      0
#define LWIP_NETCONN              0
#define LWIP_SOCKET               0
#define LWIP_STATS                0
#define LWIP_RAW                  0
#define LWIP_ICMP                 1
#define IP_REASSEMBLY             0
#define IP_FRAG                   0
#define LWIP_IPV6                 0
#define LWIP_UDP                  1
#define LWIP_DNS                  1
#define DNS_TABLE_SIZE            2
#define DNS_MAX_NAME_LENGTH       64
#define LWIP_NETIF_API            0
#define LWIP_NETIF_TX_SINGLE_PBUF 1 /* the chip's FIFO takes a frame in one piece */
#define ARP_TABLE_SIZE            4
#define ARP_QUEUEING              0

#define MEM_ALIGNMENT           4
#define MEM_SIZE                5120 /* what was sent and not yet acknowledged, of all connections */
#define MEMP_NUM_TCP_PCB        5    /* two links, and what is left of those before */
#define MEMP_NUM_TCP_PCB_LISTEN 1
#define MEMP_NUM_TCP_SEG        12
#define MEMP_NUM_UDP_PCB        1
#define MEMP_NUM_PBUF           8
#define MEMP_NUM_REASSDATA      0
#define PBUF_POOL_SIZE          12
#define PBUF_POOL_BUFSIZE       512

#define LWIP_TCP           1
#define TCP_MSS            1460
#define TCP_WND            (2 * TCP_MSS)
#define TCP_SND_BUF        (2 * TCP_MSS)
#define TCP_SND_QUEUELEN   8
#define TCP_QUEUE_OOSEQ    0 /* costs memory; a lost segment is rare */
#define TCP_LISTEN_BACKLOG 0
#define LWIP_TCP_KEEPALIVE 0

#define LWIP_RAND                                                       entropy_word
#define LWIP_HOOK_TCP_ISN(local_ip, local_port, remote_ip, remote_port) entropy_word()
