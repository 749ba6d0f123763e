/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Country policy: words, which rule decides, lists, records. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "policy/country.h"
#include "relay/result.h"

static void test_words(void **state)
{
        static const struct {
                const char *text, *back; /* back NULL: refused, and error holds */
                const char *error;
        } rows[] = {
                { "off", "off", NULL },
                { " OFF ", "off", NULL },
                { "allow FI SE", "allow FI SE", NULL },
                { "allow se,fi , SE", "allow FI SE", NULL },
                { "Allow", "allow", NULL },
                { "allow UK", "allow GB", NULL },
                { "allow EFTA FI", "allow CH FI IS LI NO", NULL },
                { "allow EU-WIDE AP-wide FI", "allow AP-WIDE EU-WIDE FI", NULL },
                { "allow FI unknown=accept", "allow FI unknown=accept", NULL },
                { "allow unknown=refuse FI", "allow FI", NULL },
                { "deny RU BY", "deny BY RU", NULL },
                { "deny RU unknown=refuse", "deny RU unknown=refuse", NULL },
                { "deny RU unknown=accept", "deny RU", NULL },
                { "deny unknown=refuse", "deny unknown=refuse", NULL },
                { "", NULL, "the rule is empty" },
                { " ,", NULL, "the rule is empty" },
                { "permit FI", NULL, "word 1, \"permit\"" },
                { "FI SE", NULL, "word 1, \"FI\"" },
                { "off FI", NULL, "behind \"off\"" },
                { "deny", NULL, "\"deny\" needs countries" },
                { "allow FI FL", NULL, "word 3: no country has the code \"FL\"" },
                { "allow FIN", NULL, "word 2, \"FIN\"" },
                { "allow F", NULL, "word 2, \"F\"" },
                { "allow 12", NULL, "word 2, \"12\"" },
                { "allow ??", NULL, "word 2, \"??\"" },
                { "allow FI;SE", NULL, "word 2, \"FI;SE\"" },
                { "allow unknown=maybe", NULL, "unknown=accept or unknown=refuse" },
                { "allow unknown=", NULL, "unknown=accept or unknown=refuse" },
                { "allow F\x01", NULL, "\"F?\"" },
                { "allow aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", NULL, "aaa...\"" },
        };
        char text[COUNTRY_RULE_TEXT_MAX], error[COUNTRY_ERROR_MAX];
        (void)state;

        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
                struct country_rule rule, again;
                int r = country_rule_parse(&rule, rows[i].text, error);
                if (!rows[i].back) {
                        assert_int_equal(r, -EINVAL);
                        assert_non_null(strstr(error, rows[i].error));
                        assert_int_equal(country_rule_parse(&rule, rows[i].text, NULL), -EINVAL);
                        continue;
                }
                assert_int_equal(r, 0);
                assert_string_equal(country_rule_format(&rule, text), rows[i].back);
                assert_int_equal(country_rule_parse(&again, text, NULL), 0);
                assert_true(again.mode == rule.mode && again.accept_unknown == rule.accept_unknown &&
                            country_set_equal(&again.countries, &rule.countries));
        }
}

static void test_groups_hold_countries(void **state)
{
        (void)state;
        for (const struct country_group *group = country_groups; group->name; group++) {
                struct country_set set = { 0 };
                assert_true(country_set_add_group(&set, group->name));
                assert_int_equal(country_set_count(&set), (strlen(group->codes) + 1) / 3);
                for (country_code code = 0; code < COUNTRY_CODES; code++)
                        assert_true(!country_set_has(&set, code) || country_code_name(code));
        }
        struct country_set eu = { 0 }, eea = { 0 };
        country_set_add_group(&eu, "eu");
        country_set_add_group(&eea, "EEA");
        assert_int_equal(country_set_count(&eu), 27);
        assert_int_equal(country_set_count(&eea), 30);
        assert_false(country_set_add_group(&eu, "EUROPE"));
}

