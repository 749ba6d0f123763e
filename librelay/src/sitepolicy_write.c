/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sitepolicy_internal.h"

/* ---- may these values be written at all? A reader has to accept what comes out. */

static bool devices_can_be_written(const struct site_policy *policy, size_t first, size_t count)
{
        if (first > SITE_DEVICES_MAX || count > SITE_DEVICES_MAX - first)
                return false;
        for (size_t i = 0; i < count; i++)
                if (!identity_is_device(span_of_string(policy->devices[first + i])))
                        return false;
        return true;
}

static bool scope_can_be_written(const struct site_policy *policy, const struct site_scope *scope)
{
        switch (scope->kind) {
        case SCOPE_SITE:
        case SCOPE_CLASS:
                return true;
        case SCOPE_DEVICES:
                return scope->device_count > 0 &&
                       devices_can_be_written(policy, scope->device_first, scope->device_count);
        }
        return false;
}

static bool address_can_be_written(const struct site_endpoint *address)
{
        return policy_host_is_valid(span_of_string(address->host)) && address->port != 0;
}

static bool names_can_be_written(const struct site_policy *policy, const struct site_names *names)
{
        if (names->first > SITE_NAMES_MAX || names->count > SITE_NAMES_MAX - names->first)
                return false;
        for (size_t i = 0; i < names->count; i++)
                if (!policy_name_is_valid(span_of_string(policy->names[names->first + i])))
                        return false;
        return true;
}

static bool rule_can_be_written(const struct site_policy *policy, const struct site_rule *rule)
{
        if (rule->urgency_count < 1 || rule->urgency_count > SITE_URGENCIES_MAX ||
            rule->window_count > SITE_WINDOWS_MAX || !scope_can_be_written(policy, &rule->scope))
                return false;
        for (size_t i = 0; i < rule->urgency_count; i++)
                if (!policy_urgency_is_valid(span_of_string(rule->urgencies[i])))
                        return false;
        for (size_t i = 0; i < rule->window_count; i++)
                if (!policy_window_is_valid(&rule->windows[i]))
                        return false;
        return true;
}

/* what has a bound and is no list of its own */
static bool counts_fit(const struct site_policy *policy)
{
        return policy->approver_count <= SITE_APPROVERS_MAX && policy->gate_count <= SITE_GATES_MAX &&
               policy->endpoint_count >= 1 && policy->endpoint_count <= SITE_ENDPOINTS_MAX &&
               policy->grant_count <= SITE_GRANTS_MAX && policy->rule_count <= SITE_RULES_MAX;
}

/* the names of all lists stand in one table: a reader counts each use, also where lists share a name here */
static bool tables_hold(const struct site_policy *policy)
{
        size_t devices = 0, names = policy->vendor_commands.count;

        for (size_t i = 0; i < policy->gate_count; i++)
                devices += policy->gates[i].scope.kind == SCOPE_DEVICES ? policy->gates[i].scope.device_count : 0;
        for (size_t i = 0; i < policy->endpoint_count; i++)
                devices += policy->endpoints[i].device_count;
        for (size_t i = 0; i < policy->grant_count; i++) {
                devices += policy->grants[i].scope.kind == SCOPE_DEVICES ? policy->grants[i].scope.device_count : 0;
                names += policy->grants[i].names.count;
        }
        for (size_t i = 0; i < policy->rule_count; i++)
                devices += policy->rules[i].scope.kind == SCOPE_DEVICES ? policy->rules[i].scope.device_count : 0;
        return devices <= SITE_DEVICES_MAX && names <= SITE_NAMES_MAX;
}

static bool places_can_be_written(const struct site_policy *policy)
{
        for (size_t i = 0; i < policy->gate_count; i++)
                if (!scope_can_be_written(policy, &policy->gates[i].scope) ||
                    (policy->gates[i].has_address && !address_can_be_written(&policy->gates[i].address)))
                        return false;
        for (size_t i = 0; i < policy->endpoint_count; i++)
                if (!address_can_be_written(&policy->endpoints[i]) ||
                    !devices_can_be_written(policy, policy->endpoints[i].device_first,
                                            policy->endpoints[i].device_count))
                        return false;
        return true;
}

