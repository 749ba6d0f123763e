/* SPDX-License-Identifier: GPL-2.0-or-later */
/* DICE-1 on the device: it proves itself to relays and to nobody else, and hostile answers gain nothing. */
#include "device_world.h"

#define CLOUD 1

static unsigned asked;               /* of the boot stage, for statements */
static struct attest_challenge last; /* what it signed */
static size_t statement_size;
static bool boot_stage_fails;

static int attest(void *context, const struct attest_challenge *challenge, uint8_t *out, size_t size, size_t *written)
{
        (void)context;
        asked++;
        last = *challenge;
        assert_true(statement_size <= size);
        if (boot_stage_fails)
                return PORT_E_IO;
        for (size_t i = 0; i < statement_size; i++)
                out[i] = (uint8_t)(challenge->nonce[i % sizeof(challenge->nonce)] + i);
        *written = statement_size;
        return 0;
}

static const struct port_secret proving = { .attest = attest };
static const struct port_secret not_proving = { 0 };

static void begin_proving(const struct site_policy *first, uint32_t seed)
{
        secret = &proving;
        boot_stage_fails = false;
        statement_size = 1500;
        asked = 0;
        begin_with(first, seed);
        net.knows_attest[0] = net.knows_attest[2] = true;
}

static void begin_usual(uint32_t seed)
{
        struct site_policy first = first_policy();

        begin_proving(&first, seed);
}

static void assert_proof_arrived(void)
{
        assert_int_equal(net.statement_size, statement_size);
        for (size_t i = 0; i < statement_size; i++)
                assert_int_equal(net.statement[i], (uint8_t)(last.nonce[i % sizeof(last.nonce)] + i));
}

static void test_proves_itself_to_the_relay_alone(void **state)
{
        (void)state;
        begin_usual(1);
        pass(3000, true);
        assert_int_equal(session(), 0);
        assert_int_equal(net.proofs, 1);
        assert_int_equal(net.plain[0], 0);
        assert_proof_arrived();
        for (size_t i = 0; i < SHA256_SIZE; i++)
                assert_int_equal(last.relay[i], 1); /* as in the challenge: the pin */

        net_cut(&net, 0); /* to the cloud: it may not even know what that is */
        pass(3000, true);
        assert_int_equal(session(), CLOUD);
        assert_int_equal(asked, 1);
        assert_int_equal(net.plain[CLOUD], 1);
        net.reachable[0] = true; /* back: proved anew, with another nonce */
        uint8_t nonce[ATTEST_NONCE_SIZE];
        memcpy(nonce, last.nonce, sizeof(nonce));
        pass(120000, true);
        assert_int_equal(session(), 0);
        assert_int_equal(asked, net.proofs);
        assert_true(net.proofs >= 2);
        assert_memory_not_equal(nonce, last.nonce, sizeof(nonce));
        pass(1000, false);
        assert_all_arrived();
}

static void test_the_largest_statement_fits(void **state)
{
        (void)state;
        begin_usual(2);
        statement_size = ATTEST_STATEMENT_MAX;
        pass(3000, true);
        assert_int_equal(session(), 0);
        assert_proof_arrived();
}

static void test_the_backup_pin_counts(void **state)
{
        struct site_policy first = first_policy();

        (void)state;
        memset(first.endpoints[0].backup_pin, 9, SHA256_SIZE);
        memset(first.endpoints[0].pin, 1, SHA256_SIZE);
        first.endpoints[0].has_backup_pin = true;
        begin_proving(&first, 3);
        pass(3000, true);
        assert_int_equal(session(), 0);
}

static void test_a_board_without_dice_connects_plainly(void **state)
{
        (void)state;
        begin_usual(4);
        secret = &not_proving;
        start();
        pass(3000, true);
        assert_int_equal(session(), 0);
        assert_int_equal(net.plain[0], 1);
        assert_int_equal(net.challenges, 0);
        secret = NULL;
        start();
        pass(3000, true);
        assert_int_equal(net.plain[0], 2);
}

static void test_a_gate_of_its_own_is_shown_a_proof(void **state)
{
        struct site_policy first = first_policy();

        (void)state;
        first.gates[0].has_address = true;
        point_to(&first.gates[0].address, 2);
        begin_proving(&first, 5);
        pass(5000, true);
        assert_int_equal(session(), 0);
        assert_int_equal(net.sessions[2], 1);
        assert_int_equal(net.plain[2], 0);
        assert_int_equal(net.proofs, 2);
}

/* ---- relays that do not know it */

