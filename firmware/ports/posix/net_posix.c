/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sockets that never block; names are resolved by the C library's own threads. */

#include "ports/posix/net_posix.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

void net_posix_init(struct net_posix *net, int epoll_fd, void *user)
{
        memset(net, 0, sizeof(*net));
        net->epoll_fd = epoll_fd;
        net->user = user;
        for (unsigned i = 0; i < PORT_LINKS; i++)
                net->links[i].fd = -1;
}

bool net_posix_is_resolving(const struct net_posix *net)
{
        return net->links[0].resolving || net->links[1].resolving;
}

static void net_close(void *context, unsigned number)
{
        struct net_posix *net = context;
        struct net_posix_link *link = &net->links[number];

        if (link->fd >= 0)
                close(link->fd);
        link->fd = -1;
        link->connecting = false;
        if (link->resolving && gai_cancel(&link->request) != EAI_NOTCANCELED)
                link->resolving = false;
}

static int start_connect(struct net_posix *net, struct net_posix_link *link, const struct addrinfo *address)
{
        struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = net->user };
        int on = 1;

        link->fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (link->fd < 0)
                return PORT_E_IO;
        setsockopt(link->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        if (epoll_ctl(net->epoll_fd, EPOLL_CTL_ADD, link->fd, &event) < 0)
                return PORT_E_IO;
        link->connecting = true;
        if (connect(link->fd, address->ai_addr, address->ai_addrlen) < 0 && errno != EINPROGRESS)
                return PORT_E_REFUSED;
        return 0;
}

static int net_open(void *context, unsigned number, const char *host, uint16_t port)
{
        struct net_posix *net = context;
        struct net_posix_link *link = &net->links[number];
        struct gaicb *list[] = { &link->request };
        struct addrinfo *found;

        if (link->fd >= 0 || strlen(host) >= sizeof(link->host))
                return PORT_E_IO;
        if (link->resolving && gai_error(&link->request) == EAI_INPROGRESS)
                return PORT_E_NAME; /* the last question could not be taken back and is still open */
        memcpy(link->host, host, strlen(host) + 1);
        snprintf(link->service, sizeof(link->service), "%u", (unsigned)port);
        link->hints = (struct addrinfo){ .ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_STREAM };
        if (getaddrinfo(link->host, link->service, &link->hints, &found) == 0) {
                int r = start_connect(net, link, found);
                freeaddrinfo(found);
                if (r < 0)
                        net_close(net, number);
                return r;
        }
        link->hints.ai_flags = 0;
        link->request = (struct gaicb){ .ar_name = link->host,
                                        .ar_service = link->service,
                                        .ar_request = &link->hints };
        if (getaddrinfo_a(GAI_NOWAIT, list, 1, NULL) != 0)
                return PORT_E_NAME;
        link->resolving = true;
        return 0;
}

static int finish_resolving(struct net_posix *net, struct net_posix_link *link)
{
        int error = gai_error(&link->request);

        if (error == EAI_INPROGRESS)
                return PORT_WANT;
        link->resolving = false;
        if (error != 0)
                return PORT_E_NAME;
        int r = start_connect(net, link, link->request.ar_result);
        freeaddrinfo(link->request.ar_result);
        return r == 0 ? PORT_WANT : r;
}

static int net_connected(void *context, unsigned number)
{
        struct net_posix *net = context;
        struct net_posix_link *link = &net->links[number];
        struct sockaddr_storage peer;
        socklen_t size = sizeof(int);
        int error = 0;

        if (link->resolving)
                return finish_resolving(net, link);
        if (link->fd < 0)
                return PORT_E_IO;
        if (!link->connecting)
                return 0;
        if (getsockopt(link->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
                return PORT_E_IO;
        if (error != 0)
                return error == ECONNREFUSED ? PORT_E_REFUSED : PORT_E_IO;
        size = sizeof(peer);
        if (getpeername(link->fd, (struct sockaddr *)&peer, &size) < 0)
                return PORT_WANT;
        link->connecting = false;
        return 0;
}

static int net_send(void *context, unsigned number, struct span data, size_t *done)
{
        struct net_posix *net = context;

        ssize_t n = send(net->links[number].fd, data.data, data.size, MSG_NOSIGNAL);
        if (n < 0)
                return errno == EAGAIN || errno == EINTR ? PORT_WANT : PORT_E_IO;
        *done = (size_t)n;
        return 0;
}

static int net_receive(void *context, unsigned number, void *out, size_t size, size_t *done)
{
        struct net_posix *net = context;

        ssize_t n = recv(net->links[number].fd, out, size, 0);
        if (n < 0)
                return errno == EAGAIN || errno == EINTR ? PORT_WANT : PORT_E_IO;
        *done = (size_t)n;
        return n > 0 ? 0 : PORT_CLOSED;
}

struct port_net net_posix_port(struct net_posix *net)
{
        return (struct port_net){ .open = net_open,
                                  .connected = net_connected,
                                  .send = net_send,
                                  .receive = net_receive,
                                  .close = net_close,
                                  .context = net };
}
