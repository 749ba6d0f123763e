/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Site policies as JSON and for people. */

#include <stdio.h>
#include <string.h>

#include "cli/describe.h"
#include "cli/output.h"
#include "util/week.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static const struct output_column policy_fields[] = {
        { "site", "Site", OUTPUT_TEXT },
        { "epoch", "Epoch", OUTPUT_TEXT },
        { "approvers", "Approvers", OUTPUT_LIST },
        { "threshold", "Needed (k)", OUTPUT_TEXT },
        { "mode", "Mode", OUTPUT_TEXT },
        { "ticket_needed", "Ticket needed", OUTPUT_YES_NO },
        { "patience", "Patience (s)", OUTPUT_TEXT },
        { "approval_epoch", "Approval epoch", OUTPUT_TEXT },
        { "issued", "Issued", OUTPUT_TIME },
        { "vendor_commands", "Vendor's commands", OUTPUT_LIST },
        { "time_zone", "Time zone", OUTPUT_TEXT },
        { "vendor_epoch", "Vendor epoch", OUTPUT_TEXT },
        { "signed_by", "Signed by", OUTPUT_LIST },
        { "old_signed_by", "By those before", OUTPUT_LIST },
        { "digest", "Policy digest", OUTPUT_TEXT },
};
static const struct output_column endpoint_columns[] = {
        { "kind", "ENDPOINT", OUTPUT_TEXT },
        { "host", "HOST", OUTPUT_TEXT },
        { "port", "PORT", OUTPUT_TEXT },
        { "pin", "PIN", OUTPUT_TEXT },
        { "backup_pin", "BACKUP PIN", OUTPUT_TEXT },
        { "devices", "DEVICES", OUTPUT_LIST },
};
static const struct output_column gate_columns[] = {
        { "key_id", "GATE KEY", OUTPUT_TEXT }, { "host", "HOST", OUTPUT_TEXT },         { "port", "PORT", OUTPUT_TEXT },
        { "pin", "PIN", OUTPUT_TEXT },         { "scope", "ANSWERS FOR", OUTPUT_TEXT },
};
static const struct output_column grant_columns[] = {
        { "key_id", "COMMAND KEY", OUTPUT_TEXT },
        { "commands", "MAY RUN", OUTPUT_LIST },
        { "scope", "ON", OUTPUT_TEXT },
};
static const struct output_column rule_columns[] = {
        { "urgencies", "RULE: URGENCY", OUTPUT_LIST },
        { "scope", "FOR", OUTPUT_TEXT },
        { "wait", "SECONDS ON OFFER", OUTPUT_TEXT },
        { "windows", "WINDOWS", OUTPUT_LIST },
};

char *describe_digest(const uint8_t digest[SHA256_SIZE], char out[DESCRIBE_DIGEST_SIZE])
{
        char *at = out;

        for (size_t i = 0; i < SHA256_SIZE; i++) {
                const char *gap = i % 2 == 0                 ? ""
                                  : i == SHA256_SIZE - 1     ? ""
                                  : i == SHA256_SIZE / 2 - 1 ? "\n    "
                                                             : " ";

                at += snprintf(at, (size_t)(out + DESCRIBE_DIGEST_SIZE - at), "%02x%s", digest[i], gap);
        }
        return out;
}

static json_t *describe_devices(const struct site_policy *p, size_t first, size_t count)
{
        json_t *devices = json_array();

        for (size_t i = 0; i < count; i++)
                json_array_append_new(devices, json_string(p->devices[first + i]));
        return devices;
}

/* "site", "class:<hexadecimal>", "device-1,device-2" */
static json_t *describe_scope(const struct site_policy *policy, const struct site_scope *scope)
{
        char text[SITE_DEVICES_MAX * (IDENTITY_MAX + 2)] = "class:";
        size_t used = 0;

        switch (scope->kind) {
        case SCOPE_SITE:
                return json_string("site");
        case SCOPE_CLASS:
                span_to_hex(SPAN_OF(scope->class_id), text + strlen(text), 2 * CLASS_ID_SIZE + 1);
                return json_string(text);
        case SCOPE_DEVICES:
                for (size_t i = 0; i < scope->device_count; i++)
                        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s", i > 0 ? "," : "",
                                                 policy->devices[scope->device_first + i]);
                return json_string(text);
        }
        return NULL;
}

static json_t *describe_endpoint(const struct site_policy *p, const struct site_endpoint *e)
{
        json_t *object = json_pack("{s:s, s:s, s:i, s:o, s:o}", "kind", e->kind == ENDPOINT_RELAY ? "relay" : "cloud",
                                   "host", e->host, "port", (int)e->port, "pin", json_hex(e->pin, SHA256_SIZE),
                                   "devices", describe_devices(p, e->device_first, e->device_count));

        if (e->has_backup_pin)
                json_object_set_new(object, "backup_pin", json_hex(e->backup_pin, SHA256_SIZE));
        return object;
}

