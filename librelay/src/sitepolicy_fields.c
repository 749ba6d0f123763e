/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sitepolicy_internal.h"

#define ENDPOINT_REQUIRED 0x0fu /* a bit for each label */
#define GATE_REQUIRED     (1u << GATE_KEY)
#define GATE_ADDRESS      (1u << GATE_HOST | 1u << GATE_PORT | 1u << GATE_PIN) /* stand together */
#define GATE_ADDRESS_ANY  (GATE_ADDRESS | 1u << GATE_BACKUP)
#define GRANT_REQUIRED    (1u << GRANT_KEY | 1u << GRANT_NAMES)
#define RULE_REQUIRED     (1u << RULE_URGENCIES | 1u << RULE_SCOPE | 1u << RULE_WAIT)

/* the count of an array that has least to most items; 0 after an error */
static size_t get_count(struct reader *r, size_t least, size_t most)
{
        size_t count = cbor_get_array(r);

        if (count >= least && count <= most)
                return count;
        reader_fail(r, RELAY_E_RANGE);
        return 0;
}

void policy_get_keys(struct reader *r, struct public_key *keys, size_t most, size_t *count)
{
        *count = get_count(r, 1, most);
        for (size_t i = 0; i < *count; i++)
                key_get_cose(r, &keys[i]);
}

static uint16_t get_port(struct reader *r)
{
        uint64_t port = cbor_get_uint_max(r, UINT16_MAX);

        if (port == 0)
                reader_fail(r, RELAY_E_RANGE);
        return (uint16_t)port;
}

static void get_devices(struct reader *r, struct site_policy *policy, size_t *first, size_t *count)
{
        *first = policy->device_count;
        *count = get_count(r, 1, SITE_DEVICES_MAX - policy->device_count);
        for (size_t i = 0; i < *count; i++)
                cbor_get_text(r, identity_is_device, policy->devices[policy->device_count++], IDENTITY_MAX + 1);
}

static void get_scope(struct reader *r, struct site_policy *policy, struct site_scope *out)
{
        size_t items = cbor_get_array(r);

        out->kind = (enum scope_kind)cbor_get_uint_max(r, SCOPE_DEVICES);
        if (items != (out->kind == SCOPE_SITE ? 1u : 2u))
                reader_fail(r, RELAY_E_MALFORMED);
        switch (out->kind) {
        case SCOPE_SITE:
                break;
        case SCOPE_CLASS:
                cbor_get_bstr_exact(r, out->class_id, sizeof(out->class_id));
                break;
        case SCOPE_DEVICES:
                get_devices(r, policy, &out->device_first, &out->device_count);
                break;
        }
}

/* where absence says the whole site, saying it is another encoding of the same */
static void get_narrow_scope(struct reader *r, struct site_policy *policy, struct site_scope *out)
{
        get_scope(r, policy, out);
        if (out->kind == SCOPE_SITE)
                reader_fail(r, RELAY_E_RANGE);
}

static void get_endpoint_field(struct reader *r, int64_t label, struct site_policy *policy, struct site_endpoint *out)
{
        switch (label) {
        case ENDPOINT_KIND:
                out->kind = (enum endpoint_kind)cbor_get_uint_max(r, ENDPOINT_CLOUD);
                break;
        case ENDPOINT_HOST:
                cbor_get_text(r, policy_host_is_valid, out->host, sizeof(out->host));
                break;
        case ENDPOINT_PORT:
                out->port = get_port(r);
                break;
        case ENDPOINT_PIN:
                cbor_get_bstr_exact(r, out->pin, sizeof(out->pin));
                break;
        case ENDPOINT_BACKUP:
                cbor_get_bstr_exact(r, out->backup_pin, sizeof(out->backup_pin));
                out->has_backup_pin = true;
                break;
        case ENDPOINT_DEVICES:
                get_devices(r, policy, &out->device_first, &out->device_count);
                break;
        default:
                reader_fail(r, RELAY_E_MALFORMED);
                break;
        }
}

static void get_endpoint(struct reader *r, struct site_policy *policy, struct site_endpoint *out)
{
        struct cbor_map m;
        int64_t label;

        cbor_map_enter(&m, r);
        while (cbor_map_next(&m, &label))
                get_endpoint_field(r, label, policy, out);
        cbor_map_require(&m, ENDPOINT_REQUIRED);
}

void policy_get_endpoints(struct reader *r, struct site_policy *policy)
{
        policy->endpoint_count = get_count(r, 1, SITE_ENDPOINTS_MAX);
        for (size_t i = 0; i < policy->endpoint_count && r->result == RELAY_OK; i++)
                get_endpoint(r, policy, &policy->endpoints[i]);
}

