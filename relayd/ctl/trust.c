/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an approver trusts, and whether a relay shows the same, or what descends from it. */

#include "ctl/trust.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/describe.h"
#include "cli/io.h"
#include "cli/parse.h"
#include "cli/prompt.h"
#include "cli/signedset.h"
#include "util/cleanup.h"
#include "util/files.h"

#define SCRATCH_SIZE (SIGNED_SET_MAX + 128)

/* One of the two objects: how it is called, remembered, and how it is refused. */
struct kind {
        const char *name, *file, *option;
        enum reason older, fork, gap;
};
static const struct kind policy_kind = { "site policy",     "site-policy.cbor", "policy",
                                         REASON_OLD_POLICY, REASON_POLICY_FORK, REASON_POLICY_GAP };
static const struct kind vendor_kind = { "vendor key set",       "vendor-keys.cbor",      "vendor-keys",
                                         REASON_OLD_VENDOR_KEYS, REASON_VENDOR_KEYS_FORK, REASON_VENDOR_KEYS_GAP };

/* Form and its own signatures; whether to believe it is another question. */
static enum reason read_set(const struct kind *kind, struct span set, struct trust *out)
{
        uint8_t scratch[SCRATCH_SIZE];
        enum reason why;

        if (kind == &policy_kind)
                return site_policy_read(set, &out->policy, scratch, sizeof(scratch));
        why = vendor_keys_read(set, &out->vendor);
        if (why == REASON_NONE && out->vendor.epoch == 1)
                why = vendor_keys_accept_first(set, &out->vendor, scratch, sizeof(scratch));
        return why;
}

/* judge: the policy whose approvers had to sign a vendor key set */
static enum reason accept_next(const struct kind *kind, struct span set, const struct site_policy *judge,
                               struct trust *mine)
{
        uint8_t scratch[SCRATCH_SIZE];
        struct trust next = *mine;
        enum reason why;

        if (kind == &policy_kind)
                why = site_policy_accept_next(set, &mine->policy, &next.policy, scratch, sizeof(scratch));
        else
                why = vendor_keys_accept_next(set, &mine->vendor, judge, &next.vendor, scratch, sizeof(scratch));
        if (why == REASON_NONE)
                *mine = next;
        return why;
}

static const uint8_t *digest_of(const struct kind *kind, const struct trust *trust)
{
        return kind == &policy_kind ? trust->policy.digest : trust->vendor.digest;
}

static uint64_t epoch_of(const struct kind *kind, const struct trust *trust)
{
        return kind == &policy_kind ? trust->policy.epoch : trust->vendor.epoch;
}

static int compare(struct cli *cli, const struct kind *kind, const uint8_t trusted[SHA256_SIZE],
                   const struct trust *shown, const char *where)
{
        char mine[2 * SHA256_SIZE + 1], its[2 * SHA256_SIZE + 1];

        if (memcmp(trusted, digest_of(kind, shown), SHA256_SIZE) == 0)
                return CLI_OK;
        return cli_refuse(cli, kind->fork,
                          "the relay shows another %s than %s: digest %s instead of %s; do not approve before you know "
                          "why",
                          kind->name, where,
                          span_to_hex(span_of(digest_of(kind, shown), SHA256_SIZE), its, sizeof(its)),
                          span_to_hex(span_of(trusted, SHA256_SIZE), mine, sizeof(mine)));
}

int trust_path(struct cli *cli, const char *site, const char *file, char **path)
{
        const char *folder = cli_value(cli, "trust"), *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
        int r;

        if (!identity_is_device(span_of_string(site)))
                return cli_fail(cli, CLI_FAILED, "the relay names no site");
        if (folder)
                r = asprintf(path, "%s/%s/%s", folder, site, file);
        else if (config && *config)
                r = asprintf(path, "%s/relayd/trust/%s/%s", config, site, file);
        else
                r = asprintf(path, "%s/.config/relayd/trust/%s/%s", home ? home : ".", site, file);
        if (r >= 0)
                return CLI_OK;
        *path = NULL;
        return cli_errno(cli, -ENOMEM, file);
}

int trust_make_folder(struct cli *cli, const char *path)
{
        _cleanup_free_ char *folder = strdup(path);
        int r;

        if (!folder)
                return cli_errno(cli, -ENOMEM, path);
        *strrchr(folder, '/') = '\0';
        r = file_make_folders(folder, 0700);
        return r < 0 ? cli_errno(cli, r, folder) : CLI_OK;
}

/* ---- from what is trusted to what is shown */

/*
 * The policy that was in force when this vendor key set came: the site's own, or one before it, whose approvers may be
 * gone by now. Each policy names its predecessor's digest, so going back needs no signature. CLI_*
 */
