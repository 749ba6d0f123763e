/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an approver trusts, and whether a relay shows the same. */

#include "ctl/trust.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/io.h"
#include "cli/parse.h"
#include "cli/prompt.h"
#include "cli/signedset.h"
#include "util/cleanup.h"
#include "util/files.h"

/* One of the two objects: how it is called, fetched, verified, remembered. */
struct kind {
        const char *name, *file, *option;
        enum reason invalid;
};
static const struct kind policy_kind = { "site policy", "site-policy.cbor", "policy", REASON_POLICY_INVALID };
static const struct kind vendor_kind = { "vendor key set", "vendor-keys.cbor", "vendor-keys",
                                         REASON_VENDOR_KEYS_INVALID };

static enum reason verify(const struct kind *kind, struct span set, struct trust *out)
{
        uint8_t scratch[SIGNED_SET_MAX + 128];

        return kind == &policy_kind ? site_policy_accept_first(set, &out->policy, scratch, sizeof(scratch))
                                    : vendor_keys_accept_first(set, &out->vendor, scratch, sizeof(scratch));
}

static const uint8_t *digest_of(const struct kind *kind, const struct trust *trust)
{
        return kind == &policy_kind ? trust->policy.digest : trust->vendor.digest;
}

static int compare(struct cli *cli, const struct kind *kind, const uint8_t trusted[SHA256_SIZE],
                   const struct trust *shown, const char *where)
{
        char mine[2 * SHA256_SIZE + 1], its[2 * SHA256_SIZE + 1];

        if (memcmp(trusted, digest_of(kind, shown), SHA256_SIZE) == 0)
                return CLI_OK;
        return cli_refuse(cli, kind->invalid,
                          "the relay shows another %s than %s: digest %s instead of %s; do not approve before you know "
                          "why",
                          kind->name, where,
                          span_to_hex(span_of(digest_of(kind, shown), SHA256_SIZE), its, sizeof(its)),
                          span_to_hex(span_of(trusted, SHA256_SIZE), mine, sizeof(mine)));
}

static int compare_file(struct cli *cli, const struct kind *kind, const char *path, const struct trust *shown)
{
        _cleanup_free_ uint8_t *bytes = NULL;
        struct trust mine;
        enum reason why;
        size_t size;
        int r = cli_read(cli, path, SIGNED_SET_MAX, &bytes, &size);

        if (r != CLI_OK)
                return r;
        why = verify(kind, span_of(bytes, size), &mine);
        if (why != REASON_NONE)
                return cli_refuse(cli, why, "%s", path);
        return compare(cli, kind, digest_of(kind, &mine), shown, path);
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

static int first_use(struct cli *cli, const struct kind *kind, const struct trust *shown, const char *path,
                     struct span set)
{
        char digest[2 * SHA256_SIZE + 1], question[200];
        int r;

        span_to_hex(span_of(digest_of(kind, shown), SHA256_SIZE), digest, sizeof(digest));
        if (cli_flag(cli, "yes") || !prompt_possible())
                return cli_fail(cli, CLI_USAGE,
                                "the %s of site %s (digest %s) was never compared on this machine: give --%s FILE, or "
                                "run this once on a terminal without --yes",
                                kind->name, shown->policy.site, digest, kind->option);
        fprintf(stderr, "This machine does not know the %s of site %s yet. Its digest:\n\n    %s\n\n", kind->name,
                shown->policy.site, digest);
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

static int establish(struct cli *cli, const struct kind *kind, struct span set, struct trust *out)
{
        const char *file = cli_value(cli, kind->option), *digest = cli_value(cli, "policy-digest");
        _cleanup_free_ char *path = NULL;
        enum reason why;
        int r;

        if (set.size == 0)
                return cli_fail(cli, CLI_FAILED, "the relay has no %s yet: 'relayctl %s import FILE'", kind->name,
                                kind == &policy_kind ? "policy" : "vendor");
        why = verify(kind, set, out);
        if (why != REASON_NONE)
                return cli_refuse(cli, why, "the %s that the relay shows", kind->name);
        if (file)
                return compare_file(cli, kind, file, out);
        if (kind == &policy_kind && digest)
                return compare_digest(cli, out, digest);
        if ((r = trust_path(cli, out->policy.site, kind->file, &path)) != CLI_OK)
                return r;
        return access(path, F_OK) == 0 ? compare_file(cli, kind, path, out) : first_use(cli, kind, out, path, set);
}

int trust_establish(struct cli *cli, struct span policy_set, struct span vendor_set, struct trust *out)
{
        int r = establish(cli, &policy_kind, policy_set, out);

        return r == CLI_OK ? establish(cli, &vendor_kind, vendor_set, out) : r;
}
