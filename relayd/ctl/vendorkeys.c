/* SPDX-License-Identifier: GPL-2.0-or-later */
/* relayctl vendor-keys: whose signatures make a manifest here; successors need the site's approvers, too. */

#include "ctl/ctl.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "bus/names.h"
#include "cli/describe.h"
#include "cli/io.h"
#include "cli/output.h"
#include "cli/prompt.h"
#include "cli/signedset.h"
#include "ctl/bus.h"
#include "ctl/request.h"
#include "util/cleanup.h"

#define SCRATCH_SIZE (SIGNED_SET_MAX + 128)

const struct cli_option ctl_vendor_keys_sign_options[] = {
        CLI_SIGNER_OPTIONS("your approver key"),
        { "after", 0, "FILE", "the vendor key set it follows, if you vouch for it (default: what the relay shows)" },
        TRUST_OPTIONS,
        { "yes", 'y', NULL, "do not ask; needs trust that was given or remembered" },
        { 0 },
};

static int load_keys(struct cli *cli, const char *path, struct signed_set *set, struct vendor_keys *keys)
{
        int r = signed_set_load(cli, path, set);

        if (r == CLI_OK && vendor_keys_decode(set->set.payload, keys) != RELAY_OK)
                r = cli_refuse(cli, REASON_MALFORMED, "%s: no vendor key set", path);
        return r;
}

static size_t count_signed(const struct signed_set *set, const struct public_key *keys, size_t count)
{
        size_t found = 0;

        for (size_t i = 0; i < count; i++)
                found += signed_set_has(set, VENDOR_KEYS_AAD, &keys[i]);
        return found;
}

static void add_signers(json_t *signers, const struct signed_set *set, const struct public_key *keys, size_t count)
{
        for (size_t i = 0; i < count; i++)
                if (signed_set_has(set, VENDOR_KEYS_AAD, &keys[i]))
                        json_array_append_new(signers, describe_public_key(&keys[i]));
}

static int show_set(struct cli *cli, const struct signed_set *set, const struct vendor_keys *keys,
                    const struct trust *trust)
{
        _cleanup_json_ json_t *object = describe_vendor_keys(keys);
        const struct vendor_keys *by = trust ? &trust->vendor : keys;
        json_t *signers = json_array();

        add_signers(signers, set, by->organisation, by->organisation_count);
        add_signers(signers, set, by->developer, by->developer_count);
        if (trust)
                add_signers(signers, set, trust->policy.approvers, trust->policy.approver_count);
        json_object_set_new(object, "signed_by", signers);
        return show_vendor_keys(cli, object);
}

static int show_current(struct cli *cli)
{
        _cleanup_(signed_set_done) struct signed_set set = { 0 };
        _cleanup_bus_ sd_bus *bus = NULL;
        struct vendor_keys keys;
        size_t size = 0;
        int r;

        if ((r = ctl_connect(cli, &bus)) != CLI_OK ||
            (r = ctl_fetch_bytes(cli, bus, BUS_PATH, BUS_MANAGER, "GetVendorKeys", &set.bytes, &size)) != CLI_OK)
                return r;
        if (size == 0)
                return cli_fail(cli, CLI_FAILED,
                                "the relay has no vendor key set yet: 'relayctl vendor-keys import FILE'");
        if (vendor_keys_read(span_of(set.bytes, size), &keys) != REASON_NONE ||
            cose_set_decode(span_of(set.bytes, size), &set.set) != RELAY_OK)
                return cli_refuse(cli, REASON_VENDOR_KEYS_INVALID, "what the relay answered");
        return show_set(cli, &set, &keys, NULL);
}

int ctl_vendor_keys_show(struct cli *cli)
{
        _cleanup_(signed_set_done) struct signed_set set = { 0 };
        struct vendor_keys keys;
        int r;

        if (!cli_argument(cli, 0))
                return show_current(cli);
        r = load_keys(cli, cli_argument(cli, 0), &set, &keys);
        return r == CLI_OK ? show_set(cli, &set, &keys, NULL) : r;
}

/* ---- sign */

