/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's intervals and the decision for one address agree, for made-up databases and every kind of policy. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>

#include "policy/country_intervals.h"

#define RANGES_MAX 60
#define ROUNDS     400

struct table {
        struct country_source source;
        const struct country_range *ranges;
        size_t count, at;
};

static bool table_next(struct country_source *source, struct country_range *range)
{
        struct table *table = (struct table *)(void *)source;

        if (table->at == table->count)
                return false;
        *range = table->ranges[table->at++];
        return true;
}

static uint64_t random_state = 88172645463325252u;

static uint64_t random_u64(void)
{
        random_state ^= random_state << 13;
        random_state ^= random_state >> 7;
        random_state ^= random_state << 17;
        return random_state;
}

/* addresses close to each other and to the exempt networks' ends, so that everything touches everything */
static struct address random_address(enum address_family family)
{
        uint64_t small = random_u64() % 200;
        static const uint64_t bases4[] = { 0, 0x0a000000, 0x7f000000, 0x80000000, 0xc0a80000, 0xffffff00 };
        static const uint64_t bases6[] = { 0, UINT64_C(0xfc00) << 48, UINT64_C(0xfe80) << 48, UINT64_C(0x2001) << 48,
                                           UINT64_MAX };
        if (family == ADDRESS_IPV4)
                return (struct address){ family, 0, bases4[random_u64() % 6] + small };
        return (struct address){ family, bases6[random_u64() % 5], small % 2 ? small : UINT64_MAX - small };
}

static int compare_addresses(const void *a, const void *b)
{
        return address_compare(a, b);
}

static size_t random_ranges(struct country_range *ranges, enum address_family family)
{
        struct address ends[2 * RANGES_MAX];
        size_t count = random_u64() % RANGES_MAX, made = 0;

        for (size_t i = 0; i < 2 * count; i++)
                ends[i] = random_address(family);
        qsort(ends, 2 * count, sizeof ends[0], compare_addresses);
        for (size_t i = 0; i < count; i++) {
                if (made > 0 && address_compare(&ranges[made - 1].range.last, &ends[2 * i]) >= 0)
                        continue;
                ranges[made].range = (struct address_range){ ends[2 * i], ends[2 * i + 1] };
                ranges[made++].code = random_u64() % 5 == 0 ? COUNTRY_UNKNOWN : (country_code)(random_u64() % 4);
        }
        return made;
}

static struct country_rule random_rule(void)
{
        struct country_rule rule = { .mode = (enum country_mode)(random_u64() % 3),
                                     .accept_unknown = random_u64() % 2 };

        for (country_code code = 0; code < 4; code++)
                if (random_u64() % 2)
                        country_set_add(&rule.countries, code);
        return rule;
}

static struct country_policy random_policy(void)
{
        struct country_policy policy = { .lockdown = random_u64() % 2, .judge_local = random_u64() % 3 == 0 };
        struct country_rule rule = random_rule();

        for (size_t i = 0; i < COUNTRY_DIRECTIONS; i++)
                policy.rules[i] = random_rule();
        country_policy_add_port_rule(&policy, 8884, &rule);
        country_policy_add_lockdown_port(&policy, 22);
        for (size_t i = random_u64() % 6; i > 0; i--) {
                enum address_family family = random_u64() % 2 ? ADDRESS_IPV4 : ADDRESS_IPV6;
                unsigned bits = family == ADDRESS_IPV4 ? 32 : 128;
                struct network network = { random_address(family), bits - (unsigned)(random_u64() % 7) };
                network.first.low &= ~UINT64_C(0x7f);
                country_policy_add_exempt(&policy, &network);
        }
        return policy;
}

static country_code linear(const struct table *table, const struct address *address)
{
        for (size_t i = 0; i < table->count; i++)
                if (address_compare(&table->ranges[i].range.first, address) <= 0 &&
                    address_compare(address, &table->ranges[i].range.last) <= 0)
                        return table->ranges[i].code;
        return COUNTRY_UNKNOWN;
}

