/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An application in an attacker's hands: says to its boot stage whatever somebody at a socket wants, and tells him the
 * answers. Feeds the watchdog meanwhile, like an honest one.
 *
 * usage (device-boot starts it): liar --boot-fd FD --liar PATH [other options, ignored]
 */

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define MESSAGE_MAX 65536
#define FEED_MS     1000

static int connect_to(const char *path)
{
        struct sockaddr_un to = { .sun_family = AF_UNIX };
        int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);

        snprintf(to.sun_path, sizeof(to.sun_path), "%s", path);
        return fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0 ? fd : -1;
}

/* One request and its answer; 0 bytes: the boot stage is gone. */
static ssize_t ask(int boot, char *message, size_t size)
{
        if (send(boot, message, size, MSG_NOSIGNAL) != (ssize_t)size)
                return 0;
        return recv(boot, message, MESSAGE_MAX, 0);
}

static int serve(int boot, int master)
{
        static char message[MESSAGE_MAX];

        for (;;) {
                struct pollfd fd = { .fd = master, .events = POLLIN };
                if (poll(&fd, 1, FEED_MS) == 0) {
                        message[0] = 'W';
                        if (ask(boot, message, 1) <= 0)
                                return 1;
                        continue;
                }
                ssize_t n = recv(master, message, sizeof(message), 0);
                if (n <= 0)
                        return 0;
                n = ask(boot, message, (size_t)n);
                if (n <= 0 || send(master, message, (size_t)n, MSG_NOSIGNAL) != n)
                        return 1;
        }
}

int main(int argc, char **argv)
{
        const char *path = NULL;
        int boot = -1, master;

        for (int i = 1; i + 1 < argc; i++)
                if (strcmp(argv[i], "--boot-fd") == 0)
                        boot = atoi(argv[++i]);
                else if (strcmp(argv[i], "--liar") == 0)
                        path = argv[++i];
        if (boot < 0 || !path)
                return 2;
        master = connect_to(path);
        return master < 0 ? 1 : serve(boot, master);
}