static void test_codes(void **state)
{
        char text[COUNTRY_TEXT_SIZE];
        (void)state;

        assert_string_equal(country_code_text(country_code_from_letters('f', 'I'), text), "FI");
        assert_string_equal(country_code_text(COUNTRY_UNKNOWN, text), "??");
        assert_string_equal(country_code_text(COUNTRY_NO_DATABASE, text), "--");
        assert_int_equal(country_code_from_letters('?', '?'), COUNTRY_UNKNOWN);
        assert_int_equal(country_code_from_letters('A', '1'), COUNTRY_UNKNOWN);
        assert_string_equal(country_code_name(COUNTRY_CODE('F', 'I')), "Finland");
        assert_null(country_code_name(COUNTRY_CODE('Z', 'Z')));
        assert_null(country_code_name(COUNTRY_NO_DATABASE));
}

static struct country_rule rule_of(const char *words)
{
        struct country_rule rule;
        assert_int_equal(country_rule_parse(&rule, words, NULL), 0);
        return rule;
}

static struct country_policy example(void)
{
        struct country_policy policy = { .lockdown = true };
        struct country_rule rule = rule_of("deny US");
        struct network network;

        policy.rules[COUNTRY_INBOUND] = rule_of("allow FI SE");
        policy.rules[COUNTRY_UPLINK] = rule_of("deny RU");
        policy.rules[COUNTRY_ADMIN] = rule_of("allow");
        assert_int_equal(country_policy_add_port_rule(&policy, 8884, &rule), 0);
        assert_int_equal(network_parse(&network, "198.51.100.0/24"), 0);
        assert_int_equal(country_policy_add_exempt(&policy, &network), 0);
        assert_int_equal(network_parse(&network, "2001:db8::/32"), 0);
        assert_int_equal(country_policy_add_exempt(&policy, &network), 0);
        assert_int_equal(country_policy_add_lockdown_port(&policy, 22), 0);
        return policy;
}

struct decide_row {
        enum country_direction direction;
        uint16_t port;
        const char *address, *country, *key;
        enum reason reason;
};

static void check_decide(const struct country_policy *policy, const struct decide_row *row)
{
        char key[COUNTRY_KEY_MAX];
        struct address address;
        country_code code = country_code_from_letters(row->country[0], row->country[1]);

        if (strcmp(row->country, "--") == 0)
                code = COUNTRY_NO_DATABASE;
        assert_true(address_parse(&address, row->address));
        struct country_answer answer = country_policy_decide(policy, row->direction, row->port, &address, code);
        assert_string_equal(country_answer_key(&answer, key), row->key);
        assert_int_equal(answer.decision.reason, row->reason);
        assert_int_equal(answer.decision.verdict, row->reason == REASON_NONE ? VERDICT_ALLOW : VERDICT_DENY);
}

