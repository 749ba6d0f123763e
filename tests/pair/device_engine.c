/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The device engine against brokers in memory: loss, reconnects, refusals, restarts. No event is lost, repeats have the
 * same key.
 */
#include "device_world.h"

static void test_telemetry_and_state(void **state)
{
        (void)state;
        begin(1);
        pass(3000, true);
        pass(1000, false);
        assert_int_equal(session(), 0);
        assert_true(device_is_online(&device));
        assert_all_arrived();
        assert_false(net.out_of_order);
        for (size_t i = 0; i < net.event_count; i++)
                assert_int_equal(net.events[i].times, 1);
        const struct retained *r = net_find(&net, 0, "sites/site-1/devices/device-1/state/relay");
        assert_non_null(r);
        static const char expected[] = "{\"online\":true,\"version\":\"1.0.0\",\"image\":\"";
        assert_memory_equal(r->payload, expected, sizeof(expected) - 1);
        assert_int_equal(outbox.pending, 0);
}

static void test_failover_and_return(void **state)
{
        (void)state;
        begin(2);
        pass(3000, true);
        net_cut(&net, 0);
        pass(500, true);
        assert_int_equal(session(), 1);
        pass(5000, true);
        const struct retained *r = net_find(&net, 0, "sites/site-1/devices/device-1/state/relay");
        assert_memory_equal(r->payload, "{\"online\":false", 15);
        net.reachable[0] = true;
        pass(120000, true);
        assert_int_equal(session(), 0);
        pass(1000, false);
        r = net_find(&net, 1, "sites/site-1/devices/device-1/state/direct");
        assert_memory_equal(r->payload, "{\"online\":false", 15); /* left properly, and said so */
        assert_all_arrived();
        assert_false(net.out_of_order);
}

static void test_silent_broker_is_noticed(void **state)
{
        (void)state;
        begin(3);
        pass(3000, true);
        net.silent[0] = true; /* takes everything, answers nothing */
        pass(6500, true);     /* one and a half keep-alives */
        assert_int_equal(session(), 1);
        net.silent[0] = false;
        pass(3000, false);
        assert_all_arrived();
}

static void test_relay_says_its_uplink_is_down(void **state)
{
        (void)state;
        begin(4);
        net_retain(&net, 0, "sites/site-1/relay/state",
                   SPAN_LITERAL("{\"relay\":\"relay.s1\",\"uplink\":\"up\",\"since\":1}"));
        pass(3000, true);
        net_retain(&net, 0, "sites/site-1/relay/state",
                   SPAN_LITERAL("{\"relay\":\"relay.s1\",\"uplink\":\"down\",\"since\":2}"));
        pass(15000, true);
        assert_int_equal(session(), 0); /* patience */
        pass(30000, true);
        assert_int_equal(session(), 1);
        pass(30000, true);
        assert_int_equal(session(), 1); /* the relay works, but still cannot reach the cloud */
        net_retain(&net, 0, "sites/site-1/relay/state",
                   SPAN_LITERAL("{\"relay\":\"relay.s1\",\"uplink\":\"up\",\"since\":3}"));
        pass(150000, false);
        assert_int_equal(session(), 0);
        assert_all_arrived();
}

static void test_refused_for_a_while(void **state)
{
        (void)state;
        begin(5);
        net.refuse_percent = 30;
        pass(20000, true);
        net.refuse_percent = 0;
        pass(30000, false);
        assert_all_arrived();
        assert_int_equal(outbox.pending, 0);
        assert_int_equal(device.counters.refused, 0);
}

static void test_all_away_for_long(void **state)
{
        (void)state;
        begin(6);
        net_cut(&net, 0);
        net_cut(&net, 1);
        pass(60000, true);
        assert_int_equal(session(), -1);
        assert_int_equal(outbox.pending, put[1]);
        assert_true(net.connects < 60);
        net.reachable[1] = true;
        pass(70000, false);
        assert_int_equal(session(), 1);
        assert_all_arrived();
        assert_false(net.out_of_order);
}

/* everything at once: cut lines, outages, refusals, restarts of the device */
static void chaos(uint32_t seed)
{
        begin(seed);
        net.cut_percent = 60;
        for (unsigned i = 0; i < 25; i++) {
                unsigned broker = net_random(&net, ENDPOINTS);
                if (net.reachable[broker])
                        net_cut(&net, broker);
                else
                        net.reachable[broker] = true;
                net.refuse_percent = net_random(&net, 4) == 0 ? 20 : 0;
                if (net_random(&net, 5) == 0)
                        start();
                pass(net_random(&net, 4000), outbox.pending < 400);
        }
        net.cut_percent = net.refuse_percent = 0;
        net.reachable[0] = net.reachable[1] = true;
        pass(150000, false);
        assert_int_equal(outbox.pending, 0);
        assert_all_arrived();
        assert_int_equal(outbox.dropped, 0);
}

static void test_chaos(void **state)
{
        (void)state;
        for (uint32_t seed = 100; seed < 130; seed++)
                chaos(seed);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_telemetry_and_state),
                cmocka_unit_test(test_failover_and_return),
                cmocka_unit_test(test_silent_broker_is_noticed),
                cmocka_unit_test(test_relay_says_its_uplink_is_down),
                cmocka_unit_test(test_refused_for_a_while),
                cmocka_unit_test(test_all_away_for_long),
                cmocka_unit_test(test_chaos),
        };
        return cmocka_run_group_tests_name("device_pair", tests, NULL, NULL);
}
