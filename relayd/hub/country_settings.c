/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A country policy as names and values; see country_settings.h. */

#include "hub/country_settings.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_SIZE 24

static int wrong(char *error, const char *format, ...) __attribute__((format(printf, 2, 3)));
static int wrong(char *error, const char *format, ...)
{
        va_list arguments;

        va_start(arguments, format);
        vsnprintf(error, COUNTRY_ERROR_MAX, format, arguments);
        va_end(arguments);
        return -EINVAL;
}

/* 1 to 65535, decimal digits only; 0: none of them */
static uint16_t parse_port(const char *text)
{
        unsigned long port;
        char *end;

        if (*text < '1' || *text > '9' || strlen(text) > 5)
                return 0;
        port = strtoul(text, &end, 10);
        return *end || port > UINT16_MAX ? 0 : (uint16_t)port;
}

/* ---- one setting each */
static int set_rule(struct country_policy *policy, const char *name, const char *value, char *error)
{
        return country_rule_parse(&policy->rules[country_direction_from_name(name)], value, error);
}

static bool remove_port_rule(struct country_policy *policy, uint16_t port)
{
        for (size_t i = 0; i < policy->port_rule_count; i++)
                if (policy->port_rules[i].port == port) {
                        policy->port_rule_count--;
                        memmove(&policy->port_rules[i], &policy->port_rules[i + 1],
                                (policy->port_rule_count - i) * sizeof(policy->port_rules[0]));
                        return true;
                }
        return false;
}

static int set_port(struct country_policy *policy, const char *name, const char *value, char *error)
{
        uint16_t port = parse_port(name + strlen("port "));
        struct country_rule rule;
        int result;

        if (port == 0)
                return wrong(error, "\"%.40s\": a port from 1 to 65535 is needed", name);
        if (!*value)
                return remove_port_rule(policy, port) ? 0 : wrong(error, "port %u has no rule of its own", port);
        result = country_rule_parse(&rule, value, error);
        if (result < 0)
                return result;
        if (country_policy_add_port_rule(policy, port, &rule) == -ENOSPC)
                return wrong(error, "port %u: there are %d ports with rules already; take one away first", port,
                             COUNTRY_PORT_RULES_MAX);
        return 0;
}

static bool remove_exempt(struct country_policy *policy, const struct network *network)
{
        for (size_t i = 0; i < policy->exempt_count; i++)
                if (policy->exempt[i].prefix == network->prefix &&
                    address_compare(&policy->exempt[i].first, &network->first) == 0) {
                        policy->exempt_count--;
                        memmove(&policy->exempt[i], &policy->exempt[i + 1],
                                (policy->exempt_count - i) * sizeof(policy->exempt[0]));
                        return true;
                }
        return false;
}

static int set_exempt(struct country_policy *policy, const char *name, const char *value, char *error)
{
        char meant[NETWORK_TEXT_SIZE];
        struct network network;
        int result = *value ? network_parse(&network, value + 1) : -EINVAL;

        (void)name;
        if (result == -ERANGE)
                return wrong(error, "exempt %.60s: bits are set behind the prefix; is %s meant?", value + 1,
                             network_format(&network, meant));
        if (result < 0 || (*value != '+' && *value != '-'))
                return wrong(error, "exempt %.60s: + or - and a network are needed (203.0.113.0/24, 2001:db8::/32)",
                             value);
        if (*value == '-')
                return remove_exempt(policy, &network)
                               ? 0
                               : wrong(error, "exempt: %.60s is not in the list ('relayctl country show')", value + 1);
        if (country_policy_add_exempt(policy, &network) == -ENOSPC)
                return wrong(error, "exempt %.60s: there are %d networks already; take one away first", value,
                             COUNTRY_EXEMPT_MAX);
        return 0;
}

static int set_word(bool *out, const char *name, const char *value, const char *yes, const char *no, char *error)
{
        if (strcmp(value, yes) != 0 && strcmp(value, no) != 0)
                return wrong(error, "%s = \"%.40s\": allowed are %s and %s", name, value, no, yes);
        *out = strcmp(value, yes) == 0;
        return 0;
}

