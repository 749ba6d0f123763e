/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's transport: a netlink socket of libnl, read without blocking.
 */
#include <linux/netlink.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <sys/socket.h>

#include "guard/commit.h"
#include "guard/netlink.h"

#define SEND_ROOM_SPARE 4096

struct nf_socket {
        struct nl_sock *nl;
        struct nf_transport transport;
};

int netlink_open(struct nl_sock **ret, int protocol)
{
        struct nl_sock *nl = nl_socket_alloc();

        if (!nl)
                return -ENOMEM;
        errno = 0;
        int r = nl_connect(nl, protocol);
        if (r >= 0)
                r = nl_socket_set_nonblocking(nl);
        if (r < 0) {
                int error = errno; /* libnl's own numbers say less */
                nl_socket_free(nl);
                return error > 0 ? -error : -EPROTONOSUPPORT;
        }
        *ret = nl;
        return 0;
}

ssize_t netlink_receive(struct nl_sock *nl, void *data, size_t size)
{
        struct sockaddr_nl from = { 0 };
        struct iovec part = { data, size };
        struct msghdr header = { .msg_name = &from, .msg_namelen = sizeof(from), .msg_iov = &part, .msg_iovlen = 1 };
        ssize_t n = recvmsg(nl_socket_get_fd(nl), &header, MSG_DONTWAIT);

        if (n < 0)
                return -errno;
        if (from.nl_pid != 0) /* another process, not the kernel */
                return -EINTR;
        return header.msg_flags & MSG_TRUNC ? -ENOBUFS : n;
}

/* The rights to force a buffer size come with CAP_NET_ADMIN; otherwise wmem_max bounds it. */
static int make_room(void *context, size_t size)
{
        struct nf_socket *s = context;
        int fd = nl_socket_get_fd(s->nl), room = (int)(size + SEND_ROOM_SPARE);

        if (size > INT32_MAX / 4)
                return -EMSGSIZE;
        if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room)) < 0 &&
            setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room)) < 0)
                return -errno;
        return 0;
}

static ssize_t send_datagram(void *context, const void *data, size_t size)
{
        struct nf_socket *s = context;
        struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
        ssize_t n = sendto(nl_socket_get_fd(s->nl), data, size, 0, (struct sockaddr *)&kernel, sizeof(kernel));

        return n < 0 ? -errno : n;
}

static ssize_t receive_datagram(void *context, void *data, size_t size)
{
        struct nf_socket *s = context;

        return netlink_receive(s->nl, data, size);
}

int nf_socket_new(struct nf_socket **ret)
{
        struct nf_socket *s = calloc(1, sizeof(*s));
        int room = 1024 * 1024;

        if (!s)
                return -ENOMEM;
        int r = netlink_open(&s->nl, NETLINK_NETFILTER);
        if (r < 0) {
                free(s);
                return r;
        }
        setsockopt(nl_socket_get_fd(s->nl), SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)); /* the default is fine */
        s->transport = (struct nf_transport){ s, make_room, send_datagram, receive_datagram };
        *ret = s;
        return 0;
}

struct nf_socket *nf_socket_free(struct nf_socket *s)
{
        if (!s)
                return NULL;
        nl_socket_free(s->nl);
        free(s);
        return NULL;
}

const struct nf_transport *nf_socket_transport(struct nf_socket *s)
{
        return &s->transport;
}
