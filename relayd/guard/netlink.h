/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Netlink sockets of libnl, read without blocking.
 */

#include <netlink/netlink.h>
#include <sys/types.h>

/* Connects a socket of this protocol. 0 or -errno; free with nl_socket_free(). */
int netlink_open(struct nl_sock **ret, int protocol);
/* One datagram of the kernel: bytes, or -errno: -EAGAIN nothing there, -ENOBUFS lost some, -EINTR try again */
ssize_t netlink_receive(struct nl_sock *nl, void *data, size_t size);
