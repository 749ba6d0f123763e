/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Site policies put together from options, for setup and for approvers propose. All answer CLI_* with message. */

#include "cli/cli.h"
#include "relay/sitepolicy.h"

/* --site, --approver, --threshold, --relay-only, --patience, --ticket; warns of k = 1 and k = n */
int policy_take_site(struct cli *cli, struct site_policy *policy, const char *site);
/* the relay at "HOST:PORT" with this key, used by --endpoint-devices (all, if it is not given) */
int policy_add_relay(struct cli *cli, struct site_policy *policy, const char *address, const uint8_t pin[SHA256_SIZE]);
/* --cloud, --cloud-pin, --cloud-backup-pin, if given */
int policy_add_cloud(struct cli *cli, struct site_policy *policy);
/* Checks it by decoding what was encoded, and makes the file: a set without signatures. *checked has the digest. */
int policy_create(struct cli *cli, const struct site_policy *policy, const char *path, struct site_policy *checked);

#define POLICY_OPTIONS                                                                                \
        { "site", 0, "NAME", "name of the site (a-z, 0-9, '-')" },                                    \
                { "approver", 0, "FILE", "public key of an approver (may be repeated)" },             \
                { "threshold", 0, "K", "how many must approve (default: more than half)" },           \
                { "endpoint-devices", 0, "NAME,...", "devices that use the relay (default: all)" },   \
                { "cloud", 0, "HOST:PORT", "the vendor's cloud" },                                    \
                { "cloud-pin", 0, "HEX", "SHA-256 of the cloud's key" },                              \
                { "cloud-backup-pin", 0, "HEX", "of its next key" },                                  \
                { "relay-only", 0, NULL, "devices never go to the cloud themselves" },                \
                { "ticket", 0, NULL, "an install needs a fresh ticket of the gate" },                 \
        {                                                                                             \
                "patience", 0, "DURATION",                                                            \
                        "how long devices stay with a relay whose uplink is down (default: for ever)" \
        }
