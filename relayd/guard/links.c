/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "guard/links.h"

#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/socket.h>
#include <string.h>
#include <sys/epoll.h>

#include "guard/netlink.h"

#define DATAGRAM_MAX     65536
#define DATAGRAMS_A_TURN 64
#define LINKS_MAX        64 /* interfaces whose state is remembered; of others every event is told */
#define SETTLE_US        UINT64_C(200000)

struct link {
        int index;
        bool up;
};

struct links {
        struct nl_sock *nl;  /* events */
        struct nl_sock *ask; /* dumps */
        sd_event_source *io;
        sd_event_source *settled; /* routes are looked at again some time after a link went down */
        links_handler handler;
        void *context;
        struct link known[LINKS_MAX];
        size_t known_count;
        bool default_route4, default_route6;
        _Alignas(struct nlmsghdr) uint8_t data[DATAGRAM_MAX];
};

/* true: it is new or differs */
static bool remember_link(struct links *l, int index, bool up)
{
        for (size_t i = 0; i < l->known_count; i++) {
                if (l->known[i].index != index)
                        continue;
                bool changed = l->known[i].up != up;
                l->known[i].up = up;
                return changed;
        }
        if (l->known_count < LINKS_MAX)
                l->known[l->known_count++] = (struct link){ index, up };
        return true;
}

static void forget_link(struct links *l, int index)
{
        for (size_t i = 0; i < l->known_count; i++)
                if (l->known[i].index == index)
                        l->known[i--] = l->known[--l->known_count];
}

static void tell(struct links *l, struct links_change *change)
{
        change->default_route4 = l->default_route4;
        change->default_route6 = l->default_route6;
        l->handler(change, l->context);
}

/* The kernel tells that a link went down before it takes its routes away: what leads over such a link is no way. */
static bool leads_over_dead_link(const struct links *l, struct nlmsghdr *header)
{
        struct nlattr *out = nlmsg_find_attr(header, sizeof(struct rtmsg), RTA_OIF);

        if (!out || nla_len(out) < (int)sizeof(uint32_t))
                return false;
        for (size_t i = 0; i < l->known_count; i++)
                if (l->known[i].index == (int)nla_get_u32(out))
                        return !l->known[i].up;
        return false;
}

static bool is_default_route(struct nlmsghdr *header)
{
        const struct rtmsg *route = nlmsg_data(header);

        return nlmsg_datalen(header) >= (int)sizeof(*route) && route->rtm_dst_len == 0 &&
               route->rtm_table == RT_TABLE_MAIN && route->rtm_type == RTN_UNICAST;
}

/* Is there a default route of this family? A dump: a link that goes down takes its IPv4 routes along without a word. */
static bool has_default_route(struct links *l, unsigned char family)
{
        struct {
                struct nlmsghdr header;
                struct rtmsg route;
        } question = { { sizeof(question), RTM_GETROUTE, NLM_F_REQUEST | NLM_F_DUMP, 0, 0 }, { 0 } };
        struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
        bool found = false;

        question.route.rtm_family = family;
        question.route.rtm_table = RT_TABLE_MAIN;
        if (sendto(nl_socket_get_fd(l->ask), &question, sizeof(question), 0, (struct sockaddr *)&kernel,
                   sizeof(kernel)) < 0)
                return false;
        for (;;) {
                ssize_t n = netlink_receive(l->ask, l->data, sizeof(l->data));
                struct nlmsghdr *header = (struct nlmsghdr *)l->data;
                if (n == -EINTR)
                        continue;
                if (n < 0)
                        return found;
                for (int left = (int)n; nlmsg_ok(header, left); header = nlmsg_next(header, &left)) {
                        if (header->nlmsg_type == NLMSG_DONE || header->nlmsg_type == NLMSG_ERROR)
                                return found;
                        found |= header->nlmsg_type == RTM_NEWROUTE && is_default_route(header) &&
                                 !leads_over_dead_link(l, header);
                }
        }
}

static bool refresh_routes(struct links *l)
{
        bool route4 = has_default_route(l, AF_INET), route6 = has_default_route(l, AF_INET6);
        bool changed = route4 != l->default_route4 || route6 != l->default_route6;

        l->default_route4 = route4;
        l->default_route6 = route6;
        return changed;
}

static bool take_link(struct links *l, struct nlmsghdr *header, struct links_change *change)
{
        const struct ifinfomsg *info = nlmsg_data(header);

        if (nlmsg_datalen(header) < (int)sizeof(*info) || info->ifi_flags & IFF_LOOPBACK)
                return false;
        struct nlattr *name = nlmsg_find_attr(header, sizeof(*info), IFLA_IFNAME);
        if (name)
                nla_strlcpy(change->interface, name, sizeof(change->interface));
        bool gone = header->nlmsg_type == RTM_DELLINK;
        change->up = !gone && info->ifi_flags & IFF_UP && info->ifi_flags & IFF_RUNNING;
        bool changed = remember_link(l, info->ifi_index, change->up);
        if (gone)
                forget_link(l, info->ifi_index);
        return changed;
}

