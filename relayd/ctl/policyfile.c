/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Site policies put together from options. */

#include "ctl/policyfile.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include <time.h>

#include "cli/parse.h"
#include "cli/signedset.h"
#include "ctl/policyspec.h"
#include "util/zone.h"

#define KEY_DIGITS_LEAST 8 /* of a fingerprint that stands for a key */

static int take_threshold(struct cli *cli, struct site_policy *policy)
{
        const char *text = cli_value(cli, "threshold");
        size_t n = policy->approver_count, least = n / 2 + 1;
        uint64_t k = policy->threshold > 0 ? policy->threshold : least;

        if (text && !parse_number(text, least, n, &k))
                return cli_fail(cli, CLI_USAGE, "--threshold '%s': with %zu approvers, %zu to %zu are allowed", text, n,
                                least, n);
        if (k < least || k > n)
                return cli_fail(cli, CLI_USAGE,
                                "--threshold is missing: with %zu approvers, %zu to %zu are allowed, and until now %zu "
                                "were needed",
                                n, least, n, policy->threshold);
        policy->threshold = (size_t)k;
        return CLI_OK;
}

static int take_approvers(struct cli *cli, struct site_policy *policy)
{
        int r = cli_public_load_all(cli, "approver", 1, SITE_APPROVERS_MAX, policy->approvers, &policy->approver_count);

        if (r == CLI_OK && key_list_repeats(policy->approvers, policy->approver_count))
                return cli_fail(cli, CLI_USAGE, "--approver: one key was given twice");
        return r;
}

static int take_patience(struct cli *cli, struct site_policy *policy)
{
        const char *patience = cli_value(cli, "patience");
        uint64_t seconds = 0;

        if (!patience)
                return CLI_OK;
        if (strcmp(patience, "forever") != 0 && (!parse_duration(patience, &seconds) || seconds > UINT32_MAX))
                return cli_fail(cli, CLI_USAGE, "--patience '%s': a duration such as 90s or 10m is needed, or forever",
                                patience);
        policy->patience_s = (uint32_t)seconds;
        return CLI_OK;
}

static int take_time_zone(struct cli *cli, struct site_policy *policy)
{
        const char *zone = cli_value(cli, "time-zone");

        if (!zone)
                return CLI_OK;
        if (strlen(zone) >= SITE_TIME_ZONE_SIZE || (*zone && !zone_name_is_valid(zone)))
                return cli_fail(cli, CLI_USAGE, "--time-zone '%s': a name such as Europe/Helsinki is needed", zone);
        memset(policy->time_zone, 0, sizeof(policy->time_zone));
        memcpy(policy->time_zone, zone, strlen(zone));
        return CLI_OK;
}

static int take_flags(struct cli *cli, struct site_policy *policy)
{
        if (cli_flag(cli, "ticket") && cli_flag(cli, "no-ticket"))
                return cli_fail(cli, CLI_USAGE, "--ticket and --no-ticket exclude each other");
        if (cli_flag(cli, "ticket") || cli_flag(cli, "no-ticket"))
                policy->ticket_needed = cli_flag(cli, "ticket");
        if (cli_flag(cli, "relay-only"))
                policy->mode = SITE_RELAY_ONLY;
        return CLI_OK;
}

/* what first policies and successors have in common; the rest of policy is what holds without options */
static int take_common(struct cli *cli, sd_bus *bus, struct site_policy *policy)
{
        const char *names = cli_value(cli, "vendor-commands");
        uint64_t now = (uint64_t)time(NULL);
        int r;

        if (policy->issued < now)
                policy->issued = now;
        if ((r = take_flags(cli, policy)) != CLI_OK || (r = take_patience(cli, policy)) != CLI_OK ||
            (r = take_time_zone(cli, policy)) != CLI_OK)
                return r;
        if (names && (r = policy_take_names(cli, policy, "vendor-commands", names, &policy->vendor_commands)) != CLI_OK)
                return r;
        for (size_t i = 0; i < cli_value_count(cli, "grant"); i++)
                if ((r = policy_add_grant(cli, bus, policy, cli_value_at(cli, "grant", i))) != CLI_OK)
                        return r;
        for (size_t i = 0; i < cli_value_count(cli, "rule"); i++)
                if ((r = policy_add_rule(cli, bus, policy, cli_value_at(cli, "rule", i))) != CLI_OK)
                        return r;
        return take_threshold(cli, policy);
}