static void test_decide(void **state)
{
        static const struct decide_row rows[] = {
                { COUNTRY_INBOUND, 8883, "203.0.113.1", "FI", "inbound:allow:FI", REASON_NONE },
                { COUNTRY_INBOUND, 8883, "203.0.113.1", "US", "inbound:not-allowed:US", REASON_COUNTRY },
                { COUNTRY_INBOUND, 8883, "203.0.113.1", "??", "inbound:unknown", REASON_UNKNOWN_COUNTRY },
                { COUNTRY_INBOUND, 8883, "203.0.113.1", "--", "inbound:no-database", REASON_NO_COUNTRY_DATABASE },
                { COUNTRY_INBOUND, 8884, "203.0.113.1", "US", "port-8884:deny:US", REASON_COUNTRY },
                { COUNTRY_INBOUND, 8884, "203.0.113.1", "BR", "port-8884:not-denied:BR", REASON_NONE },
                { COUNTRY_INBOUND, 8884, "203.0.113.1", "??", "port-8884:unknown", REASON_NONE },
                { COUNTRY_INBOUND, 8884, "203.0.113.1", "--", "port-8884:no-database", REASON_NO_COUNTRY_DATABASE },
                { COUNTRY_INBOUND, 0, "203.0.113.1", "BR", "inbound:not-allowed:BR", REASON_COUNTRY },
                { COUNTRY_INBOUND, 8883, "10.1.2.3", "--", "local:10.0.0.0/8", REASON_NONE },
                { COUNTRY_INBOUND, 8883, "172.31.255.255", "??", "local:172.16.0.0/12", REASON_NONE },
                { COUNTRY_INBOUND, 8883, "172.32.0.0", "??", "inbound:unknown", REASON_UNKNOWN_COUNTRY },
                { COUNTRY_INBOUND, 8883, "192.168.0.1", "??", "local:192.168.0.0/16", REASON_NONE },
                { COUNTRY_INBOUND, 8883, "169.254.0.1", "??", "local:169.254.0.0/16", REASON_NONE },
                { COUNTRY_INBOUND, 8883, "100.64.0.1", "??", "inbound:unknown", REASON_UNKNOWN_COUNTRY },
                { COUNTRY_INBOUND, 8883, "fe80::1", "??", "local:fe80::/10", REASON_NONE },
                { COUNTRY_INBOUND, 8883, "fd00::1", "??", "local:fc00::/7", REASON_NONE },
                { COUNTRY_INBOUND, 8883, "::1", "--", "loopback:::1/128", REASON_NONE },
                { COUNTRY_INBOUND, 8883, "127.0.0.1", "--", "loopback:127.0.0.0/8", REASON_NONE },
                { COUNTRY_INBOUND, 8883, "::ffff:127.0.0.1", "--", "loopback:127.0.0.0/8", REASON_NONE },
                { COUNTRY_INBOUND, 8883, "198.51.100.9", "US", "exempt:198.51.100.0/24", REASON_NONE },
                { COUNTRY_INBOUND, 8883, "2001:db8::9", "--", "exempt:2001:db8::/32", REASON_NONE },
                { COUNTRY_UPLINK, 0, "203.0.113.1", "RU", "uplink:deny:RU", REASON_COUNTRY },
                { COUNTRY_UPLINK, 8884, "203.0.113.1", "US", "uplink:not-denied:US", REASON_NONE },
                { COUNTRY_ADMIN, 22, "203.0.113.1", "FI", "admin:not-allowed:FI", REASON_COUNTRY },
                { COUNTRY_ADMIN, 22, "10.0.0.1", "??", "local:10.0.0.0/8", REASON_NONE },
                { COUNTRY_ADMIN, 23, "10.0.0.1", "??", "admin:closed-port-23", REASON_CLOSED_PORT },
                { COUNTRY_ADMIN, 23, "198.51.100.9", "FI", "admin:closed-port-23", REASON_CLOSED_PORT },
                { COUNTRY_ADMIN, 23, "127.0.0.1", "??", "loopback:127.0.0.0/8", REASON_NONE },
        };
        struct country_policy policy = example();
        (void)state;

        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
                check_decide(&policy, &rows[i]);
}

static void test_switches(void **state)
{
        struct country_policy policy = example();
        (void)state;

        policy.judge_local = true;
        check_decide(&policy, &(struct decide_row){ COUNTRY_INBOUND, 1, "10.0.0.1", "??", "inbound:unknown",
                                                    REASON_UNKNOWN_COUNTRY });
        check_decide(&policy, &(struct decide_row){ COUNTRY_INBOUND, 1, "127.0.0.1", "??", "loopback:127.0.0.0/8",
                                                    REASON_NONE });
        policy.lockdown = false;
        check_decide(&policy,
                     &(struct decide_row){ COUNTRY_ADMIN, 23, "203.0.113.1", "--", "admin:no-lockdown", REASON_NONE });
        policy = (struct country_policy){ 0 };
        check_decide(&policy,
                     &(struct decide_row){ COUNTRY_INBOUND, 1, "203.0.113.1", "--", "inbound:off", REASON_NONE });
        struct address address = { ADDRESS_IPV4, 0, 1 };
        assert_int_equal(country_policy_decide(&policy, COUNTRY_DIRECTIONS, 0, &address, 0).decision.verdict,
                         VERDICT_DENY);
}

