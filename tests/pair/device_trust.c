/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The device engine and the chain of site policies, vendor key sets and revocations, before brokers in memory. */
#include "device_world.h"

#define PREFIX "sites/site-1/devices/device-1/"

static const enum who old_approvers[] = { APPROVER_1, APPROVER_2 };
static uint8_t set_bytes[4][SITE_POLICY_MAX];
static unsigned questions;
static uint64_t ticket_epoch; /* what the gate says its epoch is */

static void on_question(struct net *from, unsigned broker, struct span question)
{
        struct ticket ticket = gate_lab_ticket(&policy, question);
        uint8_t bytes[TICKET_MAX];

        questions++;
        ticket.approval_epoch = ticket_epoch;
        (void)net_send(from, broker, PREFIX "gate/ticket", gate_lab_sign(bytes, &ticket, GATE));
}

static void begin_asking(const struct site_policy *first, uint32_t seed)
{
        questions = 0;
        ticket_epoch = 0;
        begin_with(first, seed);
        net.on_question = on_question;
}

static struct site_policy successor(const struct site_policy *of)
{
        struct site_policy next = *of;

        next.epoch++;
        next.has_predecessor = true;
        memcpy(next.predecessor, of->digest, SHA256_SIZE);
        return next;
}

/* signs it, fills its digest as decoding would, and retains it there */
static void publish_policy(unsigned number, unsigned broker, struct site_policy *next, const enum who *signers,
                           size_t count)
{
        struct cose_set set;
        char topic[64];

        struct span bytes = sign_policy(set_bytes[number], next, signers, count);
        assert_int_equal(cose_set_decode(bytes, &set), RELAY_OK);
        assert_int_equal(crypto_sha256(set.payload, next->digest), RELAY_OK);
        snprintf(topic, sizeof(topic), "sites/site-1/policy/%u", (unsigned)next->epoch);
        net_retain(&net, broker, topic, bytes);
}

static void test_session_stays_if_its_endpoint_stays(void **state)
{
        struct site_policy first = first_policy(), second;

        (void)state;
        begin_asking(&first, 1);
        pass(3000, true);
        second = successor(&policy);
        second.patience_s = 77;
        publish_policy(0, 0, &second, old_approvers, 2);
        pass(3000, true);
        assert_int_equal(device.policy.epoch, 2);
        assert_int_equal(device.policy.patience_s, 77);
        assert_int_equal(device.failover.patience_ms, 77000);
        assert_int_equal(session(), 0);
        assert_int_equal(net.sessions[0], 1);
        assert_int_equal(net_count_told(&net, "updates/refused"), 0);
        assert_all_arrived();
}

static void test_session_moves_if_its_endpoint_is_gone(void **state)
{
        struct site_policy first = first_policy(), second;

        (void)state;
        begin_asking(&first, 2);
        pass(3000, true);
        second = successor(&policy);
        second.endpoints[0] = second.endpoints[1];
        second.endpoint_count = 1;
        publish_policy(0, 0, &second, old_approvers, 2);
        pass(3000, true);
        assert_int_equal(session(), 1);
        const struct retained *r = net_find(&net, 0, PREFIX "state/relay");
        assert_memory_equal(r->payload, "{\"online\":false", 15); /* left properly */
        unsigned attempts = net.attempts[0];
        pass(120000, true);
        assert_int_equal(net.attempts[0], attempts); /* it does not exist any more */
        pass(1000, false);
        assert_all_arrived();
        /* and after a restart */
        start();
        pass(3000, true);
        assert_int_equal(session(), 1);
        assert_int_equal(net.attempts[0], attempts);
}

/* Another key at the same address is another server: the session that the old pin let in ends. */
static void test_session_begins_anew_with_new_pins(void **state)
{
        struct site_policy first = first_policy(), second;

        (void)state;
        begin_asking(&first, 3);
        pass(3000, true);
        second = successor(&policy);
        second.endpoints[0].has_backup_pin = true;
        memset(second.endpoints[0].backup_pin, 0x77, SHA256_SIZE);
        publish_policy(0, 0, &second, old_approvers, 2);
        pass(3000, true);
        assert_int_equal(session(), 0);
        assert_int_equal(net.sessions[0], 2);
}

