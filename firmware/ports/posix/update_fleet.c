/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * update-fleet: one process that is many devices which take updates, for load. Each has its own flash file with
 * identity and trust, its own boot stage, device engine, update agent and TLS session; a reset starts it anew in this
 * process, and nothing of an image is executed but its verification. Prints one JSON line for each step of a device.
 */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

#include "app/device.h"
#include "boot/boot.h"
#include "ports/common/boot_channel.h"
#include "ports/common/tls_wolfssl.h"
#include "ports/posix/flash_file.h"
#include "ports/posix/net_posix.h"
#include "ports/posix/posix.h"

#define SCAN_MS      5
#define KEEP_ALIVE_S 60

enum step { STEP_NONE, STEP_ONLINE, STEP_OFFERED, STEP_FETCHING, STEP_COMPLETE, STEP_RESTARTED, STEP_CONFIRMED };

static const char *const step_names[] = {
        "none", "online", "offered", "fetching", "complete", "restarted", "confirmed"
};

struct fleet;

struct member {
        struct fleet *fleet;
        struct flash_file flash;
        size_t chain_size;
        uint8_t chain[BOOT_CHAIN_MAX];
        struct boot boot_stage;
        struct port_boot boot;
        struct port_secret secret;
        struct net_posix net;
        struct port_net net_port;
        struct tls_wolfssl tls;
        struct port_tls tls_port;
        struct outbox outbox;
        struct update update;
        struct device device;
        enum step step;
        bool online;               /* was told */
        uint8_t told[SHA256_SIZE]; /* the manifest that the step is about */
        bool reset;
        uint64_t deadline_ms;
};

struct fleet {
        struct port_clock clock;
        struct port_entropy entropy;
        struct tls_wolfssl_shared tls;
        int epoll_fd;
        size_t member_count;
        struct member **members;
};

static volatile sig_atomic_t stopped;

static void stop(int number)
{
        (void)number;
        stopped = 1;
}

/* ---- ports of a member */

/* Nothing is executed, so the flash is the memory that is measured. */
static int load(void *context, const struct flash_area *image, uint32_t size, uint8_t digest[SHA256_SIZE])
{
        uint8_t part[LAYOUT_SECTOR_SIZE];
        struct sha256 hash;

        (void)context;
        int r = crypto_sha256_init(&hash);
        for (uint32_t at = 0; at < size && r == 0; at += sizeof(part)) {
                uint32_t n = size - at < sizeof(part) ? size - at : (uint32_t)sizeof(part);
                r = flash_area_read(image, at, part, n);
                if (r == 0)
                        r = crypto_sha256_update(&hash, span_of(part, n));
        }
        return r < 0 ? r : crypto_sha256_final(&hash, digest);
}

static int member_status(void *context, struct port_boot_status *out)
{
        boot_status(&((struct member *)context)->boot_stage, out);
        return 0;
}

static int member_stage(void *context, enum reason *refusal)
{
        return boot_stage(&((struct member *)context)->boot_stage, refusal);
}

static int member_confirm(void *context)
{
        return boot_confirm(&((struct member *)context)->boot_stage);
}

static int member_accept(void *context, enum port_boot_object object, struct span signed_set, enum reason *refusal)
{
        return boot_accept(&((struct member *)context)->boot_stage, object, signed_set, refusal);
}

static int member_trusted(void *context, struct site_policy *policy, struct vendor_keys *vendor)
{
        const struct member *m = context;

        *policy = m->boot_stage.policy;
        *vendor = m->boot_stage.vendor;
        return 0;
}

static void member_reset(void *context)
{
        ((struct member *)context)->reset = true;
}

static int member_sign(void *context, struct span message, uint8_t signature[SIGNATURE_SIZE])
{
        return boot_sign(&((struct member *)context)->boot_stage, message, signature);
}

static int member_attest(void *context, const struct attest_challenge *challenge, uint8_t *out, size_t size,
                         size_t *written)
{
        struct writer w;

        writer_init(&w, out, size);
        int r = boot_attest(&((struct member *)context)->boot_stage, challenge, &w);
        if (r == 0)
                *written = writer_needed(&w);
        return r;
}

static bool consent(void *context, const char *version)
{
        (void)context;
        (void)version;
        return true;
}

/* ---- starting a member */