static void test_lists(void **state)
{
        struct country_policy policy = example();
        struct country_rule rule = rule_of("allow DE");
        struct network network = { { ADDRESS_IPV4, 0, UINT64_C(203) << 24 }, 32 };
        (void)state;

        assert_int_equal(country_policy_add_port_rule(&policy, 0, &rule), -EINVAL);
        assert_int_equal(country_policy_add_port_rule(&policy, 8884, &rule), -EEXIST);
        assert_true(country_set_has(&policy.port_rules[0].rule.countries, COUNTRY_CODE('D', 'E')));
        for (uint16_t port = 1; port < COUNTRY_PORT_RULES_MAX; port++)
                assert_int_equal(country_policy_add_port_rule(&policy, port, &rule), 0);
        assert_int_equal(country_policy_add_port_rule(&policy, 9, &rule), -ENOSPC);
        for (; policy.exempt_count < COUNTRY_EXEMPT_MAX; network.first.low--)
                assert_int_equal(country_policy_add_exempt(&policy, &network), 0);
        assert_int_equal(country_policy_add_exempt(&policy, &network), -ENOSPC);
        network.first.low++;
        assert_int_equal(country_policy_add_exempt(&policy, &network), -EEXIST);
        network.prefix = 8;
        assert_int_equal(country_policy_add_exempt(&policy, &network), -EINVAL);
        for (uint16_t port = 100; policy.lockdown_port_count < COUNTRY_PORTS_MAX; port--)
                assert_int_equal(country_policy_add_lockdown_port(&policy, port), 0);
        assert_int_equal(country_policy_add_lockdown_port(&policy, 5), -ENOSPC);
        assert_int_equal(country_policy_add_lockdown_port(&policy, 22), -EEXIST);
        assert_int_equal(country_policy_add_lockdown_port(&policy, 0), -EINVAL);
        assert_true(country_policy_is_valid(&policy));

        uint8_t record[COUNTRY_RECORD_MAX];
        size_t size;
        for (country_code code = 0; code < COUNTRY_CODES; code++)
                for (size_t i = 0; i < COUNTRY_PORT_RULES_MAX; i++)
                        country_set_add(&policy.port_rules[i].rule.countries, code);
        assert_int_equal(country_policy_encode(&policy, record, sizeof record, &size), 0);
}

static void test_records(void **state)
{
        struct country_policy policy = example(), back;
        uint8_t record[COUNTRY_RECORD_MAX];
        size_t size, again_size;
        (void)state;

        assert_int_equal(country_policy_encode(&policy, record, sizeof record, &size), 0);
        assert_int_equal(country_policy_decode(&back, span_of(record, size)), RELAY_OK);
        assert_true(country_policy_equal(&policy, &back));
        for (size_t cut = 0; cut < size; cut++)
                assert_int_not_equal(country_policy_decode(&back, span_of(record, cut)), RELAY_OK);
        assert_int_not_equal(country_policy_encode(&policy, record, size - 1, &again_size), RELAY_OK);
        record[size++] = 0;
        assert_int_not_equal(country_policy_decode(&back, span_of(record, size)), RELAY_OK);
        back.judge_local = !back.judge_local;
        assert_false(country_policy_equal(&policy, &back));
}

/* Whatever is wrong, nothing is written, and no wrong record is read. */
static void test_wrong_policies(void **state)
{
        struct country_policy base = example(), policy = base;
        uint8_t record[COUNTRY_RECORD_MAX];
        size_t size;
        (void)state;

        struct network unordered[2] = { base.exempt[1], base.exempt[0] };
        memcpy(policy.exempt, unordered, sizeof unordered);
        assert_int_equal(country_policy_encode(&policy, record, sizeof record, &size), RELAY_E_RANGE);
        policy = base;
        policy.exempt[0].first.low++;
        assert_false(country_policy_is_valid(&policy));
        policy = base;
        policy.exempt_count = COUNTRY_EXEMPT_MAX + 1;
        assert_false(country_policy_is_valid(&policy));
        policy = base;
        policy.rules[0].mode = (enum country_mode)3;
        assert_false(country_policy_is_valid(&policy));
        policy = base;
        policy.rules[1].countries.bits[10] |= UINT64_C(1) << 63;
        assert_false(country_policy_is_valid(&policy));
        policy = base;
        policy.port_rules[0].port = 0;
        assert_false(country_policy_is_valid(&policy));
        policy = base;
        policy.lockdown_ports[0] = 0;
        assert_false(country_policy_is_valid(&policy));
}

static void test_direction_names(void **state)
{
        (void)state;
        for (int i = 0; i < COUNTRY_DIRECTIONS; i++)
                assert_int_equal(country_direction_from_name(country_direction_name((enum country_direction)i)), i);
        assert_int_equal(country_direction_from_name("outbound"), COUNTRY_DIRECTIONS);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_words),           cmocka_unit_test(test_groups_hold_countries),
                cmocka_unit_test(test_codes),           cmocka_unit_test(test_decide),
                cmocka_unit_test(test_switches),        cmocka_unit_test(test_lists),
                cmocka_unit_test(test_records),         cmocka_unit_test(test_wrong_policies),
                cmocka_unit_test(test_direction_names),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
