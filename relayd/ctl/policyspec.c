/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parts of a site policy as one option's value each. */

#include "ctl/policyspec.h"

#include <stdlib.h>
#include <string.h>

#include "cli/keys.h"
#include "cli/parse.h"
#include "cli/signedset.h"
#include "ctl/bus.h"
#include "bus/names.h"
#include "relay/manifest.h"
#include "util/cleanup.h"
#include "util/week.h"

bool spec_next(struct spec *spec)
{
        const char *at = spec->text;
        size_t size = 0;
        char *out = spec->value;
        char quote = '\0';

        while (*at == ' ')
                at++;
        spec->name[0] = spec->value[0] = '\0';
        if (!*at)
                return false;
        for (; *at && (quote || *at != ' '); at++) {
                if (*at == quote || (!quote && (*at == '\'' || *at == '"'))) {
                        quote = quote ? '\0' : *at;
                        continue;
                }
                if (!quote && *at == '=' && !*spec->name && size > 0) {
                        memcpy(spec->name, spec->value, size);
                        spec->name[size] = '\0';
                        size = 0;
                        continue;
                }
                if (size + 1 >= SPEC_WORD_SIZE)
                        break;
                out[size++] = *at;
        }
        out[size] = '\0';
        spec->broken = quote || (*at && *at != ' ');
        spec->text = at;
        return !spec->broken;
}

/* ---- scopes */

static int vendor_of_relay(struct cli *cli, sd_bus *bus, struct vendor_keys *keys)
{
        _cleanup_free_ uint8_t *bytes = NULL;
        size_t size = 0;
        int r = ctl_fetch_bytes(cli, bus, BUS_PATH, BUS_MANAGER, "GetVendorKeys", &bytes, &size);

        if (r != CLI_OK)
                return r;
        if (size == 0)
                *keys = (struct vendor_keys){ 0 };
        else if (vendor_keys_read(span_of(bytes, size), keys) != REASON_NONE)
                return cli_fail(cli, CLI_FAILED, "the relay's vendor key set cannot be read");
        return CLI_OK;
}

static int vendor_of_file(struct cli *cli, const char *path, struct vendor_keys *keys)
{
        _cleanup_(signed_set_done) struct signed_set set = { 0 };
        int r = signed_set_load(cli, path, &set);

        if (r != CLI_OK)
                return r;
        if (vendor_keys_decode(set.set.payload, keys) != RELAY_OK)
                return cli_fail(cli, CLI_FAILED, "%s: no vendor key set", path);
        return CLI_OK;
}

int policy_take_vendor_epoch(struct cli *cli, sd_bus *bus, struct site_policy *policy)
{
        const char *file = cli_value(cli, "vendor-keys");
        struct vendor_keys keys = { 0 };
        int r = file ? vendor_of_file(cli, file, &keys) : bus ? vendor_of_relay(cli, bus, &keys) : CLI_OK;

        if (r == CLI_OK && keys.epoch > policy->vendor_epoch)
                policy->vendor_epoch = keys.epoch;
        return r;
}

int policy_class_id(struct cli *cli, sd_bus *bus, const char *text, uint8_t out[CLASS_ID_SIZE])
{
        const char *domain = cli_value(cli, "domain"), *file = cli_value(cli, "vendor-keys");
        struct vendor_keys keys = { 0 };
        uint8_t vendor_id[VENDOR_ID_SIZE];
        int r = CLI_OK;

        if (parse_hex(text, out, CLASS_ID_SIZE))
                return CLI_OK;
        if (domain && manifest_vendor_id(domain, vendor_id) != RELAY_OK)
                return cli_fail(cli, CLI_USAGE, "--domain '%s' gives no vendor id; a DNS name is needed", domain);
        if (!domain && file)
                r = vendor_of_file(cli, file, &keys);
        else if (!domain && bus)
                r = vendor_of_relay(cli, bus, &keys);
        else if (!domain)
                return cli_fail(
                        cli, CLI_USAGE,
                        "class '%s': a name needs its vendor: add --domain NAME or --vendor-keys FILE, or give the "
                        "class's id (32 digits)",
                        text);
        if (r == CLI_OK && !domain && keys.epoch == 0)
                return cli_fail(cli, CLI_FAILED,
                                "the relay has no vendor key set: give --domain NAME, or the class's id");
        if (r == CLI_OK && !domain)
                memcpy(vendor_id, keys.vendor_id, VENDOR_ID_SIZE);
        if (r == CLI_OK && (!*text || manifest_class_id(vendor_id, text, out) != RELAY_OK))
                return cli_fail(cli, CLI_USAGE, "class '%s' gives no id", text);
        return r;
}