static void test_device_that_was_away_walks_the_chain(void **state)
{
        static const enum who rotated[] = { APPROVER_1, APPROVER_2, APPROVER_4 };
        struct site_policy first = first_policy(), next;

        (void)state;
        begin_asking(&first, 4);
        net.reachable[0] = net.reachable[1] = false;
        pass(1000, true);
        next = successor(&policy);
        publish_policy(0, 1, &next, old_approvers, 2);
        next = successor(&next);
        next.approvers[2] = key_of(APPROVER_4); /* an approver goes, another comes */
        publish_policy(1, 1, &next, old_approvers, 2);
        next = successor(&next);
        publish_policy(2, 1, &next, rotated + 1, 2);
        net.reachable[1] = true;
        pass(20000, true);
        assert_int_equal(device.policy.epoch, 4);
        assert_int_equal(session(), 1);
        assert_int_equal(net.sessions[1], 1);
        assert_int_equal(net_count_told(&net, "updates/refused"), 0);
}

struct refused_row {
        const char *name;
        unsigned epoch; /* the topic it is retained at */
        void (*bend)(struct site_policy *next);
        size_t signers;
        const char *expected;
};

static void bend_nothing(struct site_policy *next)
{
        (void)next;
}
static void bend_patience(struct site_policy *next)
{
        next->patience_s++;
}
static void bend_predecessor(struct site_policy *next)
{
        next->predecessor[0] ^= 1;
}
static void bend_epoch_up(struct site_policy *next)
{
        next->epoch++;
}
static void bend_epoch_to_held(struct site_policy *next)
{
        next->epoch = 2;
        next->patience_s = 99;
}

static void test_refused_policies_are_told_once(void **state)
{
        static const struct refused_row rows[] = {
                { "under-signed", 3, bend_patience, 1, "under-signed" },
                { "other predecessor", 3, bend_predecessor, 2, "policy-fork" },
                { "skipped one", 3, bend_epoch_up, 2, "policy-gap" },
                { "second one of this epoch", 2, bend_epoch_to_held, 2, "policy-fork" },
                { "second one of this epoch at the next", 3, bend_epoch_to_held, 2, "policy-fork" },
        };

        (void)state;
        for (size_t i = 0; i < ROWS(rows); i++) {
                const struct refused_row *row = &rows[i];
                struct site_policy first = first_policy(), second, bad;
                char topic[64];

                begin_asking(&first, 5);
                pass(2000, false);
                second = successor(&policy);
                publish_policy(0, 0, &second, old_approvers, 2);
                pass(2000, false);
                assert_int_equal(device.policy.epoch, 2);
                bad = successor(&policy);
                row->bend(&bad);
                snprintf(topic, sizeof(topic), "sites/site-1/policy/%u", row->epoch);
                net_retain(&net, 0, topic, sign_policy(set_bytes[1], &bad, old_approvers, row->signers));
                pass(10000, false);
                const struct told *told = net_told(&net, "updates/refused");
                if (!told || !strstr(told->payload, row->expected))
                        fail_msg("%s: %s", row->name, told ? told->payload : "not told");
                assert_non_null(strstr(told->payload, "{\"object\":\"policy\",\"reason\":\""));
                /* once, however many sessions bring it */
                net_cut(&net, 0);
                pass(5000, false);
                net.reachable[0] = true;
                pass(60000, false);
                assert_int_equal(session(), 0);
                assert_int_equal(net_count_told(&net, "updates/refused"), 1);
                assert_int_equal(device.policy.epoch, 2);
                /* and it takes nothing from the true one */
                struct site_policy third = successor(&policy);
                bend_nothing(&third);
                publish_policy(2, 0, &third, old_approvers, 2);
                pass(3000, false);
                assert_int_equal(device.policy.epoch, 3);
        }
}

/* The first policy again, where the second one belongs: rolled back by whoever has the broker. */
static void test_rolled_back_policy_is_told(void **state)
{
        struct site_policy first = first_policy(), next;

        (void)state;
        begin_asking(&first, 6);
        pass(2000, false);
        struct span old = sign_policy(set_bytes[3], &first, old_approvers, 2);
        next = successor(&policy);
        publish_policy(0, 0, &next, old_approvers, 2);
        pass(2000, false);
        net_retain(&net, 0, "sites/site-1/policy/2", old);
        pass(10000, false);
        assert_non_null(strstr(net_told(&net, "updates/refused")->payload, "\"reason\":\"old-policy\""));
        assert_int_equal(device.policy.epoch, 2);
}

/* ---- vendor key sets */

