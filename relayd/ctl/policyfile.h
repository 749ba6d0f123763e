/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Site policies put together from options, for setup and for approvers propose. All answer CLI_* with message. */

#include <systemd/sd-bus.h>

#include "cli/cli.h"
#include "relay/sitepolicy.h"

/*
 * The first policy of a site, as far as POLICY_OPTIONS say: all but gate and endpoints. bus: where names of classes are
 * looked up; may be NULL.
 */
int policy_take_site(struct cli *cli, sd_bus *bus, struct site_policy *policy, const char *site);
/* A policy in force becomes its successor: what POLICY_OPTIONS and POLICY_CHANGE_OPTIONS do not say stays. */
int policy_change(struct cli *cli, sd_bus *bus, struct site_policy *policy);
/* --gate, --endpoint, for first policies and successors */
int policy_add_parts(struct cli *cli, sd_bus *bus, struct site_policy *policy);
/* the relay at "HOST:PORT" with this key, used by --endpoint-devices (all, if it is not given) */
int policy_add_relay(struct cli *cli, struct site_policy *policy, const char *address, const uint8_t pin[SHA256_SIZE]);
/* --cloud, --cloud-pin, --cloud-backup-pin, if given */
int policy_add_cloud(struct cli *cli, struct site_policy *policy);
/* What is dangerous, or surely not meant, on standard error. */
void policy_warn(struct cli *cli, const struct site_policy *policy);
/*
 * Warns; checks it by decoding what was encoded, and makes the file: a set without signatures. *checked has the digest.
 */
int policy_create(struct cli *cli, const struct site_policy *policy, const char *path, struct site_policy *checked);

#define POLICY_OPTIONS                                                                                              \
        { "site", 0, "NAME", "name of the site (a-z, 0-9, '-')" },                                                  \
                { "approver", 0, "FILE", "public key of an approver (may be repeated)" },                           \
                { "threshold", 0, "K", "how many must approve (default: more than half)" },                         \
                { "endpoint-devices", 0, "NAME,...", "devices that use the relay (default: all)" },                 \
                { "cloud", 0, "HOST:PORT", "the vendor's cloud" },                                                  \
                { "cloud-pin", 0, "HEX", "SHA-256 of the cloud's key" },                                            \
                { "cloud-backup-pin", 0, "HEX", "of its next key" },                                                \
                { "relay-only", 0, NULL, "devices never go to the cloud themselves" },                              \
                { "ticket", 0, NULL, "an install needs a fresh ticket of the gate (the default)" },                 \
                { "no-ticket", 0, NULL, "approvals suffice: no gate is asked, and revoking takes longer" },         \
                { "patience", 0, "DURATION", "how long devices stay with a relay whose uplink is down (forever)" }, \
                { "grant", 0, "SPEC", "a command key of the site: KEYFILE=pump.on,pump.off[@SCOPE]" },              \
                { "vendor-commands", 0, "NAME,...", "what the vendor's command keys may run here" },                \
                { "rule", 0, "SPEC", "a standing approval: urgency=security class=pump after=7d window=..." },      \
                { "time-zone", 0, "NAME", "of windows: Europe/Helsinki (default: the gateway's)" },                 \
                { "domain", 0, "NAME", "the vendor's DNS name, where a class is named" },                           \
        {                                                                                                           \
                "vendor-keys", 0, "FILE", "or his key set"                                                          \
        }
#define POLICY_CHANGE_OPTIONS                                                                                   \
        { "gate", 0, "SPEC", "a gate's public key: FILE [address=HOST:PORT pin=HEX] [for=SCOPE]" },             \
                { "endpoint", 0, "SPEC", "relay|cloud HOST:PORT pin=HEX [backup=HEX] [devices=..] [place=N]" }, \
                { "add-approver", 0, "FILE", "another approver's public key" },                                 \
                { "remove-approver", 0, "KEY", "an approver's public key file, or key id" },                    \
                { "remove-gate", 0, "KEY", "a gate's public key file, or key id" },                             \
                { "remove-endpoint", 0, "HOST:PORT", "an endpoint that devices no longer use" },                \
                { "remove-grant", 0, "KEY", "a command key's public key file, or key id" },                     \
                { "remove-rules", 0, NULL, "no standing approvals (those of --rule are added then)" },          \
                { "no-relay-only", 0, NULL, "devices may go to the cloud themselves again" },                   \
        {                                                                                                       \
                "approval-epoch", 0, "N", "approvals of an older epoch no longer count"                         \
        }
