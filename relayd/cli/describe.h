/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Signed objects as JSON, the one description for people, scripts and tests. New references. */

#include <jansson.h>

#include "relay/manifest.h"
#include "relay/sitepolicy.h"

#include "cli/cli.h"
#include "cli/signedset.h"

/* New objects, for --json and for the functions below; NULL without memory. The caller owns them. */
json_t *describe_public_key(const struct public_key *key);
json_t *describe_manifest(const struct manifest_unverified *manifest);
json_t *describe_vendor_keys(const struct vendor_keys *keys);
json_t *describe_policy(const struct site_policy *policy);

/* the same for people */
int show_manifest(struct cli *cli, const json_t *manifest);
int show_vendor_keys(struct cli *cli, const json_t *keys);
int show_policy(struct cli *cli, const json_t *policy);
