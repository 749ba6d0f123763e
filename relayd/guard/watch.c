/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "guard/watch.h"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netlink/socket.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "guard/netlink.h"

#define RECEIVE_ROOM     (1024 * 1024)
#define DATAGRAM_MAX     65536
#define DATAGRAMS_A_TURN 64

/* All notifications but these two begin with the table's name. */
#define ATTRIBUTE_TABLE NFTA_TABLE_NAME

struct watch {
        struct nl_sock *nl;
        sd_event_source *io;
        const char *table;
        watch_handler handler;
        void *context;
        uint32_t generation;
        _Alignas(struct nlmsghdr) uint8_t data[DATAGRAM_MAX];
};

static bool message_touches(const char *table, struct nlmsghdr *header)
{
        const struct nfgenmsg *general = nlmsg_data(header);
        unsigned type = NFNL_MSG_TYPE(header->nlmsg_type);

        if (NFNL_SUBSYS_ID(header->nlmsg_type) != NFNL_SUBSYS_NFTABLES || type == NFT_MSG_NEWGEN ||
            type == NFT_MSG_TRACE || nlmsg_datalen(header) < (int)sizeof(*general) ||
            general->nfgen_family != NFPROTO_INET)
                return false;
        struct nlattr *name = nlmsg_find_attr(header, sizeof(*general), ATTRIBUTE_TABLE);
        return name && nla_len(name) == (int)strlen(table) + 1 && memcmp(nla_data(name), table, strlen(table) + 1) == 0;
}

bool watch_touches(const char *table, void *data, size_t size)
{
        struct nlmsghdr *header = data;
        int left = (int)size;

        for (; nlmsg_ok(header, left); header = nlmsg_next(header, &left))
                if (message_touches(table, header))
                        return true;
        return false;
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *context)
{
        struct watch *w = context;
        bool touched = false, lost = false;

        (void)source, (void)fd, (void)events;
        for (int i = 0; i < DATAGRAMS_A_TURN; i++) {
                ssize_t n = netlink_receive(w->nl, w->data, sizeof(w->data));
                if (n == -EAGAIN)
                        break;
                if (n == -ENOBUFS)
                        lost = true;
                if (n > 0)
                        touched |= watch_touches(w->table, w->data, (size_t)n);
        }
        if (touched || lost)
                w->handler(touched, w->context);
        return 0;
}

int watch_new(struct watch **ret, sd_event *event, const char *table, watch_handler handler, void *context)
{
        struct watch *w = calloc(1, sizeof(*w));
        int room = RECEIVE_ROOM;

        if (!w)
                return -ENOMEM;
        w->table = table;
        w->handler = handler;
        w->context = context;
        int r = netlink_open(&w->nl, NETLINK_NETFILTER);
        if (r == 0) {
                int fd = nl_socket_get_fd(w->nl);
                setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)); /* less means more "lost" only */
                r = nl_socket_add_membership(w->nl, NFNLGRP_NFTABLES) < 0 ? -EPERM : 0;
                if (r == 0)
                        r = sd_event_add_io(event, &w->io, fd, EPOLLIN, on_io, w);
        }
        if (r < 0) {
                watch_free(w);
                return r;
        }
        *ret = w;
        return 0;
}

struct watch *watch_free(struct watch *w)
{
        if (!w)
                return NULL;
        sd_event_source_disable_unref(w->io);
        nl_socket_free(w->nl);
        free(w);
        return NULL;
}

int watch_pause(struct watch *w, const struct nf_transport *transport)
{
        nl_socket_drop_membership(w->nl, NFNLGRP_NFTABLES);
        return nf_generation(transport, &w->generation);
}

bool watch_resume(struct watch *w, const struct nf_transport *transport, uint32_t transactions)
{
        uint32_t generation;

        if (nl_socket_add_membership(w->nl, NFNLGRP_NFTABLES) < 0 || nf_generation(transport, &generation) < 0)
                return false;
        return generation - w->generation == transactions;
}
