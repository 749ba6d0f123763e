/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loads a country rule into this network namespace, and optionally changes it, as relay-guardd does.
 *
 * usage: country-load DATABASE RULE [RULE]        prints one line of JSON for each; DATABASE "-": none
 *        country-load --decide DATABASE RULE      reads addresses, prints 1 or 0 for each: may it connect?
 */
#include <stdio.h>
#include <string.h>

#include "guard/engine.h"

static unsigned long peak_kib(void)
{
        _cleanup_fclose_ FILE *status = fopen("/proc/self/status", "re");
        char line[256];
        unsigned long peak = 0;

        while (status && fgets(line, sizeof(line), status))
                if (sscanf(line, "VmHWM: %lu", &peak) == 1)
                        break;
        return peak;
}

/* The hub's way to the answer: one address at a time. */
static int decide_all(const struct country *country, const struct country_policy *policy)
{
        char line[ADDRESS_TEXT_SIZE + 1];

        while (fgets(line, sizeof(line), stdin)) {
                struct address address;

                line[strcspn(line, "\n")] = '\0';
                if (!address_parse(&address, line))
                        return -EINVAL;
                struct country_answer answer = country_policy_decide(policy, COUNTRY_INBOUND, 0, &address,
                                                                     country_lookup(country, &address));
                puts(answer.decision.verdict == VERDICT_ALLOW ? "1" : "0");
        }
        return 0;
}

static int load(struct engine *engine, const struct ruleset_options *options, const struct country *country,
                const struct country_policy *policy)
{
        struct ruleset wanted = { options, policy, country, false };
        struct engine_result result;
        char sentence[300];

        int r = engine_apply(engine, &wanted, &result);
        if (r < 0) {
                fprintf(stderr, "%s\n", nf_failure_text(r, &result.failure, sentence, sizeof(sentence)));
                return r;
        }
        printf("{\"microseconds\":%llu,\"kernel_microseconds\":%llu,\"bytes\":%llu,\"intervals4\":%u,\"intervals6\":%u,"
               "\"added\":%u,\"deleted\":%u,\"replaced\":%s,\"peak_kib\":%lu}\n",
               (unsigned long long)result.microseconds, (unsigned long long)result.kernel_microseconds,
               (unsigned long long)result.bytes, result.counts.intervals4, result.counts.intervals6,
               result.counts.added, result.counts.deleted, result.replaced ? "true" : "false", peak_kib());
        return 0;
}

static int load_all(const struct country *country, char **rules, int count)
{
        static const struct ruleset_options options = { .ports = { 8883 }, .port_count = 1, .log_group = 8883 };
        _cleanup_(nf_socket_freep) struct nf_socket *kernel = NULL;
        _cleanup_(engine_freep) struct engine *engine = NULL;
        char error[COUNTRY_ERROR_MAX];

        int r = nf_socket_new(&kernel);
        if (r == 0)
                r = engine_new(&engine, nf_socket_transport(kernel));
        for (int i = 0; r == 0 && i < count; i++) {
                struct country_policy policy = { 0 };
                r = country_rule_parse(&policy.rules[COUNTRY_INBOUND], rules[i], error);
                if (r < 0)
                        fprintf(stderr, "%s\n", error);
                else
                        r = load(engine, &options, country, &policy);
        }
        return r;
}

int main(int argc, char **argv)
{
        _cleanup_(country_freep) struct country *country = NULL;
        struct country_policy policy = { 0 };
        char error[COUNTRY_ERROR_MAX] = "";
        bool decide = argc == 4 && strcmp(argv[1], "--decide") == 0;

        if (argc < 3 || argc > 4)
                return 2;
        int r = strcmp(argv[1], "-") == 0 ? 0 : country_open(&country, argv[decide ? 2 : 1], error);
        if (r == 0 && decide)
                r = country_rule_parse(&policy.rules[COUNTRY_INBOUND], argv[3], error);
        if (r < 0) {
                fprintf(stderr, "%s\n", error);
                return 1;
        }
        r = decide ? decide_all(country, &policy) : load_all(country, argv + 2, argc - 2);
        return r < 0 ? 1 : 0;
}
