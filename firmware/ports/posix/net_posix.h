/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* port/net.h with sockets. Each socket is registered edge-triggered with an epoll instance of the caller. */

#include <netdb.h>

#include "port/net.h"

struct net_posix_link {
        int fd;          /* -1: closed */
        bool resolving;  /* the name service was asked */
        bool connecting; /* connect() is under way */
        uint16_t port;
        char host[256];
        char service[8];
        struct addrinfo hints;
        struct gaicb request;
};

struct net_posix {
        int epoll_fd;
        void *user; /* epoll_data.ptr of every socket */
        struct net_posix_link links[PORT_LINKS];
};

/* epoll_fd stays the caller's. net must not move. */
void net_posix_init(struct net_posix *net, int epoll_fd, void *user);
struct port_net net_posix_port(struct net_posix *net);
/* a name is being resolved: no socket will wake the caller, look again soon */
bool net_posix_is_resolving(const struct net_posix *net);
