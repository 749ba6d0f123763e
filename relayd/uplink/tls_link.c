/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "uplink/tls_link.h"

static int link_open(void *context, int fd, const char *host, void **ret)
{
        struct tls *tls = NULL;
        int r = tls_new(&tls, context, fd, host);

        if (r == 0)
                *ret = tls;
        return r;
}

static void link_close(void *link)
{
        tls_close_notify(link);
        tls_free(link);
}

static int link_handshake(void *link)
{
        return tls_handshake(link);
}

static int link_read(void *link, void *data, size_t size, size_t *done)
{
        return tls_read(link, data, size, done);
}

static int link_write(void *link, struct span data, size_t *done)
{
        return tls_write(link, data, done);
}

static int link_pending(void *link)
{
        return tls_pending(link);
}

static const char *link_error(void *link)
{
        return tls_error_string(link);
}

struct uplink_transport tls_link_transport(struct tls_context *context)
{
        return (struct uplink_transport){
                .context = context,
                .open = link_open,
                .close = link_close,
                .handshake = link_handshake,
                .read = link_read,
                .write = link_write,
                .pending = link_pending,
                .error = link_error,
        };
}