static int open_update(struct member *m)
{
        const struct port_flash *flash = &m->flash.port;
        struct update_config config = {
                .device = m->boot_stage.identity,
                .version = "fleet",
                .vendor = &m->device.vendor,
                .policy = &m->device.policy,
                .gate = &m->device.gate,
                .boot = &m->boot,
                .manifests = { layout_manifest(flash, 0), layout_manifest(flash, 1) },
                .images = { layout_image(flash, 0), layout_image(flash, 1) },
                .list = layout_area(flash, LAYOUT_LIST),
                .fetch = layout_area(flash, LAYOUT_FETCH),
                .timing = update_timing_default,
                .consent = consent,
        };

        memcpy(config.class_id, m->boot_stage.class_id, CLASS_ID_SIZE);
        return update_init(&m->update, &config, m->fleet->clock.now_ms(NULL));
}

static int open_device(struct member *m)
{
        struct fleet *f = m->fleet;
        struct flash_area outbox = layout_area(&m->flash.port, LAYOUT_OUTBOX);
        struct device_config config = {
                .identity = m->boot_stage.identity,
                .version = "fleet",
                .tls = &m->tls_port,
                .secret = &m->secret,
                .clock = &f->clock,
                .boot = &m->boot,
                .entropy = &f->entropy,
                .outbox = &m->outbox,
                .update = &m->update,
                .keep_alive_s = KEEP_ALIVE_S,
                .timing = failover_timing_default,
                .gate_timing = gate_timing_default,
        };

        memcpy(config.class_id, m->boot_stage.class_id, CLASS_ID_SIZE);
        int r = outbox_mount(&m->outbox, &outbox);
        if (r == 0)
                r = open_update(m);
        return r == 0 ? device_init(&m->device, &config) : r;
}

/* Each start has a key of its own, and a chain for it. */
static int open_tls(struct member *m)
{
        struct writer w;

        writer_init(&w, m->chain, sizeof(m->chain));
        int r = boot_put_chain(&m->boot_stage, &w);
        if (r < 0)
                return r;
        m->secret.key = m->boot_stage.keys.key;
        tls_wolfssl_init(&m->tls, &m->fleet->tls, &m->net_port, &m->secret, writer_span(&w));
        m->tls_port = tls_wolfssl_port(&m->tls);
        return 0;
}

/* power_on: the process starts; else it is a reset */
static int start_member(struct member *m, bool power_on)
{
        const struct boot_board board = { .flash = &m->flash.port, .load = load, .context = m, .power_on = power_on };
        struct boot_outcome outcome;

        m->reset = false;
        int r = boot_start(&m->boot_stage, &board, &outcome);
        if (r == BOOT_RUN)
                r = open_tls(m);
        if (r == BOOT_RUN)
                return open_device(m);
        fprintf(stderr, "update-fleet: %s: no image may run\n", m->boot_stage.identity);
        return r < 0 ? r : RELAY_E_STATE;
}

static int open_member(struct member *m, const char *path)
{
        int r = flash_file_open(&m->flash, path);

        if (r < 0)
                return r;
        m->boot = (struct port_boot){ .status = member_status,
                                      .stage = member_stage,
                                      .confirm = member_confirm,
                                      .accept = member_accept,
                                      .trusted = member_trusted,
                                      .reset = member_reset,
                                      .context = m };
        m->secret = (struct port_secret){ .sign = member_sign, .attest = member_attest, .context = m };
        net_posix_init(&m->net, m->fleet->epoll_fd, m);
        m->net_port = net_posix_port(&m->net);
        m->deadline_ms = UINT64_MAX;
        return start_member(m, true);
}

static void close_links(struct member *m)
{
        for (unsigned link = 0; link < PORT_LINKS; link++)
                m->tls_port.close(m->tls_port.context, link);
}

/* ---- what is told */

