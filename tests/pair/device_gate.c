/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The device engine, gates and commanders before brokers in memory: who is asked where, and what a command does. */
#include "device_world.h"

#define PREFIX "sites/site-1/devices/device-1/"

static bool gate_answers;
static unsigned asked[BROKERS];
static uint8_t asked_bytes[GATE_REQUEST_MAX];
static size_t asked_size;

static void answer(unsigned broker)
{
        uint8_t bytes[TICKET_MAX];
        struct ticket ticket = gate_lab_ticket(&policy, span_of(asked_bytes, asked_size));

        ticket.time += net.now / 1000;
        (void)net_send(&net, broker, PREFIX "gate/ticket", gate_lab_sign(bytes, &ticket, GATE));
}

static void on_question(struct net *from, unsigned broker, struct span question)
{
        assert_ptr_equal(from, &net);
        asked[broker]++;
        memcpy(asked_bytes, question.data, question.size);
        asked_size = question.size;
        if (gate_answers)
                answer(broker);
}

static void begin_asking(const struct site_policy *first, uint32_t seed)
{
        gate_answers = true;
        memset(asked, 0, sizeof(asked));
        begin_with(first, seed);
        net.on_question = on_question;
}

static bool has_time(void)
{
        uint64_t unix_s;
        return gate_time(&device.gate, net.now, &unix_s);
}

/* ---- where the gate is asked */

static void test_time_is_asked_on_the_session(void **state)
{
        struct site_policy first = first_policy();

        (void)state;
        begin_asking(&first, 1);
        pass(2000, true);
        assert_int_equal(asked[0], 1);
        assert_true(has_time());
        /* and on the next session, whatever it runs on; both brokers carry questions to the gate */
        pass(15000, true);
        net_cut(&net, 0);
        pass(3000, true);
        assert_int_equal(session(), 1);
        assert_int_equal(asked[0], 1);
        assert_int_equal(asked[1], 1);
}

static struct site_policy policy_with_own_gate(void)
{
        struct site_policy first = first_policy();

        first.gates[0].has_address = true;
        point_to(&first.gates[0].address, 2);
        return first;
}

static void test_gate_with_an_address_of_its_own(void **state)
{
        struct site_policy first = policy_with_own_gate();

        (void)state;
        begin_asking(&first, 2);
        pass(5000, true);
        assert_int_equal(asked[2], 1);
        assert_int_equal(asked[0] + asked[1], 0);
        assert_true(has_time());
        /* asked, answered, left; the session never noticed */
        assert_int_equal(session(), 0);
        assert_int_equal(net.sessions[0], 1);
        assert_int_equal(net.sessions[2], 1);
        assert_false(net.connections[1 - device.active].open);
        assert_null(net_find(&net, 2, PREFIX "state/relay")); /* a question is no presence */
        pass(60000, true);
        assert_int_equal(net.sessions[2], 1);
}

static void test_unreachable_gate_costs_no_session(void **state)
{
        struct site_policy first = policy_with_own_gate();

        (void)state;
        for (unsigned silent = 0; silent < 2; silent++) {
                begin_asking(&first, 3 + silent);
                net.reachable[2] = silent;
                net.silent[2] = silent;
                pass(240000, true);
                assert_int_equal(net.sessions[0], 1);
                assert_int_equal(session(), 0);
                assert_in_range(net.attempts[2], 3, 12); /* with growing pauses */
                assert_false(has_time());
                net.reachable[2] = true;
                net.silent[2] = false;
                pass(310000, false);
                assert_true(has_time());
                assert_int_equal(net.sessions[0], 1);
        }
}

/* connected, but no answer: the link is given up after our patience */
static void test_gate_that_takes_questions_and_says_nothing(void **state)
{
        struct site_policy first = policy_with_own_gate();

        (void)state;
        begin_asking(&first, 5);
        gate_answers = false;
        pass(20000, true);
        assert_int_equal(asked[2], 1);
        assert_false(net.connections[1 - device.active].open);
        assert_int_equal(net.sessions[0], 1);
}

/* A probe of a better endpoint and a question share the spare link, one after the other. */
static void test_probing_pauses_while_the_gate_is_asked(void **state)
{
        struct site_policy first = policy_with_own_gate();

        (void)state;
        begin_asking(&first, 6);
        net.reachable[0] = false;
        pass(3000, true);
        assert_int_equal(session(), 1);
        gate_answers = false; /* the question keeps the link for as long as it may */
        net.reachable[0] = true;
        pass(300000, true);
        assert_int_equal(session(), 0); /* it went back nevertheless */
        assert_int_equal(net.sessions[1], 1);
        assert_true(asked[2] >= 2);
        gate_answers = true;
        pass(310000, false);
        assert_true(has_time());
        assert_all_arrived();
}

