/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Labels of a site policy and what its reader, its writer and its chain share. */

#include "relay/sitepolicy.h"

enum {
        POLICY_VERSION = 0,
        POLICY_SITE = 1,
        POLICY_EPOCH = 2,
        POLICY_PREDECESSOR = 3,
        POLICY_APPROVERS = 4,
        POLICY_THRESHOLD = 5,
        POLICY_GATES = 6,
        POLICY_ENDPOINTS = 7,
        POLICY_MODE = 8,
        POLICY_TICKET = 9,
        POLICY_PATIENCE = 10,
        POLICY_APPROVAL_EPOCH = 11,
        POLICY_ISSUED = 12,
        POLICY_GRANTS = 13,
        POLICY_VENDOR_COMMANDS = 14,
        POLICY_RULES = 15,
        POLICY_TIME_ZONE = 16,
        POLICY_VENDOR_EPOCH = 17,
};
enum { GATE_KEY = 0, GATE_HOST = 1, GATE_PORT = 2, GATE_PIN = 3, GATE_BACKUP = 4, GATE_SCOPE = 5 };
enum {
        ENDPOINT_KIND = 0,
        ENDPOINT_HOST = 1,
        ENDPOINT_PORT = 2,
        ENDPOINT_PIN = 3,
        ENDPOINT_BACKUP = 4,
        ENDPOINT_DEVICES = 5
};
enum { GRANT_KEY = 0, GRANT_NAMES = 1, GRANT_SCOPE = 2 };
enum { RULE_URGENCIES = 0, RULE_SCOPE = 1, RULE_WAIT = 2, RULE_WINDOWS = 3 };

/* ---- sitepolicy_fields.c: each consumes one value and fails the reader if it is not of the form */
void policy_get_keys(struct reader *r, struct public_key *keys, size_t most, size_t *count);
void policy_get_gates(struct reader *r, struct site_policy *policy);
void policy_get_endpoints(struct reader *r, struct site_policy *policy);
void policy_get_grants(struct reader *r, struct site_policy *policy);
void policy_get_names(struct reader *r, struct site_policy *policy, struct site_names *names);
void policy_get_rules(struct reader *r, struct site_policy *policy);

/* ---- sitepolicy_check.c: what reader and writer demand alike */
bool policy_host_is_valid(struct span host);
bool policy_name_is_valid(struct span name); /* of a command, or the beginning of some and an asterisk */
bool policy_urgency_is_valid(struct span word);
bool policy_time_zone_is_valid(struct span zone);
bool policy_window_is_valid(const struct site_window *window);
/* everything that is about more than one field */
bool policy_rules_hold(const struct site_policy *policy);