static double now_s(void)
{
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* image: of what runs, or of what is offered */
static void tell(struct member *m, enum step step)
{
        const struct update *u = &m->update;
        const uint8_t *image = step == STEP_OFFERED                             ? u->candidate.image_digest
                               : step == STEP_FETCHING || step == STEP_COMPLETE ? u->target.image_digest
                                                                                : m->boot_stage.image.digest;
        char hex[2 * SHA256_SIZE + 1];

        if (step != STEP_ONLINE)
                m->step = step;
        printf("{\"time\":%.6f,\"device\":\"%s\",\"step\":\"%s\",\"image\":\"%s\"}\n", now_s(), m->boot_stage.identity,
               step_names[step], span_to_hex(span_of(image, SHA256_SIZE), hex, sizeof(hex)));
}

static enum step find_step(const struct member *m)
{
        const struct update *u = &m->update;

        if (u->phase >= UPDATE_PHASE_COMPLETE)
                return STEP_COMPLETE;
        if (u->phase != UPDATE_PHASE_NONE)
                return STEP_FETCHING;
        if (u->has_candidate && u->boot.confirmed && u->candidate.sequence > u->boot.sequence)
                return STEP_OFFERED;
        return STEP_NONE;
}

static void tell_progress(struct member *m)
{
        const struct update *u = &m->update;
        enum step step = find_step(m);
        const uint8_t *manifest = step == STEP_OFFERED ? u->candidate.digest : u->target.digest;

        if (step == STEP_NONE)
                return;
        bool is_other = memcmp(manifest, m->told, SHA256_SIZE) != 0;
        memcpy(m->told, manifest, SHA256_SIZE);
        if (is_other || step > m->step)
                tell(m, step);
}

static int confirm(struct member *m)
{
        if (m->update.boot.confirmed || !device_is_online(&m->device))
                return 0;
        int r = device_confirm(&m->device);
        if (r == 0)
                tell(m, STEP_CONFIRMED);
        return r;
}

static int run_member(struct member *m)
{
        int r = device_run(&m->device);

        if (r == 0)
                r = confirm(m);
        if (r < 0)
                return r;
        if (m->reset) {
                close_links(m);
                r = start_member(m, false);
                tell(m, STEP_RESTARTED);
                return r == 0 ? device_run(&m->device) : r;
        }
        if (!m->online && device_is_online(&m->device)) {
                m->online = true;
                tell(m, STEP_ONLINE);
        }
        tell_progress(m);
        return 0;
}

/* ---- everybody */

static int turn(struct member *m)
{
        int r = run_member(m);

        m->deadline_ms = device_deadline(&m->device);
        if (r < 0)
                fprintf(stderr, "update-fleet: %s: %s\n", m->boot_stage.identity, relay_result_string(r));
        return r;
}

static int scan(struct fleet *f)
{
        uint64_t now = f->clock.now_ms(NULL);
        int r = 0;

        for (size_t i = 0; i < f->member_count && r >= 0; i++)
                if (f->members[i]->deadline_ms <= now)
                        r = turn(f->members[i]);
        return r;
}

static int run(struct fleet *f)
{
        struct epoll_event events[256];
        uint64_t next_scan = 0;
        int r = 0;

        for (size_t i = 0; i < f->member_count && r >= 0; i++)
                r = turn(f->members[i]);
        while (!stopped && r >= 0) {
                int n = epoll_wait(f->epoll_fd, events, 256, SCAN_MS);
                for (int i = 0; i < n && r >= 0; i++)
                        r = turn(events[i].data.ptr);
                uint64_t now = f->clock.now_ms(NULL);
                if (r >= 0 && now >= next_scan) {
                        r = scan(f);
                        next_scan = now + SCAN_MS;
                }
        }
        return r;
}

static int add_member(struct fleet *f, const char *path)
{
        struct member *m = calloc(1, sizeof(*m));

        if (!m)
                return RELAY_E_SPACE;
        m->fleet = f;
        f->members[f->member_count++] = m;
        int r = open_member(m, path);
        if (r < 0)
                fprintf(stderr, "update-fleet: %s: not the flash of a provisioned device\n", path);
        return r;
}

static void close_fleet(struct fleet *f)
{
        for (size_t i = 0; i < f->member_count; i++) {
                close_links(f->members[i]);
                free(f->members[i]);
        }
        free(f->members);
        tls_wolfssl_shared_done(&f->tls);
}

int main(int argc, char **argv)
{
        static struct fleet f;
        int r = 0;

        if (argc < 2) {
                fprintf(stderr, "usage: update-fleet FLASH-FILE...\n");
                return 2;
        }
        setvbuf(stdout, NULL, _IOLBF, BUFSIZ); /* a line is written whole */
        signal(SIGINT, stop);
        signal(SIGTERM, stop);
        f.clock = posix_clock();
        f.entropy = posix_entropy();
        f.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        f.members = calloc((size_t)argc, sizeof(*f.members));
        if (f.epoll_fd < 0 || !f.members || tls_wolfssl_shared_init(&f.tls) < 0)
                return 1;
        for (int i = 1; i < argc && r >= 0; i++)
                r = add_member(&f, argv[i]);
        if (r >= 0)
                r = run(&f);
        close_fleet(&f);
        return r < 0 ? 1 : 0;
}
