/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fleet: one process that is many devices, for load. Each is the real device engine with its own TLS identity and an
 * outbox in memory; none takes updates. Prints one JSON object at the end.
 */

#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "app/device.h"
#include "ports/common/flash_ram.h"
#include "ports/common/tls_wolfssl.h"
#include "ports/posix/net_posix.h"
#include "ports/posix/posix.h"

#define FLASH_SECTOR     4096u
#define FLASH_SECTORS    4u
#define CERTIFICATES_MAX 8192
#define SENT_TABLE       256 /* events of one device whose sending time is remembered */
#define SCAN_MS          5

struct options {
        size_t count;
        double rate; /* events a second, of each device */
        const char *certificates, *site;
        double seconds;
        uint64_t keep_alive_s;
        size_t pin_count;
};

struct member {
        struct fleet *fleet;
        char identity[IDENTITY_MAX + 1];
        uint8_t seed[ED25519_SEED_SIZE];
        uint8_t *certificates;
        size_t certificates_size;
        struct flash_ram ram;
        struct port_flash flash;
        uint8_t memory[FLASH_SECTOR * FLASH_SECTORS];
        struct outbox outbox;
        struct port_boot boot;
        struct port_secret secret;
        struct net_posix net;
        struct port_net net_port;
        struct tls_wolfssl tls;
        struct port_tls tls_port;
        struct device device;
        uint64_t next_event_ms;
        uint64_t sent_us[SENT_TABLE];
};

struct fleet {
        struct options options;
        struct site_policy policy;
        struct port_clock clock;
        struct port_entropy entropy;
        struct tls_wolfssl_shared tls;
        int epoll_fd;
        uint32_t boot;
        struct member **members;
        size_t member_count;
        uint32_t *latencies_us;
        size_t latency_count, latency_room;
};

static volatile sig_atomic_t stopped;

static void stop(int number)
{
        (void)number;
        stopped = 1;
}