/* Without a relay: the signer vouches for the policy and the set before by naming their files. */
static int trust_files(struct cli *cli, const char *after, struct trust *trust)
{
        uint8_t scratch[SCRATCH_SIZE];
        _cleanup_free_ uint8_t *policy = NULL, *vendor = NULL;
        const char *file = cli_value(cli, "policy");
        size_t policy_size, vendor_size;
        enum reason why;
        int r;

        if (!file)
                return cli_fail(cli, CLI_USAGE,
                                "--after needs --policy FILE, too: whose signatures count at this site");
        if ((r = cli_read(cli, file, SIGNED_SET_MAX, &policy, &policy_size)) != CLI_OK ||
            (r = cli_read(cli, after, SIGNED_SET_MAX, &vendor, &vendor_size)) != CLI_OK)
                return r;
        why = site_policy_read(span_of(policy, policy_size), &trust->policy, scratch, sizeof(scratch));
        if (why != REASON_NONE)
                return cli_refuse(cli, why, "%s", file);
        why = vendor_keys_read(span_of(vendor, vendor_size), &trust->vendor);
        return why == REASON_NONE ? CLI_OK : cli_refuse(cli, why, "%s", after);
}

static int trust_relay(struct cli *cli, struct trust *trust)
{
        _cleanup_(request_done) struct request request = { 0 };
        _cleanup_bus_ sd_bus *bus = NULL;
        struct trust_source source;
        int r;

        if ((r = ctl_connect(cli, &bus)) != CLI_OK || (r = request_fetch_sets(cli, bus, &request)) != CLI_OK)
                return r;
        source = request_source(&request);
        return trust_establish(cli, &source, trust);
}

/* An approver signs only what the vendor has signed: as a successor of what holds here now. */
static int check_vendor(struct cli *cli, const char *path, const struct signed_set *set, const struct vendor_keys *keys,
                        const struct trust *trust)
{
        const struct vendor_keys *now = &trust->vendor;

        if (memcmp(keys->vendor_id, now->vendor_id, VENDOR_ID_SIZE) != 0)
                return cli_refuse(cli, REASON_WRONG_VENDOR, "%s", path);
        if (keys->epoch <= now->epoch)
                return cli_refuse(cli, REASON_OLD_VENDOR_KEYS, "%s has epoch %" PRIu64 ", in force is %" PRIu64, path,
                                  keys->epoch, now->epoch);
        if (keys->epoch != now->epoch + 1)
                return cli_refuse(cli, REASON_VENDOR_KEYS_GAP, "%s has epoch %" PRIu64 ", in force is %" PRIu64, path,
                                  keys->epoch, now->epoch);
        if (!keys->has_predecessor || memcmp(keys->predecessor, now->digest, SHA256_SIZE) != 0)
                return cli_refuse(cli, REASON_VENDOR_KEYS_FORK, "%s follows another set of epoch %" PRIu64, path,
                                  now->epoch);
        if (count_signed(set, now->organisation, now->organisation_count) == 0)
                return cli_refuse(cli, REASON_ORGANISATION_SIGNATURE, "%s: the vendor signs it with its old keys first",
                                  path);
        if (count_signed(set, now->developer, now->developer_count) == 0)
                return cli_refuse(cli, REASON_DEVELOPER_SIGNATURE, "%s: the vendor signs it with its old keys first",
                                  path);
        if (site_policy_shares_key(&trust->policy, keys))
                return cli_refuse(cli, REASON_VENDOR_KEYS_INVALID, "%s names a key of this site", path);
        return CLI_OK;
}

static void tell_keys(const char *role, const struct public_key *from, size_t from_count, const struct public_key *in,
                      size_t in_count, const char *verb)
{
        char id[2 * KEY_ID_SIZE + 1];

        for (size_t i = 0; i < from_count; i++)
                if (key_find(in, in_count, &from[i]) < 0)
                        printf("  - %s key %s %s\n", role, cli_key_id_hex(&from[i], id), verb);
}

static void show_changes(const struct vendor_keys *before, const struct vendor_keys *after)
{
        const struct {
                const char *role;
                const struct public_key *old, *new;
                size_t old_count, new_count;
        } rows[] = {
                { "organisation", before->organisation, after->organisation, before->organisation_count,
                  after->organisation_count },
                { "developer", before->developer, after->developer, before->developer_count, after->developer_count },
                { "command", before->command, after->command, before->command_count, after->command_count },
        };
        char groups[DESCRIBE_DIGEST_SIZE];

        printf("\nIt changes, against epoch %" PRIu64 ":\n", before->epoch);
        for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
                tell_keys(rows[i].role, rows[i].new, rows[i].new_count, rows[i].old, rows[i].old_count, "comes");
                tell_keys(rows[i].role, rows[i].old, rows[i].old_count, rows[i].new, rows[i].new_count, "goes");
        }
        printf("\nDigest:\n\n    %s\n\n", describe_digest(after->digest, groups));
}

