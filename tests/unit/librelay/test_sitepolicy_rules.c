/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a policy says of one device: its gate, the rules and command names that cover it, the hours. */
#include "objects.h"

static const uint8_t pump[CLASS_ID_SIZE] = { 0xc1, 0xc1, 0xc1, 0xc1, 0xc1, 0xc1, 0xc1, 0xc1,
                                             0xc1, 0xc1, 0xc1, 0xc1, 0xc1, 0xc1, 0xc1, 0xc1 };
static const uint8_t lamp[CLASS_ID_SIZE] = { 0x1a };

/* GATE for the site, STRANGER for pumps, GATE_2 for device-3 */
static struct site_policy three_gates(void)
{
        struct site_policy policy = full_policy();
        struct site_gate *gate = &policy.gates[policy.gate_count++];

        *gate = (struct site_gate){ .key = key_of(STRANGER), .scope = { .kind = SCOPE_CLASS } };
        memcpy(gate->scope.class_id, pump, CLASS_ID_SIZE);
        return policy;
}

static void test_gate_of_a_device(void **state)
{
        static const struct {
                const char *device;
                const uint8_t *class_id;
                enum who gate;
        } rows[] = {
                { "device-1", lamp, GATE },   { "device-1", pump, STRANGER }, { "device-1", NULL, GATE },
                { "device-3", pump, GATE_2 }, { "device-3", NULL, GATE_2 },   { "device-33", pump, STRANGER },
                { NULL, NULL, GATE },         { NULL, pump, GATE },
        };
        static const enum who gates[] = { GATE, STRANGER, GATE_2, APPROVER_1 };
        struct site_policy policy = three_gates();

        (void)state;
        for (size_t i = 0; i < ROWS(rows); i++) {
                struct public_key key = key_of(rows[i].gate);
                const struct site_gate *gate = site_policy_gate(&policy, rows[i].device, rows[i].class_id);
                if (!gate || !key_equal(&gate->key, &key))
                        fail_msg("row %zu: another gate", i);
                for (size_t j = 0; j < ROWS(gates); j++) {
                        key = key_of(gates[j]);
                        assert_int_equal(site_policy_is_gate(&policy, &key, rows[i].device, rows[i].class_id),
                                         gates[j] == rows[i].gate);
                }
        }
}

/* While a gate's key is changed, two answer for the same devices. */
static void test_two_gates_of_one_scope(void **state)
{
        struct site_policy policy = full_policy();
        struct public_key first = key_of(GATE), second = key_of(GATE_2);

        (void)state;
        policy.gates[1] = (struct site_gate){ .key = second };
        assert_true(key_equal(&site_policy_gate(&policy, "device-1", NULL)->key, &first));
        assert_true(site_policy_is_gate(&policy, &first, "device-1", NULL));
        assert_true(site_policy_is_gate(&policy, &second, "device-1", NULL));
        policy.gate_count = 0;
        assert_null(site_policy_gate(&policy, "device-1", NULL));
        assert_false(site_policy_is_gate(&policy, &first, "device-1", NULL));
}

static void test_rules_that_cover(void **state)
{
        static const struct {
                const char *urgency, *device;
                const uint8_t *class_id;
                size_t first;
                int rule;
        } rows[] = {
                { "security", "device-1", pump, 0, 0 },  { "urgent", "device-1", pump, 0, 0 },
                { "routine", "device-1", pump, 0, 1 },   { "routine", "device-2", pump, 0, -1 },
                { "security", "device-1", lamp, 0, -1 }, { "security", "device-1", NULL, 0, -1 },
                { "securit", "device-1", pump, 0, -1 },  { "security2", "device-1", pump, 0, -1 },
                { "", "device-1", pump, 0, -1 },         { "security", "device-1", pump, 1, -1 },
                { "routine", "device-1", lamp, 1, 1 },   { "routine", "device-1", lamp, 2, -1 },
                { "routine", NULL, NULL, 0, -1 },
        };
        struct site_policy policy = full_policy();

        (void)state;
        policy.rules[policy.rule_count++] = (struct site_rule){ .urgencies = { "routine" }, .urgency_count = 1 };
        policy.rules[1].scope = policy.grants[0].scope; /* device-1 */
        for (size_t i = 0; i < ROWS(rows); i++) {
                int rule = site_policy_rule(&policy, rows[i].first, span_of_string(rows[i].urgency), rows[i].device,
                                            rows[i].class_id);
                if (rule != rows[i].rule)
                        fail_msg("row %zu: %d", i, rule);
        }
        policy.rule_count = 0; /* the default: nothing is approved by rule */
        assert_int_equal(site_policy_rule(&policy, 0, SPAN_LITERAL("security"), "device-1", pump), -1);
}

