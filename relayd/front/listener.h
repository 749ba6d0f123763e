/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Listening TCP sockets: opened from ADDR:PORT or handed over by systemd.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define LISTENER_NAME_SIZE 64

/* "127.0.0.1:8883", "[::1]:8883", "[::]:0" (the kernel chooses a port). fd (non-blocking), or -EINVAL: not of this
 * form, or -errno of the socket calls */
int listener_open(const char *address, bool reuse_port);
/* "127.0.0.1:8883" or "[::1]:8883" of a socket's own or its peer's address; "?" if unknown. Returns out */
char *listener_name(const struct sockaddr_storage *address, char out[LISTENER_NAME_SIZE]);
char *listener_own_name(int fd, char out[LISTENER_NAME_SIZE]);
/* of a socket's own end; 0 if unknown */
uint16_t listener_own_port(int fd);
