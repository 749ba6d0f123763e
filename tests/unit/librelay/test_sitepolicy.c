/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "objects.h"

static uint8_t scratch[SITE_POLICY_MAX];

static struct span encode(const struct site_policy *policy, int expected)
{
        static uint8_t bytes[SITE_POLICY_MAX];
        struct writer w;

        writer_init(&w, bytes, sizeof(bytes));
        assert_int_equal(site_policy_encode(&w, policy), expected);
        return writer_span(&w);
}

static void test_majority(void **state)
{
        (void)state;
        for (size_t n = 1; n <= 4; n++)
                for (size_t k = 0; k <= 5; k++) {
                        struct site_policy policy = sample_policy(n, k), back;
                        bool fine = 2 * k > n && k <= n;
                        struct span in = encode(&policy, fine ? RELAY_OK : RELAY_E_RANGE);
                        if (fine)
                                assert_int_equal(site_policy_decode(in, &back), RELAY_OK);
                }
}

/* The writer refuses a wrong k, so the reader's rule is tested on bytes changed after writing. */
static void test_reader_checks_k_itself(void **state)
{
        struct site_policy policy = sample_policy(3, 2), back;
        uint8_t bytes[SITE_POLICY_MAX];
        struct span in = encode(&policy, RELAY_OK);
        size_t at = 0;

        (void)state;
        memcpy(bytes, in.data, in.size);
        for (size_t i = 0; i + 3 < in.size; i++) /* 5: 2, 6: [one key */
                if (bytes[i] == 5 && bytes[i + 1] == 2 && bytes[i + 2] == 6 && bytes[i + 3] == 0x81)
                        at = i + 1;
        assert_true(at > 0);
        for (uint8_t k = 0; k <= 17; k++) {
                bytes[at] = k;
                assert_int_equal(site_policy_decode(span_of(bytes, in.size), &back),
                                 k == 2 || k == 3 ? RELAY_OK : RELAY_E_RANGE);
        }
}

static void repeat_approver(struct site_policy *policy)
{
        policy->approvers[2] = policy->approvers[0];
}

static void gate_approves(struct site_policy *policy)
{
        policy->gates[0].key = policy->approvers[1];
}

static void repeat_gate(struct site_policy *policy)
{
        policy->gates[policy->gate_count++] = policy->gates[0];
}

static void relay_only_with_cloud(struct site_policy *policy)
{
        policy->mode = SITE_RELAY_ONLY;
}

static void relay_only(struct site_policy *policy)
{
        policy->mode = SITE_RELAY_ONLY;
        policy->endpoint_count = 1;
}

static void no_gate(struct site_policy *policy)
{
        policy->gate_count = 0;
}

static void no_endpoint(struct site_policy *policy)
{
        policy->endpoint_count = 0;
}

static void epoch_0(struct site_policy *policy)
{
        policy->epoch = 0;
}

static void first_with_predecessor(struct site_policy *policy)
{
        policy->has_predecessor = true;
}

static void later_without_predecessor(struct site_policy *policy)
{
        policy->epoch = 2;
}

static void later(struct site_policy *policy)
{
        policy->epoch = 2;
        policy->has_predecessor = true;
}

static void port_0(struct site_policy *policy)
{
        policy->endpoints[1].port = 0;
}

static void no_host(struct site_policy *policy)
{
        policy->endpoints[1].host[0] = 0;
}

static void host_with_space(struct site_policy *policy)
{
        strcpy(policy->endpoints[1].host, "cloud example");
}

static void long_host(struct site_policy *policy)
{
        memset(policy->endpoints[1].host, 'h', SITE_HOST_SIZE - 1);
}

static void ipv6_host(struct site_policy *policy)
{
        strcpy(policy->endpoints[1].host, "2001:db8::1");
}

static void site_with_dot(struct site_policy *policy)
{
        strcpy(policy->site, "site.1");
}

