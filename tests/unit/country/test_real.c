/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Debian's tor-geoipdb as it is: every end of a range and 100,000 random addresses, looked up and judged. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "database.h"

#define TOR4    "/usr/share/tor/geoip"
#define TOR6    "/usr/share/tor/geoip6"
#define RANDOMS 100000

struct truth {
        struct country_range *ranges;
        size_t count;
        enum address_family family;
};

static struct truth truths[2];
static struct country *country;

static uint64_t random_state = 88172645463325252u;

static uint64_t random_u64(void)
{
        random_state ^= random_state << 13;
        random_state ^= random_state >> 7;
        random_state ^= random_state << 17;
        return random_state;
}

/* Reads the text in another way than the code under test does. */
static void read_truth(struct truth *truth, const char *path, enum address_family family)
{
        _cleanup_fclose_ FILE *in = fopen(path, "re");
        char line[256], first[64], last[64], code[4];

        truth->family = family;
        truth->ranges = calloc(500000, sizeof *truth->ranges);
        while (in && truth->ranges && fgets(line, sizeof line, in)) {
                struct country_range *range = &truth->ranges[truth->count];
                if (sscanf(line, "%63[0-9a-fA-F:],%63[0-9a-fA-F:],%3s", first, last, code) != 3)
                        continue;
                if (family == ADDRESS_IPV4)
                        range->range = range4((uint32_t)strtoul(first, NULL, 10), (uint32_t)strtoul(last, NULL, 10));
                else if (!address_parse(&range->range.first, first) || !address_parse(&range->range.last, last))
                        continue;
                range->code = country_code_from_letters(code[0], code[1]);
                truth->count++;
        }
}

static country_code true_code(const struct truth *truth, const struct address *address)
{
        size_t from = 0, to = truth->count;

        while (from < to) {
                size_t middle = (from + to) / 2;
                if (address_compare(&truth->ranges[middle].range.last, address) < 0)
                        from = middle + 1;
                else
                        to = middle;
        }
        bool in = from < truth->count && address_compare(&truth->ranges[from].range.first, address) <= 0;
        return in ? truth->ranges[from].code : COUNTRY_UNKNOWN;
}

static int setup(void **state)
{
        _cleanup_(country_build_freep) struct country_build *build = NULL;
        _cleanup_free_ uint8_t *data = NULL;
        _cleanup_fclose_ FILE *v4 = fopen(TOR4, "re"), *v6 = fopen(TOR6, "re");
        struct country_info info = { .source = "tor-geoipdb" };
        size_t size;
        (void)state;

        if (!v4 || !v6)
                return 0; /* not installed: the tests are skipped */
        read_truth(&truths[0], TOR4, ADDRESS_IPV4);
        read_truth(&truths[1], TOR6, ADDRESS_IPV6);
        if (country_build_new(&build) < 0 || country_read_tor(build, v4, TOR4, ADDRESS_IPV4, &info.date, NULL) < 0 ||
            country_read_tor(build, v6, TOR6, ADDRESS_IPV6, &info.date, NULL) < 0 ||
            country_build_image(build, &info, &data, &size, NULL) < 0)
                return -1;
        return open_bytes(&country, data, size, NULL);
}

static int teardown(void **state)
{
        (void)state;
        country = country_free(country);
        free(truths[0].ranges);
        free(truths[1].ranges);
        return 0;
}

/* half of them anywhere, half of them in a range that has a country */
static struct address random_address(const struct truth *truth)
{
        const struct address_range *range = &truth->ranges[random_u64() % truth->count].range;
        struct address address = { truth->family, random_u64(), random_u64() };
        uint64_t span = range->last.high - range->first.high;

        if (truth->family == ADDRESS_IPV4) {
                uint64_t spread = address.low % (range->last.low - range->first.low + 1);
                return (struct address){ ADDRESS_IPV4, 0,
                                         address.high % 2 ? address.low & UINT32_MAX : range->first.low + spread };
        }
        if (address.low % 2)
                return address;
        address.high = range->first.high + (span ? address.high % span : 0);
        if (span == 0)
                address.low = range->first.low;
        return address;
}

/* Calls check for both sides of both ends of every range (or every nth), and for random addresses. */
static void for_all(const struct truth *truth, size_t every,
                    void (*check)(const struct truth *, const struct address *, void *), void *context)
{
        for (size_t i = 0; i < truth->count; i += every) {
                struct address at[4] = { truth->ranges[i].range.first, truth->ranges[i].range.first,
                                         truth->ranges[i].range.last, truth->ranges[i].range.last };
                address_previous(&at[0]);
                address_next(&at[3]);
                for (size_t n = 0; n < 4; n++)
                        check(truth, &at[n], context);
        }
        for (size_t i = 0; i < RANDOMS; i++) {
                struct address address = random_address(truth);
                check(truth, &address, context);
        }
}