static void test_windows(void **state)
{
        static const struct site_window windows[] = { { 6 * 1440 + 120, 120 }, { WEEK_MINUTES - 30, 60 } };
        static const struct {
                unsigned minute;
                bool covered;
        } rows[] = {
                { 6 * 1440 + 119, false },
                { 6 * 1440 + 120, true },
                { 6 * 1440 + 239, true },
                { 6 * 1440 + 240, false },
                { 120, false },
                { WEEK_MINUTES - 31, false },
                { WEEK_MINUTES - 30, true },
                { WEEK_MINUTES - 1, true },
                { 0, true },
                { 29, true },
                { 30, false },
        };
        static const struct site_window week = { 5000, WEEK_MINUTES };

        (void)state;
        for (size_t i = 0; i < ROWS(rows); i++)
                if (site_windows_cover(windows, ROWS(windows), rows[i].minute) != rows[i].covered)
                        fail_msg("minute %u", rows[i].minute);
        for (unsigned minute = 0; minute < WEEK_MINUTES; minute++) {
                assert_true(site_windows_cover(NULL, 0, minute));
                assert_true(site_windows_cover(&week, 1, minute));
        }
}

static void test_command_names(void **state)
{
        static const struct {
                const char *command;
                bool granted, vendor;
        } rows[] = {
                { "pump.on", true, false },         { "pump.off", true, false },
                { "pump.", true, false },           { "pump", false, false },
                { "pumpx", false, false },          { "valve.open", true, false },
                { "valve.opens", false, false },    { "valve.ope", false, false },
                { "diagnostics.log", false, true }, { "", false, false },
        };
        struct site_policy policy = full_policy();
        struct site_names all = { 3, 1 }, none = { 0, 0 };

        (void)state;
        strcpy(policy.names[3], "*");
        for (size_t i = 0; i < ROWS(rows); i++) {
                struct span command = span_of_string(rows[i].command);
                if (site_names_cover(&policy, &policy.grants[0].names, command) != rows[i].granted ||
                    site_names_cover(&policy, &policy.vendor_commands, command) != rows[i].vendor)
                        fail_msg("row %zu", i);
                assert_true(site_names_cover(&policy, &all, command));
                assert_false(site_names_cover(&policy, &none, command));
        }
}

static void test_command_name_form(void **state)
{
        static const struct {
                const char *name;
                bool valid;
        } rows[] = {
                { "a", true },
                { "pump.on-2", true },
                { "", false },
                { "Pump", false },
                { "pump on", false },
                { "pump.*", false },
                { "pump/on", false },
                { "p\xc3\xbcmp", false },
                { "0123456789012345678901234567890123456789", true },
                { "01234567890123456789012345678901234567890", false },
        };

        (void)state;
        for (size_t i = 0; i < ROWS(rows); i++)
                if (command_name_is_valid(span_of_string(rows[i].name)) != rows[i].valid)
                        fail_msg("%s", rows[i].name);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_gate_of_a_device), cmocka_unit_test(test_two_gates_of_one_scope),
                cmocka_unit_test(test_rules_that_cover), cmocka_unit_test(test_windows),
                cmocka_unit_test(test_command_names),    cmocka_unit_test(test_command_name_form),
        };
        return cmocka_run_group_tests_name("sitepolicy_rules", tests, NULL, NULL);
}
