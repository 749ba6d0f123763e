/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Local life: a product in the runtime, for weeks of simulated time. Its plan runs by the clock whatever the network
 * does: none, one that comes and goes, relays that take connections and say nothing. Work costs time here, as on a slow
 * microcontroller.
 */
#include "life_world.h"

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