static struct span sign_vendor(uint8_t *out, const struct vendor_keys *keys, const enum who *signers, size_t count)
{
        uint8_t bytes[VENDOR_KEYS_SET_MAX];
        struct writer w;

        writer_init(&w, bytes, sizeof(bytes));
        assert_int_equal(vendor_keys_encode(&w, keys), RELAY_OK);
        return sign_set(out, SITE_POLICY_MAX, SPAN_LITERAL(VENDOR_KEYS_AAD), writer_span(&w), signers, count);
}

/* It was signed by approvers of the next policy, and comes before that: no alarm, once both are there. */
static void test_vendor_keys_that_come_before_their_policy(void **state)
{
        static const enum who signers[] = { ORGANISATION, DEVELOPER, APPROVER_2, APPROVER_4 };
        struct site_policy first = first_policy(), second;

        (void)state;
        begin_asking(&first, 7);
        pass(2000, false);
        struct vendor_keys next = vendor;
        next.epoch = 2;
        next.has_predecessor = true;
        memcpy(next.predecessor, vendor.digest, SHA256_SIZE);
        next.command_count = 0;
        net_retain(&net, 0, "sites/site-1/vendor/2", sign_vendor(set_bytes[0], &next, signers, 4));
        pass(2000, false);
        assert_int_equal(device.vendor.epoch, 1);
        second = successor(&policy);
        second.approvers[0] = key_of(APPROVER_4);
        {
                static const enum who both[] = { APPROVER_1, APPROVER_2, APPROVER_4 };
                publish_policy(1, 0, &second, both, 3);
        }
        pass(10000, false);
        assert_int_equal(device.policy.epoch, 2);
        assert_int_equal(device.vendor.epoch, 2);
        assert_int_equal(device.vendor.command_count, 0);
        assert_int_equal(net_count_told(&net, "updates/refused"), 0);
}

/* The other way round: the policy was written beside a vendor key set that comes after it. */
static void test_policy_that_comes_before_its_vendor_keys(void **state)
{
        static const enum who signers[] = { ORGANISATION, DEVELOPER, APPROVER_1, APPROVER_2 };
        struct site_policy first = first_policy(), second;

        (void)state;
        begin_asking(&first, 12);
        pass(2000, false);
        struct vendor_keys next = vendor;
        next.epoch = 2;
        next.has_predecessor = true;
        memcpy(next.predecessor, vendor.digest, SHA256_SIZE);
        second = successor(&policy);
        second.vendor_epoch = 2;
        publish_policy(0, 0, &second, old_approvers, 2);
        pass(2000, false);
        assert_int_equal(device.policy.epoch, 1);
        net_retain(&net, 0, "sites/site-1/vendor/2", sign_vendor(set_bytes[1], &next, signers, 4));
        pass(10000, false);
        assert_int_equal(device.vendor.epoch, 2);
        assert_int_equal(device.policy.epoch, 2);
        assert_int_equal(net_count_told(&net, "updates/refused"), 0);
}

/* ---- revocations */

static struct span sign_revocation(uint8_t *out, uint64_t epoch, size_t count)
{
        struct revocation revocation = { .site = "site-1", .epoch = epoch, .issued = GATE_LAB_TIME - 5 };
        uint8_t bytes[REVOCATION_MAX];
        struct writer w;

        writer_init(&w, bytes, sizeof(bytes));
        assert_int_equal(revocation_encode(&w, &revocation), RELAY_OK);
        return sign_set(out, SITE_POLICY_MAX, SPAN_LITERAL(REVOCATION_AAD), writer_span(&w), old_approvers, count);
}

static void test_revocation(void **state)
{
        struct site_policy first = first_policy();

        (void)state;
        begin_asking(&first, 8);
        pass(2000, false);
        net_retain(&net, 0, "sites/site-1/revocations", sign_revocation(set_bytes[0], 3, 1));
        pass(10000, false);
        assert_int_equal(device.boot.approval_epoch, 0);
        assert_non_null(strstr(net_told(&net, "updates/refused")->payload,
                               "{\"object\":\"revocation\",\"reason\":\"under-signed\""));
        net_retain(&net, 0, "sites/site-1/revocations", sign_revocation(set_bytes[1], 3, 2));
        pass(2000, false);
        assert_int_equal(device.boot.approval_epoch, 3);
        assert_int_equal(device.gate.approval_epoch, 3);
        /* it comes again with each session: no news, and no attack */
        net_cut(&net, 0);
        pass(5000, false);
        net.reachable[0] = true;
        pass(60000, false);
        assert_int_equal(net_count_told(&net, "updates/refused"), 1);
}