int policy_take_site(struct cli *cli, sd_bus *bus, struct site_policy *policy, const char *site)
{
        int r;

        if (!identity_is_device(span_of_string(site)))
                return cli_fail(cli, CLI_USAGE, "--site '%s': 1 to %d of a-z, 0-9 and '-' are allowed", site, SITE_MAX);
        span_to_string(span_of_string(site), policy->site, sizeof(policy->site));
        policy->ticket_needed = true;
        r = take_approvers(cli, policy);
        return r == CLI_OK ? take_common(cli, bus, policy) : r;
}

int policy_add_parts(struct cli *cli, sd_bus *bus, struct site_policy *policy)
{
        int r = CLI_OK;

        for (size_t i = 0; r == CLI_OK && i < cli_value_count(cli, "gate"); i++)
                r = policy_add_gate(cli, bus, policy, cli_value_at(cli, "gate", i));
        for (size_t i = 0; r == CLI_OK && i < cli_value_count(cli, "endpoint"); i++)
                r = policy_add_endpoint(cli, policy, cli_value_at(cli, "endpoint", i));
        return r;
}

/* ---- what a successor takes away */

/* The place of a key of the list: by file, or by the first digits of its fingerprint. */
static int find_key(struct cli *cli, const char *option, const char *text, const struct public_key *keys, size_t count,
                    size_t *place)
{
        struct public_key key;
        size_t found = 0, digits = strspn(text, "0123456789abcdefABCDEF");
        int r;

        if (!text[digits] && digits >= KEY_DIGITS_LEAST && access(text, F_OK) != 0) {
                for (size_t i = 0; i < count; i++) {
                        char fingerprint[2 * SHA256_SIZE + 1];

                        if (strncasecmp(cli_fingerprint_hex(&keys[i], fingerprint), text, digits) == 0) {
                                *place = i;
                                found++;
                        }
                }
                return found == 1
                               ? CLI_OK
                               : cli_fail(cli, CLI_USAGE, "--%s '%s' fits %zu keys of the policy", option, text, found);
        }
        if ((r = cli_public_load(cli, text, &key)) != CLI_OK)
                return r;
        for (size_t i = 0; i < count; i++)
                if (key_equal(&keys[i], &key)) {
                        *place = i;
                        return CLI_OK;
                }
        return cli_fail(cli, CLI_USAGE, "--%s %s: the policy has no such key", option, text);
}

static int remove_approvers(struct cli *cli, struct site_policy *policy)
{
        for (size_t i = 0; i < cli_value_count(cli, "remove-approver"); i++) {
                size_t at = 0;
                int r = find_key(cli, "remove-approver", cli_value_at(cli, "remove-approver", i), policy->approvers,
                                 policy->approver_count, &at);

                if (r != CLI_OK)
                        return r;
                policy->approver_count--;
                memmove(&policy->approvers[at], &policy->approvers[at + 1],
                        (policy->approver_count - at) * sizeof(*policy->approvers));
        }
        return CLI_OK;
}

static int remove_gates(struct cli *cli, struct site_policy *policy)
{
        struct public_key keys[SITE_GATES_MAX];

        for (size_t i = 0; i < cli_value_count(cli, "remove-gate"); i++) {
                size_t at = 0;
                int r;

                for (size_t g = 0; g < policy->gate_count; g++)
                        keys[g] = policy->gates[g].key;
                if ((r = find_key(cli, "remove-gate", cli_value_at(cli, "remove-gate", i), keys, policy->gate_count,
                                  &at)) != CLI_OK)
                        return r;
                policy->gate_count--;
                memmove(&policy->gates[at], &policy->gates[at + 1], (policy->gate_count - at) * sizeof(*policy->gates));
        }
        return CLI_OK;
}

static int remove_grants(struct cli *cli, struct site_policy *policy)
{
        struct public_key keys[SITE_GRANTS_MAX];

        for (size_t i = 0; i < cli_value_count(cli, "remove-grant"); i++) {
                size_t at = 0;
                int r;

                for (size_t g = 0; g < policy->grant_count; g++)
                        keys[g] = policy->grants[g].key;
                if ((r = find_key(cli, "remove-grant", cli_value_at(cli, "remove-grant", i), keys, policy->grant_count,
                                  &at)) != CLI_OK)
                        return r;
                policy->grant_count--;
                memmove(&policy->grants[at], &policy->grants[at + 1],
                        (policy->grant_count - at) * sizeof(*policy->grants));
        }
        return CLI_OK;
}