/* The session ends while a question is under way: the links are the session's. */
static void test_session_comes_before_questions(void **state)
{
        struct site_policy first = policy_with_own_gate();

        (void)state;
        begin_asking(&first, 7);
        gate_answers = false;
        pass(1000, true);
        assert_int_equal(asked[2], 1);
        assert_true(net.connections[1 - device.active].open);
        net_cut(&net, 0);
        pass(2000, true);
        assert_int_equal(session(), 1);
        gate_answers = true;
        pass(60000, true);
        assert_true(has_time());
        assert_int_equal(session(), 1);
        assert_int_equal(net.sessions[1], 1);
        assert_all_arrived();
}

/* A second session with the same relay would end the first: one machine has one key, whatever its addresses. */
static void test_gate_of_the_sessions_own_relay(void **state)
{
        struct site_policy first = policy_with_own_gate();

        (void)state;
        memset(first.gates[0].address.pin, 1, SHA256_SIZE); /* the relay's */
        strcpy(first.gates[0].address.host, "relay.example");
        begin_asking(&first, 8);
        pass(5000, true);
        assert_int_equal(asked[0], 1);
        assert_int_equal(net.attempts[2], 0);
        assert_true(has_time());
}

/* ---- commands */

static struct span sign_command(uint8_t out[COMMAND_MAX], uint64_t counter)
{
        struct command command = { .site = "site-1",
                                   .device = "device-1",
                                   .counter = counter,
                                   .expiry = GATE_LAB_TIME + 3600,
                                   .name = "pump.on" };
        struct signer signer = who(STRANGER);
        struct writer w;

        writer_init(&w, out, COMMAND_MAX);
        assert_int_equal(command_sign(&w, &command, &signer), RELAY_OK);
        return writer_span(&w);
}

static struct site_policy policy_with_commands(void)
{
        struct site_policy first = first_policy();

        strcpy(first.names[first.name_count++], "pump.*");
        first.grants[0] = (struct site_grant){ .key = key_of(STRANGER), .names = { 0, 1 } };
        first.grant_count = 1;
        return first;
}

static void test_commands_wait_for_the_time(void **state)
{
        struct site_policy first = policy_with_commands();
        uint8_t bytes[COMMAND_MAX];

        (void)state;
        begin_asking(&first, 10);
        gate_answers = false;
        pass(5000, false);
        assert_false(net_is_subscribed(&net, 0, PREFIX "commands"));
        answer(0);
        pass(1000, false);
        assert_true(net_is_subscribed(&net, 0, PREFIX "commands"));
        assert_true(net_send(&net, 0, PREFIX "commands", sign_command(bytes, 1)));
        pass(1000, false);
        assert_int_equal(pump_on, 1);
        const struct told *result = net_told(&net, "commands/result");
        assert_non_null(result);
        assert_non_null(
                strstr(result->payload, "\"counter\":1,\"result\":\"done\",\"reason\":\"none\",\"value\":\"yes\""));
}

/* Nobody tells the time: commands are refused in the end, and said so. */
static void test_commands_without_time_are_refused(void **state)
{
        struct site_policy first = policy_with_commands();
        uint8_t bytes[COMMAND_MAX];

        (void)state;
        begin_asking(&first, 11);
        gate_answers = false;
        pass(40000, false);
        assert_false(net_is_subscribed(&net, 0, PREFIX "commands"));
        pass(10000, false);
        assert_true(net_is_subscribed(&net, 0, PREFIX "commands"));
        assert_true(net_send(&net, 0, PREFIX "commands", sign_command(bytes, 1)));
        pass(1000, false);
        assert_int_equal(commands_run, 0);
        assert_non_null(strstr(net_told(&net, "commands/result")->payload, "\"reason\":\"no-trusted-time\""));
        assert_non_null(strstr(net_told(&net, "updates/refused")->payload,
                               "{\"object\":\"command\",\"reason\":\"no-trusted-time\""));
}

