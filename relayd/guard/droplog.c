/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "guard/droplog.h"

#include <arpa/inet.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <netinet/in.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/socket.h>
#include <string.h>
#include <sys/epoll.h>

#include "guard/netlink.h"
#include "guard/ruleset.h"
#include "relay/cursor.h"

#define DATAGRAM_MAX       32768
#define DATAGRAMS_A_TURN   16
#define FLUSH_CENTISECONDS 10 /* how long the kernel may collect packets */
#define IPV4_PROTOCOL_AT   9
#define IPV4_ADDRESSES_AT  12
#define IPV4_HEADER_MIN    20
#define IPV6_NEXT_AT       6
#define IPV6_ADDRESSES_AT  8
#define IPV6_HEADER        40

/* Fixed places only: options and extension headers are stepped over or give port 0. */
struct headers {
        struct span source, destination;
        uint8_t protocol;
        size_t transport_at;
};

static bool find_headers(struct headers *h, struct span bytes)
{
        if (bytes.size >= IPV4_HEADER_MIN && bytes.data[0] >> 4 == 4) {
                h->source = span_of(bytes.data + IPV4_ADDRESSES_AT, 4);
                h->destination = span_of(bytes.data + IPV4_ADDRESSES_AT + 4, 4);
                h->protocol = bytes.data[IPV4_PROTOCOL_AT];
                h->transport_at = (bytes.data[0] & 15u) * 4u;
                return h->transport_at >= IPV4_HEADER_MIN;
        }
        if (bytes.size >= IPV6_HEADER && bytes.data[0] >> 4 == 6) {
                h->source = span_of(bytes.data + IPV6_ADDRESSES_AT, 16);
                h->destination = span_of(bytes.data + IPV6_ADDRESSES_AT + 16, 16);
                h->protocol = bytes.data[IPV6_NEXT_AT];
                h->transport_at = IPV6_HEADER;
                return true;
        }
        return false;
}

static bool find_direction(enum country_direction *direction, struct span prefix)
{
        for (unsigned i = 0; i < COUNTRY_DIRECTIONS; i++) {
                const char *name = country_direction_name((enum country_direction)i);
                if (prefix.size == strlen(name) + 1 && memcmp(prefix.data, name, prefix.size) == 0) {
                        *direction = (enum country_direction)i;
                        return true;
                }
        }
        return false;
}

bool droplog_parse(struct droplog_packet *out, struct span prefix, struct span bytes)
{
        struct droplog_packet packet = { 0 };
        struct headers h;

        if (!find_direction(&packet.direction, prefix) || !find_headers(&h, bytes) ||
            !address_from_bytes(&packet.address, packet.direction == COUNTRY_UPLINK ? h.destination : h.source))
                return false;
        if ((h.protocol == IPPROTO_TCP || h.protocol == IPPROTO_UDP) && bytes.size >= h.transport_at + 4)
                packet.port = (uint16_t)(bytes.data[h.transport_at + 2] << 8 | bytes.data[h.transport_at + 3]);
        *out = packet;
        return true;
}

bool droplog_note(struct droplog_sums *sums, const struct droplog_packet *packet, country_code country, uint64_t now_ms,
                  struct droplog_report *report)
{
        size_t i = 0;

        sums->refused[country]++;
        while (i < sums->count && (sums->kinds[i].report.country != country ||
                                   sums->kinds[i].report.packet.direction != packet->direction))
                i++;
        if (i == DROPLOG_KINDS) /* counted above; a report of it has no place now */
                return false;
        bool is_new = i == sums->count;
        if (is_new) {
                sums->kinds[i].report = (struct droplog_report){ .country = country };
                sums->count++;
        }
        sums->kinds[i].report.packet = *packet;
        sums->kinds[i].report.count++;
        if (!is_new)
                return false;
        *report = sums->kinds[i].report;
        sums->kinds[i].report.count = 0;
        sums->kinds[i].reported_ms = now_ms;
        return true;
}

bool droplog_next(struct droplog_sums *sums, uint64_t now_ms, struct droplog_report *report)
{
        for (size_t i = 0; i < sums->count; i++) {
                if (now_ms - sums->kinds[i].reported_ms < DROPLOG_SUM_MS)
                        continue;
                *report = sums->kinds[i].report;
                sums->kinds[i].report.count = 0;
                sums->kinds[i].reported_ms = now_ms;
                if (report->count > 0)
                        return true;
                sums->kinds[i--] = sums->kinds[--sums->count]; /* quiet for a second: the next one is new again */
        }
        return false;
}

