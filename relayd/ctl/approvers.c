/* SPDX-License-Identifier: GPL-2.0-or-later */
/* relayctl approvers, policy, vendor: who decides here, and the signed objects that say so. */

#include "ctl/ctl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "bus/names.h"
#include "cli/describe.h"
#include "cli/io.h"
#include "cli/output.h"
#include "cli/parse.h"
#include "cli/prompt.h"
#include "cli/signedset.h"
#include "ctl/bus.h"
#include "ctl/policyfile.h"
#include "util/cleanup.h"

const struct cli_option ctl_approvers_propose_options[] = {
        POLICY_OPTIONS,
        { "address", 0, "HOST:PORT", "where devices reach the relay" },
        { "relay-certificate", 0, "FILE", "the relay's certificate; its key becomes the pin" },
        { "gate", 0, "FILE", "public key of the gate" },
        { "after", 0, "FILE", "the signed policy this one follows" },
        { "output", 'o', "FILE", "where the proposal goes" },
        { 0 },
};
const struct cli_option ctl_approvers_sign_options[] = {
        CLI_SIGNER_OPTIONS("your approver key"),
        { "yes", 'y', NULL, "do not ask" },
        { 0 },
};
static const struct output_column approver_columns[] = {
        { "key_id", "APPROVER", OUTPUT_TEXT },
        { "fingerprint", "FINGERPRINT", OUTPUT_TEXT },
        { "signed", "SIGNED POLICY", OUTPUT_YES_NO },
};

static json_t *describe_signed_policy(const struct site_policy *policy, const struct signed_set *set)
{
        json_t *object = describe_policy(policy), *signers = json_array();

        for (size_t i = 0; i < policy->approver_count; i++)
                if (signed_set_has(set, SITE_POLICY_AAD, &policy->approvers[i]))
                        json_array_append_new(signers, describe_public_key(&policy->approvers[i]));
        json_object_set_new(object, "signed_by", signers);
        return object;
}

static int load_policy(struct cli *cli, const char *path, struct signed_set *set, struct site_policy *policy)
{
        int r = signed_set_load(cli, path, set);

        if (r == CLI_OK && site_policy_decode(set->set.payload, policy) != RELAY_OK)
                r = cli_fail(cli, CLI_FAILED, "%s: no site policy", path);
        return r;
}

int ctl_approvers_list(struct cli *cli)
{
        _cleanup_bus_ sd_bus *bus = NULL;
        _cleanup_(signed_set_done) struct signed_set set = { 0 };
        _cleanup_json_ json_t *rows = json_array();
        struct site_policy policy;
        size_t size = 0;
        int r;

        if ((r = ctl_connect(cli, &bus)) != CLI_OK ||
            (r = ctl_fetch_bytes(cli, bus, BUS_PATH, BUS_MANAGER, "GetSitePolicy", &set.bytes, &size)) != CLI_OK)
                return r;
        if (size == 0)
                return cli_fail(cli, CLI_FAILED, "the relay has no site policy yet: 'relayctl policy import FILE'");
        if (cose_set_decode(span_of(set.bytes, size), &set.set) != RELAY_OK ||
            site_policy_decode(set.set.payload, &policy) != RELAY_OK)
                return cli_refuse(cli, REASON_POLICY_INVALID, "what the relay answered");
        for (size_t i = 0; i < policy.approver_count; i++) {
                char fingerprint[2 * SHA256_SIZE + 1];

                cli_fingerprint_hex(&policy.approvers[i], fingerprint);
                json_array_append_new(rows,
                                      json_pack("{s:o, s:s, s:b}", "key_id", describe_public_key(&policy.approvers[i]),
                                                "fingerprint", fingerprint, "signed",
                                                signed_set_has(&set, SITE_POLICY_AAD, &policy.approvers[i])));
        }
        r = output_table(cli, rows, approver_columns, sizeof(approver_columns) / sizeof(*approver_columns), "none");
        if (r == CLI_OK && !cli->json)
                printf("%zu of %zu are needed for an approval.\n", policy.threshold, policy.approver_count);
        return r;
}

