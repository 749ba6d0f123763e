/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The device engine against three brokers in memory under random schedules: cut lines, silent brokers, outages,
 * refusals of the uplink, restarts of the device. No event is lost, none has two keys, and each broker gets them in
 * order. usage: [--from SEED] [--count N]
 */
#define ENDPOINTS 3u
#include "device_world.h"

#include <stdio.h>
#include <stdlib.h>

static uint32_t first_seed = 1, seed_count = 15;

static void change(unsigned broker)
{
        if (!net.reachable[broker])
                net.reachable[broker] = true;
        else if (net_random(&net, 3) == 0)
                net.silent[broker] = !net.silent[broker];
        else
                net_cut(&net, broker);
}

static void tell_uplink(unsigned broker)
{
        static const char *const words[] = { "up", "down" };
        char json[80];
        int n = snprintf(json, sizeof(json), "{\"relay\":\"relay.s1\",\"uplink\":\"%s\",\"since\":1,\"devices\":%u}",
                         words[net_random(&net, 2)], (unsigned)net_random(&net, 3000));

        net_retain(&net, broker, "sites/site-1/relay/state", span_of(json, (size_t)n));
}

static void play(uint32_t seed)
{
        begin(seed);
        net.cut_percent = 50;
        for (unsigned i = 0; i < 25; i++) {
                change(net_random(&net, ENDPOINTS));
                if (net_random(&net, 4) == 0)
                        tell_uplink(0);
                if (net_random(&net, 6) == 0)
                        start();
                pass(net_random(&net, i % 6 == 0 ? 20000 : 3000), outbox.pending < 300);
        }
        net.cut_percent = 0;
        for (unsigned i = 0; i < ENDPOINTS; i++) {
                net.reachable[i] = true;
                net.silent[i] = false;
        }
        pass(150000, false);
        assert_true(device_is_online(&device));
        assert_int_equal(outbox.pending, 0);
        assert_int_equal(outbox.dropped, 0);
        assert_all_arrived();
        assert_false(net.out_of_order);
}

static void test_schedules(void **state)
{
        (void)state;
        for (uint32_t seed = first_seed; seed < first_seed + seed_count; seed++) {
                print_message("# --seed %u\n", (unsigned)seed);
                play(seed);
        }
}

int main(int argc, char **argv)
{
        const struct CMUnitTest tests[] = { cmocka_unit_test(test_schedules) };

        for (int i = 1; i + 1 < argc; i += 2) {
                uint32_t value = (uint32_t)strtoul(argv[i + 1], NULL, 10);
                if (strcmp(argv[i], "--count") == 0)
                        seed_count = value;
                else
                        first_seed = value;
        }
        return cmocka_run_group_tests_name("device_schedules", tests, NULL, NULL);
}
