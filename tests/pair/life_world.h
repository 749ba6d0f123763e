/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* A product in the runtime on a slow board, in simulated time: what things cost, a plan, and a day that passes. */

#include <stdlib.h>

#include "board.h"
#include "device_world.h"

#include "app/json.h"
#include "app/runtime.h"
#include "examples/plant.h"

#define MINUTE  UINT64_C(60000)
#define HOUR    (60 * MINUTE)
#define DAY     (24 * HOUR)
#define AREAS   48u /* sectors */
#define LATE_MS 700 /* three handshake steps of two links, and flash */

/* what things cost, in milliseconds */
#define COST_HANDSHAKE 200
#define COST_ERASE     45
#define COST_PROGRAM   1
#define COST_TRAFFIC   1

static struct runtime runtime;
static uint8_t cells[AREAS * SECTOR];
static struct flash_ram chip;
static struct port_flash chip_port;
static uint32_t power_ons;
static bool in_recovery;
static unsigned feeds;

/* ---- the board: slow, and watched */

static int slow_erase(void *context, uint32_t sector)
{
        net.now += COST_ERASE;
        return chip_port.erase(context, sector);
}

static int slow_program(void *context, uint32_t offset, struct span data)
{
        net.now += COST_PROGRAM;
        return chip_port.program(context, offset, data);
}

static int slow_read(void *context, uint32_t offset, void *out, uint32_t size)
{
        return chip_port.read(context, offset, out, size);
}

static struct port_flash slow_flash;

static int slow_handshake(void *context, unsigned link)
{
        net.now += COST_HANDSHAKE;
        return net.port.handshake(context, link);
}

static int slow_send(void *context, unsigned link, struct span data, size_t *done)
{
        net.now += COST_TRAFFIC;
        return net.port.send(context, link, data, done);
}

static int slow_receive(void *context, unsigned link, void *out, size_t size, size_t *done)
{
        net.now += COST_TRAFFIC;
        return net.port.receive(context, link, out, size, done);
}

static struct port_tls slow_tls;

static void feed(void *context)
{
        static uint64_t last;

        (void)context;
        assert_true(feeds == 0 || net.now - last < 5000);
        last = net.now;
        feeds++;
}

static const struct port_watchdog watchdog = { .feed = feed };

static int life_status(void *context, struct port_boot_status *out)
{
        (void)context;
        *out = (struct port_boot_status){
                .boot = power_ons, .confirmed = true, .recovery = in_recovery, .approval_epoch = approval_epoch
        };
        return 0;
}

static int life_confirm(void *context)
{
        (void)context;
        return 0;
}

static const struct port_boot life_boot = { .status = life_status,
                                            .confirm = life_confirm,
                                            .trusted = boot_port_trusted };

/* ---- the product: a plan, a report a minute, and, if asked for, one a day that must not be lost */

static struct {
        struct plant plant;
        uint64_t due_ms, late_ms, report_ms, day_ms, days, days_refused, reports, reports_refused;
        uint32_t driest;
} garden;
static bool keeps_days;
static struct plant_plan plan;

static void start_garden(void *product, struct runtime *r, uint64_t now_ms)
{
        (void)product;
        (void)r;
        memset(&garden, 0, sizeof(garden));
        plant_init(&garden.plant, &plan, 450, now_ms);
        garden.due_ms = garden.report_ms = garden.day_ms = now_ms;
        garden.driest = 1000;
}

static bool tell(struct runtime *r, enum outbox_class class, const char *name, uint64_t number)
{
        uint8_t bytes[20];
        struct writer w;

        writer_init(&w, bytes, sizeof(bytes));
        json_digits(&w, number);
        int result = runtime_publish(r, class, name, writer_span(&w));
        assert_true(result == 0 || (keeps_days && result == RELAY_E_SPACE) || (in_recovery && result == RELAY_E_STATE));
        return result == 0;
}