static void get_gate_field(struct reader *r, int64_t label, struct site_policy *policy, struct site_gate *out)
{
        switch (label) {
        case GATE_KEY:
                key_get_cose(r, &out->key);
                break;
        case GATE_HOST:
        case GATE_PORT:
        case GATE_PIN:
        case GATE_BACKUP: /* these four as in an endpoint */
                get_endpoint_field(r, label, policy, &out->address);
                break;
        case GATE_SCOPE:
                get_narrow_scope(r, policy, &out->scope);
                break;
        default:
                reader_fail(r, RELAY_E_MALFORMED);
                break;
        }
}

static void get_gate(struct reader *r, struct site_policy *policy, struct site_gate *out)
{
        struct cbor_map m;
        int64_t label;

        cbor_map_enter(&m, r);
        while (cbor_map_next(&m, &label))
                get_gate_field(r, label, policy, out);
        cbor_map_require(&m, GATE_REQUIRED);
        out->has_address = (m.seen & GATE_ADDRESS) == GATE_ADDRESS;
        if (!out->has_address && (m.seen & GATE_ADDRESS_ANY))
                reader_fail(r, RELAY_E_MALFORMED);
}

void policy_get_gates(struct reader *r, struct site_policy *policy)
{
        policy->gate_count = get_count(r, 0, SITE_GATES_MAX);
        for (size_t i = 0; i < policy->gate_count && r->result == RELAY_OK; i++)
                get_gate(r, policy, &policy->gates[i]);
}

void policy_get_names(struct reader *r, struct site_policy *policy, struct site_names *names)
{
        names->first = policy->name_count;
        names->count = get_count(r, 1, SITE_NAMES_MAX - policy->name_count);
        for (size_t i = 0; i < names->count; i++)
                cbor_get_text(r, policy_name_is_valid, policy->names[policy->name_count++], COMMAND_NAME_SIZE);
}

static void get_grant(struct reader *r, struct site_policy *policy, struct site_grant *out)
{
        struct cbor_map m;
        int64_t label;

        cbor_map_enter(&m, r);
        while (cbor_map_next(&m, &label)) {
                switch (label) {
                case GRANT_KEY:
                        key_get_cose(r, &out->key);
                        break;
                case GRANT_NAMES:
                        policy_get_names(r, policy, &out->names);
                        break;
                case GRANT_SCOPE:
                        get_narrow_scope(r, policy, &out->scope);
                        break;
                default:
                        reader_fail(r, RELAY_E_MALFORMED);
                        break;
                }
        }
        cbor_map_require(&m, GRANT_REQUIRED);
}

void policy_get_grants(struct reader *r, struct site_policy *policy)
{
        policy->grant_count = get_count(r, 1, SITE_GRANTS_MAX);
        for (size_t i = 0; i < policy->grant_count && r->result == RELAY_OK; i++)
                get_grant(r, policy, &policy->grants[i]);
}

static void get_urgencies(struct reader *r, struct site_rule *out)
{
        out->urgency_count = get_count(r, 1, SITE_URGENCIES_MAX);
        for (size_t i = 0; i < out->urgency_count; i++)
                cbor_get_text(r, policy_urgency_is_valid, out->urgencies[i], SITE_URGENCY_SIZE);
}

static void get_windows(struct reader *r, struct site_rule *out)
{
        out->window_count = get_count(r, 1, SITE_WINDOWS_MAX);
        for (size_t i = 0; i < out->window_count; i++) {
                struct site_window *window = &out->windows[i];

                if (cbor_get_array(r) != 2)
                        reader_fail(r, RELAY_E_MALFORMED);
                window->first = (uint16_t)cbor_get_uint_max(r, UINT16_MAX);
                window->minutes = (uint16_t)cbor_get_uint_max(r, UINT16_MAX);
                if (!policy_window_is_valid(window))
                        reader_fail(r, RELAY_E_RANGE);
        }
}

static void get_rule(struct reader *r, struct site_policy *policy, struct site_rule *out)
{
        struct cbor_map m;
        int64_t label;

        cbor_map_enter(&m, r);
        while (cbor_map_next(&m, &label)) {
                switch (label) {
                case RULE_URGENCIES:
                        get_urgencies(r, out);
                        break;
                case RULE_SCOPE:
                        get_scope(r, policy, &out->scope);
                        break;
                case RULE_WAIT:
                        out->wait_s = cbor_get_uint(r);
                        break;
                case RULE_WINDOWS:
                        get_windows(r, out);
                        break;
                default:
                        reader_fail(r, RELAY_E_MALFORMED);
                        break;
                }
        }
        cbor_map_require(&m, RULE_REQUIRED);
}

void policy_get_rules(struct reader *r, struct site_policy *policy)
{
        policy->rule_count = get_count(r, 1, SITE_RULES_MAX);
        for (size_t i = 0; i < policy->rule_count && r->result == RELAY_OK; i++)
                get_rule(r, policy, &policy->rules[i]);
}
