/* SPDX-License-Identifier: GPL-2.0-or-later */
/* relayctl approvers: who decides here, and the site policies that say so. */

#include "ctl/ctl.h"

#include <errno.h>
#include <inttypes.h>
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
#include "ctl/trust.h"
#include "relay/revocation.h"
#include "util/cleanup.h"

#define BOTH_APPROVERS_MAX (2 * SITE_APPROVERS_MAX)

const struct cli_option ctl_approvers_propose_options[] = {
        POLICY_OPTIONS,
        POLICY_CHANGE_OPTIONS,
        { "address", 0, "HOST:PORT", "where devices reach the relay" },
        { "relay-certificate", 0, "FILE", "the relay's certificate; its key becomes the pin" },
        { "after", 0, "FILE|current", "the signed policy this one follows; current: the relay's" },
        { "output", 'o', "FILE", "where the proposal goes" },
        { 0 },
};
#define AFTER_OPTION                                                                                                  \
        {                                                                                                             \
                "after", 0, "FILE", "the signed policy it follows (default: what this machine remembers of the site)" \
        }
const struct cli_option ctl_approvers_show_options[] = { AFTER_OPTION, TRUST_FOLDER_OPTION, { 0 } };
const struct cli_option ctl_approvers_sign_options[] = { CLI_SIGNER_OPTIONS("your approver key"),
                                                         AFTER_OPTION,
                                                         TRUST_FOLDER_OPTION,
                                                         { "yes", 'y', NULL, "do not ask" },
                                                         { 0 } };
const struct cli_option ctl_approvers_import_options[] = { { "yes", 'y', NULL, "do not ask" }, { 0 } };
static const struct output_column approver_columns[] = {
        { "key_id", "APPROVER", OUTPUT_TEXT },
        { "fingerprint", "FINGERPRINT", OUTPUT_TEXT },
        { "signed", "SIGNED POLICY", OUTPUT_YES_NO },
};

/* A policy in a file, on its way from signer to signer, and the one that it follows. */
struct proposal {
        struct signed_set set;
        struct site_policy policy;
        struct site_policy before;
        bool has_before;
        uint64_t revoked; /* approval epoch of a revocation after before; 0: none */
};

static void proposal_done(struct proposal *proposal)
{
        signed_set_done(&proposal->set);
}

static int load_policy(struct cli *cli, const char *path, struct signed_set *set, struct site_policy *policy)
{
        int r = signed_set_load(cli, path, set);

        if (r == CLI_OK && site_policy_decode(set->set.payload, policy) != RELAY_OK)
                r = cli_refuse(cli, REASON_MALFORMED, "%s: no site policy", path);
        return r;
}

/* A signed policy that somebody vouches for. */
static int read_signed(struct cli *cli, const char *what, struct span set, struct site_policy *policy)
{
        uint8_t scratch[SIGNED_SET_MAX + 128];
        enum reason why = site_policy_read(set, policy, scratch, sizeof(scratch));

        return why == REASON_NONE ? CLI_OK : cli_refuse(cli, why, "%s", what);
}

/* The policy it follows: of --after, or remembered. has_before stays false if none is known. */
static int load_before(struct cli *cli, struct proposal *p)
{
        const char *path = cli_value(cli, "after");
        _cleanup_free_ uint8_t *bytes = NULL;
        size_t size;
        int r;

        if (!p->policy.has_predecessor)
                return CLI_OK;
        if (!path) {
                r = trust_remembered_policy(cli, p->policy.site, &p->before, &p->has_before);
        } else {
                if ((r = cli_read(cli, path, SIGNED_SET_MAX, &bytes, &size)) == CLI_OK)
                        r = read_signed(cli, path, span_of(bytes, size), &p->before);
                p->has_before = r == CLI_OK;
        }
        return r;
}