int policy_take_devices(struct cli *cli, struct site_policy *policy, const char *option, const char *list,
                        struct site_scope *out)
{
        *out = (struct site_scope){ .kind = SCOPE_DEVICES, .device_first = policy->device_count };
        while (*list) {
                size_t size = strcspn(list, ",");
                struct span name = span_of(list, size);

                if (policy->device_count >= SITE_DEVICES_MAX)
                        return cli_fail(cli, CLI_USAGE, "--%s: a site policy names at most %d devices", option,
                                        SITE_DEVICES_MAX);
                if (!identity_is_device(name))
                        return cli_fail(cli, CLI_USAGE, "--%s: '%.*s' is no device's name", option, (int)size, list);
                span_to_string(name, policy->devices[policy->device_count++], IDENTITY_MAX + 1);
                out->device_count++;
                list += size + (list[size] == ',');
        }
        return out->device_count > 0 ? CLI_OK : cli_fail(cli, CLI_USAGE, "--%s: a device's name is missing", option);
}

int policy_take_scope(struct cli *cli, sd_bus *bus, struct site_policy *policy, const char *option, const char *text,
                      struct site_scope *out)
{
        if (strcmp(text, "site") == 0) {
                *out = (struct site_scope){ .kind = SCOPE_SITE };
                return CLI_OK;
        }
        if (strncmp(text, "class:", 6) == 0) {
                out->kind = SCOPE_CLASS;
                return policy_class_id(cli, bus, text + 6, out->class_id);
        }
        return policy_take_devices(cli, policy, option, text, out);
}

/* ---- names of commands */

static bool name_is_valid(struct span name)
{
        for (size_t i = 0; i < name.size; i++) {
                char c = (char)name.data[i];

                if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-') &&
                    !(c == '*' && i + 1 == name.size))
                        return false;
        }
        return name.size > 0 && name.size < COMMAND_NAME_SIZE;
}

int policy_take_names(struct cli *cli, struct site_policy *policy, const char *option, const char *text,
                      struct site_names *out)
{
        *out = (struct site_names){ .first = policy->name_count };
        while (*text) {
                size_t size = strcspn(text, ",");

                if (policy->name_count >= SITE_NAMES_MAX)
                        return cli_fail(cli, CLI_USAGE, "--%s: a site policy names at most %d commands", option,
                                        SITE_NAMES_MAX);
                if (!name_is_valid(span_of(text, size)))
                        return cli_fail(
                                cli, CLI_USAGE,
                                "--%s: '%.*s' is no command's name (a-z, 0-9, '.', '-'; an asterisk may end it)",
                                option, (int)size, text);
                span_to_string(span_of(text, size), policy->names[policy->name_count++], COMMAND_NAME_SIZE);
                out->count++;
                text += size + (text[size] == ',');
        }
        return CLI_OK;
}

/* ---- gates and endpoints */

static int bad_spec(struct cli *cli, const char *option, const char *text, const char *form)
{
        return cli_fail(cli, CLI_USAGE, "--%s '%s': %s is needed", option, text, form);
}

static int take_pin(struct cli *cli, const char *option, const char *text, uint8_t pin[SHA256_SIZE])
{
        return parse_hex(text, pin, SHA256_SIZE) ? CLI_OK
                                                 : bad_spec(cli, option, text, "a pin of 64 hexadecimal digits");
}

static int take_certificate(struct cli *cli, const char *path, uint8_t pin[SHA256_SIZE])
{
        struct public_key key;
        int r = cli_public_load(cli, path, &key);

        if (r == CLI_OK && key_fingerprint(&key, pin) != RELAY_OK)
                return cli_fail(cli, CLI_FAILED, "%s: unusable key", path);
        return r;
}

/* pin=, certificate=, backup=: how a server is recognised. *pinned: one of the first two was there */
static int take_recognition(struct cli *cli, const char *option, const struct spec *spec, struct site_endpoint *e,
                            bool *pinned, bool *taken)
{
        *taken = true;
        if (strcmp(spec->name, "pin") == 0) {
                *pinned = true;
                return take_pin(cli, option, spec->value, e->pin);
        }
        if (strcmp(spec->name, "certificate") == 0) {
                *pinned = true;
                return take_certificate(cli, spec->value, e->pin);
        }
        if (strcmp(spec->name, "backup") == 0) {
                e->has_backup_pin = true;
                return take_pin(cli, option, spec->value, e->backup_pin);
        }
        *taken = false;
        return CLI_OK;
}