static uint64_t step_garden(void *product, struct runtime *r, uint64_t now_ms)
{
        (void)product;
        if (now_ms > garden.due_ms && now_ms - garden.due_ms > garden.late_ms)
                garden.late_ms = now_ms - garden.due_ms;
        plant_step(&garden.plant, now_ms);
        if (garden.plant.moisture < garden.driest)
                garden.driest = garden.plant.moisture;
        if (now_ms >= garden.report_ms) {
                garden.report_ms = now_ms + runtime_report_ms(r, (uint32_t)MINUTE);
                garden.reports++;
                garden.reports_refused += !tell(r, OUTBOX_TELEMETRY, "soil", garden.reports);
        }
        if (keeps_days && now_ms >= garden.day_ms) {
                garden.day_ms += DAY;
                garden.days++;
                garden.days_refused += !tell(r, OUTBOX_KEEP, "day", garden.days);
        }
        garden.due_ms = garden.plant.next_ms < garden.report_ms ? garden.plant.next_ms : garden.report_ms;
        return garden.due_ms;
}

static const struct application garden_application = { .version = "1.0.0", .start = start_garden, .step = step_garden };

static struct flash_area area(uint32_t first, uint32_t count)
{
        return (struct flash_area){ &slow_flash, first, count };
}

static const struct application *product = &garden_application;

static void power_on(void)
{
        static uint8_t class_id[CLASS_ID_SIZE];
        struct runtime_ports ports = {
                .identity = "device-1",
                .class_id = class_id,
                .clock = &port_clock,
                .entropy = &gate_lab_entropy,
                .boot = &life_boot,
                .tls = &slow_tls,
                .watchdog = &watchdog,
                .flash = { .manifests = { area(0, 4), area(8, 4) },
                           .images = { area(4, 4), area(12, 4) },
                           .list = area(16, 1),
                           .fetch = area(17, 2),
                           .settings = area(19, 2),
                           .outbox = area(24, 8) },
        };
        struct runtime_options options = runtime_options_default();

        memset(class_id, 0xc1, sizeof(class_id));
        power_ons++;
        feeds = 0;
        memset(net.connections, 0, sizeof(net.connections));
        assert_int_equal(runtime_init(&runtime, product, &ports, &options), 0);
}

static void begin_life(uint32_t seed, uint32_t step_ms)
{
        struct site_policy first = first_policy();

        net_init(&net, seed);
        claim(&first);
        memset(cells, 0xff, sizeof(cells));
        flash_ram_init(&chip, cells, SECTOR, AREAS);
        chip_port = flash_ram_port(&chip);
        slow_flash = chip_port;
        slow_flash.erase = slow_erase;
        slow_flash.program = slow_program;
        slow_flash.read = slow_read;
        slow_tls = net.port;
        slow_tls.handshake = slow_handshake;
        slow_tls.send = slow_send;
        slow_tls.receive = slow_receive;
        plan = plant_plan_default;
        plan.step_ms = step_ms;
        keeps_days = in_recovery = false;
        power_ons = 0;
        power_on();
}

static bool is_connected(void)
{
        return net.connections[0].open || net.connections[1].open;
}

/* The device sleeps until it is due, or, with a link open, until something may have moved there. */
static void live(uint64_t ms)
{
        for (uint64_t end = net.now + ms; net.now < end;) {
                assert_int_equal(runtime_run(&runtime), 0);
                net_run(&net);
                uint64_t due = runtime_deadline(&runtime), most = net.now + 50;
                if (is_connected() && due > most)
                        due = most;
                if (due > net.now)
                        net.now = due < end ? due : end;
        }
}

static void assert_plan_ran(uint64_t ms)
{
        uint64_t steps = ms / plan.step_ms;

        assert_in_range(garden.plant.steps, steps - 1, steps + 2);
        assert_true(garden.plant.waterings > steps / 200);
        assert_true(garden.driest > 280);
        assert_in_range(garden.late_ms, 0, LATE_MS);
        assert_true(feeds > ms / 5000);
}

static void cut_everything(void)
{
        for (unsigned i = 0; i < BROKERS; i++)
                net_cut(&net, i);
}

static bool has_time(void)
{
        uint64_t unix_s;

        return runtime_time(&runtime, &unix_s);
}