static bool is_in(const struct address_range *intervals, size_t count, const struct address *address)
{
        for (size_t i = 0; i < count; i++)
                if (address_compare(&intervals[i].first, address) <= 0 &&
                    address_compare(address, &intervals[i].last) <= 0)
                        return true;
        return false;
}

static const struct {
        enum country_direction direction;
        uint16_t port;
} scopes[] = {
        { COUNTRY_INBOUND, 8883 }, { COUNTRY_INBOUND, 8884 }, { COUNTRY_UPLINK, 0 },
        { COUNTRY_ADMIN, 22 },     { COUNTRY_ADMIN, 23 },     { COUNTRY_ADMIN, 0 },
};

static size_t collect(struct address_range *out, const struct country_policy *policy, size_t scope,
                      enum address_family family, struct table *table)
{
        struct country_intervals intervals;
        size_t count = 0;

        country_intervals_start(&intervals, policy, scopes[scope].direction, scopes[scope].port, family,
                                table ? &table->source : NULL);
        while (country_intervals_next(&intervals, &out[count])) {
                assert_true(address_compare(&out[count].first, &out[count].last) <= 0);
                if (count > 0) {
                        struct address behind = out[count - 1].last;
                        assert_true(address_next(&behind));
                        assert_true(address_compare(&behind, &out[count].first) < 0);
                }
                count++;
        }
        assert_false(country_intervals_next(&intervals, &out[count]));
        return count;
}

static void check_address(const struct country_policy *policy, size_t scope, const struct table *table,
                          const struct address_range *intervals, size_t count, struct address address)
{
        country_code code = table ? linear(table, &address) : COUNTRY_NO_DATABASE;
        struct country_answer answer = country_policy_decide(policy, scopes[scope].direction, scopes[scope].port,
                                                             &address, code);

        assert_int_equal(answer.decision.verdict == VERDICT_ALLOW, is_in(intervals, count, &address));
}

static void check_policy(const struct country_policy *policy, size_t scope, enum address_family family,
                         struct table *table)
{
        struct address_range intervals[2 * RANGES_MAX + COUNTRY_EXEMPT_ALL_MAX + 2];
        size_t count = collect(intervals, policy, scope, family, table);

        for (size_t i = 0; i < 30; i++)
                check_address(policy, scope, table, intervals, count, random_address(family));
        for (size_t i = 0; i < count; i++) {
                struct address before = intervals[i].first, behind = intervals[i].last;
                check_address(policy, scope, table, intervals, count, intervals[i].first);
                check_address(policy, scope, table, intervals, count, intervals[i].last);
                if (address_previous(&before))
                        check_address(policy, scope, table, intervals, count, before);
                if (address_next(&behind))
                        check_address(policy, scope, table, intervals, count, behind);
        }
        check_address(policy, scope, table, intervals, count, address_first(family));
        check_address(policy, scope, table, intervals, count, address_last(family));
}

static void test_agrees_with_decide(void **state)
{
        struct country_range ranges[RANGES_MAX];
        (void)state;

        for (size_t round = 0; round < ROUNDS; round++) {
                enum address_family family = round % 2 ? ADDRESS_IPV4 : ADDRESS_IPV6;
                struct table table = { { table_next }, ranges, random_ranges(ranges, family), 0 };
                struct country_policy policy = random_policy();
                size_t scope = random_u64() % (sizeof scopes / sizeof scopes[0]);
                check_policy(&policy, scope, family, round % 10 == 9 ? NULL : &table);
        }
}

static void test_off_is_one_interval(void **state)
{
        struct country_policy policy = { 0 };
        struct address_range intervals[2];
        (void)state;

        assert_int_equal(collect(intervals, &policy, 0, ADDRESS_IPV6, NULL), 1);
        struct address last = address_last(ADDRESS_IPV6);
        assert_true(intervals[0].first.high == 0 && intervals[0].first.low == 0);
        assert_int_equal(address_compare(&intervals[0].last, &last), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_agrees_with_decide),
                cmocka_unit_test(test_off_is_one_interval),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