static int find_judge(struct cli *cli, const struct trust_source *source, uint64_t vendor_epoch,
                      struct site_policy *judge)
{
        while (judge->vendor_epoch >= vendor_epoch && judge->has_predecessor) {
                uint8_t wanted[SHA256_SIZE];
                uint64_t epoch = judge->epoch - 1;
                struct cose_set decoded;
                struct span set;
                int r = source->policy_at(source->context, epoch, &set);

                if (r != CLI_OK)
                        return r;
                memcpy(wanted, judge->predecessor, SHA256_SIZE);
                if (cose_set_decode(set, &decoded) != RELAY_OK ||
                    site_policy_decode(decoded.payload, judge) != RELAY_OK ||
                    memcmp(judge->digest, wanted, SHA256_SIZE) != 0)
                        return cli_refuse(cli, REASON_POLICY_GAP,
                                          "the vendor key set of epoch %" PRIu64
                                          " was accepted under a site policy of epoch "
                                          "%" PRIu64 " or before, which is not there",
                                          vendor_epoch, epoch);
        }
        return CLI_OK;
}

/* What is shown may be newer by several steps; every one of them is verified. */
static int walk(struct cli *cli, const struct kind *kind, const struct trust_source *source, struct span shown,
                uint64_t last, struct trust *mine)
{
        int (*fetch)(void *context, uint64_t epoch, struct span *set) = kind == &policy_kind ? source->policy_at
                                                                                             : source->vendor_at;

        for (uint64_t epoch = epoch_of(kind, mine) + 1; epoch <= last; epoch++) {
                struct site_policy judge = mine->policy;
                struct span set = shown;
                enum reason why;
                int r = CLI_OK;

                if (kind == &vendor_kind && (r = find_judge(cli, source, epoch, &judge)) != CLI_OK)
                        return r;
                if (epoch < last && (r = fetch(source->context, epoch, &set)) != CLI_OK)
                        return r;
                why = set.size == 0 ? kind->gap : accept_next(kind, set, &judge, mine);
                if (why != REASON_NONE)
                        return cli_refuse(cli, why,
                                          "the relay shows a %s of epoch %" PRIu64
                                          " that does not descend from the one this machine trusts; it fails at epoch "
                                          "%" PRIu64 "; do not approve before you know why",
                                          kind->name, last, epoch);
        }
        return CLI_OK;
}

static void tell_policy(const struct site_policy *before, const struct site_policy *after)
{
        json_t *changes = describe_policy_changes(before, after), *line;
        size_t i;

        fprintf(stderr,
                "The site policy of %s has changed since this machine saw it last: epoch %" PRIu64 " became %" PRIu64
                ", each step signed by enough approvers before and after it.\n",
                after->site, before->epoch, after->epoch);
        json_array_foreach(changes, i, line) fprintf(stderr, "  - %s\n", json_string_value(line));
        json_decref(changes);
}

static void tell(const struct kind *kind, const struct trust *before, const struct trust *after)
{
        if (kind == &policy_kind)
                tell_policy(&before->policy, &after->policy);
        else
                fprintf(stderr,
                        "The vendor key set has changed since this machine saw it last: epoch %" PRIu64
                        " became %" PRIu64 ", signed by the vendor's old keys and by enough approvers of the site.\n",
                        before->vendor.epoch, after->vendor.epoch);
}

/* path: of what is trusted; *newer: what is shown follows it */
static int compare_file(struct cli *cli, const struct kind *kind, const char *path, const struct trust_source *source,
                        struct span set, struct trust *shown, bool *newer)
{
        _cleanup_free_ uint8_t *bytes = NULL;
        struct trust *before = calloc(2, sizeof(*before)), *mine = before + 1;
        enum reason why;
        size_t size;
        int r = before ? cli_read(cli, path, SIGNED_SET_MAX, &bytes, &size) : cli_errno(cli, -ENOMEM, path);

        *newer = false;
        if (r == CLI_OK) {
                before->policy =
                        shown->policy; /* the vendor's sets are judged by the site's policy, established before */
                why = read_set(kind, span_of(bytes, size), before);
                *mine = *before;
                if (why != REASON_NONE)
                        r = cli_refuse(cli, why, "%s", path);
                else if (epoch_of(kind, shown) < epoch_of(kind, mine))
                        r = cli_refuse(cli, kind->older,
                                       "the relay shows a %s of epoch %" PRIu64 ", and %s is of epoch %" PRIu64
                                       ": somebody put an old one back; do not approve before you know why",
                                       kind->name, epoch_of(kind, shown), path, epoch_of(kind, mine));
                else if (epoch_of(kind, shown) > epoch_of(kind, mine))
                        r = walk(cli, kind, source, set, epoch_of(kind, shown), mine);
        }
        if (r == CLI_OK)
                r = compare(cli, kind, digest_of(kind, mine), shown, path);
        if (r == CLI_OK && epoch_of(kind, mine) > epoch_of(kind, before)) {
                *newer = true;
                tell(kind, before, mine);
        }
        free(before);
        return r;
}

static int first_use(struct cli *cli, const struct kind *kind, const struct trust *shown, const char *path,
                     struct span set)
{
        char digest[2 * SHA256_SIZE + 1], groups[DESCRIBE_DIGEST_SIZE], question[200];
        int r;