static bool can_be_written(const struct site_policy *policy)
{
        if (!counts_fit(policy) || !places_can_be_written(policy))
                return false;
        for (size_t i = 0; i < policy->grant_count; i++)
                if (policy->grants[i].names.count < 1 || !names_can_be_written(policy, &policy->grants[i].names) ||
                    !scope_can_be_written(policy, &policy->grants[i].scope))
                        return false;
        for (size_t i = 0; i < policy->rule_count; i++)
                if (!rule_can_be_written(policy, &policy->rules[i]))
                        return false;
        if (policy->time_zone[0] && !policy_time_zone_is_valid(span_of_string(policy->time_zone)))
                return false;
        return identity_is_device(span_of_string(policy->site)) &&
               names_can_be_written(policy, &policy->vendor_commands) && tables_hold(policy) &&
               policy_rules_hold(policy);
}

/* ---- the values */

static void put_devices(struct writer *w, const struct site_policy *policy, size_t first, size_t count)
{
        cbor_put_array(w, count);
        for (size_t i = 0; i < count; i++)
                cbor_put_tstr(w, span_of_string(policy->devices[first + i]));
}

static void put_scope(struct writer *w, const struct site_policy *policy, const struct site_scope *scope)
{
        cbor_put_array(w, scope->kind == SCOPE_SITE ? 1 : 2);
        cbor_put_uint(w, scope->kind);
        switch (scope->kind) {
        case SCOPE_SITE:
                break;
        case SCOPE_CLASS:
                cbor_put_bstr(w, SPAN_OF(scope->class_id));
                break;
        case SCOPE_DEVICES:
                put_devices(w, policy, scope->device_first, scope->device_count);
                break;
        }
}

/* labels 1 to 4 of gates and endpoints */
static void put_address(struct writer *w, const struct site_endpoint *address)
{
        cbor_put_uint(w, ENDPOINT_HOST);
        cbor_put_tstr(w, span_of_string(address->host));
        cbor_put_uint(w, ENDPOINT_PORT);
        cbor_put_uint(w, address->port);
        cbor_put_uint(w, ENDPOINT_PIN);
        cbor_put_bstr(w, SPAN_OF(address->pin));
        if (!address->has_backup_pin)
                return;
        cbor_put_uint(w, ENDPOINT_BACKUP);
        cbor_put_bstr(w, SPAN_OF(address->backup_pin));
}

static void put_gate(struct writer *w, const struct site_policy *policy, const struct site_gate *gate)
{
        bool scope = gate->scope.kind != SCOPE_SITE;
        size_t address = gate->has_address ? 3u + (gate->address.has_backup_pin ? 1u : 0u) : 0;

        cbor_put_map(w, 1 + address + (scope ? 1u : 0u));
        cbor_put_uint(w, GATE_KEY);
        key_put_cose(w, &gate->key);
        if (gate->has_address)
                put_address(w, &gate->address);
        if (scope) {
                cbor_put_uint(w, GATE_SCOPE);
                put_scope(w, policy, &gate->scope);
        }
}

static void put_endpoint(struct writer *w, const struct site_policy *policy, const struct site_endpoint *endpoint)
{
        cbor_put_map(w, 4 + (endpoint->has_backup_pin ? 1u : 0u) + (endpoint->device_count > 0 ? 1u : 0u));
        cbor_put_uint(w, ENDPOINT_KIND);
        cbor_put_uint(w, endpoint->kind);
        put_address(w, endpoint);
        if (endpoint->device_count == 0)
                return;
        cbor_put_uint(w, ENDPOINT_DEVICES);
        put_devices(w, policy, endpoint->device_first, endpoint->device_count);
}

static void put_names(struct writer *w, const struct site_policy *policy, const struct site_names *names)
{
        cbor_put_array(w, names->count);
        for (size_t i = 0; i < names->count; i++)
                cbor_put_tstr(w, span_of_string(policy->names[names->first + i]));
}

static void put_grant(struct writer *w, const struct site_policy *policy, const struct site_grant *grant)
{
        bool scope = grant->scope.kind != SCOPE_SITE;

        cbor_put_map(w, scope ? 3 : 2);
        cbor_put_uint(w, GRANT_KEY);
        key_put_cose(w, &grant->key);
        cbor_put_uint(w, GRANT_NAMES);
        put_names(w, policy, &grant->names);
        if (scope) {
                cbor_put_uint(w, GRANT_SCOPE);
                put_scope(w, policy, &grant->scope);
        }
}

static void put_rule(struct writer *w, const struct site_policy *policy, const struct site_rule *rule)
{
        cbor_put_map(w, rule->window_count > 0 ? 4 : 3);
        cbor_put_uint(w, RULE_URGENCIES);
        cbor_put_array(w, rule->urgency_count);
        for (size_t i = 0; i < rule->urgency_count; i++)
                cbor_put_tstr(w, span_of_string(rule->urgencies[i]));
        cbor_put_uint(w, RULE_SCOPE);
        put_scope(w, policy, &rule->scope);
        cbor_put_uint(w, RULE_WAIT);
        cbor_put_uint(w, rule->wait_s);
        if (rule->window_count == 0)
                return;
        cbor_put_uint(w, RULE_WINDOWS);
        cbor_put_array(w, rule->window_count);
        for (size_t i = 0; i < rule->window_count; i++) {
                cbor_put_array(w, 2);
                cbor_put_uint(w, rule->windows[i].first);
                cbor_put_uint(w, rule->windows[i].minutes);
        }
}

