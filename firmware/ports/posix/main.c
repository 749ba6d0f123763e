/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The main program of every application on the posix port: a process that device-boot started as the image. It opens
 * the hardware, and gives the runtime time by the clock and whenever something moves on a link.
 */

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "app/runtime.h"
#include "boot/layout.h"
#include "ports/common/tls_wolfssl.h"
#include "ports/posix/boot_posix.h"
#include "ports/posix/flash_file.h"
#include "ports/posix/net_posix.h"
#include "ports/posix/posix.h"
#include "ports/posix/stick.h"

#define RESOLVING_MS 20 /* a name is looked up beside us: how often we ask whether it is known */

struct options {
        int flash_fd, boot_fd, counter_fd;
        const char *stick;
        uint64_t cut_after, keep_alive_s, period_ms, dwell_ms, retry_ms, settle_ms, gate_ms, backoff_ms;
};

struct board {
        struct flash_file flash;
        struct boot_client boot;
        struct port_clock clock;
        struct port_entropy entropy;
        struct port_log log;
        int epoll_fd;
        struct net_posix net;
        struct port_net net_port;
        struct tls_wolfssl_shared tls_shared;
        struct tls_wolfssl tls;
        struct port_tls tls_port;
        struct stick stick;
};

static int open_board(struct board *b, const struct options *options)
{
        int r = flash_file_adopt(&b->flash, options->flash_fd, options->counter_fd, options->cut_after);
        if (r == 0)
                r = boot_posix_open(&b->boot, options->boot_fd);
        if (r < 0)
                return r;
        b->clock = posix_clock();
        b->entropy = posix_entropy();
        b->log = posix_log(b->boot.identity.name);
        b->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        if (b->epoll_fd < 0 || tls_wolfssl_shared_init(&b->tls_shared) < 0)
                return -EIO;
        net_posix_init(&b->net, b->epoll_fd, b);
        b->net_port = net_posix_port(&b->net);
        tls_wolfssl_init(&b->tls, &b->tls_shared, &b->net_port, &b->boot.secret,
                         span_of(b->boot.identity.certificates, b->boot.identity.certificates_size));
        b->tls_port = tls_wolfssl_port(&b->tls);
        stick_init(&b->stick, options->stick);
        return 0;
}

static int start_runtime(struct runtime *runtime, struct board *b, const struct options *options)
{
        const struct port_flash *flash = &b->flash.port;
        struct runtime_ports ports = {
                .identity = b->boot.identity.name,
                .class_id = b->boot.identity.class_id,
                .clock = &b->clock,
                .entropy = &b->entropy,
                .boot = &b->boot.boot,
                .tls = &b->tls_port,
                .secret = &b->boot.secret,
                .watchdog = &b->boot.watchdog,
                .log = &b->log,
                .flash = {
                        .manifests = { layout_manifest(flash, 0), layout_manifest(flash, 1) },
                        .images = { layout_image(flash, 0), layout_image(flash, 1) },
                        .list = layout_area(flash, LAYOUT_LIST),
                        .fetch = layout_area(flash, LAYOUT_FETCH),
                        .outbox = layout_area(flash, LAYOUT_OUTBOX),
                        .settings = layout_area(flash, LAYOUT_SETTINGS),
                },
        };
        struct runtime_options set = runtime_options_default();

        set.keep_alive_s = (uint16_t)options->keep_alive_s;
        set.report_ms = (uint32_t)options->period_ms;
        set.failover.dwell_ms = (uint32_t)options->dwell_ms;
        set.failover.retry_most_ms = (uint32_t)options->backoff_ms;
        set.gate = gate_timing_scaled((uint32_t)options->gate_ms);
        set.update.retry_ms = (uint32_t)options->retry_ms;
        set.update.settle_ms = (uint32_t)options->settle_ms;
        set.carrier = &b->stick.carrier;
        return runtime_init(runtime, &application, &ports, &set);
}

static void wait_for_work(struct board *b, const struct runtime *runtime)
{
        uint64_t now = runtime_now(runtime), next = runtime_deadline(runtime);
        struct epoll_event events[4];

        if (b->stick.folder && b->stick.next_ms < next)
                next = b->stick.next_ms;
        if (net_posix_is_resolving(&b->net) && next > now + RESOLVING_MS)
                next = now + RESOLVING_MS;
        if (next > now + INT32_MAX)
                next = now + INT32_MAX;
        (void)epoll_wait(b->epoll_fd, events, 4, next > now ? (int)(next - now) : 0);
}

static int parse(struct options *o, int argc, char **argv)
{
        static const struct option options[] = {
                { "flash-fd", required_argument, NULL, 0 },
                { "boot-fd", required_argument, NULL, 1 },
                { "counter-fd", required_argument, NULL, 2 },
                { "cut-after", required_argument, NULL, 3 },
                { "keep-alive", required_argument, NULL, 4 },
                { "period-ms", required_argument, NULL, 5 },
                { "dwell-ms", required_argument, NULL, 6 },
                { "retry-ms", required_argument, NULL, 7 },
                { "settle-ms", required_argument, NULL, 8 },
                { "gate-ms", required_argument, NULL, 9 },
                { "backoff-ms", required_argument, NULL, 10 },
                { "stick", required_argument, NULL, 11 },
                { 0 },
        };
        uint64_t values[] = {
                [0] = UINT64_MAX,
                [1] = UINT64_MAX,
                [2] = UINT64_MAX,
                [4] = 10,
                [5] = 1000,
                [6] = 5000,
                [7] = 30000,
                [8] = 2000,
                [9] = gate_timing_default.spacing_ms,
                [10] = failover_timing_default.retry_most_ms,
        };
        const char *stick = NULL;
        int c;

        while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
                if (c < 0 || c > 11)
                        return -EINVAL;
                if (c == 11)
                        stick = optarg;
                else
                        values[c] = strtoull(optarg, NULL, 10);
        }
        *o = (struct options){ .flash_fd = (int)values[0],
                               .boot_fd = (int)values[1],
                               .counter_fd = (int)values[2],
                               .stick = stick,
                               .cut_after = values[3],
                               .keep_alive_s = values[4],
                               .period_ms = values[5],
                               .dwell_ms = values[6],
                               .retry_ms = values[7],
                               .settle_ms = values[8],
                               .gate_ms = values[9],
                               .backoff_ms = values[10] };
        bool sane = values[5] > 0 && values[9] > 0 && values[9] <= 60000 && values[10] >= 500 && values[10] <= 3600000;
        return o->flash_fd < 0 || o->boot_fd < 0 || !sane ? -EINVAL : 0;
}

int main(int argc, char **argv)
{
        static struct runtime runtime;
        static struct board board;
        struct options options;

        if (parse(&options, argc, argv) < 0) {
                fprintf(stderr,
                        "usage: started by device-boot; options [--keep-alive S] [--period-ms N] [--dwell-ms N] "
                        "[--retry-ms N] [--settle-ms N] [--gate-ms N] [--backoff-ms N] "
                        "[--stick FOLDER]\n");
                return 2;
        }
        int r = open_board(&board, &options);
        if (r == 0)
                r = start_runtime(&runtime, &board, &options);
        if (r < 0) {
                fprintf(stderr, "<3>%s: cannot start: %s\n", application.version, relay_result_string(r));
                return 1;
        }
        for (;;) {
                stick_look(&board.stick, &runtime.device, runtime_now(&runtime));
                if (runtime_run(&runtime) < 0)
                        break;
                wait_for_work(&board, &runtime);
        }
        board.log.line(board.log.context, PORT_LOG_ERROR, "flash or boot stage failed, restarting");
        return 1;
}
