/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * What an approver trusts: the site policy and the vendor key set he compared once. What a relay shows must be the
 * same: by --policy and --vendor-keys, by --policy-digest, or by what was remembered at first use in
 * ~/.config/relayd/trust/<site>/.
 */

#include "cli/cli.h"
#include "relay/sitepolicy.h"
#include "relay/vendor.h"

struct trust {
        struct site_policy policy;
        struct vendor_keys vendor;
};
/* Verifies both signed sets that a relay shows, compares them with what is trusted, asks at first use. CLI_* */
int trust_establish(struct cli *cli, struct span policy_set, struct span vendor_set, struct trust *out);

/* Where something about a site is remembered: *path is malloc'ed. Refuses a name that is no site's. CLI_* */
int trust_path(struct cli *cli, const char *site, const char *file, char **path);
/* the folder of such a path, mode 0700 */
int trust_make_folder(struct cli *cli, const char *path);

#define TRUST_OPTIONS                                                                                                \
        { "policy", 0, "FILE", "the signed site policy you trust" }, { "policy-digest", 0, "HEX", "or its digest" }, \
                { "vendor-keys", 0, "FILE", "the vendor key set you trust" },                                        \
        {                                                                                                            \
                "trust", 0, "DIR", "folder of what was compared (default ~/.config/relayd/trust)"                    \
        }
