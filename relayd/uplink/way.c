/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "uplink/way.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "util/cleanup.h"

static bool same_host(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
        const struct sockaddr_in6 *a6 = (const struct sockaddr_in6 *)a, *b6 = (const struct sockaddr_in6 *)b;
        const struct sockaddr_in *a4 = (const struct sockaddr_in *)a, *b4 = (const struct sockaddr_in *)b;

        if (a->ss_family != b->ss_family)
                return false;
        if (a->ss_family == AF_INET6)
                return memcmp(&a6->sin6_addr, &b6->sin6_addr, sizeof(a6->sin6_addr)) == 0;
        return a4->sin_addr.s_addr == b4->sin_addr.s_addr;
}

struct ends {
        struct sockaddr_storage peer, own;
        socklen_t peer_size;
};

static bool get_ends(int fd, struct ends *out)
{
        socklen_t own_size = sizeof(out->own);

        memset(out, 0, sizeof(*out));
        out->peer_size = sizeof(out->peer);
        return getpeername(fd, (struct sockaddr *)&out->peer, &out->peer_size) == 0 &&
               getsockname(fd, (struct sockaddr *)&out->own, &own_size) == 0 &&
               (out->peer.ss_family == AF_INET || out->peer.ss_family == AF_INET6);
}

/* Connecting a datagram socket looks the route up and sends nothing. 0 and whether it starts as the connection did. */
static int probe_route(const struct ends *ends, const char *interface, bool *same)
{
        struct sockaddr_storage now = { 0 };
        socklen_t now_size = sizeof(now);
        _cleanup_close_ int fd = socket(ends->peer.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        if (fd < 0 ||
            (interface && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, interface, (socklen_t)strlen(interface)) < 0) ||
            connect(fd, (const struct sockaddr *)&ends->peer, ends->peer_size) < 0 ||
            getsockname(fd, (struct sockaddr *)&now, &now_size) < 0)
                return -errno;
        *same = same_host(&ends->own, &now);
        return 0;
}

bool way_holds(int fd)
{
        struct ends ends;
        bool same = true;
        int result = get_ends(fd, &ends) ? probe_route(&ends, NULL, &same) : 0;

        if (result < 0)
                return result != -ENETUNREACH && result != -EHOSTUNREACH && result != -EADDRNOTAVAIL &&
                       result != -ENETDOWN;
        return same;
}

bool way_goes_over(int fd, const char *interface)
{
        struct ends ends;
        bool same = false;

        return get_ends(fd, &ends) && probe_route(&ends, interface, &same) == 0 && same;
}