static int report(struct cli *cli, const char *path, const struct trust *trust)
{
        _cleanup_(signed_set_done) struct signed_set set = { 0 };
        const struct site_policy *policy = &trust->policy;
        struct vendor_keys keys;
        size_t count;
        int r = load_keys(cli, path, &set, &keys);

        if (r != CLI_OK || cli->json)
                return r;
        count = count_signed(&set, policy->approvers, policy->approver_count);
        printf(count >= policy->threshold
                       ? "Signed: %zu of %zu approvers; it is complete. Next: relayctl vendor-keys import %s\n"
                       : "Signed: %zu of %zu approvers. Hand %s to the next one.\n",
               count, policy->threshold, path);
        return CLI_OK;
}

int ctl_vendor_keys_sign(struct cli *cli)
{
        _cleanup_(signed_set_done) struct signed_set set = { 0 };
        _cleanup_(cli_signer_close) struct cli_signer signer = { 0 };
        const char *path = cli_argument(cli, 0), *after = cli_value(cli, "after");
        struct vendor_keys keys;
        struct trust trust;
        int r;

        if ((r = load_keys(cli, path, &set, &keys)) != CLI_OK ||
            (r = after ? trust_files(cli, after, &trust) : trust_relay(cli, &trust)) != CLI_OK ||
            (r = check_vendor(cli, path, &set, &keys, &trust)) != CLI_OK ||
            (r = cli_signer_open(cli, trust.policy.approvers, trust.policy.approver_count, "the site's approvers",
                                 &signer)) != CLI_OK ||
            (r = show_set(cli, &set, &keys, &trust)) != CLI_OK)
                return r;
        if (!cli->json)
                show_changes(&trust.vendor, &keys);
        if ((r = prompt_confirm(cli, "Sign this vendor key set? Compare the digest with the vendor's publication.")) !=
                    CLI_OK ||
            (r = signed_set_sign(cli, path, &set, VENDOR_KEYS_AAD, &signer, trust.policy.approvers,
                                 trust.policy.approver_count, "approver")) != CLI_OK)
                return r;
        return report(cli, path, &trust);
}

/* ---- import */

static int judge(struct cli *cli, sd_bus *bus, const char *path, const struct signed_set *set, struct vendor_keys *keys)
{
        _cleanup_(request_done) struct request request = { 0 };
        uint8_t scratch[SCRATCH_SIZE];
        struct trust *now;
        enum reason why;
        int r = CLI_OK;

        if (!keys->has_predecessor) {
                why = vendor_keys_accept_first(set->file, keys, scratch, sizeof(scratch));
                return why == REASON_NONE ? CLI_OK : cli_refuse(cli, why, "%s", path);
        }
        if ((r = request_fetch_sets(cli, bus, &request)) != CLI_OK)
                return r;
        now = &request.trust;
        why = site_policy_read(request.parts.policy_set, &now->policy, scratch, sizeof(scratch));
        if (why == REASON_NONE)
                why = vendor_keys_read(request.parts.vendor_set, &now->vendor);
        if (why != REASON_NONE)
                return cli_refuse(cli, why, "what the relay holds now");
        why = vendor_keys_accept_next(set->file, &now->vendor, &now->policy, keys, scratch, sizeof(scratch));
        return why == REASON_NONE
                       ? CLI_OK
                       : cli_refuse(cli, why, "%s; 'relayctl vendor-keys show %s' tells what it says", path, path);
}

int ctl_import_vendor(struct cli *cli, sd_bus *bus, const char *path)
{
        _cleanup_(signed_set_done) struct signed_set set = { 0 };
        _cleanup_json_ json_t *object = NULL;
        struct vendor_keys keys;
        int r;

        if ((r = load_keys(cli, path, &set, &keys)) != CLI_OK || (r = judge(cli, bus, path, &set, &keys)) != CLI_OK ||
            (r = ctl_call_bytes(cli, bus, "ImportVendorKeys", set.file, NULL)) != CLI_OK)
                return r;
        object = describe_vendor_keys(&keys);
        return output_done(cli, object, "vendor key set taken over, epoch %" PRIu64 ", digest %s", keys.epoch,
                           json_string_value(json_object_get(object, "digest")));
}

int ctl_vendor_keys_import(struct cli *cli)
{
        _cleanup_bus_ sd_bus *bus = NULL;
        int r = ctl_connect(cli, &bus);

        return r == CLI_OK ? ctl_import_vendor(cli, bus, cli_argument(cli, 0)) : r;
}