struct droplog {
        struct nl_sock *nl;
        sd_event_source *io;
        droplog_handler handler;
        void *context;
        _Alignas(struct nlmsghdr) uint8_t data[DATAGRAM_MAX];
};

static void take_message(struct droplog *d, struct nlmsghdr *header)
{
        struct nlattr *attributes[NFULA_MAX + 1];
        struct droplog_packet packet;

        if (header->nlmsg_type != ((NFNL_SUBSYS_ULOG << 8) | NFULNL_MSG_PACKET) ||
            nlmsg_parse(header, sizeof(struct nfgenmsg), attributes, NFULA_MAX, NULL) < 0 ||
            !attributes[NFULA_PREFIX] || !attributes[NFULA_PAYLOAD])
                return;
        struct nlattr *prefix = attributes[NFULA_PREFIX], *payload = attributes[NFULA_PAYLOAD];
        if (droplog_parse(&packet, span_of(nla_data(prefix), (size_t)nla_len(prefix)),
                          span_of(nla_data(payload), (size_t)nla_len(payload))))
                d->handler(&packet, d->context);
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *context)
{
        struct droplog *d = context;

        (void)source, (void)fd, (void)events;
        for (int i = 0; i < DATAGRAMS_A_TURN; i++) {
                ssize_t n = netlink_receive(d->nl, d->data, sizeof(d->data));
                if (n == -EAGAIN)
                        break;
                if (n < 0) /* lost some: the kernel's counters have them all */
                        continue;
                struct nlmsghdr *header = (struct nlmsghdr *)d->data;
                for (int left = (int)n; nlmsg_ok(header, left); header = nlmsg_next(header, &left))
                        take_message(d, header);
        }
        return 0;
}

/* Binds the group and says how much of each packet is wanted; the kernel answers at once. */
static int configure(struct droplog *d, uint16_t group)
{
        struct nfulnl_msg_config_cmd command = { NFULNL_CFG_CMD_BIND };
        uint32_t delay = htonl(FLUSH_CENTISECONDS);
        struct nfulnl_msg_config_mode mode = { htonl(RULESET_COPY), NFULNL_COPY_PACKET, 0 };
        struct nfgenmsg general = { AF_UNSPEC, NFNETLINK_V0, htons(group) };
        struct nl_msg *message = nlmsg_alloc_simple((NFNL_SUBSYS_ULOG << 8) | NFULNL_MSG_CONFIG,
                                                    NLM_F_REQUEST | NLM_F_ACK);
        int r = message ? 0 : -ENOMEM;

        if (r == 0 && (nlmsg_append(message, &general, sizeof(general), NLMSG_ALIGNTO) < 0 ||
                       nla_put(message, NFULA_CFG_CMD, sizeof(command), &command) < 0 ||
                       nla_put(message, NFULA_CFG_MODE, sizeof(mode), &mode) < 0 ||
                       nla_put(message, NFULA_CFG_TIMEOUT, sizeof(delay), &delay) < 0))
                r = -ENOMEM;
        if (r == 0) {
                struct nlmsghdr *header = nlmsg_hdr(message);
                struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
                if (sendto(nl_socket_get_fd(d->nl), header, header->nlmsg_len, 0, (struct sockaddr *)&kernel,
                           sizeof(kernel)) < 0)
                        r = -errno;
        }
        nlmsg_free(message);
        if (r < 0)
                return r;
        ssize_t n = netlink_receive(d->nl, d->data, sizeof(d->data));
        const struct nlmsghdr *header = (struct nlmsghdr *)d->data;
        if (n < 0)
                return (int)n;
        const struct nlmsgerr *answer = nlmsg_data(header);
        return nlmsg_ok(header, (int)n) && header->nlmsg_type == NLMSG_ERROR &&
                               nlmsg_datalen(header) >= (int)sizeof(*answer)
                       ? answer->error
                       : 0;
}

int droplog_new(struct droplog **ret, sd_event *event, uint16_t group, droplog_handler handler, void *context)
{
        struct droplog *d = calloc(1, sizeof(*d));

        if (!d)
                return -ENOMEM;
        d->handler = handler;
        d->context = context;
        int r = netlink_open(&d->nl, NETLINK_NETFILTER);
        if (r == 0)
                r = configure(d, group);
        if (r == 0)
                r = sd_event_add_io(event, &d->io, nl_socket_get_fd(d->nl), EPOLLIN, on_io, d);
        if (r < 0) {
                droplog_free(d);
                return r;
        }
        *ret = d;
        return 0;
}

struct droplog *droplog_free(struct droplog *d)
{
        if (!d)
                return NULL;
        sd_event_source_disable_unref(d->io);
        nl_socket_free(d->nl);
        free(d);
        return NULL;
}