static bool take_address(struct nlmsghdr *header, struct links_change *change)
{
        const struct ifaddrmsg *info = nlmsg_data(header);

        if (nlmsg_datalen(header) < (int)sizeof(*info))
                return false;
        change->up = header->nlmsg_type == RTM_NEWADDR;
        if (!if_indextoname(info->ifa_index, change->interface))
                change->interface[0] = '\0';
        return true;
}

/* What changed outside of our own state; routes are looked at once, when all events are read. */
struct turn {
        struct links_change changes[16];
        size_t count;
        bool routes;
};

static void take_message(struct links *l, struct nlmsghdr *header, struct turn *turn)
{
        struct links_change change = { 0 };
        bool report = false;

        switch (header->nlmsg_type) {
        case RTM_NEWLINK:
        case RTM_DELLINK:
                change.kind = LINKS_INTERFACE;
                report = take_link(l, header, &change);
                turn->routes |= report;
                break;
        case RTM_NEWADDR:
        case RTM_DELADDR:
                change.kind = LINKS_ADDRESS;
                report = take_address(header, &change);
                break;
        case RTM_NEWROUTE:
        case RTM_DELROUTE:
                turn->routes |= is_default_route(header);
                break;
        default:
                break;
        }
        if (report && turn->count < sizeof(turn->changes) / sizeof(turn->changes[0]))
                turn->changes[turn->count++] = change;
}

static void read_events(struct links *l, struct turn *turn)
{
        for (int i = 0; i < DATAGRAMS_A_TURN; i++) {
                ssize_t n = netlink_receive(l->nl, l->data, sizeof(l->data));
                struct nlmsghdr *header = (struct nlmsghdr *)l->data;
                if (n == -EAGAIN)
                        return;
                if (n == -ENOBUFS)
                        turn->routes = true; /* lost some: what matters is read anew */
                for (int left = (int)n; n > 0 && nlmsg_ok(header, left); header = nlmsg_next(header, &left))
                        take_message(l, header, turn);
        }
}

static void tell_routes(struct links *l)
{
        struct links_change change = { .kind = LINKS_ROUTE, .up = l->default_route4 || l->default_route6 };

        tell(l, &change);
}

/* Told also if nothing changed: who asked the kernel for a way at once may have been answered from the old routes. */
static int on_settled(sd_event_source *source, uint64_t usec, void *context)
{
        struct links *l = context;

        (void)source, (void)usec;
        refresh_routes(l);
        tell_routes(l);
        return 0;
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *context)
{
        struct links *l = context;
        struct turn turn = { .count = 0 };
        bool went_down = false;

        (void)source, (void)fd, (void)events;
        read_events(l, &turn);
        bool routes_changed = turn.routes && refresh_routes(l);
        for (size_t i = 0; i < turn.count; i++) {
                went_down |= turn.changes[i].kind == LINKS_INTERFACE && !turn.changes[i].up;
                tell(l, &turn.changes[i]);
        }
        if (routes_changed)
                tell_routes(l);
        if (went_down && sd_event_source_set_time_relative(l->settled, SETTLE_US) >= 0)
                sd_event_source_set_enabled(l->settled, SD_EVENT_ONESHOT);
        return 0;
}

static int join(struct nl_sock *nl)
{
        static const int groups[] = { RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_ROUTE,
                                      RTNLGRP_IPV6_ROUTE };

        for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
                if (nl_socket_add_membership(nl, groups[i]) < 0)
                        return -EPERM;
        return 0;
}

int links_new(struct links **ret, sd_event *event, links_handler handler, void *context)
{
        struct links *l = calloc(1, sizeof(*l));

        if (!l)
                return -ENOMEM;
        l->handler = handler;
        l->context = context;
        int r = netlink_open(&l->nl, NETLINK_ROUTE);
        if (r == 0)
                r = netlink_open(&l->ask, NETLINK_ROUTE);
        if (r == 0)
                r = join(l->nl);
        if (r == 0)
                r = sd_event_add_io(event, &l->io, nl_socket_get_fd(l->nl), EPOLLIN, on_io, l);
        if (r == 0)
                r = sd_event_add_time_relative(event, &l->settled, CLOCK_MONOTONIC, 0, 0, on_settled, l);
        if (r == 0)
                r = sd_event_source_set_enabled(l->settled, SD_EVENT_OFF);
        if (r < 0) {
                links_free(l);
                return r;
        }
        refresh_routes(l);
        *ret = l;
        return 0;
}

struct links *links_free(struct links *l)
{
        if (!l)
                return NULL;
        sd_event_source_disable_unref(l->io);
        sd_event_source_disable_unref(l->settled);
        nl_socket_free(l->nl);
        nl_socket_free(l->ask);
        free(l);
        return NULL;
}
