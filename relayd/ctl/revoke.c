/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * relayctl updates revoke: k approvers take back what was approved and is not installed yet. The revocation goes from
 * approver to approver as a file, and to the relay when enough have signed.
 */

#include "ctl/ctl.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "bus/names.h"
#include "cli/describe.h"
#include "cli/io.h"
#include "cli/output.h"
#include "cli/parse.h"
#include "cli/prompt.h"
#include "ctl/bus.h"
#include "ctl/request.h"
#include "util/cleanup.h"

const struct cli_option ctl_updates_revoke_options[] = {
        CLI_SIGNER_OPTIONS("your approver key"),
        TRUST_POLICY_OPTIONS,
        TRUST_FOLDER_OPTION,
        { "output", 'o', "FILE", "where a new revocation goes" },
        { "epoch", 0, "N", "of a new one, where no relay answers (with --policy FILE)" },
        { "send", 0, NULL, "give the revocation to the relay" },
        { "yes", 'y', NULL, "do not ask" },
        { 0 },
};
static const struct output_column fields[] = {
        { "site", "Site", OUTPUT_TEXT },     { "epoch", "Approval epoch", OUTPUT_TEXT },
        { "issued", "Issued", OUTPUT_TIME }, { "signed_by", "Signed by", OUTPUT_LIST },
        { "needed", "Needed", OUTPUT_TEXT },
};
static const struct output_column dying_columns[] = {
        { "Digest", "UPDATE", OUTPUT_SHORT },
        { "Version", "VERSION", OUTPUT_TEXT },
        { "State", "STATE", OUTPUT_WORD },
        { "Approvals", "APPROVALS THAT NO LONGER COUNT", OUTPUT_LIST },
};

/* One revocation on its way, and whose policy it is judged by. */
struct revoking {
        struct revocation revocation;
        struct signed_set set;
        struct trust trust;
        sd_bus *bus; /* NULL: no relay is asked */
};

static void revoking_done(struct revoking *v)
{
        signed_set_done(&v->set);
        sd_bus_flush_close_unref(v->bus);
}

static int trust_relay(struct cli *cli, struct revoking *v)
{
        _cleanup_(request_done) struct request request = { 0 };
        struct trust_source source;
        int r;

        if ((r = ctl_connect(cli, &v->bus)) != CLI_OK || (r = request_fetch_sets(cli, v->bus, &request)) != CLI_OK)
                return r;
        source = request_source(&request);
        return trust_establish_policy(cli, &source, &v->trust);
}

static int trust_file(struct cli *cli, const char *path, struct revoking *v)
{
        uint8_t scratch[SIGNED_SET_MAX + 128];
        _cleanup_free_ uint8_t *bytes = NULL;
        enum reason why;
        size_t size;
        int r = cli_read(cli, path, SIGNED_SET_MAX, &bytes, &size);

        if (r != CLI_OK)
                return r;
        why = site_policy_read(span_of(bytes, size), &v->trust.policy, scratch, sizeof(scratch));
        v->trust.approval_epoch = v->trust.policy.approval_epoch;
        return why == REASON_NONE ? CLI_OK : cli_refuse(cli, why, "%s", path);
}

static int load(struct cli *cli, const char *path, struct revoking *v)
{
        int r = signed_set_load(cli, path, &v->set);

        if (r == CLI_OK && revocation_decode(v->set.set.payload, &v->revocation) != RELAY_OK)
                r = cli_refuse(cli, REASON_MALFORMED, "%s: no revocation", path);
        return r;
}

static size_t count_signed(const struct revoking *v, json_t *signers)
{
        const struct site_policy *policy = &v->trust.policy;
        size_t count = 0;

        for (size_t i = 0; i < policy->approver_count; i++)
                if (signed_set_has(&v->set, REVOCATION_AAD, &policy->approvers[i])) {
                        json_array_append_new(signers, describe_public_key(&policy->approvers[i]));
                        count++;
                }
        return count;
}

