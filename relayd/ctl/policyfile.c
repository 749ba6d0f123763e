/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Site policies put together from options. */

#include "ctl/policyfile.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli/parse.h"
#include "cli/signedset.h"

static int take_threshold(struct cli *cli, struct site_policy *policy)
{
        const char *text = cli_value(cli, "threshold");
        size_t n = policy->approver_count, least = n / 2 + 1;
        uint64_t k = least;

        if (text && !parse_number(text, least, n, &k))
                return cli_fail(cli, CLI_USAGE, "--threshold '%s': with %zu approvers, %zu to %zu are allowed", text, n,
                                least, n);
        policy->threshold = (size_t)k;
        if (k == 1)
                cli_error(cli,
                          "warning: one approver alone decides; one stolen key is enough (use 3 approvers, 2 needed)");
        if (k == n && n > 1)
                cli_error(cli,
                          "warning: all %zu approvers are needed; one lost key, and devices must be reclaimed by hand",
                          n);
        return CLI_OK;
}

int policy_take_site(struct cli *cli, struct site_policy *policy, const char *site)
{
        const char *patience = cli_value(cli, "patience");
        uint64_t seconds = 0;
        int r;

        if (!identity_is_device(span_of_string(site)))
                return cli_fail(cli, CLI_USAGE, "--site '%s': 1 to %d of a-z, 0-9 and '-' are allowed", site, SITE_MAX);
        span_to_string(span_of_string(site), policy->site, sizeof(policy->site));
        if ((r = cli_public_load_all(cli, "approver", 1, SITE_APPROVERS_MAX, policy->approvers,
                                     &policy->approver_count)) != CLI_OK)
                return r;
        if (key_list_repeats(policy->approvers, policy->approver_count))
                return cli_fail(cli, CLI_USAGE, "--approver: one key was given twice");
        if (patience && (!parse_duration(patience, &seconds) || seconds > UINT32_MAX))
                return cli_fail(cli, CLI_USAGE, "--patience '%s': a duration such as 90s or 10m is needed", patience);
        policy->patience_s = (uint32_t)seconds;
        policy->mode = cli_flag(cli, "relay-only") ? SITE_RELAY_ONLY : SITE_NORMAL;
        policy->ticket_needed = cli_flag(cli, "ticket");
        policy->issued = (uint64_t)time(NULL);
        return take_threshold(cli, policy);
}

static int new_endpoint(struct cli *cli, struct site_policy *policy, const char *option, const char *address,
                        struct site_endpoint **ret)
{
        struct site_endpoint *e = &policy->endpoints[policy->endpoint_count];

        if (policy->endpoint_count >= SITE_ENDPOINTS_MAX)
                return cli_fail(cli, CLI_USAGE, "--%s: at most %d endpoints", option, SITE_ENDPOINTS_MAX);
        if (!parse_endpoint(address, 8883, e->host, &e->port))
                return cli_fail(cli, CLI_USAGE, "--%s '%s': HOST:PORT is needed", option, address);
        policy->endpoint_count++;
        *ret = e;
        return CLI_OK;
}

static int take_devices(struct cli *cli, struct site_policy *policy, struct site_endpoint *e, const char *list)
{
        e->device_first = policy->device_count;
        while (*list) {
                size_t size = strcspn(list, ",");
                struct span name = span_of(list, size);

                if (policy->device_count >= SITE_DEVICES_MAX)
                        return cli_fail(cli, CLI_USAGE, "--endpoint-devices: at most %d devices", SITE_DEVICES_MAX);
                if (!identity_is_device(name))
                        return cli_fail(cli, CLI_USAGE, "--endpoint-devices: '%.*s' is no device's name", (int)size,
                                        list);
                span_to_string(name, policy->devices[policy->device_count++], IDENTITY_MAX + 1);
                e->device_count++;
                list += size + (list[size] == ',');
        }
        return CLI_OK;
}

int policy_add_relay(struct cli *cli, struct site_policy *policy, const char *address, const uint8_t pin[SHA256_SIZE])
{
        const char *devices = cli_value(cli, "endpoint-devices");
        struct site_endpoint *e = NULL;
        int r = new_endpoint(cli, policy, "address", address, &e);

        if (r != CLI_OK)
                return r;
        e->kind = ENDPOINT_RELAY;
        memcpy(e->pin, pin, SHA256_SIZE);
        return devices ? take_devices(cli, policy, e, devices) : CLI_OK;
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
        struct site_endpoint *e = NULL;
        int r;

        if (!address || policy->mode == SITE_RELAY_ONLY)
                return CLI_OK;
        if ((r = new_endpoint(cli, policy, "cloud", address, &e)) != CLI_OK ||
            (r = take_pin(cli, "cloud-pin", e->pin)) != CLI_OK)
                return r;
        e->kind = ENDPOINT_CLOUD;
        e->has_backup_pin = cli_value(cli, "cloud-backup-pin") != NULL;
        return e->has_backup_pin ? take_pin(cli, "cloud-backup-pin", e->backup_pin) : CLI_OK;
}

int policy_create(struct cli *cli, const struct site_policy *policy, const char *path, struct site_policy *checked)
{
        uint8_t payload[SITE_POLICY_MAX];
        struct writer w;
        int r;

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