/* by relay and by cloud, repeated and reordered, with fail-over and restart between */
static void test_same_command_by_both_ways(void **state)
{
        struct site_policy first = policy_with_commands();
        uint8_t one[COMMAND_MAX], two[COMMAND_MAX];

        (void)state;
        begin_asking(&first, 12);
        pass(2000, false);
        struct span first_command = sign_command(one, 1), second_command = sign_command(two, 2);
        assert_true(net_send(&net, 0, PREFIX "commands", first_command));
        pass(1000, false);
        assert_int_equal(pump_on, 1);
        net_cut(&net, 0);
        pass(3000, false);
        assert_int_equal(session(), 1);
        assert_true(net_send(&net, 1, PREFIX "commands", first_command));
        pass(1000, false);
        assert_int_equal(pump_on, 1);
        assert_int_equal(net_count_told(&net, "commands/result"), 2); /* told again, on this way */
        assert_int_equal(net_told(&net, "commands/result")->broker, 1);
        assert_non_null(strstr(net_told(&net, "commands/result")->payload, "\"result\":\"done\""));
        assert_int_equal(net_count_told(&net, "updates/refused"), 0);
        assert_true(net_send(&net, 1, PREFIX "commands", second_command));
        assert_true(net_send(&net, 1, PREFIX "commands", first_command));
        pass(1000, false);
        assert_int_equal(pump_on, 2);
        /* after a restart it is a replay */
        start();
        pass(15000, false);
        assert_true(net_send(&net, 1, PREFIX "commands", second_command));
        pass(2000, false);
        assert_int_equal(pump_on, 2);
        assert_non_null(strstr(net_told(&net, "commands/result")->payload, "\"reason\":\"replayed-command\""));
        assert_non_null(strstr(net_told(&net, "updates/refused")->payload, "\"reason\":\"replayed-command\""));
        /* told once an object, however often it is played */
        for (unsigned i = 0; i < 5; i++) {
                assert_true(net_send(&net, 1, PREFIX "commands", second_command));
                pass(2000, false);
        }
        assert_int_equal(net_count_told(&net, "updates/refused"), 1);
}

static void test_unsigned_command(void **state)
{
        struct site_policy first = policy_with_commands();

        (void)state;
        begin_asking(&first, 13);
        pass(2000, false);
        assert_true(net_send(&net, 0, PREFIX "commands", SPAN_LITERAL("{\"pump\":\"on\"}")));
        pass(1000, false);
        assert_int_equal(commands_run, 0);
        assert_int_equal(net_count_told(&net, "commands/result"), 0);
        assert_non_null(strstr(net_told(&net, "updates/refused")->payload, "\"reason\":\"malformed\""));
}

/* whoever floods the device does not make it flood others */
static void test_reports_are_bounded(void **state)
{
        struct site_policy first = policy_with_commands();

        (void)state;
        begin_asking(&first, 14);
        pass(2000, false);
        for (unsigned i = 0; i < 200; i++) {
                uint8_t junk[16];
                memset(junk, (int)i, sizeof(junk));
                assert_true(net_send(&net, 0, PREFIX "commands", SPAN_OF(junk)));
                assert_true(net_send(&net, 0, PREFIX "gate/ticket", SPAN_OF(junk)));
                pass(50, false);
        }
        assert_in_range(net_count_told(&net, "updates/refused"), 5, 12); /* in ten seconds */
        assert_true(has_time());
}

/* ---- a ticket that is not for us, or too late */

static void test_replayed_ticket_is_told(void **state)
{
        struct site_policy first = first_policy();
        uint8_t bytes[TICKET_MAX];

        (void)state;
        begin_asking(&first, 15);
        pass(2000, false);
        struct ticket ticket = gate_lab_ticket(&policy, span_of(asked_bytes, asked_size));
        ticket.time += 1000000;
        assert_true(net_send(&net, 0, PREFIX "gate/ticket", gate_lab_sign(bytes, &ticket, GATE)));
        pass(2000, false);
        assert_non_null(strstr(net_told(&net, "updates/refused")->payload,
                               "{\"object\":\"ticket\",\"reason\":\"wrong-nonce\""));
        uint64_t unix_s;
        assert_true(gate_time(&device.gate, net.now, &unix_s));
        assert_in_range(unix_s, GATE_LAB_TIME, GATE_LAB_TIME + 60);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_teardown(test_time_is_asked_on_the_session, assert_slept),
                cmocka_unit_test_teardown(test_gate_with_an_address_of_its_own, assert_slept),
                cmocka_unit_test_teardown(test_unreachable_gate_costs_no_session, assert_slept),
                cmocka_unit_test_teardown(test_gate_that_takes_questions_and_says_nothing, assert_slept),
                cmocka_unit_test_teardown(test_probing_pauses_while_the_gate_is_asked, assert_slept),
                cmocka_unit_test_teardown(test_session_comes_before_questions, assert_slept),
                cmocka_unit_test_teardown(test_gate_of_the_sessions_own_relay, assert_slept),
                cmocka_unit_test_teardown(test_commands_wait_for_the_time, assert_slept),
                cmocka_unit_test_teardown(test_commands_without_time_are_refused, assert_slept),
                cmocka_unit_test_teardown(test_same_command_by_both_ways, assert_slept),
                cmocka_unit_test_teardown(test_unsigned_command, assert_slept),
                cmocka_unit_test_teardown(test_reports_are_bounded, assert_slept),
                cmocka_unit_test_teardown(test_replayed_ticket_is_told, assert_slept),
        };
        return cmocka_run_group_tests_name("device_gate_pair", tests, NULL, NULL);
}
