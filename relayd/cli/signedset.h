/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Signed sets in files, while people sign one after the other: a proposal is the set without signatures yet.
 */

#include "cli/signing.h"

#define SIGNED_SET_MAX 16384 /* bytes of a file */

struct signed_set {
        uint8_t *bytes; /* what the spans of set point into */
        struct span file;
        struct cose_set set;
        uint8_t digest[SHA256_SIZE]; /* of the payload */
};
int signed_set_load(const struct cli *cli, const char *path, struct signed_set *out);
void signed_set_done(struct signed_set *set); /* for _cleanup_ */
/* A new file with this payload and no signature; never overwrites. */
int signed_set_create(const struct cli *cli, const char *path, struct span payload);
/*
 * Adds the signer's signature and replaces the file. keys: who may sign; another key, or one that has signed, is
 * refused (CLI_FAILED). what: "approver".
 */
int signed_set_sign(const struct cli *cli, const char *path, const struct signed_set *set, const char *aad,
                    struct cli_signer *signer, const struct public_key *keys, size_t count, const char *what);
/* which keys have a valid signature in the set */
bool signed_set_has(const struct signed_set *set, const char *aad, const struct public_key *key);
