/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* One device engine before brokers in memory: its flash, its clock, and a boot stage that judges successors. */

#include "../unit/firmware/gate_lab.h"
#include "device_broker.h"

#include "app/device.h"
#include "ports/common/flash_ram.h"
#include "relay/revocation.h"

#define SECTOR         4096u
#define SECTORS        16u /* of the outbox; two more for commands */
#define UPDATE_SECTORS 27u /* two manifests, two images, list, fetch */
#ifndef ENDPOINTS
#        define ENDPOINTS 2u /* of the policy: a relay, then clouds */
#endif

static struct net net;
static struct device device;
static struct outbox outbox;
static struct commands commands;
static struct update update; /* if it takes updates */
static bool takes_updates;
static struct site_policy policy; /* what the boot stage holds */
static struct vendor_keys vendor;
static uint64_t approval_epoch;
static uint8_t memory[SECTOR * (SECTORS + 2 + UPDATE_SECTORS)];
static struct flash_ram ram;
static struct port_flash flash;
static uint32_t boot_counter;
static unsigned passes, busy; /* how often the device ran, and wanted to run again at once */
static const struct port_entropy *entropy = &gate_lab_entropy;
static const struct port_secret *secret; /* NULL: this device proves nothing */
static uint64_t put[64];                 /* last seq put in each boot */

static uint64_t clock_now(void *context)
{
        (void)context;
        return net.now;
}

static int boot_port_status(void *context, struct port_boot_status *out)
{
        (void)context;
        *out = (struct port_boot_status){ .boot = boot_counter, .confirmed = true, .approval_epoch = approval_epoch };
        return 0;
}

static int boot_port_trusted(void *context, struct site_policy *policy_out, struct vendor_keys *vendor_out)
{
        (void)context;
        *policy_out = policy;
        *vendor_out = vendor;
        return 0;
}

static int boot_port_accept(void *context, enum port_boot_object object, struct span set, enum reason *refusal)
{
        static uint8_t scratch[SITE_POLICY_MAX];
        static struct site_policy next;
        struct vendor_keys next_vendor;
        struct revocation revocation;

        (void)context;
        switch (object) {
        case PORT_BOOT_POLICY:
                *refusal = site_policy_accept_next(set, &policy, &next, scratch, sizeof(scratch));
                if (*refusal == REASON_NONE)
                        *refusal = site_policy_fits(&next, &vendor);
                if (*refusal == REASON_NONE)
                        policy = next;
                break;
        case PORT_BOOT_VENDOR:
                *refusal = vendor_keys_accept_next(set, &vendor, &policy, &next_vendor, scratch, sizeof(scratch));
                if (*refusal == REASON_NONE)
                        vendor = next_vendor;
                break;
        case PORT_BOOT_REVOCATION:
                *refusal = revocation_accept(set, &policy, approval_epoch, &revocation, scratch, sizeof(scratch));
                if (*refusal == REASON_NONE)
                        approval_epoch = revocation.epoch;
                break;
        }
        return 0;
}

static const struct port_clock port_clock = { .now_ms = clock_now };
static const struct port_boot port_boot = { .status = boot_port_status,
                                            .accept = boot_port_accept,
                                            .trusted = boot_port_trusted };

static void point_to(struct site_endpoint *endpoint, unsigned broker)
{
        strcpy(endpoint->host, "192.0.2.1");
        endpoint->port = (uint16_t)(broker + 1);
        memset(endpoint->pin, (int)(broker + 1), SHA256_SIZE);
}

/* relay and cloud, the gate's key in the relay */
static inline struct site_policy first_policy(void)
{
        struct site_policy first = sample_policy(3, 2);

        first.device_count = first.endpoint_count = 0;
        memset(first.endpoints, 0, sizeof(first.endpoints));
        first.patience_s = 20;
        for (unsigned i = 0; i < ENDPOINTS; i++) {
                struct site_endpoint *e = &first.endpoints[first.endpoint_count++];
                e->kind = i == 0 ? ENDPOINT_RELAY : ENDPOINT_CLOUD;
                point_to(e, i);
        }
        return first;
}

/* signs a policy by these and gives it in the form it travels */
static inline struct span sign_policy(uint8_t out[SITE_POLICY_MAX], const struct site_policy *from,
                                      const enum who *signers, size_t count)
{
        return write_policy_set(out, SITE_POLICY_MAX, from, signers, count);
}

static void claim(const struct site_policy *first)
{
        static const enum who both[] = { APPROVER_1, APPROVER_2 };
        static uint8_t bytes[SITE_POLICY_MAX], scratch[SITE_POLICY_MAX], vendor_bytes[VENDOR_KEYS_SET_MAX];

        struct span set = sign_policy(bytes, first, both, 2);
        assert_int_equal(site_policy_accept_first(set, &policy, scratch, sizeof(scratch)), REASON_NONE);
        set = write_vendor_set(vendor_bytes, sizeof(vendor_bytes));
        assert_int_equal(vendor_keys_accept_first(set, &vendor, scratch, sizeof(scratch)), REASON_NONE);
        approval_epoch = policy.approval_epoch;
}