static json_t *describe(const struct revoking *v)
{
        json_t *signers = json_array();

        count_signed(v, signers);
        return json_pack("{s:s, s:I, s:I, s:o, s:I, s:o}", "site", v->revocation.site, "epoch",
                         (json_int_t)v->revocation.epoch, "issued", (json_int_t)v->revocation.issued, "signed_by",
                         signers, "needed", (json_int_t)v->trust.policy.threshold, "digest",
                         json_hex(v->set.digest, SHA256_SIZE));
}

/* The updates whose approvals this ends; what is installed already stays. */
static int show_dying(struct cli *cli, const struct revoking *v)
{
        _cleanup_json_ json_t *rows = NULL, *dying = json_array();
        json_t *row;
        size_t i;
        int r = v->bus ? ctl_objects(cli, v->bus, BUS_UPDATE, "Sequence", &rows) : CLI_OK;

        if (r != CLI_OK || !v->bus)
                return r;
        json_array_foreach(rows, i, row) if (json_array_size(json_object_get(row, "Approvals")) > 0)
                json_array_append(dying, row);
        puts("");
        return output_table(cli, dying, dying_columns, sizeof(dying_columns) / sizeof(*dying_columns),
                            "The relay knows no approval that this would end.");
}

static int show(struct cli *cli, const struct revoking *v)
{
        _cleanup_json_ json_t *object = describe(v);
        char groups[DESCRIBE_DIGEST_SIZE];
        int r = output_record(cli, object, fields, sizeof(fields) / sizeof(*fields));

        if (r != CLI_OK || cli->json || (r = show_dying(cli, v)) != CLI_OK)
                return r;
        printf("\nFrom then on only approvals of epoch %" PRIu64
               " or a later one count at %s. What is installed stays.\n"
               "Digest:\n\n    %s\n\n",
               v->revocation.epoch, v->revocation.site, describe_digest(v->set.digest, groups));
        return CLI_OK;
}

/* Judged by the policy in force: of this site, and above what is in force. */
static int check(struct cli *cli, const char *path, const struct revoking *v)
{
        if (strcmp(v->revocation.site, v->trust.policy.site) != 0)
                return cli_refuse(cli, REASON_WRONG_SITE, "%s is of site %s", path, v->revocation.site);
        if (v->revocation.epoch <= v->trust.approval_epoch)
                return cli_refuse(cli, REASON_OLD_EPOCH, "%s: epoch %" PRIu64 ", in force is %" PRIu64, path,
                                  v->revocation.epoch, v->trust.approval_epoch);
        return CLI_OK;
}

static int create(struct cli *cli, const char *path, struct revoking *v)
{
        const char *epoch = cli_value(cli, "epoch");
        uint64_t now = (uint64_t)time(NULL);
        uint8_t payload[REVOCATION_MAX];
        struct writer w;

        v->revocation.epoch = v->trust.approval_epoch + 1;
        if (epoch && !parse_number(epoch, v->trust.approval_epoch + 1, UINT32_MAX, &v->revocation.epoch))
                return cli_fail(cli, CLI_USAGE,
                                "--epoch '%s': a number above %" PRIu64 ", which is in force, is needed", epoch,
                                v->trust.approval_epoch);
        memcpy(v->revocation.site, v->trust.policy.site, sizeof(v->revocation.site));
        v->revocation.issued = now > v->trust.policy.issued ? now : v->trust.policy.issued;
        writer_init(&w, payload, sizeof(payload));
        if (revocation_encode(&w, &v->revocation) != RELAY_OK)
                return cli_fail(cli, CLI_FAILED, "these values make no revocation");
        return signed_set_create(cli, path, writer_span(&w));
}

static int sign(struct cli *cli, const char *path, struct revoking *v)
{
        _cleanup_(cli_signer_close) struct cli_signer signer = { 0 };
        const struct site_policy *policy = &v->trust.policy;
        int r;

        if ((r = cli_signer_open(cli, policy->approvers, policy->approver_count, "the site's approvers", &signer)) !=
            CLI_OK)
                return r;
        if (key_find(policy->approvers, policy->approver_count, &signer.key) < 0)
                return cli_refuse(cli, REASON_NOT_AN_APPROVER, "%s, site %s", signer.what, policy->site);
        /* with --json, what follows says it once */
        if ((!cli->json && (r = show(cli, v)) != CLI_OK) ||
            (r = prompt_confirm(cli, "Sign this revocation?")) != CLI_OK ||
            (r = signed_set_sign(cli, path, &v->set, REVOCATION_AAD, &signer, policy->approvers, policy->approver_count,
                                 "approver")) != CLI_OK)
                return r;
        signed_set_done(&v->set);
        return load(cli, path, v);
}