static void test_a_relay_without_dice_gets_a_plain_connect_at_once(void **state)
{
        (void)state;
        begin_usual(6);
        net.knows_attest[0] = false;
        pass(1000, true);
        assert_int_equal(session(), 0); /* and not the cloud */
        assert_int_equal(net.attempts[0], 2);
        assert_int_equal(net.attempts[CLOUD], 0);
        assert_int_equal(net.plain[0], 1);
        pass(5000, true);
        /* one that learned it meanwhile is proved to */
        net.knows_attest[0] = true;
        net_cut(&net, 0);
        pass(1000, true);
        net.reachable[0] = true;
        pass(120000, true);
        assert_int_equal(session(), 0);
        assert_true(net.proofs > 0);
        pass(1000, false);
        assert_all_arrived();
}

static bool never_likes_it(struct net *from, struct connection *c, const struct mqtt_packet *p)
{
        (void)from;
        if (c->broker != 0 || p->type != MQTT_CONNECT)
                return false;
        net_connack(c, MQTT_BAD_AUTH_METHOD, NULL);
        return true;
}

static void test_a_relay_that_says_so_for_ever_is_left(void **state)
{
        (void)state;
        begin_usual(7);
        net.on_packet = never_likes_it;
        pass(60000, true);
        assert_int_equal(session(), CLOUD);
        assert_true(net.attempts[0] <= 2u * FAILOVER_TRIES_A_MINUTE);
        assert_int_equal(asked, 0);
        pass(2000, false);
        assert_all_arrived();
}

/* ---- hostile relays */

static struct connection *victim;

static void honest_challenge(void)
{
        uint8_t bytes[ATTEST_CHALLENGE_MAX];

        net_auth(victim, MQTT_CONTINUE_AUTHENTICATION, ATTEST_METHOD, net_challenge(&net, 0, bytes));
}

static void says_nothing(void)
{
}

static void challenge_of_another_relay(void)
{
        uint8_t bytes[ATTEST_CHALLENGE_MAX];

        net_auth(victim, MQTT_CONTINUE_AUTHENTICATION, ATTEST_METHOD, net_challenge(&net, 1, bytes));
}

static void challenge_with_another_method(void)
{
        uint8_t bytes[ATTEST_CHALLENGE_MAX];

        net_auth(victim, MQTT_CONTINUE_AUTHENTICATION, "DICE-2", net_challenge(&net, 0, bytes));
}

static void challenge_without_method(void)
{
        uint8_t bytes[ATTEST_CHALLENGE_MAX];

        net_auth(victim, MQTT_CONTINUE_AUTHENTICATION, NULL, net_challenge(&net, 0, bytes));
}

static void challenge_that_is_cut(void)
{
        uint8_t bytes[ATTEST_CHALLENGE_MAX];
        struct span whole = net_challenge(&net, 0, bytes);

        net_auth(victim, MQTT_CONTINUE_AUTHENTICATION, ATTEST_METHOD, span_slice(whole, 0, whole.size - 1));
}

static void empty_challenge(void)
{
        net_auth(victim, MQTT_CONTINUE_AUTHENTICATION, ATTEST_METHOD, SPAN_EMPTY);
}

static void challenge_with_more(void)
{
        uint8_t bytes[ATTEST_CHALLENGE_MAX + 1] = { 0 };
        struct span whole = net_challenge(&net, 0, bytes);

        net_auth(victim, MQTT_CONTINUE_AUTHENTICATION, ATTEST_METHOD, span_of(bytes, whole.size + 1));
}

static void large_challenge(void)
{
        static const uint8_t bytes[7000];

        net_auth(victim, MQTT_CONTINUE_AUTHENTICATION, ATTEST_METHOD, SPAN_OF(bytes));
}

static void challenge_larger_than_any_packet(void)
{
        static const uint8_t bytes[40000];

        net_auth(victim, MQTT_CONTINUE_AUTHENTICATION, ATTEST_METHOD, SPAN_OF(bytes));
}

static void endless_challenge(void)
{
        static const uint8_t head[] = { 0xf0, 0xff, 0xff, 0xff, 0x7f }; /* 256 MB to come, and nothing does */

        net_bytes(victim, SPAN_OF(head));
}

static void asks_twice_at_once(void)
{
        honest_challenge();
        honest_challenge();
}

static void begins_anew(void)
{
        uint8_t bytes[ATTEST_CHALLENGE_MAX];

        net_auth(victim, MQTT_REAUTHENTICATE, ATTEST_METHOD, net_challenge(&net, 0, bytes));
}

static void waits_for_no_answer(void)
{
        honest_challenge();
        net_connack(victim, MQTT_SUCCESS, ATTEST_METHOD);
}

static void forgets_the_method(void)
{
        net_connack(victim, MQTT_SUCCESS, NULL);
}

static void refuses(void)
{
        net_connack(victim, MQTT_NOT_AUTHORIZED, NULL);
}

static void session_with_another_method(void)
{
        net_connack(victim, MQTT_SUCCESS, "DICE-2");
}

