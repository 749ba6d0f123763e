/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * plant-care: the example application as the image of the posix port. Started by device-boot. Its control loop runs
 * by the clock; the network gets what time is left and is never waited for.
 */

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "app/device.h"
#include "app/json.h"
#include "app/plant.h"
#include "ports/common/tls_wolfssl.h"
#include "ports/posix/boot_channel.h"
#include "ports/posix/flash_file.h"
#include "ports/posix/net_posix.h"
#include "ports/posix/posix.h"
#include "ports/posix/stick.h"

#define FEED_MS       1000 /* the watchdog, at most this often */
#define HEALTHY_STEPS 5    /* of the control loop, before a new image is confirmed */

struct options {
        int flash_fd, boot_fd, counter_fd;
        const char *stick;
        uint64_t cut_after, keep_alive_s, period_ms, dwell_ms, retry_ms, settle_ms, gate_ms, backoff_ms;
};

struct application {
        struct options options;
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
        struct outbox outbox;
        struct update update;
        struct commands commands;
        struct device device;
        struct plant plant;
        struct stick stick;
        uint64_t started_ms, next_report_ms, next_feed_ms;
        bool confirmed;
};

/* Not while the pump runs: a restart would leave it as it is. */
static bool consent(void *context, const char *version)
{
        const struct application *a = context;

        (void)version;
        return !a->plant.pumping;
}

static int open_hardware(struct application *a)
{
        int r = flash_file_adopt(&a->flash, a->options.flash_fd, a->options.counter_fd, a->options.cut_after);
        if (r == 0)
                r = boot_client_init(&a->boot, a->options.boot_fd);
        if (r < 0)
                return r;
        a->clock = posix_clock();
        a->entropy = posix_entropy();
        a->log = posix_log(a->boot.identity.name);
        a->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        if (a->epoll_fd < 0 || tls_wolfssl_shared_init(&a->tls_shared) < 0)
                return -EIO;
        net_posix_init(&a->net, a->epoll_fd, a);
        a->net_port = net_posix_port(&a->net);
        tls_wolfssl_init(&a->tls, &a->tls_shared, &a->net_port, &a->boot.secret,
                         span_of(a->boot.identity.certificates, a->boot.identity.certificates_size));
        a->tls_port = tls_wolfssl_port(&a->tls);
        return 0;
}

static int open_update(struct application *a)
{
        const struct port_flash *flash = &a->flash.port;
        struct update_config config = {
                .device = a->boot.identity.name,
                .version = FIRMWARE_VERSION,
                .vendor = &a->device.vendor,
                .policy = &a->device.policy,
                .gate = &a->device.gate,
                .boot = &a->boot.boot,
                .manifests = { layout_manifest(flash, 0), layout_manifest(flash, 1) },
                .images = { layout_image(flash, 0), layout_image(flash, 1) },
                .list = layout_area(flash, LAYOUT_LIST),
                .fetch = layout_area(flash, LAYOUT_FETCH),
                .timing = update_timing_default,
                .consent = consent,
                .context = a,
        };

        memcpy(config.class_id, a->boot.identity.class_id, CLASS_ID_SIZE);
        config.timing.retry_ms = (uint32_t)a->options.retry_ms;
        config.timing.settle_ms = (uint32_t)a->options.settle_ms;
        return update_init(&a->update, &config, a->clock.now_ms(NULL));
}

/* every pause of the gate's client in proportion to the one between two questions */
static void set_gate_timing(struct gate_timing *timing, uint64_t spacing_ms)
{
        timing->patience_ms = (uint32_t)(timing->patience_ms * spacing_ms / timing->spacing_ms);
        timing->retry_first_ms = (uint32_t)(timing->retry_first_ms * spacing_ms / timing->spacing_ms);
        timing->retry_most_ms = (uint32_t)(timing->retry_most_ms * spacing_ms / timing->spacing_ms);
        timing->spacing_ms = (uint32_t)spacing_ms;
}

static bool is_command(const char *name, const char *expected)
{
        return strcmp(name, expected) == 0;
}

static enum command_outcome run_command(void *context, const char *name, struct span arguments, struct writer *value)
{
        struct application *a = context;

        (void)arguments;
        if (is_command(name, "diagnostics.uptime")) {
                json_digits(value, (a->clock.now_ms(NULL) - a->started_ms) / 1000);
                return COMMAND_OUTCOME_DONE;
        }
        if (is_command(name, "diagnostics.version")) {
                writer_bytes(value, SPAN_LITERAL(FIRMWARE_VERSION));
                return COMMAND_OUTCOME_DONE;
        }
        return plant_command(&a->plant, name, value);
}