static int take_predecessor(struct cli *cli, struct site_policy *policy)
{
        _cleanup_(signed_set_done) struct signed_set set = { 0 };
        const char *path = cli_value(cli, "after");
        struct site_policy before;
        int r;

        policy->epoch = 1;
        if (!path)
                return CLI_OK;
        if ((r = load_policy(cli, path, &set, &before)) != CLI_OK)
                return r;
        policy->epoch = before.epoch + 1;
        policy->approval_epoch = before.approval_epoch;
        policy->has_predecessor = true;
        memcpy(policy->predecessor, before.digest, SHA256_SIZE);
        return CLI_OK;
}

static int take_relay(struct cli *cli, struct site_policy *policy)
{
        const char *address = cli_value(cli, "address"), *certificate;
        struct public_key key;
        uint8_t pin[SHA256_SIZE];
        int r;

        if (!address)
                return CLI_OK;
        if ((r = cli_need(cli, "relay-certificate", &certificate)) != CLI_OK ||
            (r = cli_public_load(cli, certificate, &key)) != CLI_OK)
                return r;
        if (key_fingerprint(&key, pin) != RELAY_OK)
                return cli_fail(cli, CLI_FAILED, "%s: unusable key", certificate);
        return policy_add_relay(cli, policy, address, pin);
}

static int take_gates(struct cli *cli, struct site_policy *policy)
{
        struct public_key keys[SITE_GATES_MAX];
        int r = cli_public_load_all(cli, "gate", 0, SITE_GATES_MAX, keys, &policy->gate_count);

        for (size_t i = 0; r == CLI_OK && i < policy->gate_count; i++)
                policy->gates[i].key = keys[i];
        return r;
}

int ctl_approvers_propose(struct cli *cli)
{
        _cleanup_json_ json_t *object = NULL;
        struct site_policy policy = { 0 }, checked;
        const char *site, *output;
        int r;

        if ((r = cli_need(cli, "site", &site)) != CLI_OK || (r = cli_need(cli, "output", &output)) != CLI_OK ||
            (r = policy_take_site(cli, &policy, site)) != CLI_OK || (r = take_predecessor(cli, &policy)) != CLI_OK ||
            (r = take_gates(cli, &policy)) != CLI_OK || (r = take_relay(cli, &policy)) != CLI_OK ||
            (r = policy_add_cloud(cli, &policy)) != CLI_OK ||
            (r = policy_create(cli, &policy, output, &checked)) != CLI_OK)
                return r;
        object = describe_policy(&checked);
        r = show_policy(cli, object);
        if (r == CLI_OK && !cli->json)
                printf("Next, %zu of %zu approvers sign: relayctl approvers sign %s --key KEY\n", checked.threshold,
                       checked.approver_count, output);
        return r;
}

static int show_file(struct cli *cli, const struct site_policy *policy, const struct signed_set *set)
{
        _cleanup_json_ json_t *object = describe_signed_policy(policy, set);

        return show_policy(cli, object);
}

int ctl_approvers_show(struct cli *cli)
{
        _cleanup_(signed_set_done) struct signed_set set = { 0 };
        struct site_policy policy;
        int r = load_policy(cli, cli_argument(cli, 0), &set, &policy);

        return r == CLI_OK ? show_file(cli, &policy, &set) : r;
}

static int report_signatures(struct cli *cli, const char *path)
{
        _cleanup_(signed_set_done) struct signed_set set = { 0 };
        struct site_policy policy;
        size_t signatures = 0;
        int r = load_policy(cli, path, &set, &policy);

        for (size_t i = 0; r == CLI_OK && i < policy.approver_count; i++)
                signatures += signed_set_has(&set, SITE_POLICY_AAD, &policy.approvers[i]);
        if (r != CLI_OK || cli->json)
                return r;
        if (signatures < policy.threshold)
                printf("Signed: %zu of %zu signatures. Hand %s to the next approver.\n", signatures, policy.threshold,
                       path);
        else
                printf("Signed: %zu of %zu signatures; it is complete. Next: relayctl policy import %s\n", signatures,
                       policy.threshold, path);
        return CLI_OK;
}

