/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sitepolicy_internal.h"

static bool devices_hold(const struct site_policy *policy, size_t first, size_t count, const char *device)
{
        for (size_t i = 0; device && i < count; i++)
                if (span_equal_string(span_of_string(policy->devices[first + i]), device))
                        return true;
        return false;
}

bool site_endpoint_applies(const struct site_policy *policy, const struct site_endpoint *endpoint, const char *device)
{
        return endpoint->device_count == 0 ||
               devices_hold(policy, endpoint->device_first, endpoint->device_count, device);
}

bool site_scope_covers(const struct site_policy *policy, const struct site_scope *scope, const char *device,
                       const uint8_t *class_id)
{
        switch (scope->kind) {
        case SCOPE_SITE:
                return true;
        case SCOPE_CLASS:
                return device && class_id && span_equal(SPAN_OF(scope->class_id), span_of(class_id, CLASS_ID_SIZE));
        case SCOPE_DEVICES:
                return devices_hold(policy, scope->device_first, scope->device_count, device);
        }
        return false;
}

const struct site_gate *site_policy_gate(const struct site_policy *policy, const char *device, const uint8_t *class_id)
{
        const struct site_gate *found = NULL;

        for (size_t i = 0; i < policy->gate_count; i++) {
                const struct site_gate *gate = &policy->gates[i];

                if (site_scope_covers(policy, &gate->scope, device, class_id) &&
                    (!found || gate->scope.kind > found->scope.kind))
                        found = gate;
        }
        return found;
}

bool site_policy_is_gate(const struct site_policy *policy, const struct public_key *key, const char *device,
                         const uint8_t *class_id)
{
        const struct site_gate *nearest = site_policy_gate(policy, device, class_id);

        for (size_t i = 0; nearest && i < policy->gate_count; i++) {
                const struct site_gate *gate = &policy->gates[i];

                if (gate->scope.kind == nearest->scope.kind && key_equal(&gate->key, key) &&
                    site_scope_covers(policy, &gate->scope, device, class_id))
                        return true;
        }
        return false;
}

static bool rule_names(const struct site_rule *rule, struct span urgency)
{
        for (size_t i = 0; i < rule->urgency_count; i++)
                if (span_equal_string(urgency, rule->urgencies[i]))
                        return true;
        return false;
}

int site_policy_rule(const struct site_policy *policy, size_t first, struct span urgency, const char *device,
                     const uint8_t *class_id)
{
        for (size_t i = first; i < policy->rule_count; i++)
                if (rule_names(&policy->rules[i], urgency) &&
                    site_scope_covers(policy, &policy->rules[i].scope, device, class_id))
                        return (int)i;
        return -1;
}

bool site_windows_cover(const struct site_window *windows, size_t count, unsigned minute)
{
        for (size_t i = 0; i < count; i++) /* a window may run over the end of the week */
                if ((minute % WEEK_MINUTES + WEEK_MINUTES - windows[i].first) % WEEK_MINUTES < windows[i].minutes)
                        return true;
        return count == 0;
}

static bool name_covers(const char *pattern, struct span command)
{
        struct span name = span_of_string(pattern);
        bool open = name.size > 0 && name.data[name.size - 1] == '*';

        if (!open)
                return span_equal(name, command);
        return command.size >= name.size - 1 &&
               span_equal(span_slice(command, 0, name.size - 1), span_slice(name, 0, name.size - 1));
}

bool site_names_cover(const struct site_policy *policy, const struct site_names *names, struct span command)
{
        for (size_t i = 0; i < names->count; i++)
                if (name_covers(policy->names[names->first + i], command))
                        return true;
        return false;
}