#define GATE_FORM "\"FILE [address=HOST:PORT pin=HEX|certificate=FILE] [backup=HEX] [for=SCOPE]\""

static int take_gate_word(struct cli *cli, sd_bus *bus, struct site_policy *policy, const struct spec *spec,
                          struct site_gate *gate, bool *pinned)
{
        bool taken;
        int r;

        if (!*spec->name && gate->key.type == KEY_NONE)
                return cli_public_load(cli, spec->value, &gate->key);
        if (strcmp(spec->name, "address") == 0) {
                gate->has_address = true;
                return parse_endpoint(spec->value, 8883, gate->address.host, &gate->address.port)
                               ? CLI_OK
                               : bad_spec(cli, "gate", spec->value, "HOST:PORT");
        }
        if (strcmp(spec->name, "for") == 0)
                return policy_take_scope(cli, bus, policy, "gate", spec->value, &gate->scope);
        r = take_recognition(cli, "gate", spec, &gate->address, pinned, &taken);
        return r == CLI_OK && !taken ? bad_spec(cli, "gate", spec->value, GATE_FORM) : r;
}

int policy_add_gate(struct cli *cli, sd_bus *bus, struct site_policy *policy, const char *text)
{
        struct site_gate gate = { .address.kind = ENDPOINT_RELAY };
        struct spec spec = { .text = text };
        bool pinned = false;
        size_t at = 0;
        int r = CLI_OK;

        while (r == CLI_OK && spec_next(&spec))
                r = take_gate_word(cli, bus, policy, &spec, &gate, &pinned);
        if (r != CLI_OK)
                return r;
        if (spec.broken || gate.key.type == KEY_NONE || gate.has_address != pinned)
                return bad_spec(cli, "gate", text, GATE_FORM);
        while (at < policy->gate_count && !key_equal(&policy->gates[at].key, &gate.key))
                at++;
        if (at >= SITE_GATES_MAX)
                return cli_fail(cli, CLI_USAGE, "--gate: at most %d gates", SITE_GATES_MAX);
        policy->gates[at] = gate;
        policy->gate_count += at == policy->gate_count;
        return CLI_OK;
}

int policy_put_endpoint(struct cli *cli, struct site_policy *policy, const struct site_endpoint *endpoint, size_t place)
{
        struct site_endpoint *list = policy->endpoints;
        size_t at = 0, count = policy->endpoint_count;

        for (size_t i = 0; i < count; i++)
                if (list[i].kind == endpoint->kind && list[i].port == endpoint->port &&
                    strcmp(list[i].host, endpoint->host) == 0) {
                        place = place > 0 ? place : i + 1;
                        memmove(&list[i], &list[i + 1], (count - i - 1) * sizeof(*list));
                        policy->endpoint_count = --count;
                        break;
                }
        if (count >= SITE_ENDPOINTS_MAX)
                return cli_fail(cli, CLI_USAGE, "at most %d endpoints", SITE_ENDPOINTS_MAX);
        while (at < count && (endpoint->kind == ENDPOINT_CLOUD || list[at].kind == ENDPOINT_RELAY))
                at++;
        if (place > 0)
                at = place - 1 < count ? place - 1 : count;
        memmove(&list[at + 1], &list[at], (count - at) * sizeof(*list));
        list[at] = *endpoint;
        policy->endpoint_count++;
        return CLI_OK;
}

#define ENDPOINT_FORM "\"relay|cloud HOST:PORT pin=HEX|certificate=FILE [backup=HEX] [devices=NAME,...] [place=N]\""

static int take_endpoint_word(struct cli *cli, struct site_policy *policy, const struct spec *spec,
                              struct site_endpoint *e, bool *pinned, uint64_t *place)
{
        bool taken;
        int r;

