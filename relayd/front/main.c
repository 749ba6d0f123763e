/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * relay-mqttd: the front end for MQTT over TLS.
 */
#include <fcntl.h>
#include <getopt.h>
#include <sys/resource.h>
#include <systemd/sd-daemon.h>
#include <stdio.h>

#include "front/front.h"
#include "front/listener.h"
#include "util/cleanup.h"
#include "util/log.h"
#include "util/loop.h"

#define LISTEN_MAX          16
#define CONNECTIONS_DEFAULT 10000
#define OTHER_FDS           64 /* beside the connections */

struct arguments {
        const char *listen[LISTEN_MAX];
        size_t listen_count;
        bool reuse_port;
        struct front_options front;
};

static const char usage[] =
        "usage: relay-mqttd [--listen ADDRESS:PORT]... --channel PATH --sign PATH --certificate FILE\n"
        "\n"
        "  --listen ADDRESS:PORT   open this socket; [ADDRESS] for IPv6, port 0: the kernel chooses (repeatable)\n"
        "  --reuse-port            share the port with other front ends\n"
        "  --channel PATH          the hub's channel socket\n"
        "  --sign PATH             the hub's signing socket\n"
        "  --certificate FILE      the relay's certificate chain, PEM, leaf first\n"
        "  --connections-max N     turn further clients away (10000)\n"
        "  --help, --version\n"
        "\n"
        "Without --listen, sockets come from systemd (socket activation).\n";

enum option_code {
        OPTION_LISTEN = 256,
        OPTION_REUSE_PORT,
        OPTION_CHANNEL,
        OPTION_SIGN,
        OPTION_CERTIFICATE,
        OPTION_CONNECTIONS,
        OPTION_HELP,
        OPTION_VERSION
};

static const struct option options[] = {
        { "listen", required_argument, NULL, OPTION_LISTEN },
        { "reuse-port", no_argument, NULL, OPTION_REUSE_PORT },
        { "channel", required_argument, NULL, OPTION_CHANNEL },
        { "sign", required_argument, NULL, OPTION_SIGN },
        { "certificate", required_argument, NULL, OPTION_CERTIFICATE },
        { "connections-max", required_argument, NULL, OPTION_CONNECTIONS },
        { "help", no_argument, NULL, OPTION_HELP },
        { "version", no_argument, NULL, OPTION_VERSION },
        { 0 },
};

CLEANUP_DEFINE(struct front, front_free)

static int parse_count(const char *text, uint32_t *count)
{
        char *end;
        unsigned long value = strtoul(text, &end, 10);

        if (*text < '1' || *text > '9' || *end || value > 1000000) {
                log_error("--connections-max %s: expected a number from 1 to 1000000", text);
                return -EINVAL;
        }
        *count = (uint32_t)value;
        return 0;
}

/* 0, 1: done (help, version), -EINVAL (logged) */
static int parse_option(int option, struct arguments *arguments)
{
        switch (option) {
        case OPTION_LISTEN:
                if (arguments->listen_count == LISTEN_MAX) {
                        log_error("--listen: at most %d times", LISTEN_MAX);
                        return -EINVAL;
                }
                arguments->listen[arguments->listen_count++] = optarg;
                return 0;
        case OPTION_REUSE_PORT:
                arguments->reuse_port = true;
                return 0;
        case OPTION_CHANNEL:
                arguments->front.channel = optarg;
                return 0;
        case OPTION_SIGN:
                arguments->front.sign = optarg;
                return 0;
        case OPTION_CERTIFICATE:
                arguments->front.certificate = optarg;
                return 0;
        case OPTION_CONNECTIONS:
                return parse_count(optarg, &arguments->front.connections_max);
        case OPTION_HELP:
                fputs(usage, stdout);
                return 1;
        case OPTION_VERSION:
                puts("relay-mqttd " RELAYD_VERSION);
                return 1;
        }
        fputs(usage, stderr);
        return -EINVAL;
}

static int parse_arguments(int argc, char **argv, struct arguments *arguments)
{
        int option;

        while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
                int r = parse_option(option, arguments);
                if (r != 0)
                        return r;
        }
        if (optind < argc || !arguments->front.channel || !arguments->front.sign || !arguments->front.certificate) {
                if (optind < argc)
                        log_error("%s: unexpected argument", argv[optind]);
                else
                        log_error("--channel, --sign and --certificate are needed");
                fputs(usage, stderr);
                return -EINVAL;
        }
        return 0;
}

/* fds has room for LISTEN_MAX */
static int open_sockets(const struct arguments *arguments, int *fds, size_t *count)
{
        int handed_over = sd_listen_fds(1);

        for (int i = 0; i < handed_over && *count < LISTEN_MAX; i++) {
                int fd = SD_LISTEN_FDS_START + i;
                if (sd_is_socket(fd, AF_UNSPEC, SOCK_STREAM, 1) <= 0) {
                        log_error("descriptor %d of systemd is no listening stream socket; check the .socket unit", fd);
                        return -EINVAL;
                }
                int flags = fcntl(fd, F_GETFL); /* systemd's sockets block unless the unit says otherwise */
                if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
                        return -errno;
                fds[(*count)++] = fd;
        }
        for (size_t i = 0; i < arguments->listen_count && *count < LISTEN_MAX; i++) {
                int fd = listener_open(arguments->listen[i], arguments->reuse_port);
                if (fd < 0) {
                        log_error("--listen %s: %s; expected ADDRESS:PORT or [ADDRESS]:PORT of this host, not in use",
                                  arguments->listen[i], errno_string(fd));
                        return fd;
                }
                fds[(*count)++] = fd;
        }
        if (*count == 0) {
                log_error("nothing to listen on: give --listen ADDRESS:PORT, or start by a systemd socket");
                return -EINVAL;
        }
        return 0;
}

static void raise_descriptor_limit(uint32_t connections_max)
{
        struct rlimit limit;

        if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
                return;
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
        if (limit.rlim_max < (rlim_t)connections_max + OTHER_FDS)
                log_warning("only %llu descriptors: %u connections will not fit; raise LimitNOFILE=",
                            (unsigned long long)limit.rlim_max, connections_max);
}

static int run(struct arguments *arguments)
{
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        _cleanup_(front_freep) struct front *front = NULL;
        int fds[LISTEN_MAX];

        raise_descriptor_limit(arguments->front.connections_max);
        int r = open_sockets(arguments, fds, &arguments->front.listen_count);
        if (r < 0)
                return r;
        arguments->front.listen_fds = fds;
        r = sd_event_new(&event);
        if (r >= 0)
                r = loop_end_on_signals(event);
        if (r < 0) {
                log_error("cannot start: %s", errno_string(r));
                return r;
        }
        r = front_new(&front, event, &arguments->front);
        if (r < 0)
                return r;
        sd_event_set_watchdog(event, true);
        sd_notify(0, "READY=1");
        r = sd_event_loop(event);
        sd_notify(0, "STOPPING=1");
        return r;
}

int main(int argc, char **argv)
{
        struct arguments arguments = { .front = { .connections_max = CONNECTIONS_DEFAULT } };

        log_init("relay-mqttd");
        int r = parse_arguments(argc, argv, &arguments);
        if (r != 0)
                return r > 0 ? 0 : 2;
        return run(&arguments) < 0 ? 1 : 0;
}
