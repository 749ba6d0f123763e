/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * SEQPACKET sockets below the channel: listening, connecting, who is at the other end.
 */

#include <stdbool.h>
#include <sys/types.h>

/* A listening socket (non-blocking) at path, which may hold an old socket; mode 0660, group unless (gid_t)-1.
 * fd or -errno; -EEXIST if something else than a socket stands there */
int channel_socket_listen(const char *path, gid_t group);
/* fd, connected, blocking or not; or -errno */
int channel_socket_connect(const char *path, bool blocking);
/* 0 if the peer has our own uid, or this one ((uid_t)-1: no other); -EACCES. pid may be NULL */
int channel_socket_check_peer(int fd, uid_t uid, pid_t *pid);