        span_to_hex(span_of(digest_of(kind, shown), SHA256_SIZE), digest, sizeof(digest));
        if (cli_flag(cli, "yes") || !prompt_possible())
                return cli_fail(cli, CLI_USAGE,
                                "the %s of site %s (digest %s) was never compared on this machine: give --%s FILE, or "
                                "run this once on a terminal without --yes",
                                kind->name, shown->policy.site, digest, kind->option);
        fprintf(stderr, "This machine does not know the %s of site %s yet. Its digest:\n\n    %s\n\n", kind->name,
                shown->policy.site, describe_digest(digest_of(kind, shown), groups));
        snprintf(question, sizeof(question), "Compare it with %s. Is it the same?",
                 kind == &policy_kind ? "the other approvers" : "the vendor's publication");
        if (!prompt_yes(question))
                return cli_fail(cli, CLI_FAILED, "not confirmed; nothing was remembered");
        if ((r = trust_make_folder(cli, path)) == CLI_OK && (r = cli_create(cli, path, set, 0600)) == CLI_OK)
                fprintf(stderr, "Remembered in %s.\n", path);
        return r;
}

static int compare_digest(struct cli *cli, const struct trust *shown, const char *text)
{
        uint8_t digest[SHA256_SIZE];

        if (!parse_hex(text, digest, SHA256_SIZE))
                return cli_fail(cli, CLI_USAGE, "--policy-digest '%s': 64 hexadecimal digits are needed", text);
        return compare(cli, &policy_kind, digest, shown, "--policy-digest");
}

static int establish(struct cli *cli, const struct kind *kind, const struct trust_source *source, struct span set,
                     struct trust *out)
{
        const char *file = cli_value(cli, kind->option), *digest = cli_value(cli, "policy-digest");
        _cleanup_free_ char *path = NULL;
        enum reason why;
        bool newer;
        int r;

        if (set.size == 0)
                return cli_fail(cli, CLI_FAILED, "the relay has no %s yet: 'relayctl %s import FILE'", kind->name,
                                kind == &policy_kind ? "approvers" : "vendor-keys");
        why = read_set(kind, set, out);
        if (why != REASON_NONE)
                return cli_refuse(cli, why, "the %s that the relay shows", kind->name);
        if (file)
                return compare_file(cli, kind, file, source, set, out, &newer);
        if (kind == &policy_kind && digest)
                return compare_digest(cli, out, digest);
        if ((r = trust_path(cli, out->policy.site, kind->file, &path)) != CLI_OK)
                return r;
        if (access(path, F_OK) != 0)
                return first_use(cli, kind, out, path, set);
        if ((r = compare_file(cli, kind, path, source, set, out, &newer)) != CLI_OK || !newer)
                return r;
        return cli_replace(cli, path, set, 0600);
}

int trust_establish_policy(struct cli *cli, const struct trust_source *source, struct trust *out)
{
        uint8_t scratch[SCRATCH_SIZE];
        struct revocation revocation;
        enum reason why;
        int r = establish(cli, &policy_kind, source, source->policy_set, out);

        if (r != CLI_OK)
                return r;
        out->approval_epoch = out->policy.approval_epoch;
        if (source->revocation_set.size == 0)
                return CLI_OK;
        why = revocation_accept(source->revocation_set, &out->policy, out->approval_epoch, &revocation, scratch,
                                sizeof(scratch));
        if (why == REASON_NONE)
                out->approval_epoch = revocation.epoch;
        else if (why != REASON_OLD_EPOCH) /* carried on by the policy: of approvers that are gone */
                cli_error(cli, "warning: the revocation that the relay shows does not count here: %s",
                          reason_name(why));
        return CLI_OK;
}

int trust_establish(struct cli *cli, const struct trust_source *source, struct trust *out)
{
        int r = trust_establish_policy(cli, source, out);

        return r == CLI_OK ? establish(cli, &vendor_kind, source, source->vendor_set, out) : r;
}

int trust_remembered_policy(struct cli *cli, const char *site, struct site_policy *out, bool *known)
{
        uint8_t scratch[SCRATCH_SIZE];
        _cleanup_free_ uint8_t *bytes = NULL;
        _cleanup_free_ char *path = NULL;
        enum reason why;
        size_t size;
        int r = trust_path(cli, site, policy_kind.file, &path);

        *known = false;
        if (r != CLI_OK || access(path, F_OK) != 0)
                return r;
        if ((r = cli_read(cli, path, SIGNED_SET_MAX, &bytes, &size)) != CLI_OK)
                return r;
        why = site_policy_read(span_of(bytes, size), out, scratch, sizeof(scratch));
        *known = why == REASON_NONE;
        return *known ? CLI_OK : cli_refuse(cli, why, "%s", path);
}

int trust_remember_policy(struct cli *cli, const struct site_policy *policy, struct span set)
{
        _cleanup_free_ char *path = NULL;
        struct site_policy before;
        bool known = false;
        int r = trust_remembered_policy(cli, policy->site, &before, &known);

        if (r != CLI_OK || !known || !policy->has_predecessor ||
            memcmp(policy->predecessor, before.digest, SHA256_SIZE) != 0)
                return r;
        r = trust_path(cli, policy->site, policy_kind.file, &path);
        return r == CLI_OK ? cli_replace(cli, path, set, 0600) : r;
}