static void bad_device(struct site_policy *policy)
{
        strcpy(policy->devices[1], "Device-2");
}

static void devices_outside(struct site_policy *policy)
{
        policy->endpoints[0].device_first = SITE_DEVICES_MAX;
}

static void many_devices(struct site_policy *policy)
{
        for (size_t i = 0; i < SITE_DEVICES_MAX; i++)
                strcpy(policy->devices[i], "device");
        policy->endpoints[0].device_count = SITE_DEVICES_MAX;
}

static void key_missing(struct site_policy *policy)
{
        policy->approvers[1].type = KEY_NONE;
}

/* ---- what a policy may say besides */
static void everything(struct site_policy *policy)
{
        *policy = full_policy();
}

#define BENT(name, ...)                              \
        static void name(struct site_policy *policy) \
        {                                            \
                *policy = full_policy();             \
                __VA_ARGS__;                         \
        }
BENT(ticket_without_gate, policy->gate_count = 0; policy->rule_count = 0)
BENT(rule_without_gate, policy->gate_count = 0; policy->ticket_needed = false)
BENT(neither_ticket_nor_gate, policy->gate_count = 0; policy->ticket_needed = false; policy->rule_count = 0)
BENT(many_gates, policy->gate_count = SITE_GATES_MAX + 1)
BENT(gate_host_foreign, strcpy(policy->gates[1].address.host, "a/b"))
BENT(gate_port_0, policy->gates[1].address.port = 0)
BENT(gate_without_address, policy->gates[1].has_address = false; policy->gates[1].address.port = 0)
BENT(gate_of_nobody, policy->gates[1].scope.device_count = 0)
BENT(gate_scope_foreign, policy->gates[1].scope.kind = (enum scope_kind)3)
BENT(gate_scope_outside, policy->gates[1].scope.device_first = SITE_DEVICES_MAX)
BENT(grant_repeats_gate, policy->grants[0].key = policy->gates[1].key)
BENT(grant_repeats_approver, policy->grants[0].key = policy->approvers[2])
BENT(grant_repeats_grant, policy->grants[policy->grant_count++] = policy->grants[0])
BENT(grant_of_nothing, policy->grants[0].names.count = 0)
BENT(many_grants, policy->grant_count = SITE_GRANTS_MAX + 1)
BENT(grant_everywhere, policy->grants[0].scope.kind = SCOPE_SITE)
BENT(names_outside, policy->vendor_commands.first = SITE_NAMES_MAX)
BENT(name_empty, policy->names[0][0] = 0)
BENT(name_with_capital, strcpy(policy->names[1], "Pump"))
BENT(name_with_asterisk_inside, strcpy(policy->names[1], "pump.*.on"))
BENT(name_of_two_asterisks, strcpy(policy->names[1], "pump.**"))
BENT(name_is_asterisk, strcpy(policy->names[1], "*"))
BENT(name_of_40, memset(policy->names[1], 'n', 40))
BENT(name_of_39_and_asterisk, memset(policy->names[1], 'n', 39); policy->names[1][39] = '*')
BENT(vendor_may_nothing, policy->vendor_commands.count = 0)
BENT(many_rules, policy->rule_count = SITE_RULES_MAX + 1)
BENT(rule_of_no_urgency, policy->rules[0].urgency_count = 0)
BENT(rule_of_many_urgencies, policy->rules[0].urgency_count = SITE_URGENCIES_MAX + 1)
BENT(urgency_with_space, strcpy(policy->rules[0].urgencies[1], "very urgent"))
BENT(urgency_empty, policy->rules[0].urgencies[1][0] = 0)
BENT(urgency_of_24, memset(policy->rules[0].urgencies[1], 'u', 24))
BENT(rule_for_the_site, policy->rules[0].scope.kind = SCOPE_SITE)
BENT(rule_of_no_window, policy->rules[0].window_count = 0)
BENT(rule_of_many_windows, policy->rules[0].window_count = SITE_WINDOWS_MAX + 1)
BENT(window_of_nothing, policy->rules[0].windows[1].minutes = 0)
BENT(window_of_a_week, policy->rules[0].windows[1].minutes = WEEK_MINUTES)
BENT(window_above_a_week, policy->rules[0].windows[1].minutes = WEEK_MINUTES + 1)
BENT(window_in_the_last_minute, policy->rules[0].windows[1].first = WEEK_MINUTES - 1)
BENT(window_behind_the_week, policy->rules[0].windows[1].first = WEEK_MINUTES)
BENT(no_time_zone, policy->time_zone[0] = 0)
BENT(time_zone_with_signs, strcpy(policy->time_zone, "Etc/GMT+1_-"))
BENT(time_zone_with_dots, strcpy(policy->time_zone, "../../etc/shadow"))
BENT(time_zone_of_48, memset(policy->time_zone, 'Z', 48))
BENT(vendor_epoch_of_the_first, policy->vendor_epoch = 1)
BENT(vendor_epoch_of_a_later, later(policy); policy->vendor_epoch = UINT64_MAX)
BENT(devices_in_all_lists, policy->endpoints[0].device_count = SITE_DEVICES_MAX - 2;
     for (size_t i = 0; i < SITE_DEVICES_MAX; i++) strcpy(policy->devices[i], "device"))