/* The gate knows of a revocation that this device has not seen: it fetches it. */
static void test_ticket_of_a_later_epoch_makes_the_device_look(void **state)
{
        struct site_policy first = first_policy();
        uint64_t unix_s;

        (void)state;
        begin_asking(&first, 9);
        ticket_epoch = 3;
        pass(2000, false);
        assert_false(gate_time(&device.gate, net.now, &unix_s));
        /* retained since, but not sent by itself: a broker that forgot our subscription */
        struct span set = sign_revocation(set_bytes[0], 3, 2);
        for (unsigned i = 0; i < PORT_LINKS; i++)
                net.connections[i].filter_count = 0;
        net_retain(&net, 0, "sites/site-1/revocations", set);
        for (unsigned i = 0; i < PORT_LINKS; i++) {
                strcpy(net.connections[i].filters[0], PREFIX "gate/ticket");
                net.connections[i].filter_count = 1;
        }
        assert_int_equal(device.boot.approval_epoch, 0);
        pass(60000, false);
        assert_int_equal(device.boot.approval_epoch, 3);
        assert_true(gate_time(&device.gate, net.now, &unix_s));
        assert_int_equal(net_count_told(&net, "updates/refused"), 0);
}

/* ---- relay-only */

static void test_relay_only_device_never_tries_the_cloud(void **state)
{
        struct site_policy first = first_policy();

        (void)state;
        first.endpoint_count = 1;
        first.mode = SITE_RELAY_ONLY;
        begin_asking(&first, 10);
        pass(5000, true);
        net_cut(&net, 0);
        net_retain(&net, 0, "sites/site-1/relay/state", SPAN_LITERAL("{\"uplink\":\"down\"}"));
        pass(600000, false);
        assert_int_equal(net.attempts[1], 0);
        net.reachable[0] = true;
        pass(70000, false);
        assert_int_equal(session(), 0);
        assert_int_equal(net.attempts[1], 0);
        assert_all_arrived();
}

/* A site that becomes relay-only: from then on the cloud does not exist for the device. */
static void test_policy_that_makes_the_site_relay_only(void **state)
{
        struct site_policy first = first_policy(), second;

        (void)state;
        begin_asking(&first, 11);
        net.reachable[0] = false;
        pass(3000, true);
        assert_int_equal(session(), 1);
        second = successor(&policy);
        second.endpoint_count = 1;
        second.mode = SITE_RELAY_ONLY;
        publish_policy(0, 1, &second, old_approvers, 2);
        pass(1000, true);
        assert_int_equal(device.policy.epoch, 2);
        unsigned attempts = net.attempts[1];
        pass(300000, false);
        assert_int_equal(net.attempts[1], attempts);
        assert_int_equal(session(), -1);
        net.reachable[0] = true;
        pass(70000, false);
        assert_int_equal(session(), 0);
        assert_int_equal(net.attempts[1], attempts);
        assert_all_arrived();
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_teardown(test_session_stays_if_its_endpoint_stays, assert_slept),
                cmocka_unit_test_teardown(test_session_moves_if_its_endpoint_is_gone, assert_slept),
                cmocka_unit_test_teardown(test_session_begins_anew_with_new_pins, assert_slept),
                cmocka_unit_test_teardown(test_device_that_was_away_walks_the_chain, assert_slept),
                cmocka_unit_test_teardown(test_refused_policies_are_told_once, assert_slept),
                cmocka_unit_test_teardown(test_rolled_back_policy_is_told, assert_slept),
                cmocka_unit_test_teardown(test_vendor_keys_that_come_before_their_policy, assert_slept),
                cmocka_unit_test_teardown(test_policy_that_comes_before_its_vendor_keys, assert_slept),
                cmocka_unit_test_teardown(test_revocation, assert_slept),
                cmocka_unit_test_teardown(test_ticket_of_a_later_epoch_makes_the_device_look, assert_slept),
                cmocka_unit_test_teardown(test_relay_only_device_never_tries_the_cloud, assert_slept),
                cmocka_unit_test_teardown(test_policy_that_makes_the_site_relay_only, assert_slept),
        };
        return cmocka_run_group_tests_name("device_trust_pair", tests, NULL, NULL);
}