        if (!*spec->name)
                return parse_endpoint(spec->value, 8883, e->host, &e->port)
                               ? CLI_OK
                               : bad_spec(cli, "endpoint", spec->value, "HOST:PORT");
        if (strcmp(spec->name, "devices") == 0) {
                struct site_scope scope = { 0 };

                r = policy_take_devices(cli, policy, "endpoint", spec->value, &scope);
                e->device_first = scope.device_first;
                e->device_count = scope.device_count;
                return r;
        }
        if (strcmp(spec->name, "place") == 0)
                return parse_number(spec->value, 1, SITE_ENDPOINTS_MAX, place)
                               ? CLI_OK
                               : bad_spec(cli, "endpoint", spec->value, "a place from 1 on");
        r = take_recognition(cli, "endpoint", spec, e, pinned, &taken);
        return r == CLI_OK && !taken ? bad_spec(cli, "endpoint", spec->value, ENDPOINT_FORM) : r;
}

int policy_add_endpoint(struct cli *cli, struct site_policy *policy, const char *text)
{
        struct site_endpoint e = { .kind = ENDPOINT_RELAY };
        struct spec spec = { .text = text };
        bool pinned = false;
        uint64_t place = 0;
        int r = CLI_OK;

        if (!spec_next(&spec) || *spec.name || (strcmp(spec.value, "relay") != 0 && strcmp(spec.value, "cloud") != 0))
                return bad_spec(cli, "endpoint", text, ENDPOINT_FORM);
        e.kind = strcmp(spec.value, "cloud") == 0 ? ENDPOINT_CLOUD : ENDPOINT_RELAY;
        while (r == CLI_OK && spec_next(&spec))
                r = take_endpoint_word(cli, policy, &spec, &e, &pinned, &place);
        if (r != CLI_OK)
                return r;
        if (spec.broken || !*e.host || !pinned)
                return bad_spec(cli, "endpoint", text, ENDPOINT_FORM);
        return policy_put_endpoint(cli, policy, &e, (size_t)place);
}

/* ---- grants and rules */

int policy_add_grant(struct cli *cli, sd_bus *bus, struct site_policy *policy, const char *text)
{
        const char *equals = strrchr(text, '='), *scope = equals ? strchr(equals, '@') : NULL;
        struct site_grant grant = { .scope.kind = SCOPE_SITE };
        _cleanup_free_ char *file = NULL, *names = NULL;
        size_t at = 0;
        int r;

        if (!equals || equals == text)
                return bad_spec(cli, "grant", text, "KEYFILE=COMMAND,...[@SCOPE]");
        file = strndup(text, (size_t)(equals - text));
        names = strndup(equals + 1, scope ? (size_t)(scope - equals - 1) : strlen(equals + 1));
        if (!file || !names)
                return cli_errno(cli, ENOMEM, text);
        if ((r = cli_public_load(cli, file, &grant.key)) != CLI_OK ||
            (r = policy_take_names(cli, policy, "grant", names, &grant.names)) != CLI_OK)
                return r;
        if (grant.names.count == 0)
                return bad_spec(cli, "grant", text, "KEYFILE=COMMAND,...[@SCOPE]");
        if (scope && (r = policy_take_scope(cli, bus, policy, "grant", scope + 1, &grant.scope)) != CLI_OK)
                return r;
        while (at < policy->grant_count && !key_equal(&policy->grants[at].key, &grant.key))
                at++;
        if (at >= SITE_GRANTS_MAX)
                return cli_fail(cli, CLI_USAGE, "--grant: at most %d command keys", SITE_GRANTS_MAX);
        policy->grants[at] = grant;
        policy->grant_count += at == policy->grant_count;
        return CLI_OK;
}

#define RULE_FORM "\"urgency=WORD,... [class=CLASS|devices=NAME,...] [after=DURATION] [window='Sun 02:00-04:00']...\""

static int take_urgencies(struct cli *cli, struct site_rule *rule, const char *text)
{
        while (*text) {
                size_t size = strcspn(text, ",");

                if (size == 0 || size >= SITE_URGENCY_SIZE || rule->urgency_count >= SITE_URGENCIES_MAX)
                        return cli_fail(cli, CLI_USAGE, "--rule: 1 to %d urgencies of up to %d letters each",
                                        SITE_URGENCIES_MAX, SITE_URGENCY_SIZE - 1);
                span_to_string(span_of(text, size), rule->urgencies[rule->urgency_count++], SITE_URGENCY_SIZE);
                text += size + (text[size] == ',');
        }
        return CLI_OK;
}