static int open_commands(struct application *a)
{
        struct commands_config config = {
                .device = a->boot.identity.name,
                .class_id = a->boot.identity.class_id,
                .policy = &a->device.policy,
                .vendor = &a->device.vendor,
                .counters = layout_area(&a->flash.port, LAYOUT_SETTINGS),
                .run = run_command,
                .context = a,
        };
        return commands_init(&a->commands, &config);
}

static int open_device(struct application *a)
{
        struct flash_area outbox = layout_area(&a->flash.port, LAYOUT_OUTBOX);
        struct device_config config = {
                .identity = a->boot.identity.name,
                .version = FIRMWARE_VERSION,
                .tls = &a->tls_port,
                .clock = &a->clock,
                .boot = &a->boot.boot,
                .entropy = &a->entropy,
                .log = &a->log,
                .outbox = &a->outbox,
                .update = &a->update,
                .commands = &a->commands,
                .carrier = &a->stick.carrier,
                .keep_alive_s = (uint16_t)a->options.keep_alive_s,
                .timing = failover_timing_default,
                .gate_timing = gate_timing_default,
        };

        memcpy(config.class_id, a->boot.identity.class_id, CLASS_ID_SIZE);
        config.timing.dwell_ms = (uint32_t)a->options.dwell_ms;
        config.timing.retry_most_ms = (uint32_t)a->options.backoff_ms;
        set_gate_timing(&config.gate_timing, a->options.gate_ms);
        int r = outbox_mount(&a->outbox, &outbox);
        if (r == 0)
                r = open_update(a);
        if (r == 0)
                r = open_commands(a);
        return r == 0 ? device_init(&a->device, &config) : r;
}

static int report(struct application *a)
{
        uint8_t json[128];

        return device_publish(&a->device, OUTBOX_TELEMETRY, SPAN_LITERAL("soil"),
                              plant_json(&a->plant, json, sizeof(json)));
}

static int maybe_confirm(struct application *a)
{
#ifdef FIRMWARE_BROKEN
        (void)a;
        return 0; /* made for tests: this image never gets healthy */
#else
        if (a->confirmed || a->plant.steps < HEALTHY_STEPS || !device_is_online(&a->device))
                return 0;
        a->confirmed = true;
        return device_confirm(&a->device);
#endif
}

static int run_once(struct application *a)
{
        uint64_t now = a->clock.now_ms(NULL);
        int r = 0;

        if (now >= a->next_feed_ms) {
                a->next_feed_ms = now + FEED_MS;
                a->boot.watchdog.feed(a->boot.watchdog.context);
        }
        plant_step(&a->plant, now);
        if (now >= a->next_report_ms) {
                a->next_report_ms = now + a->options.period_ms;
                r = report(a);
        }
        stick_look(&a->stick, &a->device, now);
        if (r == 0)
                r = device_run(&a->device);
        return r == 0 ? maybe_confirm(a) : r;
}

static void wait_for_work(struct application *a)
{
        uint64_t now = a->clock.now_ms(NULL), next = device_deadline(&a->device);
        struct epoll_event events[4];

        if (a->next_report_ms < next)
                next = a->next_report_ms;
        if (a->plant.next_ms < next)
                next = a->plant.next_ms;
        if (net_posix_is_resolving(&a->net) && next > now + 20)
                next = now + 20;
        (void)epoll_wait(a->epoll_fd, events, 4, next > now ? (int)(next - now) : 0);
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
        static struct application a;

        if (parse(&a.options, argc, argv) < 0) {
                fprintf(stderr,
                        "usage: started by device-boot; options [--keep-alive S] [--period-ms N] [--dwell-ms N] "
                        "[--retry-ms N] [--settle-ms N] [--gate-ms N] [--backoff-ms N] "
                        "[--stick FOLDER]\n");
                return 2;
        }
        int r = open_hardware(&a);
        if (r == 0)
                r = open_device(&a);
        if (r < 0) {
                fprintf(stderr, "<3>plant-care: cannot start: %s\n", relay_result_string(r));
                return 1;
        }
        stick_init(&a.stick, a.options.stick);
        a.started_ms = a.clock.now_ms(NULL);
        plant_init(&a.plant, &plant_plan_default, 450, a.clock.now_ms(NULL));
        while (r >= 0) {
                r = run_once(&a);
                if (r >= 0)
                        wait_for_work(&a);
        }
        a.log.line(a.log.context, PORT_LOG_ERROR, "flash or boot stage failed, restarting");
        return 1;
}