/* What holds for a successor whatever its signatures are. */
static int check_follows(struct cli *cli, const char *path, const struct proposal *p)
{
        const struct site_policy *policy = &p->policy, *before = &p->before;

        if (!policy->has_predecessor)
                return CLI_OK;
        if (!p->has_before)
                return cli_fail(cli, CLI_FAILED,
                                "%s follows a policy that this machine does not know: give it with --after FILE", path);
        if (strcmp(policy->site, before->site) != 0)
                return cli_refuse(cli, REASON_WRONG_SITE, "%s is of site %s, what it should follow of %s", path,
                                  policy->site, before->site);
        if (policy->epoch <= before->epoch)
                return cli_refuse(cli, REASON_OLD_POLICY, "%s has epoch %" PRIu64 ", in force is %" PRIu64, path,
                                  policy->epoch, before->epoch);
        if (policy->epoch != before->epoch + 1)
                return cli_refuse(cli, REASON_POLICY_GAP, "%s has epoch %" PRIu64 ", known is %" PRIu64, path,
                                  policy->epoch, before->epoch);
        if (memcmp(policy->predecessor, before->digest, SHA256_SIZE) != 0)
                return cli_refuse(cli, REASON_POLICY_FORK, "%s follows another policy of epoch %" PRIu64, path,
                                  before->epoch);
        if (policy->approval_epoch < before->approval_epoch || policy->issued < before->issued)
                return cli_refuse(cli, REASON_POLICY_INVALID, "%s: approval epoch and time of issue never fall", path);
        return CLI_OK;
}

static int load_proposal(struct cli *cli, const char *path, struct proposal *p)
{
        int r = load_policy(cli, path, &p->set, &p->policy);

        return r == CLI_OK ? load_before(cli, p) : r;
}

static json_t *signers_of(const struct signed_set *set, const struct public_key *keys, size_t count)
{
        json_t *signers = json_array();

        for (size_t i = 0; i < count; i++)
                if (signed_set_has(set, SITE_POLICY_AAD, &keys[i]))
                        json_array_append_new(signers, describe_public_key(&keys[i]));
        return signers;
}

static json_t *describe_proposal(const struct proposal *p)
{
        json_t *object = describe_policy(&p->policy);

        json_object_set_new(object, "signed_by", signers_of(&p->set, p->policy.approvers, p->policy.approver_count));
        if (p->has_before) {
                json_object_set_new(object, "old_signed_by",
                                    signers_of(&p->set, p->before.approvers, p->before.approver_count));
                json_object_set_new(object, "changes", describe_policy_changes(&p->before, &p->policy));
        }
        return object;
}

/* For people who sign: in words what changes, and last the digest that they compare. */
static void show_words(const struct proposal *p)
{
        json_t *changes = describe_policy_changes(p->has_before ? &p->before : NULL, &p->policy), *line;
        char groups[DESCRIBE_DIGEST_SIZE];
        size_t i;

        if (p->has_before)
                printf("\nIt changes, against epoch %" PRIu64 ":\n", p->before.epoch);
        else
                printf("\nIt says:\n");
        if (json_array_size(changes) == 0)
                puts("  - nothing");
        json_array_foreach(changes, i, line) printf("  - %s\n", json_string_value(line));
        json_decref(changes);
        printf("\nDigest:\n\n    %s\n\n", describe_digest(p->policy.digest, groups));
}

static int show_proposal(struct cli *cli, const struct proposal *p, bool words)
{
        _cleanup_json_ json_t *object = describe_proposal(p);
        int r = show_policy(cli, object);

        if (r == CLI_OK && !cli->json && words)
                show_words(p);
        return r;
}

/* ---- list, show */

static int fetch_current(struct cli *cli, sd_bus *bus, struct signed_set *set, struct site_policy *policy)
{
        size_t size = 0;
        int r = ctl_fetch_bytes(cli, bus, BUS_PATH, BUS_MANAGER, "GetSitePolicy", &set->bytes, &size);

        if (r != CLI_OK)
                return r;
        if (size == 0)
                return cli_fail(cli, CLI_FAILED, "the relay has no site policy yet: 'relayctl approvers import FILE'");
        if (cose_set_decode(span_of(set->bytes, size), &set->set) != RELAY_OK)
                return cli_refuse(cli, REASON_POLICY_INVALID, "what the relay answered");
        return read_signed(cli, "what the relay answered", span_of(set->bytes, size), policy);
}

