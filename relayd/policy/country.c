/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "policy/country.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define V4(a, b)                                                           \
        {                                                                  \
                ADDRESS_IPV4, 0, (UINT64_C(a) << 24) | (UINT64_C(b) << 16) \
        }

static const struct network loopback[] = {
        { V4(127, 0), 8 },
        { { ADDRESS_IPV6, 0, 1 }, 128 },
};
static const struct network local[] = {
        { V4(10, 0), 8 },
        { V4(169, 254), 16 },
        { V4(172, 16), 12 },
        { V4(192, 168), 16 },
        { { ADDRESS_IPV6, UINT64_C(0xfc00) << 48, 0 }, 7 },
        { { ADDRESS_IPV6, UINT64_C(0xfe80) << 48, 0 }, 10 },
};
_Static_assert(COUNT(loopback) + COUNT(local) + COUNTRY_EXEMPT_MAX <= COUNTRY_EXEMPT_ALL_MAX, "room for all");

static const char *const direction_names[COUNTRY_DIRECTIONS] = { "inbound", "uplink", "admin" };

const char *country_direction_name(enum country_direction direction)
{
        return direction < COUNTRY_DIRECTIONS ? direction_names[direction] : "none";
}

enum country_direction country_direction_from_name(const char *name)
{
        for (size_t i = 0; i < COUNTRY_DIRECTIONS; i++)
                if (strcmp(direction_names[i], name) == 0)
                        return (enum country_direction)i;
        return COUNTRY_DIRECTIONS;
}

struct decision country_rule_decide(const struct country_rule *rule, country_code country)
{
        if (rule->mode == COUNTRY_OFF)
                return DECISION_ALLOW;
        if (country == COUNTRY_NO_DATABASE)
                return DECISION_DENY(REASON_NO_COUNTRY_DATABASE);
        if (country >= COUNTRY_CODES)
                return rule->accept_unknown ? DECISION_ALLOW : DECISION_DENY(REASON_UNKNOWN_COUNTRY);
        return country_set_has(&rule->countries, country) == (rule->mode == COUNTRY_ALLOW)
                       ? DECISION_ALLOW
                       : DECISION_DENY(REASON_COUNTRY);
}

static bool port_is_open(const struct country_policy *policy, uint16_t port)
{
        for (size_t i = 0; i < policy->lockdown_port_count; i++)
                if (policy->lockdown_ports[i] == port)
                        return true;
        return false;
}

struct country_scope country_policy_scope(const struct country_policy *policy, enum country_direction direction,
                                          uint16_t port)
{
        if (direction >= COUNTRY_DIRECTIONS)
                return (struct country_scope){ NULL, true, 0 };
        if (direction == COUNTRY_ADMIN && !policy->lockdown)
                return (struct country_scope){ NULL, false, 0 };
        if (direction == COUNTRY_ADMIN && port != 0 && !port_is_open(policy, port))
                return (struct country_scope){ NULL, true, port };
        if (direction == COUNTRY_INBOUND && port != 0)
                for (size_t i = 0; i < policy->port_rule_count; i++)
                        if (policy->port_rules[i].port == port)
                                return (struct country_scope){ &policy->port_rules[i].rule, false, port };
        return (struct country_scope){ &policy->rules[direction], false, 0 };
}

static const struct network *find(const struct network *networks, size_t count, const struct address *address)
{
        for (size_t i = 0; i < count; i++)
                if (network_contains(&networks[i], address))
                        return &networks[i];
        return NULL;
}

const struct network *country_policy_exempt(const struct country_policy *policy, const struct country_scope *scope,
                                            const struct address *address, enum country_deciding *by)
{
        const struct {
                const struct network *networks;
                size_t count;
                enum country_deciding by;
        } lists[] = {
                { loopback, COUNT(loopback), COUNTRY_BY_LOOPBACK },
                { local, policy->judge_local || scope->closed ? 0 : COUNT(local), COUNTRY_BY_LOCAL },
                { policy->exempt, scope->closed ? 0 : policy->exempt_count, COUNTRY_BY_EXEMPT },
        };

        for (size_t i = 0; i < COUNT(lists); i++) {
                const struct network *found = find(lists[i].networks, lists[i].count, address);
                if (found) {
                        *by = lists[i].by;
                        return found;
                }
        }
        return NULL;
}

static size_t add_family(const struct network **out, size_t at, enum address_family family,
                         const struct network *networks, size_t count)
{
        for (size_t i = 0; i < count && at < COUNTRY_EXEMPT_ALL_MAX; i++)
                if (networks[i].first.family == family)
                        out[at++] = &networks[i];
        return at;
}

