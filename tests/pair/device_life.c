/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Local life: a product in the runtime, for weeks of simulated time. Its plan runs by the clock whatever the network
 * does: none, one that comes and goes, relays that take connections and say nothing. Work costs time here, as on a slow
 * microcontroller.
 */
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

/* ---- */

/* What waits is the newest telemetry and every event to keep; what went is counted, and told. */
static void assert_outbox_rolled(void)
{
        uint64_t newest = 0, kept = 0, told_dropped = 0, first_soil = 0, soils = 0;

        for (size_t i = 0; i < net.event_count; i++) {
                const struct received *e = &net.events[i];
                uint64_t number = strtoull((const char *)e->payload, NULL, 10);
                if (span_equal_string(span_of(e->name, e->name_size), "day")) {
                        assert_int_equal(number, ++kept);
                } else if (span_equal_string(span_of(e->name, e->name_size), "soil")) {
                        first_soil = first_soil ? first_soil : number;
                        soils++;
                        newest = number;
                } else {
                        told_dropped = strtoull((const char *)e->payload + strlen("{\"dropped\":"), NULL, 10);
                }
        }
        assert_int_equal(kept, 0);
        assert_int_equal(newest, garden.reports);
        assert_int_equal(soils, newest - first_soil + 1); /* no hole: the oldest went */
        assert_true(told_dropped > garden.reports / 2);
        assert_false(net.out_of_order);
}

static void test_weeks_without_a_network(void **state)
{
        uint64_t begun;

        (void)state;
        begin_life(1, 10000);
        cut_everything();
        begun = net.now;
        live(28 * DAY);
        assert_plan_ran(net.now - begun);
        assert_int_equal(net.event_count, 0);
        assert_false(has_time());
        assert_false(runtime_is_online(&runtime));
        assert_true(runtime.outbox.dropped > 0);
        /* tried all the while, and not too often */
        assert_in_range(net.connects, 28 * 24 * 60, 28 * 24 * 60 * 2 * FAILOVER_TRIES_A_MINUTE);

        net.reachable[0] = true;
        live(10 * MINUTE);
        assert_true(runtime_is_online(&runtime));
        assert_int_equal(runtime.outbox.pending, 0);
        assert_outbox_rolled();
        assert_plan_ran(net.now - begun);
}

/* An event to keep that waits in the oldest sector is never dropped: what comes then is refused, and said so. */
static void test_weeks_with_events_to_keep(void **state)
{
        uint64_t kept = 0;

        (void)state;
        begin_life(8, 10000);
        keeps_days = true;
        cut_everything();
        live(14 * DAY);
        assert_plan_ran(14 * DAY);
        assert_true(garden.reports_refused > garden.reports / 2 && garden.days_refused > 0);
        assert_int_equal(runtime.outbox.dropped, 0);
        net.reachable[0] = true;
        live(10 * MINUTE);
        assert_int_equal(runtime.outbox.pending, 0);
        for (size_t i = 0; i < net.event_count; i++)
                kept += span_equal_string(span_of(net.events[i].name, net.events[i].name_size), "day");
        assert_int_equal(kept, garden.days - garden.days_refused);
        keeps_days = false; /* there is room again, for good */
        live(HOUR);
        assert_int_equal(runtime.outbox.pending, 0);
}

static void test_a_network_that_comes_and_goes(void **state)
{
        uint64_t begun;

        (void)state;
        begin_life(2, 1000);
        begun = net.now;
        net.cut_percent = 30;
        for (unsigned i = 0; i < 500; i++) {
                for (unsigned n = 0; n < 2; n++)
                        if (net_random(&net, 3) == 0)
                                net_cut(&net, n);
                        else
                                net.reachable[n] = true;
                live(1 + net_random(&net, 60000));
        }
        assert_plan_ran(net.now - begun);
        net.cut_percent = 0;
        net.reachable[0] = net.reachable[1] = true;
        live(10 * MINUTE);
        assert_int_equal(runtime.outbox.pending, 0);
        assert_int_equal(runtime.outbox.dropped, 0);
        assert_int_equal(net.event_count, runtime.device.seq);
        assert_false(net.out_of_order);
        assert_plan_ran(net.now - begun);
}