/*
 * What was revoked after the policy was made, its successor says itself: the revocation's signers may be gone by then.
 * *epoch: 0 if nothing was
 */
static int fetch_revoked(struct cli *cli, sd_bus *bus, const struct site_policy *policy, uint64_t *epoch)
{
        uint8_t scratch[SIGNED_SET_MAX + 128];
        _cleanup_free_ uint8_t *bytes = NULL;
        struct revocation revocation;
        size_t size = 0;
        int r = ctl_fetch_bytes(cli, bus, BUS_PATH, BUS_MANAGER, "GetRevocation", &bytes, &size);

        *epoch = 0;
        if (r == CLI_OK && revocation_accept(span_of(bytes, size), policy, policy->approval_epoch, &revocation, scratch,
                                             sizeof(scratch)) == REASON_NONE)
                *epoch = revocation.epoch;
        return r;
}

int ctl_approvers_list(struct cli *cli)
{
        _cleanup_bus_ sd_bus *bus = NULL;
        _cleanup_(signed_set_done) struct signed_set set = { 0 };
        _cleanup_json_ json_t *rows = json_array();
        struct site_policy policy;
        int r;

        if ((r = ctl_connect(cli, &bus)) != CLI_OK || (r = fetch_current(cli, bus, &set, &policy)) != CLI_OK)
                return r;
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

static int show_current(struct cli *cli)
{
        _cleanup_(proposal_done) struct proposal p = { 0 };
        _cleanup_bus_ sd_bus *bus = NULL;
        int r;

        if ((r = ctl_connect(cli, &bus)) != CLI_OK || (r = fetch_current(cli, bus, &p.set, &p.policy)) != CLI_OK)
                return r;
        return show_proposal(cli, &p, false);
}

int ctl_approvers_show(struct cli *cli)
{
        _cleanup_(proposal_done) struct proposal p = { 0 };
        int r;

        if (!cli_argument(cli, 0))
                return show_current(cli);
        r = load_proposal(cli, cli_argument(cli, 0), &p);
        return r == CLI_OK ? show_proposal(cli, &p, p.has_before) : r;
}

/* ---- propose */

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

static int refuse_changes(struct cli *cli)
{
        static const char *const changes[] = { "add-approver", "remove-approver", "remove-gate",  "remove-endpoint",
                                               "remove-grant", "remove-rules",    "no-relay-only" };

        for (size_t i = 0; i < sizeof(changes) / sizeof(*changes); i++)
                if (cli_flag(cli, changes[i]))
                        return cli_fail(cli, CLI_USAGE, "--%s changes a policy: add --after FILE, or --after current",
                                        changes[i]);
        return CLI_OK;
}

static int propose_first(struct cli *cli, sd_bus *bus, struct proposal *p)
{
        const char *site;
        int r;

        if ((r = refuse_changes(cli)) != CLI_OK || (r = cli_need(cli, "site", &site)) != CLI_OK)
                return r;
        p->policy.epoch = 1;
        return policy_take_site(cli, bus, &p->policy, site);
}

static int propose_next(struct cli *cli, sd_bus *bus, struct proposal *p)
{
        const char *site = cli_value(cli, "site");

        if (site && strcmp(site, p->before.site) != 0)
                return cli_fail(cli, CLI_USAGE, "--site '%s': the policy it follows is of site %s", site,
                                p->before.site);
        p->policy = p->before;
        if (p->policy.approval_epoch < p->revoked)
                p->policy.approval_epoch = p->revoked;
        return policy_change(cli, bus, &p->policy);
}

static int load_after(struct cli *cli, const char *after, sd_bus **bus, struct proposal *p)
{
        _cleanup_(signed_set_done) struct signed_set set = { 0 };
        int r;

        p->has_before = after != NULL;
        if (!after)
                return CLI_OK;
        if (strcmp(after, "current") == 0) {
                if ((r = ctl_connect(cli, bus)) != CLI_OK || (r = fetch_current(cli, *bus, &set, &p->before)) != CLI_OK)
                        return r;
                return fetch_revoked(cli, *bus, &p->before, &p->revoked);
        }
        if ((r = load_policy(cli, after, &set, &p->before)) != CLI_OK)
                return r;
        if (set.set.count == 0)
                return cli_refuse(cli, REASON_BAD_SIGNATURE, "%s: nobody has signed it yet", after);
        return read_signed(cli, after, set.file, &p->before);
}

int ctl_approvers_propose(struct cli *cli)
{
        _cleanup_(proposal_done) struct proposal p = { 0 };
        _cleanup_bus_ sd_bus *bus = NULL;
        struct site_policy made;
        const char *output;
        int r;

        if ((r = cli_need(cli, "output", &output)) != CLI_OK ||
            (r = load_after(cli, cli_value(cli, "after"), &bus, &p)) != CLI_OK ||
            (r = p.has_before ? propose_next(cli, bus, &p) : propose_first(cli, bus, &p)) != CLI_OK ||
            (r = take_relay(cli, &p.policy)) != CLI_OK || (r = policy_add_cloud(cli, &p.policy)) != CLI_OK ||
            (r = policy_add_parts(cli, bus, &p.policy)) != CLI_OK ||
            (r = policy_create(cli, &p.policy, output, &made)) != CLI_OK)
                return r;
        p.policy = made;
        r = show_proposal(cli, &p, p.has_before);
        if (r == CLI_OK && !cli->json)
                printf("Next, %zu of %zu approvers%s sign: relayctl approvers sign %s --key KEY\n", made.threshold,
                       made.approver_count, p.has_before ? ", and enough of those in force until now," : "", output);
        return r;
}

/* ---- sign */

static size_t count_signed(const struct signed_set *set, const struct site_policy *policy)
{
        size_t count = 0;

        for (size_t i = 0; i < policy->approver_count; i++)
                count += signed_set_has(set, SITE_POLICY_AAD, &policy->approvers[i]);
        return count;
}

static int report_signatures(struct cli *cli, const char *path, const struct proposal *signed_before)
{
        _cleanup_(proposal_done) struct proposal p = { 0 };
        size_t now, old;
        bool complete;
        int r = load_policy(cli, path, &p.set, &p.policy);

        if (r != CLI_OK || cli->json)
                return r;
        now = count_signed(&p.set, &p.policy);
        complete = now >= p.policy.threshold;
        printf("Signed: %zu of %zu signatures", now, p.policy.threshold);
        if (signed_before->has_before) {
                old = count_signed(&p.set, &signed_before->before);
                complete = complete && old >= signed_before->before.threshold;
                printf(", and %zu of %zu of the approvers in force until now", old, signed_before->before.threshold);
        }
        printf(complete ? "; it is complete. Next: relayctl approvers import %s\n"
                        : ". Hand %s to the next approver.\n",
               path);
        return CLI_OK;
}

/* those of the new policy, then those of the old one who are not among them */
static size_t all_approvers(const struct proposal *p, struct public_key out[BOTH_APPROVERS_MAX])
{
        size_t count = p->policy.approver_count;

        memcpy(out, p->policy.approvers, count * sizeof(*out));
        for (size_t i = 0; p->has_before && i < p->before.approver_count; i++)
                if (key_find(out, count, &p->before.approvers[i]) < 0)
                        out[count++] = p->before.approvers[i];
        return count;
}

int ctl_approvers_sign(struct cli *cli)
{
        _cleanup_(proposal_done) struct proposal p = { 0 };
        _cleanup_(cli_signer_close) struct cli_signer signer = { 0 };
        struct public_key keys[BOTH_APPROVERS_MAX];
        const char *path = cli_argument(cli, 0);
        size_t count;
        int r;

        if ((r = load_proposal(cli, path, &p)) != CLI_OK || (r = check_follows(cli, path, &p)) != CLI_OK)
                return r;
        count = all_approvers(&p, keys);
        if ((r = cli_signer_open(cli, keys, count, "its approvers", &signer)) != CLI_OK ||
            (r = show_proposal(cli, &p, true)) != CLI_OK)
                return r;
        policy_warn(cli, &p.policy);
        if ((r = prompt_confirm(cli, "Sign this site policy? Compare the digest with the other approvers.")) !=
                    CLI_OK ||
            (r = signed_set_sign(cli, path, &p.set, SITE_POLICY_AAD, &signer, keys, count, "approver")) != CLI_OK)
                return r;
        return report_signatures(cli, path, &p);
}

/* ---- import */

/* Judged here first, so that a person reads why; the relay judges again. */
static int judge(struct cli *cli, sd_bus *bus, const char *path, struct span set, struct proposal *p)
{
        _cleanup_(signed_set_done) struct signed_set current = { 0 };
        uint8_t scratch[SIGNED_SET_MAX + 128];
        enum reason why;
        int r;

        if (p->set.set.count == 0)
                return cli_refuse(cli, REASON_BAD_SIGNATURE, "%s: nobody has signed it yet", path);
        if (p->policy.has_predecessor) {
                if ((r = fetch_current(cli, bus, &current, &p->before)) != CLI_OK)
                        return r;
                p->has_before = true;
                if ((r = check_follows(cli, path, p)) != CLI_OK ||
                    (r = fetch_revoked(cli, bus, &p->before, &p->revoked)) != CLI_OK)
                        return r;
                if (p->policy.approval_epoch < p->revoked)
                        return cli_refuse(cli, REASON_REVOKED_EPOCH,
                                          "%s has approval epoch %" PRIu64 ", and epochs before %" PRIu64
                                          " were revoked: propose it anew, with --approval-epoch %" PRIu64,
                                          path, p->policy.approval_epoch, p->revoked, p->revoked);
                why = site_policy_accept_next(set, &p->before, &p->policy, scratch, sizeof(scratch));
        } else {
                why = site_policy_accept_first(set, &p->policy, scratch, sizeof(scratch));
        }
        return why == REASON_NONE
                       ? CLI_OK
                       : cli_refuse(cli, why, "%s; 'relayctl approvers show %s' tells who signed", path, path);
}

int ctl_import_policy(struct cli *cli, sd_bus *bus, const char *path)
{
        _cleanup_(proposal_done) struct proposal p = { 0 };
        _cleanup_json_ json_t *object = NULL;
        int r;

        if ((r = load_policy(cli, path, &p.set, &p.policy)) != CLI_OK ||
            (r = judge(cli, bus, path, p.set.file, &p)) != CLI_OK)
                return r;
        if (!cli->json)
                show_words(&p);
        if ((r = prompt_confirm_person(cli, "Is this the digest that the approvers compared?")) != CLI_OK ||
            (r = ctl_call_bytes(cli, bus, "ImportSitePolicy", p.set.file, NULL)) != CLI_OK ||
            (r = trust_remember_policy(cli, &p.policy, p.set.file)) != CLI_OK)
                return r;
        object = describe_policy(&p.policy);
        return output_done(cli, object, "site policy of %s taken over, epoch %" PRIu64 ", digest %s", p.policy.site,
                           p.policy.epoch, json_string_value(json_object_get(object, "digest")));
}

int ctl_approvers_import(struct cli *cli)
{
        _cleanup_bus_ sd_bus *bus = NULL;
        int r = ctl_connect(cli, &bus);

        return r == CLI_OK ? ctl_import_policy(cli, bus, cli_argument(cli, 0)) : r;
}