static int take_window(struct cli *cli, struct site_rule *rule, const char *text)
{
        struct week_window windows[WEEK_DAYS];
        size_t count = week_parse(text, windows);

        if (count == 0)
                return bad_spec(cli, "rule", text, "a window such as 'Sun 02:00-04:00' or 'Mon-Fri 22:00-05:00'");
        if (rule->window_count + count > SITE_WINDOWS_MAX)
                return cli_fail(cli, CLI_USAGE, "--rule: at most %d windows (each day of '%s' is one)",
                                SITE_WINDOWS_MAX, text);
        for (size_t i = 0; i < count; i++)
                rule->windows[rule->window_count++] = (struct site_window){ windows[i].first, windows[i].minutes };
        return CLI_OK;
}

static int take_rule_word(struct cli *cli, sd_bus *bus, struct site_policy *policy, const struct spec *spec,
                          struct site_rule *rule)
{
        if (strcmp(spec->name, "urgency") == 0)
                return take_urgencies(cli, rule, spec->value);
        if (strcmp(spec->name, "class") == 0) {
                rule->scope.kind = SCOPE_CLASS;
                return policy_class_id(cli, bus, spec->value, rule->scope.class_id);
        }
        if (strcmp(spec->name, "devices") == 0)
                return policy_take_devices(cli, policy, "rule", spec->value, &rule->scope);
        if (strcmp(spec->name, "after") == 0)
                return parse_duration(spec->value, &rule->wait_s)
                               ? CLI_OK
                               : bad_spec(cli, "rule", spec->value, "a duration such as 7d or 12h");
        if (strcmp(spec->name, "window") == 0)
                return take_window(cli, rule, spec->value);
        return bad_spec(cli, "rule", *spec->name ? spec->name : spec->value, RULE_FORM);
}

int policy_add_rule(struct cli *cli, sd_bus *bus, struct site_policy *policy, const char *text)
{
        struct site_rule rule = { .scope.kind = SCOPE_SITE };
        struct spec spec = { .text = text };
        int r = CLI_OK;

        if (policy->rule_count >= SITE_RULES_MAX)
                return cli_fail(cli, CLI_USAGE, "--rule: at most %d rules", SITE_RULES_MAX);
        while (r == CLI_OK && spec_next(&spec))
                r = take_rule_word(cli, bus, policy, &spec, &rule);
        if (r != CLI_OK)
                return r;
        if (spec.broken || rule.urgency_count == 0)
                return bad_spec(cli, "rule", text, RULE_FORM);
        policy->rules[policy->rule_count++] = rule;
        return CLI_OK;
}

/* ---- names that several parts share */

static void keep_devices(struct site_policy *policy, const struct site_policy *from, size_t *first, size_t count)
{
        size_t kept = policy->device_count;

        for (size_t i = 0; i < count; i++)
                memcpy(policy->devices[policy->device_count++], from->devices[*first + i], IDENTITY_MAX + 1);
        *first = kept;
}

static void keep_names(struct site_policy *policy, const struct site_policy *from, struct site_names *names)
{
        size_t kept = policy->name_count;

        for (size_t i = 0; i < names->count; i++)
                memcpy(policy->names[policy->name_count++], from->names[names->first + i], COMMAND_NAME_SIZE);
        names->first = kept;
}

void policy_compact(struct site_policy *policy)
{
        struct site_policy *from = malloc(sizeof(*from));

        if (!from)
                return; /* the names nobody uses stay, which is only waste */
        *from = *policy;
        memset(policy->devices, 0, sizeof(policy->devices));
        memset(policy->names, 0, sizeof(policy->names));
        policy->device_count = policy->name_count = 0;
        for (size_t i = 0; i < policy->endpoint_count; i++)
                keep_devices(policy, from, &policy->endpoints[i].device_first, policy->endpoints[i].device_count);
        for (size_t i = 0; i < policy->gate_count; i++)
                keep_devices(policy, from, &policy->gates[i].scope.device_first, policy->gates[i].scope.device_count);
        for (size_t i = 0; i < policy->grant_count; i++) {
                keep_devices(policy, from, &policy->grants[i].scope.device_first, policy->grants[i].scope.device_count);
                keep_names(policy, from, &policy->grants[i].names);
        }
        for (size_t i = 0; i < policy->rule_count; i++)
                keep_devices(policy, from, &policy->rules[i].scope.device_first, policy->rules[i].scope.device_count);
        keep_names(policy, from, &policy->vendor_commands);
        free(from);
}
