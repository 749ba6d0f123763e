/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A country policy as a value: lists kept in order, validity, and the record. */

#include <errno.h>
#include <string.h>

#include "policy/country.h"
#include "relay/cbor.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define SET_BYTES    ((COUNTRY_CODES + 7) / 8)

static int compare_networks(const struct network *a, const struct network *b)
{
        int order = address_compare(&a->first, &b->first);

        return order ? order : a->prefix < b->prefix ? -1 : a->prefix > b->prefix;
}

int country_policy_add_exempt(struct country_policy *policy, const struct network *network)
{
        size_t at = 0;

        if (!network_is_valid(network))
                return -EINVAL;
        while (at < policy->exempt_count && compare_networks(&policy->exempt[at], network) < 0)
                at++;
        if (at < policy->exempt_count && compare_networks(&policy->exempt[at], network) == 0)
                return -EEXIST;
        if (policy->exempt_count == COUNTRY_EXEMPT_MAX)
                return -ENOSPC;
        memmove(&policy->exempt[at + 1], &policy->exempt[at], (policy->exempt_count - at) * sizeof *network);
        policy->exempt[at] = *network;
        policy->exempt_count++;
        return 0;
}

int country_policy_add_port_rule(struct country_policy *policy, uint16_t port, const struct country_rule *rule)
{
        struct country_port_rule *rules = policy->port_rules;
        size_t at = 0;

        if (port == 0)
                return -EINVAL;
        while (at < policy->port_rule_count && rules[at].port < port)
                at++;
        if (at < policy->port_rule_count && rules[at].port == port) {
                rules[at].rule = *rule;
                return -EEXIST;
        }
        if (policy->port_rule_count == COUNTRY_PORT_RULES_MAX)
                return -ENOSPC;
        memmove(&rules[at + 1], &rules[at], (policy->port_rule_count - at) * sizeof *rules);
        rules[at] = (struct country_port_rule){ port, *rule };
        policy->port_rule_count++;
        return 0;
}

int country_policy_add_lockdown_port(struct country_policy *policy, uint16_t port)
{
        uint16_t *ports = policy->lockdown_ports;
        size_t at = 0;

        if (port == 0)
                return -EINVAL;
        while (at < policy->lockdown_port_count && ports[at] < port)
                at++;
        if (at < policy->lockdown_port_count && ports[at] == port)
                return -EEXIST;
        if (policy->lockdown_port_count == COUNTRY_PORTS_MAX)
                return -ENOSPC;
        memmove(&ports[at + 1], &ports[at], (policy->lockdown_port_count - at) * sizeof *ports);
        ports[at] = port;
        policy->lockdown_port_count++;
        return 0;
}

static bool rule_is_valid(const struct country_rule *rule)
{
        uint64_t beyond = rule->countries.bits[COUNT(rule->countries.bits) - 1] >> COUNTRY_CODES % 64;

        return (rule->mode == COUNTRY_OFF || rule->mode == COUNTRY_ALLOW || rule->mode == COUNTRY_DENY) && beyond == 0;
}

static bool exempt_is_valid(const struct country_policy *policy)
{
        if (policy->exempt_count > COUNTRY_EXEMPT_MAX)
                return false;
        for (size_t i = 0; i < policy->exempt_count; i++)
                if (!network_is_valid(&policy->exempt[i]) ||
                    (i > 0 && compare_networks(&policy->exempt[i - 1], &policy->exempt[i]) >= 0))
                        return false;
        return true;
}

bool country_policy_is_valid(const struct country_policy *policy)
{
        uint16_t before = 0;

        for (size_t i = 0; i < COUNTRY_DIRECTIONS; i++)
                if (!rule_is_valid(&policy->rules[i]))
                        return false;
        if (policy->port_rule_count > COUNTRY_PORT_RULES_MAX || policy->lockdown_port_count > COUNTRY_PORTS_MAX)
                return false;
        for (size_t i = 0; i < policy->port_rule_count; before = policy->port_rules[i++].port)
                if (policy->port_rules[i].port <= before || !rule_is_valid(&policy->port_rules[i].rule))
                        return false;
        before = 0;
        for (size_t i = 0; i < policy->lockdown_port_count; before = policy->lockdown_ports[i++])
                if (policy->lockdown_ports[i] <= before)
                        return false;
        return exempt_is_valid(policy);
}