static void check_lookup(const struct truth *truth, const struct address *address, void *context)
{
        (void)context;
        if (country_lookup(country, address) != true_code(truth, address))
                assert_int_equal(country_lookup(country, address), true_code(truth, address));
}

static void test_lookups(void **state)
{
        (void)state;
        if (!country)
                skip();
        for_all(&truths[0], 1, check_lookup, NULL);
        for_all(&truths[1], 1, check_lookup, NULL);
}

struct allowed {
        const struct country_policy *policy;
        struct address_range *intervals;
        size_t count;
};

static size_t collect(struct allowed *allowed, const struct country_policy *policy, enum address_family family)
{
        struct country_intervals intervals;
        struct country_walk walk;

        allowed->policy = policy;
        allowed->count = 0;
        country_walk_start(&walk, country, family);
        country_intervals_start(&intervals, policy, COUNTRY_INBOUND, 0, family, &walk.source);
        while (country_intervals_next(&intervals, &allowed->intervals[allowed->count]))
                allowed->count++;
        return allowed->count;
}

static void check_decision(const struct truth *truth, const struct address *address, void *context)
{
        const struct allowed *allowed = context;
        size_t from = 0, to = allowed->count;
        struct country_answer answer = country_policy_decide(allowed->policy, COUNTRY_INBOUND, 0, address,
                                                             true_code(truth, address));

        while (from < to) {
                size_t middle = (from + to) / 2;
                if (address_compare(&allowed->intervals[middle].last, address) < 0)
                        from = middle + 1;
                else
                        to = middle;
        }
        bool in = from < allowed->count && address_compare(&allowed->intervals[from].first, address) <= 0;
        if (in != (answer.decision.verdict == VERDICT_ALLOW))
                assert_int_equal(in, answer.decision.verdict == VERDICT_ALLOW);
}

static void test_intervals(void **state)
{
        static const char *const rules[] = { "allow EU", "deny FI", "allow FI", "deny US CN RU unknown=refuse",
                                             "allow EU unknown=accept" };
        struct country_policy policy = { 0 };
        struct network network;
        (void)state;

        if (!country)
                skip();
        struct allowed allowed = { .intervals = calloc(500000, sizeof *allowed.intervals) };
        assert_non_null(allowed.intervals);
        assert_int_equal(network_parse(&network, "8.8.0.0/16"), 0);
        assert_int_equal(country_policy_add_exempt(&policy, &network), 0);
        assert_int_equal(network_parse(&network, "2a00:1450::/32"), 0);
        assert_int_equal(country_policy_add_exempt(&policy, &network), 0);
        for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
                assert_int_equal(country_rule_parse(&policy.rules[COUNTRY_INBOUND], rules[i], NULL), 0);
                for (size_t family = 0; family < 2; family++) {
                        collect(&allowed, &policy, truths[family].family);
                        for_all(&truths[family], 7, check_decision, &allowed);
                }
        }
        free(allowed.intervals);
}

/* Neighbours are merged: far fewer intervals than the EU has ranges. */
static void test_merged(void **state)
{
        struct country_policy policy = { .judge_local = true };
        (void)state;

        if (!country)
                skip();
        struct allowed allowed = { .intervals = calloc(500000, sizeof *allowed.intervals) };
        assert_non_null(allowed.intervals);
        assert_int_equal(country_rule_parse(&policy.rules[COUNTRY_INBOUND], "allow EU", NULL), 0);
        size_t eu = collect(&allowed, &policy, ADDRESS_IPV4), members = 0;
        for (size_t i = 0; i < truths[0].count; i++)
                members += country_set_has(&policy.rules[COUNTRY_INBOUND].countries, truths[0].ranges[i].code);
        assert_int_equal(country_rule_parse(&policy.rules[COUNTRY_INBOUND], "deny FI", NULL), 0);
        size_t but_one = collect(&allowed, &policy, ADDRESS_IPV4);
        policy.rules[COUNTRY_INBOUND].accept_unknown = false;
        size_t known = collect(&allowed, &policy, ADDRESS_IPV4);
        print_message("# EU: %zu ranges, %zu intervals; all but FI: %zu, and but unknown ones: %zu\n", members, eu,
                      but_one, known);
        assert_true(eu < members / 2 && but_one < truths[0].count / 20);
        free(allowed.intervals);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_lookups),
                cmocka_unit_test(test_intervals),
                cmocka_unit_test(test_merged),
        };
        return cmocka_run_group_tests(tests, setup, teardown);
}