static int remove_endpoints(struct cli *cli, struct site_policy *policy)
{
        for (size_t i = 0; i < cli_value_count(cli, "remove-endpoint"); i++) {
                const char *text = cli_value_at(cli, "remove-endpoint", i);
                char host[PARSE_HOST_SIZE];
                size_t at = 0;
                uint16_t port;

                if (!parse_endpoint(text, 8883, host, &port))
                        return cli_fail(cli, CLI_USAGE, "--remove-endpoint '%s': HOST:PORT is needed", text);
                while (at < policy->endpoint_count &&
                       (policy->endpoints[at].port != port || strcmp(policy->endpoints[at].host, host) != 0))
                        at++;
                if (at == policy->endpoint_count)
                        return cli_fail(cli, CLI_USAGE, "--remove-endpoint %s: the policy has no such endpoint", text);
                policy->endpoint_count--;
                memmove(&policy->endpoints[at], &policy->endpoints[at + 1],
                        (policy->endpoint_count - at) * sizeof(*policy->endpoints));
        }
        return CLI_OK;
}

static int remove_parts(struct cli *cli, struct site_policy *policy)
{
        int r;

        if ((r = remove_approvers(cli, policy)) != CLI_OK || (r = remove_gates(cli, policy)) != CLI_OK ||
            (r = remove_grants(cli, policy)) != CLI_OK || (r = remove_endpoints(cli, policy)) != CLI_OK)
                return r;
        if (cli_flag(cli, "remove-rules"))
                policy->rule_count = 0;
        if (cli_flag(cli, "no-relay-only"))
                policy->mode = SITE_NORMAL;
        if (cli_value(cli, "vendor-commands"))
                policy->vendor_commands.count = 0;
        policy_compact(policy);
        return CLI_OK;
}

static int add_approvers(struct cli *cli, struct site_policy *policy)
{
        for (size_t i = 0; i < cli_value_count(cli, "add-approver"); i++) {
                const char *path = cli_value_at(cli, "add-approver", i);
                int r;

                if (policy->approver_count >= SITE_APPROVERS_MAX)
                        return cli_fail(cli, CLI_USAGE, "--add-approver: at most %d approvers", SITE_APPROVERS_MAX);
                if ((r = cli_public_load(cli, path, &policy->approvers[policy->approver_count])) != CLI_OK)
                        return r;
                policy->approver_count++;
                if (key_list_repeats(policy->approvers, policy->approver_count))
                        return cli_fail(cli, CLI_USAGE, "--add-approver %s: this key is an approver's already", path);
        }
        return CLI_OK;
}

static int take_approval_epoch(struct cli *cli, struct site_policy *policy)
{
        const char *text = cli_value(cli, "approval-epoch");

        if (text && !parse_number(text, policy->approval_epoch, UINT32_MAX, &policy->approval_epoch))
                return cli_fail(cli, CLI_USAGE, "--approval-epoch '%s': it never falls; until now it is %llu", text,
                                (unsigned long long)policy->approval_epoch);
        return CLI_OK;
}

int policy_change(struct cli *cli, sd_bus *bus, struct site_policy *policy)
{
        int r;

        policy->epoch++;
        policy->has_predecessor = true;
        memcpy(policy->predecessor, policy->digest, SHA256_SIZE);
        if ((r = remove_parts(cli, policy)) != CLI_OK || (r = policy_take_vendor_epoch(cli, bus, policy)) != CLI_OK)
                return r;
        if (cli_value(cli, "approver") && (r = take_approvers(cli, policy)) != CLI_OK)
                return r;
        if ((r = add_approvers(cli, policy)) != CLI_OK || (r = take_approval_epoch(cli, policy)) != CLI_OK)
                return r;
        return take_common(cli, bus, policy);
}

/* ---- endpoints of options of their own */

static int new_endpoint(struct cli *cli, const char *option, const char *address, struct site_endpoint *e)
{
        if (!parse_endpoint(address, 8883, e->host, &e->port))
                return cli_fail(cli, CLI_USAGE, "--%s '%s': HOST:PORT is needed", option, address);
        return CLI_OK;
}

int policy_add_relay(struct cli *cli, struct site_policy *policy, const char *address, const uint8_t pin[SHA256_SIZE])
{
        const char *devices = cli_value(cli, "endpoint-devices");
        struct site_endpoint e = { .kind = ENDPOINT_RELAY };
        struct site_scope scope = { 0 };
        int r = new_endpoint(cli, "address", address, &e);

        if (r == CLI_OK && devices)
                r = policy_take_devices(cli, policy, "endpoint-devices", devices, &scope);
        if (r != CLI_OK)
                return r;
        memcpy(e.pin, pin, SHA256_SIZE);
        e.device_first = scope.device_first;
        e.device_count = scope.device_count;
        return policy_put_endpoint(cli, policy, &e, 0);
}