static void publishes_before(void)
{
        struct mqtt_packet p = { .type = MQTT_PUBLISH };

        p.publish.topic = SPAN_LITERAL("sites/site-1/relay/state");
        net_answer(victim, &p);
}

static void goes_on(void)
{
        victim->connected = true;
        net_connack(victim, MQTT_SUCCESS, ATTEST_METHOD);
}

static void goes_on_and_asks_again(void)
{
        goes_on();
        honest_challenge();
}

static void goes_on_and_begins_anew(void)
{
        goes_on();
        begins_anew();
}

/* what a relay says to CONNECT, and to the statement */
static const struct hostile {
        void (*to_connect)(void), (*to_statement)(void);
        bool signs;   /* does the device give its proof? Only for an honest challenge */
        bool session; /* it looks like a session for a moment */
} hostile[] = {
        { says_nothing, says_nothing, false },
        { challenge_of_another_relay, goes_on, false },
        { challenge_with_another_method, goes_on, false },
        { challenge_without_method, goes_on, false },
        { challenge_that_is_cut, goes_on, false },
        { empty_challenge, goes_on, false },
        { challenge_with_more, goes_on, false },
        { large_challenge, goes_on, false },
        { challenge_larger_than_any_packet, goes_on, false },
        { endless_challenge, goes_on, false },
        { begins_anew, goes_on, false },
        { forgets_the_method, goes_on, false },
        { session_with_another_method, goes_on, false },
        { refuses, goes_on, false },
        { publishes_before, goes_on, false },
        { asks_twice_at_once, goes_on, true },
        { waits_for_no_answer, says_nothing, true },
        { honest_challenge, says_nothing, true },
        { honest_challenge, honest_challenge, true },
        { honest_challenge, begins_anew, true },
        { honest_challenge, forgets_the_method, true },
        { honest_challenge, session_with_another_method, true },
        { honest_challenge, refuses, true },
        { honest_challenge, publishes_before, true },
        { honest_challenge, goes_on_and_asks_again, true, true },
        { honest_challenge, goes_on_and_begins_anew, true, true },
};
static const struct hostile *now_hostile;

static bool misbehave(struct net *from, struct connection *c, const struct mqtt_packet *p)
{
        (void)from;
        if (c->broker != 0)
                return false;
        victim = c;
        if (p->type == MQTT_CONNECT)
                now_hostile->to_connect();
        else if (p->type == MQTT_AUTH && c->to_device.fill == 0)
                now_hostile->to_statement();
        return true;
}

static void test_hostile_relays(void **state)
{
        (void)state;
        for (size_t i = 0; i < ROWS(hostile); i++) {
                begin_usual(100 + (uint32_t)i);
                now_hostile = &hostile[i];
                net.on_packet = misbehave;
                pass(6500, true); /* the deadline of a connection, and a little */
                if (!now_hostile->session)
                        assert_int_equal(session(), CLOUD);
                pass(30000, true);
                assert_int_equal(session(), CLOUD);
                assert_true(net.attempts[0] <= FAILOVER_TRIES_A_MINUTE);
                assert_true(asked <= (now_hostile->signs ? net.attempts[0] : 0));
                if (now_hostile->signs)
                        assert_true(asked > 0);
                net.on_packet = NULL; /* it is itself again */
                pass(300000, false);
                assert_int_equal(session(), 0);
                assert_all_arrived();
                assert_false(net.out_of_order);
        }
}

static void test_a_boot_stage_that_gives_no_proof(void **state)
{
        (void)state;
        begin_usual(8);
        boot_stage_fails = true;
        pass(60000, true);
        assert_int_equal(session(), CLOUD); /* the device lives on, and reports there */
        boot_stage_fails = false;
        pass(300000, true);
        assert_int_equal(session(), 0);
        pass(1000, false);
        assert_all_arrived();
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_teardown(test_proves_itself_to_the_relay_alone, assert_slept),
                cmocka_unit_test_teardown(test_the_largest_statement_fits, assert_slept),
                cmocka_unit_test_teardown(test_the_backup_pin_counts, assert_slept),
                cmocka_unit_test_teardown(test_a_board_without_dice_connects_plainly, assert_slept),
                cmocka_unit_test_teardown(test_a_gate_of_its_own_is_shown_a_proof, assert_slept),
                cmocka_unit_test_teardown(test_a_relay_without_dice_gets_a_plain_connect_at_once, assert_slept),
                cmocka_unit_test_teardown(test_a_relay_that_says_so_for_ever_is_left, assert_slept),
                cmocka_unit_test_teardown(test_hostile_relays, assert_slept),
                cmocka_unit_test_teardown(test_a_boot_stage_that_gives_no_proof, assert_slept),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