BENT(devices_beyond_all_lists, policy->endpoints[0].device_count = SITE_DEVICES_MAX - 1;
     for (size_t i = 0; i < SITE_DEVICES_MAX; i++) strcpy(policy->devices[i], "device"))
BENT(names_beyond_all_lists, policy->grants[0].names.count = SITE_NAMES_MAX;
     for (size_t i = 0; i < SITE_NAMES_MAX; i++) strcpy(policy->names[i], "name"))

static void test_rules(void **state)
{
        static const struct {
                void (*bend)(struct site_policy *policy);
                int result;
        } rows[] = {
                { repeat_approver, RELAY_E_RANGE },
                { gate_approves, RELAY_E_RANGE },
                { repeat_gate, RELAY_E_RANGE },
                { relay_only_with_cloud, RELAY_E_RANGE },
                { relay_only, RELAY_OK },
                { no_gate, RELAY_OK },
                { no_endpoint, RELAY_E_RANGE },
                { epoch_0, RELAY_E_RANGE },
                { first_with_predecessor, RELAY_E_RANGE },
                { later_without_predecessor, RELAY_E_RANGE },
                { later, RELAY_OK },
                { port_0, RELAY_E_RANGE },
                { no_host, RELAY_E_RANGE },
                { host_with_space, RELAY_E_RANGE },
                { long_host, RELAY_OK },
                { ipv6_host, RELAY_OK },
                { site_with_dot, RELAY_E_RANGE },
                { bad_device, RELAY_E_RANGE },
                { devices_outside, RELAY_E_RANGE },
                { many_devices, RELAY_OK },
                { key_missing, RELAY_E_KEY },
                { everything, RELAY_OK },
                { ticket_without_gate, RELAY_E_RANGE },
                { rule_without_gate, RELAY_E_RANGE },
                { neither_ticket_nor_gate, RELAY_OK },
                { many_gates, RELAY_E_RANGE },
                { gate_host_foreign, RELAY_E_RANGE },
                { gate_port_0, RELAY_E_RANGE },
                { gate_without_address, RELAY_OK },
                { gate_of_nobody, RELAY_E_RANGE },
                { gate_scope_foreign, RELAY_E_RANGE },
                { gate_scope_outside, RELAY_E_RANGE },
                { grant_repeats_gate, RELAY_E_RANGE },
                { grant_repeats_approver, RELAY_E_RANGE },
                { grant_repeats_grant, RELAY_E_RANGE },
                { grant_of_nothing, RELAY_E_RANGE },
                { many_grants, RELAY_E_RANGE },
                { grant_everywhere, RELAY_OK },
                { names_outside, RELAY_E_RANGE },
                { name_empty, RELAY_E_RANGE },
                { name_with_capital, RELAY_E_RANGE },
                { name_with_asterisk_inside, RELAY_E_RANGE },
                { name_of_two_asterisks, RELAY_E_RANGE },
                { name_is_asterisk, RELAY_OK },
                { name_of_40, RELAY_OK },
                { name_of_39_and_asterisk, RELAY_OK },
                { vendor_may_nothing, RELAY_OK },
                { many_rules, RELAY_E_RANGE },
                { rule_of_no_urgency, RELAY_E_RANGE },
                { rule_of_many_urgencies, RELAY_E_RANGE },
                { urgency_with_space, RELAY_E_RANGE },
                { urgency_empty, RELAY_E_RANGE },
                { urgency_of_24, RELAY_OK },
                { rule_for_the_site, RELAY_OK },
                { rule_of_no_window, RELAY_OK },
                { rule_of_many_windows, RELAY_E_RANGE },
                { window_of_nothing, RELAY_E_RANGE },
                { window_of_a_week, RELAY_OK },
                { window_above_a_week, RELAY_E_RANGE },
                { window_in_the_last_minute, RELAY_OK },
                { window_behind_the_week, RELAY_E_RANGE },
                { no_time_zone, RELAY_OK },
                { time_zone_with_signs, RELAY_OK },
                { time_zone_with_dots, RELAY_E_RANGE },
                { time_zone_of_48, RELAY_OK },
                { vendor_epoch_of_the_first, RELAY_E_RANGE },
                { vendor_epoch_of_a_later, RELAY_OK },
                { devices_in_all_lists, RELAY_OK },
                { devices_beyond_all_lists, RELAY_E_RANGE },
                { names_beyond_all_lists, RELAY_E_RANGE },
        };

        (void)state;
        for (size_t i = 0; i < ROWS(rows); i++) {
                static struct site_policy policy, back;
                uint8_t bytes[SITE_POLICY_MAX], again[SITE_POLICY_MAX];
                struct writer w;

                policy = sample_policy(3, 2);
                rows[i].bend(&policy);
                writer_init(&w, bytes, sizeof(bytes));
                int result = site_policy_encode(&w, &policy);
                if (result != rows[i].result)
                        fail_msg("row %zu: %d, expected %d", i, result, rows[i].result);
                if (result != RELAY_OK)
                        continue;
                struct span in = writer_span(&w);
                assert_int_equal(site_policy_decode(in, &back), RELAY_OK);
                writer_init(&w, again, sizeof(again));
                assert_int_equal(site_policy_encode(&w, &back), RELAY_OK);
                assert_span_equal(writer_span(&w), in);
        }
}