size_t country_policy_exempt_list(const struct country_policy *policy, const struct country_scope *scope,
                                  enum address_family family, const struct network **out)
{
        size_t count = add_family(out, 0, family, loopback, COUNT(loopback));

        if (scope->closed)
                return count;
        if (!policy->judge_local)
                count = add_family(out, count, family, local, COUNT(local));
        return add_family(out, count, family, policy->exempt, policy->exempt_count);
}

static enum country_deciding deciding_line(const struct country_rule *rule, country_code country)
{
        if (rule->mode == COUNTRY_OFF)
                return COUNTRY_BY_OFF;
        if (country == COUNTRY_NO_DATABASE)
                return COUNTRY_BY_NO_DATABASE;
        return country >= COUNTRY_CODES ? COUNTRY_BY_UNKNOWN : COUNTRY_BY_LIST;
}

struct country_answer country_policy_decide(const struct country_policy *policy, enum country_direction direction,
                                            uint16_t port, const struct address *address, country_code country)
{
        struct country_scope scope = country_policy_scope(policy, direction, port);
        struct country_answer answer = { .direction = direction, .country = country, .port = scope.port };
        const struct network *network = country_policy_exempt(policy, &scope, address, &answer.by);

        /* without lockdown nobody asks which networks would be exempt from it */
        if (network && (scope.rule || scope.closed || answer.by == COUNTRY_BY_LOOPBACK)) {
                answer.network = *network;
                answer.decision = DECISION_ALLOW;
        } else if (scope.closed) {
                answer.by = COUNTRY_BY_CLOSED_PORT;
                answer.decision = DECISION_DENY(REASON_CLOSED_PORT);
        } else if (!scope.rule) {
                answer.by = COUNTRY_BY_NO_LOCKDOWN;
                answer.decision = DECISION_ALLOW;
        } else {
                answer.by = deciding_line(scope.rule, country);
                answer.mode = scope.rule->mode;
                answer.decision = country_rule_decide(scope.rule, country);
        }
        return answer;
}

static const char *list_word(const struct country_answer *answer)
{
        if (answer->mode == COUNTRY_ALLOW)
                return answer->decision.verdict == VERDICT_ALLOW ? "allow" : "not-allowed";
        return answer->decision.verdict == VERDICT_ALLOW ? "not-denied" : "deny";
}

const char *country_answer_key(const struct country_answer *answer, char out[COUNTRY_KEY_MAX])
{
        char where[16], network[NETWORK_TEXT_SIZE], code[COUNTRY_TEXT_SIZE];

        snprintf(where, sizeof where, "%s", country_direction_name(answer->direction));
        if (answer->port != 0 && answer->by != COUNTRY_BY_CLOSED_PORT)
                snprintf(where, sizeof where, "port-%u", answer->port);
        switch (answer->by) {
        case COUNTRY_BY_LOOPBACK:
                snprintf(out, COUNTRY_KEY_MAX, "loopback:%s", network_format(&answer->network, network));
                break;
        case COUNTRY_BY_LOCAL:
                snprintf(out, COUNTRY_KEY_MAX, "local:%s", network_format(&answer->network, network));
                break;
        case COUNTRY_BY_EXEMPT:
                snprintf(out, COUNTRY_KEY_MAX, "exempt:%s", network_format(&answer->network, network));
                break;
        case COUNTRY_BY_NO_LOCKDOWN:
                snprintf(out, COUNTRY_KEY_MAX, "%s:no-lockdown", where);
                break;
        case COUNTRY_BY_CLOSED_PORT:
                snprintf(out, COUNTRY_KEY_MAX, "%s:closed-port-%u", where, answer->port);
                break;
        case COUNTRY_BY_OFF:
                snprintf(out, COUNTRY_KEY_MAX, "%s:off", where);
                break;
        case COUNTRY_BY_NO_DATABASE:
                snprintf(out, COUNTRY_KEY_MAX, "%s:no-database", where);
                break;
        case COUNTRY_BY_UNKNOWN:
                snprintf(out, COUNTRY_KEY_MAX, "%s:unknown", where);
                break;
        case COUNTRY_BY_LIST:
                snprintf(out, COUNTRY_KEY_MAX, "%s:%s:%s", where, list_word(answer),
                         country_code_text(answer->country, code));
                break;
        }
        return out;
}
