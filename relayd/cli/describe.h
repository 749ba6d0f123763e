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
json_t *describe_keys(const struct public_key *keys, size_t count);
json_t *describe_manifest(const struct manifest_unverified *manifest);
json_t *describe_vendor_keys(const struct vendor_keys *keys);
json_t *describe_policy(const struct site_policy *policy);
/*
 * What a person who signs has to know: sentences, one a difference ("approver 0123456789abcdef goes"); before NULL: all
 * that the policy says.
 */
json_t *describe_policy_changes(const struct site_policy *before, const struct site_policy *after);
/* 64 digits as people compare them: 16 groups of 4, in two lines; returns out */
#define DESCRIBE_DIGEST_SIZE 84
char *describe_digest(const uint8_t digest[SHA256_SIZE], char out[DESCRIBE_DIGEST_SIZE]);

struct approval;
json_t *describe_approval(const struct approval *approval);
/* "yes to exactly this manifest for the whole site s1, from ... on, ..." of such an object; malloc'ed */
char *describe_approval_words(const json_t *approval);

/* the same for people */
int show_manifest(struct cli *cli, const json_t *manifest);
int show_vendor_keys(struct cli *cli, const json_t *keys);
int show_policy(struct cli *cli, const json_t *policy);
