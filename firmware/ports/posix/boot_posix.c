/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The application's end of the boot channel. */

#include "ports/posix/boot_posix.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>

static int exchange(void *context, uint8_t *buffer, size_t size, size_t *answered)
{
        int fd = (int)(intptr_t)context;
        ssize_t n;

        if (send(fd, buffer, size, MSG_NOSIGNAL) < 0)
                return PORT_E_IO;
        do
                n = recv(fd, buffer, BOOT_MESSAGE_MAX, 0);
        while (n < 0 && errno == EINTR);
        if (n <= 0)
                return PORT_E_IO;
        *answered = (size_t)n;
        return 0;
}

/* On this port a reset is the end of the application's process. */
static void reset(void *context)
{
        (void)context;
        exit(0);
}

int boot_posix_open(struct boot_client *client, int fd)
{
        static uint8_t buffer[BOOT_MESSAGE_MAX];
        const struct boot_transport transport = { .exchange = exchange,
                                                  .reset = reset,
                                                  .context = (void *)(intptr_t)fd };
        return boot_client_init(client, &transport, buffer);
}