static void test_relays_that_take_connections_and_say_nothing(void **state)
{
        uint64_t begun;

        (void)state;
        begin_life(3, 1000);
        begun = net.now;
        net.silent[0] = net.silent[1] = true;
        live(6 * HOUR);
        assert_plan_ran(net.now - begun);
        assert_false(runtime_is_online(&runtime));
        net.silent[0] = false;
        live(10 * MINUTE);
        assert_true(runtime_is_online(&runtime));
        assert_plan_ran(net.now - begun);
}

/* TLS, and then nothing more: packets are taken and never answered. */
static bool swallow(struct net *from, struct connection *c, const struct mqtt_packet *p)
{
        (void)from;
        (void)c;
        (void)p;
        return true;
}

static bool swallow_after_connack(struct net *from, struct connection *c, const struct mqtt_packet *p)
{
        (void)from;
        (void)c;
        return p->type != MQTT_CONNECT;
}

static void test_brokers_that_take_packets_and_say_nothing(void **state)
{
        static bool (*const hooks[])(struct net *, struct connection *,
                                     const struct mqtt_packet *) = { swallow, swallow_after_connack };

        (void)state;
        for (unsigned i = 0; i < ROWS(hooks); i++) {
                begin_life(4 + i, 1000);
                uint64_t begun = net.now;
                net.on_packet = hooks[i];
                live(3 * HOUR);
                assert_plan_ran(net.now - begun);
                assert_false(runtime_is_online(&runtime));
                net.on_packet = NULL;
                live(10 * MINUTE);
                assert_true(runtime_is_online(&runtime));
                assert_int_equal(runtime.outbox.pending, 0);
        }
}

/* Bytes without end, as fast as the device takes them. */
static void test_a_broker_that_never_stops_talking(void **state)
{
        (void)state;
        begin_life(6, 100);
        uint64_t begun = net.now;
        live(MINUTE);
        for (uint64_t end = net.now + 3 * MINUTE; net.now < end;) {
                for (unsigned i = 0; i < PORT_LINKS; i++)
                        while (net.connections[i].connected && net.connections[i].to_device.fill < 60000)
                                (void)net_send(&net, net.connections[i].broker, "sites/site-1/relay/state",
                                               SPAN_LITERAL("{\"relay\":\"relay.s1\",\"uplink\":\"up\"}"));
                assert_int_equal(runtime_run(&runtime), 0);
                net_run(&net);
                net.now++;
        }
        assert_plan_ran(net.now - begun);
        assert_true(runtime_is_online(&runtime));
}

/* ---- the application of docs/firmware.md */

static uint32_t degrees, coldest, heated;

uint32_t board_degrees(void)
{
        return degrees / 60;
}

/* a degree a minute, one way or the other */
void board_heat(bool on)
{
        degrees += on ? 1 : -1u;
        heated += on;
        if (degrees / 60 < coldest)
                coldest = degrees / 60;
}

static void test_the_application_of_the_document(void **state)
{
        (void)state;
        product = &application;
        degrees = 10 * 60;
        coldest = 10;
        begin_life(9, 1000);
        cut_everything();
        live(4 * HOUR);
        assert_in_range(coldest, 4, 5);
        assert_true(heated > 0);
        net.reachable[0] = true;
        live(HOUR);
        product = &garden_application;
        assert_int_equal(runtime.outbox.pending, 0);
        assert_in_range(net.event_count, 5 * 60 - 2, 5 * 60 + 2);
        assert_true(span_equal_string(span_of(net.events[0].name, net.events[0].name_size), "frost"));
        assert_true(span_equal_string(span_of(net.events[0].payload, net.events[0].payload_size),
                                      "{\"degrees\":10,\"heating\":false}"));
}

/* ---- recovery */

/* what a relay allows in quarantine */
static bool is_allowed_in_quarantine(struct span topic)
{
        static const char *const rests[] = { "state/relay", "state/direct", "updates/status", "updates/refused",
                                             "gate/request" };
        struct topic_parts parts;

        if (topic_parse(topic, &parts) != TOPIC_DEVICE)
                return false;
        for (size_t i = 0; i < ROWS(rests); i++)
                if (span_equal_string(parts.rest, rests[i]))
                        return true;
        return false;
}