/* labels 0 to 7 */
static void put_people_and_places(struct writer *w, const struct site_policy *policy)
{
        cbor_put_uint(w, POLICY_VERSION);
        cbor_put_uint(w, 1);
        cbor_put_uint(w, POLICY_SITE);
        cbor_put_tstr(w, span_of_string(policy->site));
        cbor_put_uint(w, POLICY_EPOCH);
        cbor_put_uint(w, policy->epoch);
        if (policy->has_predecessor) {
                cbor_put_uint(w, POLICY_PREDECESSOR);
                cbor_put_bstr(w, SPAN_OF(policy->predecessor));
        }
        cbor_put_uint(w, POLICY_APPROVERS);
        cbor_put_array(w, policy->approver_count);
        for (size_t i = 0; i < policy->approver_count; i++)
                key_put_cose(w, &policy->approvers[i]);
        cbor_put_uint(w, POLICY_THRESHOLD);
        cbor_put_uint(w, policy->threshold);
        cbor_put_uint(w, POLICY_GATES);
        cbor_put_array(w, policy->gate_count);
        for (size_t i = 0; i < policy->gate_count; i++)
                put_gate(w, policy, &policy->gates[i]);
        cbor_put_uint(w, POLICY_ENDPOINTS);
        cbor_put_array(w, policy->endpoint_count);
        for (size_t i = 0; i < policy->endpoint_count; i++)
                put_endpoint(w, policy, &policy->endpoints[i]);
}

/* labels 8 to 12 */
static void put_terms(struct writer *w, const struct site_policy *policy)
{
        cbor_put_uint(w, POLICY_MODE);
        cbor_put_uint(w, policy->mode);
        cbor_put_uint(w, POLICY_TICKET);
        cbor_put_bool(w, policy->ticket_needed);
        cbor_put_uint(w, POLICY_PATIENCE);
        cbor_put_uint(w, policy->patience_s);
        cbor_put_uint(w, POLICY_APPROVAL_EPOCH);
        cbor_put_uint(w, policy->approval_epoch);
        cbor_put_uint(w, POLICY_ISSUED);
        cbor_put_uint(w, policy->issued);
}

/* labels 13 to 17, each of which may be absent */
static void put_grants_and_rules(struct writer *w, const struct site_policy *policy)
{
        if (policy->grant_count > 0) {
                cbor_put_uint(w, POLICY_GRANTS);
                cbor_put_array(w, policy->grant_count);
                for (size_t i = 0; i < policy->grant_count; i++)
                        put_grant(w, policy, &policy->grants[i]);
        }
        if (policy->vendor_commands.count > 0) {
                cbor_put_uint(w, POLICY_VENDOR_COMMANDS);
                put_names(w, policy, &policy->vendor_commands);
        }
        if (policy->rule_count > 0) {
                cbor_put_uint(w, POLICY_RULES);
                cbor_put_array(w, policy->rule_count);
                for (size_t i = 0; i < policy->rule_count; i++)
                        put_rule(w, policy, &policy->rules[i]);
        }
        if (policy->time_zone[0]) {
                cbor_put_uint(w, POLICY_TIME_ZONE);
                cbor_put_tstr(w, span_of_string(policy->time_zone));
        }
        if (policy->vendor_epoch > 0) {
                cbor_put_uint(w, POLICY_VENDOR_EPOCH);
                cbor_put_uint(w, policy->vendor_epoch);
        }
}

int site_policy_encode(struct writer *w, const struct site_policy *policy)
{
        if (!can_be_written(policy))
                return RELAY_E_RANGE;
        cbor_put_map(w, 12 + (policy->has_predecessor ? 1u : 0u) + (policy->grant_count > 0 ? 1u : 0u) +
                                (policy->vendor_commands.count > 0 ? 1u : 0u) + (policy->rule_count > 0 ? 1u : 0u) +
                                (policy->time_zone[0] ? 1u : 0u) + (policy->vendor_epoch > 0 ? 1u : 0u));
        put_people_and_places(w, policy);
        put_terms(w, policy);
        put_grants_and_rules(w, policy);
        return writer_finish(w);
}
