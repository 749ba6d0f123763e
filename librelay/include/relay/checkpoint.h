/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Audit checkpoint: where the audit log's hash chain stood. A COSE_Sign1 of a gate key, aad "relayd/checkpoint/1":
 *
 *     checkpoint = { 0: 1, 1: site id (tstr), 2: relay (tstr), 3: records (uint), 4: hash of the last one (bstr 32),
 *                    5: time (uint, Unix seconds), ? 6: SHA-256 of the checkpoint before, as signed (bstr 32) }
 */

#include "relay/sitepolicy.h"

#define CHECKPOINT_AAD "relayd/checkpoint/1"
#define CHECKPOINT_MAX 512 /* bytes of a COSE_Sign1 */

struct checkpoint {
        char site[SITE_MAX + 1];
        char relay[IDENTITY_SIZE];
        uint64_t count;
        uint8_t head[SHA256_SIZE];
        uint64_t time;
        bool has_previous;
        uint8_t previous[SHA256_SIZE];
};
int checkpoint_decode(struct span payload, struct checkpoint *out); /* form only */
int checkpoint_sign(struct writer *w, const struct checkpoint *checkpoint, const struct signer *signer);
/* One of these keys signed it: REASON_NONE, MALFORMED, BAD_SIGNATURE. */
enum reason checkpoint_check(struct span sign1, const struct public_key *keys, size_t count, struct checkpoint *out);