bool country_policy_equal(const struct country_policy *a, const struct country_policy *b)
{
        uint8_t left[COUNTRY_RECORD_MAX], right[COUNTRY_RECORD_MAX];
        size_t left_size, right_size;

        return country_policy_encode(a, left, sizeof left, &left_size) == 0 &&
               country_policy_encode(b, right, sizeof right, &right_size) == 0 &&
               span_equal(span_of(left, left_size), span_of(right, right_size));
}

static void put_rule(struct writer *w, const struct country_rule *rule)
{
        uint8_t bytes[SET_BYTES];
        size_t size = SET_BYTES;

        for (size_t i = 0; i < SET_BYTES; i++)
                bytes[i] = (uint8_t)(rule->countries.bits[i / 8] >> i % 8 * 8);
        while (size > 0 && bytes[size - 1] == 0)
                size--;
        cbor_put_array(w, 3);
        cbor_put_uint(w, rule->mode);
        cbor_put_bool(w, rule->accept_unknown);
        cbor_put_bstr(w, span_of(bytes, size));
}

static void put_exempt(struct writer *w, const struct network *network)
{
        uint8_t bytes[16];
        size_t size = address_to_bytes(&network->first, bytes);

        cbor_put_array(w, 2);
        cbor_put_bstr(w, span_of(bytes, size));
        cbor_put_uint(w, network->prefix);
}

int country_policy_encode(const struct country_policy *policy, void *out, size_t out_size, size_t *size)
{
        struct writer w;

        if (!country_policy_is_valid(policy))
                return RELAY_E_RANGE;
        writer_init(&w, out, out_size);
        cbor_put_map(&w, 7);
        cbor_put_uint(&w, 0);
        cbor_put_uint(&w, 1);
        cbor_put_uint(&w, 1);
        cbor_put_array(&w, COUNTRY_DIRECTIONS);
        for (size_t i = 0; i < COUNTRY_DIRECTIONS; i++)
                put_rule(&w, &policy->rules[i]);
        cbor_put_uint(&w, 2);
        cbor_put_array(&w, policy->exempt_count);
        for (size_t i = 0; i < policy->exempt_count; i++)
                put_exempt(&w, &policy->exempt[i]);
        cbor_put_uint(&w, 3);
        cbor_put_array(&w, policy->port_rule_count);
        for (size_t i = 0; i < policy->port_rule_count; i++) {
                cbor_put_array(&w, 2);
                cbor_put_uint(&w, policy->port_rules[i].port);
                put_rule(&w, &policy->port_rules[i].rule);
        }
        cbor_put_uint(&w, 4);
        cbor_put_bool(&w, policy->lockdown);
        cbor_put_uint(&w, 5);
        cbor_put_array(&w, policy->lockdown_port_count);
        for (size_t i = 0; i < policy->lockdown_port_count; i++)
                cbor_put_uint(&w, policy->lockdown_ports[i]);
        cbor_put_uint(&w, 6);
        cbor_put_bool(&w, policy->judge_local);
        int r = writer_finish(&w);
        if (r == RELAY_OK)
                *size = writer_needed(&w);
        return r;
}

/* A list's head: at most max entries. */
static size_t get_count(struct reader *r, size_t max)
{
        size_t count = cbor_get_array(r);

        if (count <= max)
                return count;
        reader_fail(r, RELAY_E_RANGE);
        return 0;
}

static void expect_array(struct reader *r, size_t items)
{
        if (cbor_get_array(r) != items)
                reader_fail(r, RELAY_E_MALFORMED);
}

