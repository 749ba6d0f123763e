/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * What an approver trusts: the site policy and the vendor key set he compared once, or what descends from them. What a
 * relay shows must be the same, or lead there step by step, each signed as the one before demands. Trust begins with
 * --policy and --vendor-keys, with --policy-digest, or with what was compared at first use and is remembered in
 * ~/.config/relayd/trust/<site>/, where the newest takes the place of the one before.
 */

#include "cli/cli.h"
#include "relay/revocation.h"
#include "relay/sitepolicy.h"
#include "relay/vendor.h"

struct trust {
        struct site_policy policy;
        struct vendor_keys vendor;
        uint64_t approval_epoch; /* of the policy, or of the revocation after it */
};

/* Where the signed sets come from: a relay, or a request file. */
struct trust_source {
        struct span policy_set, vendor_set, revocation_set; /* those in force; the last may be empty */
        /* The one of an earlier epoch; *set is empty if it is not there, and valid until the next call. CLI_* */
        int (*policy_at)(void *context, uint64_t epoch, struct span *set);
        int (*vendor_at)(void *context, uint64_t epoch, struct span *set);
        void *context;
};
/* Verifies what is shown, compares it with what is trusted, walks from there, asks at first use. CLI_* */
int trust_establish(struct cli *cli, const struct trust_source *source, struct trust *out);
/* the same for the policy (and approval_epoch) alone */
int trust_establish_policy(struct cli *cli, const struct trust_source *source, struct trust *out);

/* The policy that this machine remembers of a site; *known is false if there is none. CLI_* */
int trust_remembered_policy(struct cli *cli, const char *site, struct site_policy *out, bool *known);
/* Takes this policy's place there, if one is remembered that it follows. CLI_* */
int trust_remember_policy(struct cli *cli, const struct site_policy *policy, struct span set);

/* Where something about a site is remembered: *path is malloc'ed. Refuses a name that is no site's. CLI_* */
int trust_path(struct cli *cli, const char *site, const char *file, char **path);
/* the folder of such a path, mode 0700 */
int trust_make_folder(struct cli *cli, const char *path);

#define TRUST_FOLDER_OPTION                                                                       \
        {                                                                                         \
                "trust", 0, "DIR", "folder of what was compared (default ~/.config/relayd/trust)" \
        }
#define TRUST_POLICY_OPTIONS                                         \
        { "policy", 0, "FILE", "the signed site policy you trust" }, \
        {                                                            \
                "policy-digest", 0, "HEX", "or its digest"           \
        }
#define TRUST_OPTIONS \
        TRUST_POLICY_OPTIONS, { "vendor-keys", 0, "FILE", "the vendor key set you trust" }, TRUST_FOLDER_OPTION