static unsigned published;

static bool watch(struct net *from, struct connection *c, const struct mqtt_packet *p)
{
        struct mqtt_filters filters;
        struct mqtt_filter filter;

        (void)from;
        (void)c;
        if (p->type == MQTT_PUBLISH) {
                published++;
                if (!is_allowed_in_quarantine(p->publish.topic))
                        fail_msg("%.*s", (int)p->publish.topic.size, (const char *)p->publish.topic.data);
        }
        if (p->type != MQTT_SUBSCRIBE)
                return false;
        mqtt_filters_init(&filters, p);
        while (mqtt_filters_next(&filters, &filter))
                assert_false(span_equal_string(filter.filter, "sites/site-1/devices/device-1/commands"));
        return false;
}

/* No events, no commands; the outbox stays as it is for the image that comes. */
static void test_recovery_does_updates_only(void **state)
{
        (void)state;
        begin_life(10, 1000);
        cut_everything();
        live(10 * MINUTE);
        uint32_t waiting = runtime.outbox.pending;
        assert_true(waiting > 5);
        in_recovery = true;
        power_on();
        keeps_days = true; /* a product's events are refused, and it may go on */
        net.on_packet = watch;
        published = 0;
        net.reachable[0] = net.reachable[1] = true;
        live(HOUR);
        assert_true(runtime_is_online(&runtime));
        assert_true(published >= 2);
        assert_int_equal(net.event_count, 0);
        assert_int_equal(garden.reports_refused, garden.reports);
        const struct told *told = net_told(&net, "updates/status");
        assert_non_null(told);
        assert_non_null(strstr(told->payload, "\"state\":\"waiting\""));
        assert_non_null(strstr(told->payload, "\"reason\":\"recovery\""));
        in_recovery = false;
        power_on();
        net.on_packet = NULL;
        assert_int_equal(runtime.outbox.pending, waiting);
        live(10 * MINUTE);
        assert_int_equal(runtime.outbox.pending, 0);
        assert_true(net.event_count > waiting);
}

/* ---- time */

static bool gate_answers;

static void on_question(struct net *from, unsigned broker, struct span question)
{
        uint8_t bytes[TICKET_MAX];
        struct ticket ticket = gate_lab_ticket(&policy, question);

        if (!gate_answers)
                return;
        ticket.time += net.now / 1000;
        (void)net_send(from, broker, "sites/site-1/devices/device-1/gate/ticket", gate_lab_sign(bytes, &ticket, GATE));
}

static void test_time_is_of_the_gate_and_of_this_boot(void **state)
{
        uint64_t unix_s;

        (void)state;
        begin_life(7, 10000);
        net.on_question = on_question;
        gate_answers = false;
        live(3 * HOUR); /* a session all the while, and a broker's word is no time */
        assert_true(runtime_is_online(&runtime));
        assert_false(has_time());
        gate_answers = true;
        live(10 * MINUTE);
        assert_true(runtime_time(&runtime, &unix_s));
        assert_in_range(unix_s, GATE_LAB_TIME + net.now / 1000 - 1, GATE_LAB_TIME + net.now / 1000 + 1);
        cut_everything(); /* by the own uptime from then on, for weeks */
        live(21 * DAY);
        assert_true(runtime_time(&runtime, &unix_s));
        assert_in_range(unix_s, GATE_LAB_TIME + net.now / 1000 - 1, GATE_LAB_TIME + net.now / 1000 + 1);
        power_on();
        live(DAY);
        assert_false(has_time());
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_weeks_without_a_network),
                cmocka_unit_test(test_weeks_with_events_to_keep),
                cmocka_unit_test(test_a_network_that_comes_and_goes),
                cmocka_unit_test(test_relays_that_take_connections_and_say_nothing),
                cmocka_unit_test(test_brokers_that_take_packets_and_say_nothing),
                cmocka_unit_test(test_a_broker_that_never_stops_talking),
                cmocka_unit_test(test_the_application_of_the_document),
                cmocka_unit_test(test_recovery_does_updates_only),
                cmocka_unit_test(test_time_is_of_the_gate_and_of_this_boot),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