static json_t *describe_gate(const struct site_policy *p, const struct site_gate *g)
{
        json_t *object = json_pack("{s:o, s:o}", "key_id", describe_public_key(&g->key), "scope",
                                   describe_scope(p, &g->scope));

        if (!g->has_address)
                return object;
        json_object_set_new(object, "host", json_string(g->address.host));
        json_object_set_new(object, "port", json_integer(g->address.port));
        json_object_set_new(object, "pin", json_hex(g->address.pin, SHA256_SIZE));
        if (g->address.has_backup_pin)
                json_object_set_new(object, "backup_pin", json_hex(g->address.backup_pin, SHA256_SIZE));
        return object;
}

static json_t *describe_names(const struct site_policy *p, const struct site_names *names)
{
        json_t *array = json_array();

        for (size_t i = 0; i < names->count; i++)
                json_array_append_new(array, json_string(p->names[names->first + i]));
        return array;
}

static json_t *describe_grant(const struct site_policy *p, const struct site_grant *g)
{
        return json_pack("{s:o, s:o, s:o}", "key_id", describe_public_key(&g->key), "commands",
                         describe_names(p, &g->names), "scope", describe_scope(p, &g->scope));
}

static json_t *describe_rule(const struct site_policy *p, const struct site_rule *rule)
{
        json_t *urgencies = json_array(), *windows = json_array();

        for (size_t i = 0; i < rule->urgency_count; i++)
                json_array_append_new(urgencies, json_string(rule->urgencies[i]));
        for (size_t i = 0; i < rule->window_count; i++) {
                struct week_window window = { rule->windows[i].first, rule->windows[i].minutes };
                char text[WEEK_TEXT_SIZE];

                json_array_append_new(windows, json_string(week_format(&window, text)));
        }
        return json_pack("{s:o, s:o, s:I, s:o}", "urgencies", urgencies, "scope", describe_scope(p, &rule->scope),
                         "wait", (json_int_t)rule->wait_s, "windows", windows);
}

json_t *describe_policy(const struct site_policy *p)
{
        json_t *endpoints = json_array(), *gates = json_array(), *grants = json_array(), *rules = json_array();
        json_t *object;

        for (size_t i = 0; i < p->endpoint_count; i++)
                json_array_append_new(endpoints, describe_endpoint(p, &p->endpoints[i]));
        for (size_t i = 0; i < p->gate_count; i++)
                json_array_append_new(gates, describe_gate(p, &p->gates[i]));
        for (size_t i = 0; i < p->grant_count; i++)
                json_array_append_new(grants, describe_grant(p, &p->grants[i]));
        for (size_t i = 0; i < p->rule_count; i++)
                json_array_append_new(rules, describe_rule(p, &p->rules[i]));
        object = json_pack("{s:s, s:I, s:o, s:I, s:o, s:o, s:s, s:b, s:I, s:I, s:I, s:o, s:o, s:o, s:s, s:I, s:o}",
                           "site", p->site, "epoch", (json_int_t)p->epoch, "approvers",
                           describe_keys(p->approvers, p->approver_count), "threshold", (json_int_t)p->threshold,
                           "gates", gates, "endpoints", endpoints, "mode",
                           p->mode == SITE_RELAY_ONLY ? "relay-only" : "normal", "ticket_needed", p->ticket_needed,
                           "patience", (json_int_t)p->patience_s, "approval_epoch", (json_int_t)p->approval_epoch,
                           "issued", (json_int_t)p->issued, "grants", grants, "vendor_commands",
                           describe_names(p, &p->vendor_commands), "rules", rules, "time_zone", p->time_zone,
                           "vendor_epoch", (json_int_t)p->vendor_epoch, "digest", json_hex(p->digest, SHA256_SIZE));
        if (p->has_predecessor)
                json_object_set_new(object, "predecessor", json_hex(p->predecessor, SHA256_SIZE));
        return object;
}

int show_policy(struct cli *cli, const json_t *policy)
{
        static const struct {
                const char *key;
                const struct output_column *columns;
                size_t count;
        } lists[] = {
                { "endpoints", endpoint_columns, COUNT(endpoint_columns) },
                { "gates", gate_columns, COUNT(gate_columns) },
                { "grants", grant_columns, COUNT(grant_columns) },
                { "rules", rule_columns, COUNT(rule_columns) },
        };
        int r = output_record(cli, policy, policy_fields, COUNT(policy_fields));

        for (size_t i = 0; r == CLI_OK && !cli->json && i < COUNT(lists); i++) {
                const json_t *rows = json_object_get(policy, lists[i].key);

                if (json_array_size(rows) > 0)
                        r = output_table(cli, rows, lists[i].columns, lists[i].count, "");
        }
        return r;
}