static int take_pin(struct cli *cli, const char *option, uint8_t pin[SHA256_SIZE])
{
        const char *text;
        int r = cli_need(cli, option, &text);

        if (r == CLI_OK && !parse_hex(text, pin, SHA256_SIZE))
                return cli_fail(cli, CLI_USAGE, "--%s '%s': 64 hexadecimal digits are needed", option, text);
        return r;
}

int policy_add_cloud(struct cli *cli, struct site_policy *policy)
{
        const char *address = cli_value(cli, "cloud");
        struct site_endpoint e = { .kind = ENDPOINT_CLOUD };
        int r;

        if (!address || policy->mode == SITE_RELAY_ONLY)
                return CLI_OK;
        if ((r = new_endpoint(cli, "cloud", address, &e)) != CLI_OK ||
            (r = take_pin(cli, "cloud-pin", e.pin)) != CLI_OK)
                return r;
        e.has_backup_pin = cli_value(cli, "cloud-backup-pin") != NULL;
        if (e.has_backup_pin && (r = take_pin(cli, "cloud-backup-pin", e.backup_pin)) != CLI_OK)
                return r;
        return policy_put_endpoint(cli, policy, &e, 0);
}

/* ---- the file */

static bool grants_everything(const struct site_policy *policy, const struct site_names *names)
{
        for (size_t i = 0; i < names->count; i++)
                if (strcmp(policy->names[names->first + i], "*") == 0)
                        return true;
        return false;
}

void policy_warn(struct cli *cli, const struct site_policy *policy)
{
        size_t k = policy->threshold, n = policy->approver_count;

        if (k == 1)
                cli_error(cli,
                          "warning: one approver alone decides; one stolen key is enough (use 3 approvers, 2 needed)");
        if (k == n && n > 1)
                cli_error(cli,
                          "warning: all %zu approvers are needed; one lost key, and devices must be reclaimed by hand",
                          n);
        if (!policy->ticket_needed)
                cli_error(cli,
                          "warning: no ticket is needed: approvals alone suffice, the gate holds nobody back on the "
                          "direct way, and revoking takes effect on a device only when it hears of it");
        if (!policy->ticket_needed && policy->gate_count > 0)
                cli_error(cli, "warning: the policy names a gate, but installs do not ask it; --ticket makes them");
        if (policy->rule_count > 0)
                cli_error(cli,
                          "warning: what fits the rule is installed without anybody saying yes to that very update");
        if (grants_everything(policy, &policy->vendor_commands))
                cli_error(cli, "warning: the vendor's command keys may run every command here");
        for (size_t i = 0; i < policy->grant_count; i++)
                if (grants_everything(policy, &policy->grants[i].names))
                        cli_error(cli, "warning: a command key of the site may run every command");
        if (policy->mode == SITE_RELAY_ONLY)
                cli_error(cli, "warning: relay-only: while the relay is down, devices report and get nothing");
}

/* The most likely slips, before the format's own rules refuse them without a name. */
static int check(struct cli *cli, const struct site_policy *policy)
{
        if (policy->gate_count == 0 && (policy->ticket_needed || policy->rule_count > 0))
                return cli_fail(cli, CLI_USAGE, "%s a gate: --gate FILE (its public key)%s",
                                policy->ticket_needed ? "tickets need" : "a rule needs",
                                policy->ticket_needed ? ", or --no-ticket" : "");
        if (policy->endpoint_count == 0)
                return cli_fail(cli, CLI_USAGE, "there is no endpoint: devices would know no relay and no cloud");
        return CLI_OK;
}

int policy_create(struct cli *cli, const struct site_policy *policy, const char *path, struct site_policy *checked)
{
        uint8_t payload[SITE_POLICY_MAX];
        struct writer w;
        int r = check(cli, policy);

        if (r != CLI_OK)
                return r;
        policy_warn(cli, policy);
        writer_init(&w, payload, sizeof(payload));
        r = site_policy_encode(&w, policy);
        if (r == RELAY_OK)
                r = writer_finish(&w);
        if (r == RELAY_OK)
                r = site_policy_decode(writer_span(&w), checked);
        if (r != RELAY_OK)
                return cli_fail(cli, CLI_FAILED, "these values make no valid site policy: %s", relay_result_string(r));
        return signed_set_create(cli, path, writer_span(&w));
}
