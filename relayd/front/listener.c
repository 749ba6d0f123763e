/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "front/listener.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "util/cleanup.h"

#define BACKLOG 4096 /* a site's devices after a power cut; the kernel caps it at net.core.somaxconn */

static int parse_port(const char *text, in_port_t *port)
{
        char *end;

        if (*text < '0' || *text > '9')
                return -EINVAL;
        unsigned long value = strtoul(text, &end, 10);
        if (*end || value > UINT16_MAX)
                return -EINVAL;
        *port = htons((uint16_t)value);
        return 0;
}

/* size of the address, or -EINVAL */
static int parse_address(const char *text, struct sockaddr_storage *out)
{
        struct sockaddr_in *v4 = (struct sockaddr_in *)out;
        struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
        char host[LISTENER_NAME_SIZE];
        const char *colon = strrchr(text, ':');

        memset(out, 0, sizeof(*out));
        if (!colon || (size_t)(colon - text) >= sizeof(host))
                return -EINVAL;
        memcpy(host, text, (size_t)(colon - text));
        host[colon - text] = 0;
        size_t size = strlen(host);
        if (size > 2 && host[0] == '[' && host[size - 1] == ']') {
                host[size - 1] = 0;
                v6->sin6_family = AF_INET6;
                if (inet_pton(AF_INET6, host + 1, &v6->sin6_addr) != 1 || parse_port(colon + 1, &v6->sin6_port) < 0)
                        return -EINVAL;
                return sizeof(*v6);
        }
        v4->sin_family = AF_INET;
        if (inet_pton(AF_INET, host, &v4->sin_addr) != 1 || parse_port(colon + 1, &v4->sin_port) < 0)
                return -EINVAL;
        return sizeof(*v4);
}

int listener_open(const char *address, bool reuse_port)
{
        struct sockaddr_storage parsed;
        int on = 1, size = parse_address(address, &parsed);

        if (size < 0)
                return size;
        _cleanup_close_ int fd = socket(parsed.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
                return -errno;
        if (reuse_port && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) < 0)
                return -errno;
        /* [::] beside 0.0.0.0 */
        if (parsed.ss_family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)) < 0)
                return -errno;
        if (bind(fd, (struct sockaddr *)&parsed, (socklen_t)size) < 0 || listen(fd, BACKLOG) < 0)
                return -errno;
        return steal_fd(&fd);
}

char *listener_name(const struct sockaddr_storage *address, char out[LISTENER_NAME_SIZE])
{
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
        const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
        char host[INET6_ADDRSTRLEN];

        if (address->ss_family == AF_INET && inet_ntop(AF_INET, &v4->sin_addr, host, sizeof(host)))
                snprintf(out, LISTENER_NAME_SIZE, "%s:%u", host, ntohs(v4->sin_port));
        else if (address->ss_family == AF_INET6 && inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof(host)))
                snprintf(out, LISTENER_NAME_SIZE, "[%s]:%u", host, ntohs(v6->sin6_port));
        else
                strcpy(out, "?");
        return out;
}

char *listener_own_name(int fd, char out[LISTENER_NAME_SIZE])
{
        struct sockaddr_storage address = { 0 };
        socklen_t size = sizeof(address);

        getsockname(fd, (struct sockaddr *)&address, &size);
        return listener_name(&address, out);
}

uint16_t listener_own_port(int fd)
{
        struct sockaddr_storage address = { 0 };
        socklen_t size = sizeof(address);

        if (getsockname(fd, (struct sockaddr *)&address, &size) < 0)
                return 0;
        if (address.ss_family == AF_INET)
                return ntohs(((const struct sockaddr_in *)&address)->sin_port);
        return address.ss_family == AF_INET6 ? ntohs(((const struct sockaddr_in6 *)&address)->sin6_port) : 0;
}