static unsigned pump_on, commands_run;

static enum command_outcome run_command(void *context, const char *name, struct span arguments, struct writer *value)
{
        (void)context;
        (void)arguments;
        commands_run++;
        pump_on += strcmp(name, "pump.on") == 0;
        writer_bytes(value, SPAN_LITERAL("yes"));
        return COMMAND_OUTCOME_DONE;
}

static bool consent(void *context, const char *version)
{
        (void)context;
        (void)version;
        return true;
}

static inline void start_update(void)
{
        uint32_t at = SECTORS + 2;
        struct update_config config = {
                .device = "device-1",
                .version = "1.0.0",
                .vendor = &device.vendor,
                .policy = &device.policy,
                .gate = &device.gate,
                .boot = &port_boot,
                .manifests = { { &flash, at, 4 }, { &flash, at + 4, 4 } },
                .images = { { &flash, at + 8, 8 }, { &flash, at + 16, 8 } },
                .list = { &flash, at + 24, 1 },
                .fetch = { &flash, at + 25, 2 },
                .timing = update_timing_default,
                .consent = consent,
        };

        memset(config.class_id, 0xc1, CLASS_ID_SIZE);
        assert_int_equal(update_init(&update, &config, net.now), 0);
}

/* the device starts; what is in its flash stays */
static inline void start(void)
{
        struct flash_area area = { &flash, 0, SECTORS };
        struct device_config config = {
                .identity = "device-1",
                .version = "1.0.0",
                .tls = &net.port,
                .clock = &port_clock,
                .boot = &port_boot,
                .entropy = entropy,
                .secret = secret,
                .outbox = &outbox,
                .update = takes_updates ? &update : NULL,
                .commands = &commands,
                .keep_alive_s = 4,
                .timing = failover_timing_default,
                .gate_timing = gate_timing_default,
        };
        struct commands_config commands_config = {
                .device = "device-1",
                .policy = &device.policy,
                .vendor = &device.vendor,
                .counters = { &flash, SECTORS, 2 },
                .run = run_command,
        };

        memset(config.class_id, 0xc1, CLASS_ID_SIZE);
        commands_config.class_id = device.config.class_id;
        boot_counter++;
        for (unsigned i = 0; i < PORT_LINKS; i++)
                net.connections[i].open = net.connections[i].connected = false;
        assert_int_equal(outbox_mount(&outbox, &area), 0);
        assert_int_equal(commands_init(&commands, &commands_config), 0);
        if (takes_updates)
                start_update();
        assert_int_equal(device_init(&device, &config), 0);
}

static inline void begin_with(const struct site_policy *first, uint32_t seed)
{
        net_init(&net, seed);
        claim(first);
        pump_on = commands_run = passes = busy = 0;
        memset(memory, 0xff, sizeof(memory));
        flash_ram_init(&ram, memory, SECTOR, SECTORS + 2 + UPDATE_SECTORS);
        flash = flash_ram_port(&ram);
        boot_counter = 0;
        memset(put, 0, sizeof(put));
        start();
}

static inline void begin(uint32_t seed)
{
        struct site_policy first = first_policy();

        begin_with(&first, seed);
}

static inline void publish(void)
{
        uint8_t payload[40];
        int n = snprintf((char *)payload, sizeof(payload), "%u/%llu", (unsigned)boot_counter,
                         (unsigned long long)device.seq + 1);

        assert_int_equal(device_publish(&device, OUTBOX_KEEP, SPAN_LITERAL("soil"), span_of(payload, (size_t)n)), 0);
        put[boot_counter] = device.seq;
}

static inline void pass(uint64_t ms, bool publishing)
{
        for (uint64_t end = net.now + ms; net.now < end; net.now += 10) {
                if (publishing && net.now % 100 == 0)
                        publish();
                assert_int_equal(device_run(&device), 0);
                passes++;
                busy += device_deadline(&device) <= net.now;
                net_run(&net);
        }
}

static inline int session(void)
{
        const struct site_endpoint *e = device_endpoint(&device);
        return e ? e->port - 1 : -1;
}

static inline void assert_all_arrived(void)
{
        for (uint32_t boot = 1; boot <= boot_counter; boot++)
                for (uint64_t seq = 1; seq <= put[boot]; seq++)
                        if (!net_event(&net, boot, seq))
                                fail_msg("event %u/%llu is lost", (unsigned)boot, (unsigned long long)seq);
}

/* Nothing kept the device awake: it wanted to run again at once hardly ever. */
static inline int assert_slept(void **state)
{
        (void)state;
        assert_true(busy * 100 <= passes);
        return 0;
}