int ctl_approvers_sign(struct cli *cli)
{
        _cleanup_(signed_set_done) struct signed_set set = { 0 };
        _cleanup_(cli_signer_close) struct cli_signer signer = { 0 };
        const char *path = cli_argument(cli, 0);
        struct site_policy policy;
        int r;

        if ((r = load_policy(cli, path, &set, &policy)) != CLI_OK ||
            (r = cli_signer_open(cli, policy.approvers, policy.approver_count, "its approvers", &signer)) != CLI_OK ||
            (r = show_file(cli, &policy, &set)) != CLI_OK ||
            (r = prompt_confirm(cli, "Sign this site policy? Compare the digest with the other approvers.")) !=
                    CLI_OK ||
            (r = signed_set_sign(cli, path, &set, SITE_POLICY_AAD, &signer, policy.approvers, policy.approver_count,
                                 "approver")) != CLI_OK)
                return r;
        return report_signatures(cli, path);
}

int ctl_import_policy(struct cli *cli, sd_bus *bus, const char *path)
{
        uint8_t scratch[SIGNED_SET_MAX + 128];
        _cleanup_free_ uint8_t *bytes = NULL;
        _cleanup_json_ json_t *object = NULL;
        struct site_policy policy;
        enum reason why;
        size_t size;
        int r = cli_read(cli, path, SIGNED_SET_MAX, &bytes, &size);

        if (r != CLI_OK)
                return r;
        why = site_policy_accept_first(span_of(bytes, size), &policy, scratch, sizeof(scratch));
        if (why != REASON_NONE)
                return cli_refuse(cli, why, "%s; 'relayctl approvers show %s' tells who signed", path, path);
        if ((r = ctl_call_bytes(cli, bus, "ImportSitePolicy", span_of(bytes, size), NULL)) != CLI_OK)
                return r;
        object = describe_policy(&policy);
        return output_done(cli, object, "site policy of %s taken over, digest %s", policy.site,
                           json_string_value(json_object_get(object, "digest")));
}

int ctl_import_vendor(struct cli *cli, sd_bus *bus, const char *path)
{
        uint8_t scratch[SIGNED_SET_MAX + 128];
        _cleanup_free_ uint8_t *bytes = NULL;
        _cleanup_json_ json_t *object = NULL;
        struct vendor_keys keys;
        enum reason why;
        size_t size;
        int r = cli_read(cli, path, SIGNED_SET_MAX, &bytes, &size);

        if (r != CLI_OK)
                return r;
        why = vendor_keys_accept_first(span_of(bytes, size), &keys, scratch, sizeof(scratch));
        if (why != REASON_NONE)
                return cli_refuse(cli, why, "%s", path);
        if ((r = ctl_call_bytes(cli, bus, "ImportVendorKeys", span_of(bytes, size), NULL)) != CLI_OK)
                return r;
        object = describe_vendor_keys(&keys);
        return output_done(cli, object, "vendor key set taken over, digest %s",
                           json_string_value(json_object_get(object, "digest")));
}

int ctl_policy_import(struct cli *cli)
{
        _cleanup_bus_ sd_bus *bus = NULL;
        int r = ctl_connect(cli, &bus);

        return r == CLI_OK ? ctl_import_policy(cli, bus, cli_argument(cli, 0)) : r;
}

int ctl_vendor_import(struct cli *cli)
{
        _cleanup_bus_ sd_bus *bus = NULL;
        int r = ctl_connect(cli, &bus);

        return r == CLI_OK ? ctl_import_vendor(cli, bus, cli_argument(cli, 0)) : r;
}