static void test_who_signs_the_first(void **state)
{
        static const struct {
                enum who signers[3];
                size_t count;
                enum reason reason;
        } rows[] = {
                { { APPROVER_1, APPROVER_2 }, 2, REASON_NONE },
                { { APPROVER_3, APPROVER_2, APPROVER_1 }, 3, REASON_NONE },
                { { APPROVER_1 }, 1, REASON_BAD_SIGNATURE },
                { { APPROVER_1, APPROVER_1 }, 2, REASON_BAD_SIGNATURE },
                { { APPROVER_1, APPROVER_4 }, 2, REASON_BAD_SIGNATURE },
                { { APPROVER_1, GATE, STRANGER }, 3, REASON_BAD_SIGNATURE },
        };
        struct site_policy policy = sample_policy(3, 2), second = sample_policy(3, 2), out;
        uint8_t bytes[SITE_POLICY_MAX];

        (void)state;
        for (size_t i = 0; i < ROWS(rows); i++) {
                struct span in = write_policy_set(bytes, sizeof(bytes), &policy, rows[i].signers, rows[i].count);
                assert_int_equal(site_policy_accept_first(in, &out, scratch, sizeof(scratch)), rows[i].reason);
        }
        later(&second);
        struct span in = write_policy_set(bytes, sizeof(bytes), &second, rows[0].signers, 2);
        assert_int_equal(site_policy_accept_first(in, &out, scratch, sizeof(scratch)), REASON_POLICY_INVALID);
        in = write_policy_set(bytes, sizeof(bytes), &policy, rows[0].signers, 2);
        assert_int_equal(site_policy_accept_first(in, &out, scratch, 100), REASON_TOO_LARGE);
        assert_int_equal(site_policy_accept_first(in, &out, scratch, in.size + 96), REASON_NONE);
}