static int set_local(struct country_policy *policy, const char *name, const char *value, char *error)
{
        return set_word(&policy->judge_local, name, value, "judge", "exempt", error);
}

static int set_lockdown(struct country_policy *policy, const char *name, const char *value, char *error)
{
        return set_word(&policy->lockdown, name, value, "on", "off", error);
}

static bool close_port(struct country_policy *policy, uint16_t port)
{
        for (size_t i = 0; i < policy->lockdown_port_count; i++)
                if (policy->lockdown_ports[i] == port) {
                        policy->lockdown_port_count--;
                        memmove(&policy->lockdown_ports[i], &policy->lockdown_ports[i + 1],
                                (policy->lockdown_port_count - i) * sizeof(policy->lockdown_ports[0]));
                        return true;
                }
        return false;
}

static int set_open(struct country_policy *policy, const char *name, const char *value, char *error)
{
        uint16_t port = *value ? parse_port(value + 1) : 0;

        (void)name;
        if (port == 0 || (*value != '+' && *value != '-'))
                return wrong(error, "open %.40s: + or - and a port from 1 to 65535 are needed", value);
        if (*value == '-')
                return close_port(policy, port) ? 0 : wrong(error, "open: port %u is not in the list", port);
        if (country_policy_add_lockdown_port(policy, port) == -ENOSPC)
                return wrong(error, "open %u: there are %d ports already; take one away first", port,
                             COUNTRY_PORTS_MAX);
        return 0;
}

/* ---- the table */
static const struct setting {
        const char *name;
        bool is_prefix;
        int (*apply)(struct country_policy *policy, const char *name, const char *value, char *error);
} settings[] = {
        { "inbound", false, set_rule }, { "uplink", false, set_rule },       { "admin", false, set_rule },
        { "port ", true, set_port },    { "exempt", false, set_exempt },     { "local", false, set_local },
        { "open", false, set_open },    { "lockdown", false, set_lockdown },
};

int country_settings_apply(struct country_policy *policy, const char *name, const char *value, char *error)
{
        for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
                if (settings[i].is_prefix ? strncmp(name, settings[i].name, strlen(settings[i].name)) == 0
                                          : strcmp(name, settings[i].name) == 0)
                        return settings[i].apply(policy, name, value, error);
        return wrong(error,
                     "\"%.40s\" is no setting of a country policy; there are inbound, uplink, admin, port N, "
                     "exempt, local, open and lockdown",
                     name);
}

/* ---- the way back */
struct walk {
        int (*fn)(void *context, const char *name, const char *value);
        void *context;
        int result;
};

static void tell(struct walk *walk, const char *name, const char *value)
{
        if (walk->result == 0)
                walk->result = walk->fn(walk->context, name, value);
}

static void tell_rule(struct walk *walk, const char *name, const struct country_rule *rule)
{
        char text[COUNTRY_RULE_TEXT_MAX];

        tell(walk, name, country_rule_format(rule, text));
}

int country_settings_walk(const struct country_policy *policy,
                          int (*fn)(void *context, const char *name, const char *value), void *context)
{
        struct walk walk = { .fn = fn, .context = context };
        char network[NETWORK_TEXT_SIZE], text[NAME_SIZE];

        for (enum country_direction i = 0; i < COUNTRY_DIRECTIONS; i++)
                tell_rule(&walk, country_direction_name(i), &policy->rules[i]);
        for (size_t i = 0; i < policy->port_rule_count; i++) {
                snprintf(text, sizeof(text), "port %u", policy->port_rules[i].port);
                tell_rule(&walk, text, &policy->port_rules[i].rule);
        }
        for (size_t i = 0; i < policy->exempt_count; i++)
                tell(&walk, "exempt", network_format(&policy->exempt[i], network));
        tell(&walk, "local", policy->judge_local ? "judge" : "exempt");
        tell(&walk, "lockdown", policy->lockdown ? "on" : "off");
        for (size_t i = 0; i < policy->lockdown_port_count; i++) {
                snprintf(text, sizeof(text), "%u", policy->lockdown_ports[i]);
                tell(&walk, "open", text);
        }
        return walk.result;
}
