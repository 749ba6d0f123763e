/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sitepolicy_internal.h"

/* letters and digits as asked for, and the other characters; sizes in bytes */
static bool text_is_of(struct span text, size_t least, size_t most, bool capitals, const char *others)
{
        if (text.size < least || text.size > most)
                return false;
        for (size_t i = 0; i < text.size; i++) {
                uint8_t c = text.data[i];
                bool fine = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || (capitals && c >= 'A' && c <= 'Z');

                for (const char *other = others; *other && !fine; other++)
                        fine = c == (uint8_t)*other;
                if (!fine)
                        return false;
        }
        return true;
}

/* a DNS name or an address; what else could stand here would only confuse resolvers and terminals */
bool policy_host_is_valid(struct span host)
{
        return text_is_of(host, 1, SITE_HOST_SIZE - 1, true, ".-:");
}

bool policy_name_is_valid(struct span name)
{
        bool open = name.size > 0 && name.data[name.size - 1] == '*';

        if (name.size > COMMAND_NAME_SIZE - 1)
                return false;
        return open ? text_is_of(span_slice(name, 0, name.size - 1), 0, COMMAND_NAME_SIZE - 2, false, ".-")
                    : command_name_is_valid(name);
}

bool command_name_is_valid(struct span name)
{
        return text_is_of(name, 1, COMMAND_NAME_SIZE - 1, false, ".-");
}

bool policy_urgency_is_valid(struct span word)
{
        return text_is_of(word, 1, SITE_URGENCY_SIZE - 1, true, ".+_~-");
}

bool policy_time_zone_is_valid(struct span zone)
{
        return text_is_of(zone, 1, SITE_TIME_ZONE_SIZE - 1, true, "/_+-");
}

bool policy_window_is_valid(const struct site_window *window)
{
        return window->first < WEEK_MINUTES && window->minutes >= 1 && window->minutes <= WEEK_MINUTES;
}

/* the site's keys of all roles, numbered; NULL behind the last one */
static const struct public_key *key_at(const struct site_policy *policy, size_t i)
{
        if (i < policy->approver_count)
                return &policy->approvers[i];
        i -= policy->approver_count;
        if (i < policy->gate_count)
                return &policy->gates[i].key;
        i -= policy->gate_count;
        return i < policy->grant_count ? &policy->grants[i].key : NULL;
}

static bool some_key_repeats(const struct site_policy *policy)
{
        const struct public_key *a, *b;

        for (size_t i = 0; (a = key_at(policy, i)); i++)
                for (size_t j = i + 1; (b = key_at(policy, j)); j++)
                        if (key_equal(a, b))
                                return true;
        return false;
}

bool policy_rules_hold(const struct site_policy *policy)
{
        if (policy->epoch < 1 || policy->has_predecessor != (policy->epoch > 1) ||
            (policy->vendor_epoch > 0 && policy->epoch == 1))
                return false;
        /* n/2 < k <= n, so that two groups of k approvers always share a person */
        if (policy->threshold > policy->approver_count || 2 * policy->threshold <= policy->approver_count)
                return false;
        if (policy->gate_count == 0 && (policy->ticket_needed || policy->rule_count > 0))
                return false;
        for (size_t i = 0; i < policy->endpoint_count; i++)
                if (policy->mode == SITE_RELAY_ONLY && policy->endpoints[i].kind == ENDPOINT_CLOUD)
                        return false;
        return !some_key_repeats(policy);
}

bool site_policy_shares_key(const struct site_policy *policy, const struct vendor_keys *vendor)
{
        const struct public_key *key;

        for (size_t i = 0; (key = key_at(policy, i)); i++)
                if (key_find(vendor->organisation, vendor->organisation_count, key) >= 0 ||
                    key_find(vendor->developer, vendor->developer_count, key) >= 0 ||
                    key_find(vendor->command, vendor->command_count, key) >= 0)
                        return true;
        return false;
}

enum reason site_policy_fits(const struct site_policy *policy, const struct vendor_keys *vendor)
{
        if (site_policy_shares_key(policy, vendor))
                return REASON_POLICY_INVALID;
        return policy->vendor_epoch > vendor->epoch ? REASON_VENDOR_KEYS_GAP : REASON_NONE;
}