static void get_rule(struct reader *r, struct country_rule *rule)
{
        expect_array(r, 3);
        rule->mode = (enum country_mode)cbor_get_uint_max(r, COUNTRY_DENY);
        rule->accept_unknown = cbor_get_bool(r);
        struct span bytes = cbor_get_bstr(r);
        if (bytes.size > SET_BYTES || (bytes.size > 0 && bytes.data[bytes.size - 1] == 0)) {
                reader_fail(r, RELAY_E_RANGE);
                return;
        }
        for (size_t i = 0; i < bytes.size; i++)
                rule->countries.bits[i / 8] |= (uint64_t)bytes.data[i] << i % 8 * 8;
}

static void get_rules(struct reader *r, struct country_policy *policy)
{
        expect_array(r, COUNTRY_DIRECTIONS);
        for (size_t i = 0; i < COUNTRY_DIRECTIONS; i++)
                get_rule(r, &policy->rules[i]);
}

static void get_exempt(struct reader *r, struct country_policy *policy)
{
        policy->exempt_count = get_count(r, COUNTRY_EXEMPT_MAX);
        for (size_t i = 0; i < policy->exempt_count; i++) {
                expect_array(r, 2);
                struct span bytes = cbor_get_bstr(r);
                /* a mapped address would become IPv4 here, and the record would not be the only one of its policy */
                if (!address_from_bytes(&policy->exempt[i].first, bytes) ||
                    (bytes.size == 16) != (policy->exempt[i].first.family == ADDRESS_IPV6))
                        reader_fail(r, RELAY_E_RANGE);
                policy->exempt[i].prefix = (unsigned)cbor_get_uint_max(r, 128);
        }
}

static void get_port_rules(struct reader *r, struct country_policy *policy)
{
        policy->port_rule_count = get_count(r, COUNTRY_PORT_RULES_MAX);
        for (size_t i = 0; i < policy->port_rule_count; i++) {
                expect_array(r, 2);
                policy->port_rules[i].port = (uint16_t)cbor_get_uint_max(r, UINT16_MAX);
                get_rule(r, &policy->port_rules[i].rule);
        }
}

static void get_ports(struct reader *r, struct country_policy *policy)
{
        policy->lockdown_port_count = get_count(r, COUNTRY_PORTS_MAX);
        for (size_t i = 0; i < policy->lockdown_port_count; i++)
                policy->lockdown_ports[i] = (uint16_t)cbor_get_uint_max(r, UINT16_MAX);
}

static void get_version(struct reader *r, struct country_policy *policy)
{
        (void)policy;
        if (cbor_get_uint(r) != 1)
                reader_fail(r, RELAY_E_RANGE);
}

static void get_lockdown(struct reader *r, struct country_policy *policy)
{
        policy->lockdown = cbor_get_bool(r);
}

static void get_judge_local(struct reader *r, struct country_policy *policy)
{
        policy->judge_local = cbor_get_bool(r);
}

int country_policy_decode(struct country_policy *ret, struct span record)
{
        static void (*const fields[])(struct reader *, struct country_policy *) = {
                get_version, get_rules, get_exempt, get_port_rules, get_lockdown, get_ports, get_judge_local,
        };
        struct country_policy policy = { 0 };
        struct cbor_map map;
        struct reader r;
        int64_t key, expected = 0;

        reader_init(&r, record);
        cbor_map_enter(&map, &r);
        while (cbor_map_next(&map, &key)) {
                if (key != expected || key >= (int64_t)COUNT(fields))
                        reader_fail(&r, RELAY_E_MALFORMED);
                else
                        fields[expected++](&r, &policy);
        }
        int result = reader_finish(&r);
        if (result != RELAY_OK)
                return result;
        if (expected != (int64_t)COUNT(fields))
                return RELAY_E_MALFORMED;
        if (!country_policy_is_valid(&policy))
                return RELAY_E_RANGE;
        *ret = policy;
        return RELAY_OK;
}