static int send(struct cli *cli, const char *path, struct revoking *v)
{
        uint8_t scratch[SIGNED_SET_MAX + 128];
        _cleanup_json_ json_t *object = describe(v);
        struct revocation checked;
        enum reason why;
        int r;

        if (v->set.set.count == 0)
                return cli_refuse(cli, REASON_UNDER_SIGNED, "%s: nobody has signed it yet", path);
        why = revocation_accept(v->set.file, &v->trust.policy, v->trust.approval_epoch, &checked, scratch,
                                sizeof(scratch));
        if (why != REASON_NONE)
                return cli_refuse(cli, why, "%s", path);
        if (!v->bus && (r = ctl_connect(cli, &v->bus)) != CLI_OK)
                return r;
        if ((r = ctl_call_bytes(cli, v->bus, "Revoke", v->set.file, NULL)) != CLI_OK)
                return r;
        return output_done(cli, object, "Revoked: approvals before epoch %" PRIu64 " no longer count.",
                           v->revocation.epoch);
}

static int report(struct cli *cli, const char *path, const struct revoking *v)
{
        _cleanup_json_ json_t *signers = json_array();
        size_t count = count_signed(v, signers), needed = v->trust.policy.threshold;

        if (cli->json) {
                _cleanup_json_ json_t *object = describe(v);

                return output_json(object);
        }
        if (count < needed)
                printf("Signed: %zu of %zu signatures. Hand %s to the next approver.\n", count, needed, path);
        else
                printf("Signed: %zu of %zu signatures; it is complete. Next: relayctl updates revoke %s --send\n"
                       "For devices on the direct way, while the relay is dead: relayctl publish %s\n",
                       count, needed, path, path);
        return CLI_OK;
}

static int take_trust(struct cli *cli, struct revoking *v)
{
        const char *policy = cli_value(cli, "policy");
        bool known = false;
        int r;

        /* without a relay: by the policy that is named, or that this machine remembers */
        if (policy && !cli_value(cli, "host") && !cli_value(cli, "bus"))
                return trust_file(cli, policy, v);
        if (cli_argument(cli, 0) && !cli_flag(cli, "send") && !cli_value(cli, "host") && !cli_value(cli, "bus")) {
                if ((r = trust_remembered_policy(cli, v->revocation.site, &v->trust.policy, &known)) != CLI_OK)
                        return r;
                v->trust.approval_epoch = v->trust.policy.approval_epoch;
        }
        return known ? CLI_OK : trust_relay(cli, v);
}

int ctl_updates_revoke(struct cli *cli)
{
        _cleanup_(revoking_done) struct revoking v = { 0 };
        const char *path = cli_argument(cli, 0), *output = cli_value(cli, "output");
        int r;

        if (!path == !output)
                return cli_fail(cli, CLI_USAGE,
                                "a new revocation goes to --output FILE; one that others signed is FILE itself");
        if (path && (r = load(cli, path, &v)) != CLI_OK)
                return r;
        if ((r = take_trust(cli, &v)) != CLI_OK)
                return r;
        if (output && ((r = create(cli, output, &v)) != CLI_OK || (r = load(cli, output, &v)) != CLI_OK))
                return r;
        path = path ? path : output;
        if ((r = check(cli, path, &v)) != CLI_OK)
                return r;
        if (cli_value(cli, "key") || cli_flag(cli, "agent"))
                r = sign(cli, path, &v);
        else if (!cli_flag(cli, "send"))
                return show(cli, &v);
        if (r != CLI_OK)
                return r;
        return cli_flag(cli, "send") ? send(cli, path, &v) : report(cli, path, &v);
}
