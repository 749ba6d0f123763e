/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The parts of a site policy as one option's value each, words with values in any order after a leading one:
 *     --gate "FILE address=HOST:PORT pin=HEX backup=HEX for=SCOPE"
 *     --endpoint "relay|cloud HOST:PORT pin=HEX|certificate=FILE backup=HEX devices=NAME,... place=N"
 *     --grant "FILE=pump.on,pump.off@SCOPE"
 *     --rule "urgency=security,urgent class=pump after=7d window='Sun 02:00-04:00'"
 * SCOPE: site, class:NAME (or its id), or devices by commas. All functions answer CLI_* with message; what is added to
 * a full list, or does not parse, names the option.
 */

#include <systemd/sd-bus.h>

#include "cli/cli.h"
#include "relay/sitepolicy.h"

#define SPEC_WORD_SIZE 512

/* The next word of text, which moves on: "name=value" (quotes hold blanks), or a value alone (name ""). False: no more,
 * or *broken. */
struct spec {
        const char *text;
        bool broken;
        char name[SPEC_WORD_SIZE], value[SPEC_WORD_SIZE];
};
bool spec_next(struct spec *spec);

/* A successor of a policy follows on the vendor key set of --vendor-keys, or of the relay (bus not NULL). */
int policy_take_vendor_epoch(struct cli *cli, sd_bus *bus, struct site_policy *policy);
/* "plant-care" or 32 digits -> class id. A name needs the vendor: --domain, --vendor-keys, or (bus not NULL) the relay.
 */
int policy_class_id(struct cli *cli, sd_bus *bus, const char *text, uint8_t out[CLASS_ID_SIZE]);
/* option: for messages */
int policy_take_scope(struct cli *cli, sd_bus *bus, struct site_policy *policy, const char *option, const char *text,
                      struct site_scope *out);
int policy_take_devices(struct cli *cli, struct site_policy *policy, const char *option, const char *list,
                        struct site_scope *out);

/* Each adds to the policy, or replaces what has the same key, or kind and address. */
int policy_add_gate(struct cli *cli, sd_bus *bus, struct site_policy *policy, const char *text);
int policy_add_endpoint(struct cli *cli, struct site_policy *policy, const char *text);
int policy_add_grant(struct cli *cli, sd_bus *bus, struct site_policy *policy, const char *text);
int policy_add_rule(struct cli *cli, sd_bus *bus, struct site_policy *policy, const char *text);
/* "diagnostics.*,log.level" */
int policy_take_names(struct cli *cli, struct site_policy *policy, const char *option, const char *text,
                      struct site_names *out);
/* Puts an endpoint where it belongs: over the one of the same kind and address, else relays before clouds. */
int policy_put_endpoint(struct cli *cli, struct site_policy *policy, const struct site_endpoint *endpoint,
                        size_t place);
/* Drops device and command names that nothing refers to any more. */
void policy_compact(struct site_policy *policy);