static uint64_t now_us(void)
{
        struct timespec ts;
        clock_gettime(CLOCK_MONOTONIC, &ts);
        return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

/* ---- ports of a member */

static int member_status(void *context, struct port_boot_status *out)
{
        const struct member *m = context;

        *out = (struct port_boot_status){ .boot = m->fleet->boot, .confirmed = true };
        return 0;
}

static int member_stage(void *context, enum reason *refusal)
{
        (void)context;
        *refusal = REASON_DENIED;
        return 0;
}

static int member_confirm(void *context)
{
        (void)context;
        return 0;
}

static int member_trusted(void *context, struct site_policy *policy, struct vendor_keys *vendor)
{
        const struct member *m = context;

        *policy = m->fleet->policy;
        *vendor = (struct vendor_keys){ .epoch = 1 };
        return 0;
}

static void member_reset(void *context)
{
        (void)context;
}

static int member_sign(void *context, struct span message, uint8_t signature[SIGNATURE_SIZE])
{
        const struct member *m = context;
        return crypto_ed25519_sign(m->seed, message, signature);
}

static void note_latency(struct fleet *f, uint64_t us)
{
        if (f->latency_count == f->latency_room) {
                size_t room = f->latency_room ? 2 * f->latency_room : 65536;
                uint32_t *more = realloc(f->latencies_us, room * sizeof(*more));
                if (!more)
                        return;
                f->latencies_us = more;
                f->latency_room = room;
        }
        f->latencies_us[f->latency_count++] = us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}

static void acknowledged(void *context, uint32_t boot, uint64_t seq)
{
        struct member *m = context;

        (void)boot;
        if (m->device.seq - seq < SENT_TABLE)
                note_latency(m->fleet, now_us() - m->sent_us[seq % SENT_TABLE]);
}

/* ---- making members */

static int open_member(struct member *m)
{
        struct fleet *f = m->fleet;
        struct flash_area area = { &m->flash, 0, FLASH_SECTORS };
        struct device_config config = {
                .identity = m->identity,
                .version = "fleet",
                .tls = &m->tls_port,
                .clock = &f->clock,
                .boot = &m->boot,
                .entropy = &f->entropy,
                .outbox = &m->outbox,
                .keep_alive_s = (uint16_t)f->options.keep_alive_s,
                .timing = failover_timing_default,
                .gate_timing = gate_timing_default,
                .acknowledged = acknowledged,
                .context = m,
        };

        memset(m->memory, 0xff, sizeof(m->memory));
        flash_ram_init(&m->ram, m->memory, FLASH_SECTOR, FLASH_SECTORS);
        m->flash = flash_ram_port(&m->ram);
        m->boot = (struct port_boot){ .status = member_status,
                                      .stage = member_stage,
                                      .confirm = member_confirm,
                                      .trusted = member_trusted,
                                      .reset = member_reset,
                                      .context = m };
        m->secret = (struct port_secret){ .sign = member_sign, .context = m };
        net_posix_init(&m->net, f->epoll_fd, m);
        m->net_port = net_posix_port(&m->net);
        tls_wolfssl_init(&m->tls, &f->tls, &m->net_port, &m->secret, span_of(m->certificates, m->certificates_size));
        m->tls_port = tls_wolfssl_port(&m->tls);
        int r = outbox_mount(&m->outbox, &area);
        return r == 0 ? device_init(&m->device, &config) : r;
}

static int add_member(struct fleet *f, const char *identity, size_t size)
{
        char path[4096];
        struct member *m = calloc(1, sizeof(*m));

        if (!m)
                return -ENOMEM;
        m->fleet = f;
        memcpy(m->identity, identity, size);
        snprintf(path, sizeof(path), "%s/%s.key", f->options.certificates, m->identity);
        int r = posix_read_key(path, m->seed);
        snprintf(path, sizeof(path), "%s/%s.crt", f->options.certificates, m->identity);
        if (r == 0)
                r = posix_read_file(path, CERTIFICATES_MAX, &m->certificates, &m->certificates_size);
        if (r == 0 && open_member(m) != 0)
                r = -EIO;
        if (r < 0) {
                fprintf(stderr, "fleet: %s: %s\n", path, strerror(-r));
                free(m->certificates);
                free(m);
                return r;
        }
        uint64_t spread = f->options.rate > 0 ? (uint64_t)(1000.0 / f->options.rate) : 1000;
        m->next_event_ms = f->clock.now_ms(NULL) + spread * f->member_count / f->options.count;
        f->members[f->member_count++] = m;
        return 0;
}

static int load_members(struct fleet *f)
{
        struct dirent **names;
        int r = 0;

        int n = scandir(f->options.certificates, &names, NULL, versionsort);
        if (n < 0) {
                fprintf(stderr, "fleet: %s: %s\n", f->options.certificates, strerror(errno));
                return -errno;
        }
        f->members = calloc(f->options.count, sizeof(struct member *));
        for (int i = 0; i < n; i++) {
                size_t size = strlen(names[i]->d_name);
                bool certificate = size > 4 && strcmp(names[i]->d_name + size - 4, ".crt") == 0;
                struct span identity = span_of(names[i]->d_name, certificate ? size - 4 : 0);
                if (f->members && r == 0 && f->member_count < f->options.count && identity_is_device(identity))
                        r = add_member(f, names[i]->d_name, identity.size);
                free(names[i]);
        }
        free(names);
        if (r == 0 && f->member_count < f->options.count) {
                fprintf(stderr, "fleet: %s has keys for %zu devices only\n", f->options.certificates, f->member_count);
                r = -ENOENT;
        }
        return r;
}

/* ---- running */

static void publish_event(struct member *m)
{
        uint8_t payload[64];
        int n = snprintf((char *)payload, sizeof(payload), "{\"moisture\":%u}", (unsigned)(m->device.seq % 1000));

        m->sent_us[(m->device.seq + 1) % SENT_TABLE] = now_us();
        (void)device_publish(&m->device, OUTBOX_TELEMETRY, SPAN_LITERAL("soil"), span_of(payload, (size_t)n));
}

static void scan(struct fleet *f, bool publishing)
{
        uint64_t now = f->clock.now_ms(NULL);

        for (size_t i = 0; i < f->member_count; i++) {
                struct member *m = f->members[i];
                bool due = device_deadline(&m->device) <= now;
                if (publishing && f->options.rate > 0 && m->next_event_ms <= now && device_is_online(&m->device)) {
                        publish_event(m);
                        m->next_event_ms += (uint64_t)(1000.0 / f->options.rate);
                        if (m->next_event_ms < now)
                                m->next_event_ms = now;
                        due = true;
                }
                if (due)
                        (void)device_run(&m->device);
        }
}

static bool is_drained(const struct fleet *f)
{
        for (size_t i = 0; i < f->member_count; i++)
                if (f->members[i]->outbox.pending > 0)
                        return false;
        return true;
}

static void run(struct fleet *f)
{
        uint64_t start = f->clock.now_ms(NULL), next_scan = 0;
        uint64_t end = start + (uint64_t)(f->options.seconds * 1000), last = end + 10000;
        struct epoll_event events[256];

        for (size_t i = 0; i < f->member_count; i++)
                (void)device_run(&f->members[i]->device);
        while (!stopped) {
                int n = epoll_wait(f->epoll_fd, events, 256, SCAN_MS);
                for (int i = 0; i < n; i++)
                        (void)device_run(&((struct member *)events[i].data.ptr)->device);
                uint64_t now = f->clock.now_ms(NULL);
                if (now >= next_scan) {
                        scan(f, now < end);
                        next_scan = now + SCAN_MS;
                }
                if (now >= last || (now >= end && is_drained(f)))
                        return;
        }
}

/* ---- the result */

static int compare(const void *a, const void *b)
{
        uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
        return (x > y) - (x < y);
}

static double percentile(const struct fleet *f, unsigned of_thousand)
{
        if (f->latency_count == 0)
                return 0;
        size_t rank = (f->latency_count - 1) * of_thousand / 1000;

        return f->latencies_us[rank] / 1000.0;
}

static void print_result(struct fleet *f, double seconds)
{
        struct device_counters sum = { 0 };
        uint64_t online = 0, waiting = 0, dropped = 0;

        for (size_t i = 0; i < f->member_count; i++) {
                const struct member *m = f->members[i];
                sum.published += m->device.counters.published;
                sum.acknowledged += m->device.counters.acknowledged;
                sum.refused += m->device.counters.refused;
                sum.connects += m->device.counters.connects;
                online += device_is_online(&m->device);
                waiting += m->outbox.pending;
                dropped += m->outbox.dropped;
        }
        qsort(f->latencies_us, f->latency_count, sizeof(uint32_t), compare);
        printf("{\"devices\":%zu,\"online\":%llu,\"connects\":%llu,\"published\":%llu,\"acknowledged\":%llu,"
               "\"refused\":%llu,\"dropped\":%llu,\"waiting\":%llu,\"seconds\":%.3f,\"events_per_second\":%.1f,"
               "\"latency_ms\":{\"p50\":%.3f,\"p95\":%.3f,\"p99\":%.3f,\"max\":%.3f}}\n",
               f->member_count, (unsigned long long)online, (unsigned long long)sum.connects,
               (unsigned long long)sum.published, (unsigned long long)sum.acknowledged, (unsigned long long)sum.refused,
               (unsigned long long)dropped, (unsigned long long)waiting, seconds,
               seconds > 0 ? (double)sum.acknowledged / seconds : 0.0, percentile(f, 500), percentile(f, 950),
               percentile(f, 990), percentile(f, 1000));
}

/* ---- options */

/* HOST:PORT; the first endpoint is the relay, later ones are clouds */
static int add_endpoint(struct fleet *f, const char *text)
{
        struct site_endpoint *e = &f->policy.endpoints[f->policy.endpoint_count];
        const char *colon = strrchr(text, ':');

        if (!colon || f->policy.endpoint_count == SITE_ENDPOINTS_MAX ||
            !span_to_string(span_of(text, (size_t)(colon - text)), e->host, sizeof(e->host)))
                return -EINVAL;
        e->port = (uint16_t)strtoul(colon + 1, NULL, 10);
        e->kind = f->policy.endpoint_count == 0 ? ENDPOINT_RELAY : ENDPOINT_CLOUD;
        f->policy.endpoint_count++;
        return e->port > 0 ? 0 : -EINVAL;
}

static int add_pin(struct fleet *f, const char *text)
{
        if (f->options.pin_count == SITE_ENDPOINTS_MAX)
                return -EINVAL;
        return span_from_hex(span_of_string(text), f->policy.endpoints[f->options.pin_count++].pin, SHA256_SIZE)
                       ? 0
                       : -EINVAL;
}

static int parse(struct fleet *f, int argc, char **argv)
{
        static const struct option options[] = {
                { "count", required_argument, NULL, 'n' },
                { "rate", required_argument, NULL, 'r' },
                { "certs", required_argument, NULL, 'c' },
                { "endpoint", required_argument, NULL, 'e' },
                { "pin", required_argument, NULL, 'p' },
                { "site", required_argument, NULL, 's' },
                { "duration", required_argument, NULL, 'd' },
                { "keep-alive", required_argument, NULL, 'k' },
                { 0 },
        };
        struct options *o = &f->options;
        int c, r = 0;

        *o = (struct options){ .count = 1, .rate = 1, .site = "s1", .seconds = 10, .keep_alive_s = 60 };
        while (r == 0 && (c = getopt_long(argc, argv, "", options, NULL)) != -1) {
                if (c == 'n')
                        o->count = strtoul(optarg, NULL, 10);
                else if (c == 'r')
                        o->rate = strtod(optarg, NULL);
                else if (c == 'c')
                        o->certificates = optarg;
                else if (c == 'e')
                        r = add_endpoint(f, optarg);
                else if (c == 'p')
                        r = add_pin(f, optarg);
                else if (c == 's')
                        o->site = optarg;
                else if (c == 'd')
                        o->seconds = strtod(optarg, NULL);
                else if (c == 'k')
                        o->keep_alive_s = strtoul(optarg, NULL, 10);
                else
                        r = -EINVAL;
        }
        bool complete = o->certificates && o->count > 0 && f->policy.endpoint_count > 0 &&
                        o->pin_count == f->policy.endpoint_count &&
                        span_to_string(span_of_string(o->site), f->policy.site, sizeof(f->policy.site));
        return r == 0 && complete ? 0 : -EINVAL;
}

static void close_fleet(struct fleet *f)
{
        for (size_t i = 0; i < f->member_count; i++) {
                struct member *m = f->members[i];
                for (unsigned link = 0; link < PORT_LINKS; link++)
                        m->tls_port.close(m->tls_port.context, link);
                free(m->certificates);
                free(m);
        }
        free(f->members);
        free(f->latencies_us);
        tls_wolfssl_shared_done(&f->tls);
}

int main(int argc, char **argv)
{
        static struct fleet f;
        struct rlimit limit;

        if (parse(&f, argc, argv) < 0) {
                fprintf(stderr, "usage: fleet --certs FOLDER --endpoint HOST:PORT --pin HEX [--endpoint .. --pin ..] "
                                "[--count N] [--rate EVENTS-PER-SECOND-AND-DEVICE] [--duration S] [--site NAME] "
                                "[--keep-alive S]\n");
                return 2;
        }
        if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
                limit.rlim_cur = limit.rlim_max;
                (void)setrlimit(RLIMIT_NOFILE, &limit);
        }
        signal(SIGINT, stop);
        signal(SIGTERM, stop);
        f.clock = posix_clock();
        f.entropy = posix_entropy();
        f.boot = (uint32_t)time(NULL); /* rises from run to run, so that no run looks like a clone of an older one */
        f.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
        if (f.epoll_fd < 0 || tls_wolfssl_shared_init(&f.tls) < 0 || load_members(&f) < 0)
                return 1;
        uint64_t start = now_us();
        run(&f);
        print_result(&f, (double)(now_us() - start) / 1e6);
        close_fleet(&f);
        return 0;
}
