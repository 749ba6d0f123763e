/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* The boot channel on this port: a SOCK_SEQPACKET pair, one packet a message. */

#include "ports/common/boot_client.h"

/* fd: the application's end. 0, or as boot_client_init(). One client in a process. */
int boot_posix_open(struct boot_client *client, int fd);