static void test_endpoints_of_a_device(void **state)
{
        struct site_policy policy = sample_policy(3, 2), back;

        (void)state;
        assert_int_equal(site_policy_decode(encode(&policy, RELAY_OK), &back), RELAY_OK);
        assert_true(site_endpoint_applies(&back, &back.endpoints[0], "device-1"));
        assert_true(site_endpoint_applies(&back, &back.endpoints[0], "device-2"));
        assert_false(site_endpoint_applies(&back, &back.endpoints[0], "device-5"));
        assert_false(site_endpoint_applies(&back, &back.endpoints[0], "device-11"));
        assert_true(site_endpoint_applies(&back, &back.endpoints[1], "device-5"));
}

static void test_vendor_and_site_share_no_key(void **state)
{
        struct site_policy policy = sample_policy(3, 2);
        struct vendor_keys vendor = sample_vendor();

        (void)state;
        assert_false(site_policy_shares_key(&policy, &vendor));
        vendor.command[0] = key_of(GATE);
        assert_true(site_policy_shares_key(&policy, &vendor));
        vendor = sample_vendor();
        vendor.organisation[0] = key_of(APPROVER_3);
        assert_true(site_policy_shares_key(&policy, &vendor));
        vendor = sample_vendor();
        vendor.developer[0] = key_of(APPROVER_1);
        assert_true(site_policy_shares_key(&policy, &vendor));
        policy = full_policy();
        vendor = sample_vendor();
        assert_false(site_policy_shares_key(&policy, &vendor));
        vendor.command[0] = key_of(SITE_COMMAND); /* vendor and site command with different keys */
        assert_true(site_policy_shares_key(&policy, &vendor));
        assert_int_equal(site_policy_fits(&policy, &vendor), REASON_POLICY_INVALID);
}

static void test_written_beside_later_vendor_keys(void **state)
{
        struct site_policy policy = full_policy();
        struct vendor_keys vendor = sample_vendor();

        (void)state;
        assert_int_equal(site_policy_fits(&policy, &vendor), REASON_NONE);
        later(&policy);
        policy.vendor_epoch = 2;
        assert_int_equal(site_policy_fits(&policy, &vendor), REASON_VENDOR_KEYS_GAP);
        vendor.epoch = 2;
        assert_int_equal(site_policy_fits(&policy, &vendor), REASON_NONE);
        vendor.epoch = 3;
        assert_int_equal(site_policy_fits(&policy, &vendor), REASON_NONE);
}

/* a microcontroller holds one in its memory */
static void test_size(void **state)
{
        (void)state;
        assert_true(sizeof(struct site_policy) < 12 * 1024);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_majority),
                cmocka_unit_test(test_reader_checks_k_itself),
                cmocka_unit_test(test_rules),
                cmocka_unit_test(test_who_signs_the_first),
                cmocka_unit_test(test_endpoints_of_a_device),
                cmocka_unit_test(test_size),
                cmocka_unit_test(test_written_beside_later_vendor_keys),
                cmocka_unit_test(test_vendor_and_site_share_no_key),
        };
        return cmocka_run_group_tests_name("sitepolicy", tests, NULL, NULL);
}
