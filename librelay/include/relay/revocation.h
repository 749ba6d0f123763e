/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Revocation: from now on only approvals of this epoch or a later one count. A signed set, aad "relayd/revocation/1":
 *
 *     revocation = { 0: 1, 1: site id (tstr), 2: approval epoch (uint), 3: issued (uint, Unix seconds) }
 *
 * signed by k approvers of the current site policy. A successor of the policy carries the epoch on (its label 11), so a
 * device that walks the chain needs no revocation of approvers that are gone.
 */

#include "relay/sitepolicy.h"

#define REVOCATION_AAD "relayd/revocation/1"
#define REVOCATION_MAX 2048 /* bytes of a signed set */

struct revocation {
        char site[SITE_MAX + 1];
        uint64_t epoch;
        uint64_t issued; /* Unix seconds */
};

int revocation_decode(struct span payload, struct revocation *out); /* form only */
int revocation_encode(struct writer *w, const struct revocation *revocation);
/*
 * From outside, against the policy in force. REASON_NONE, MALFORMED, TOO_LARGE, WRONG_SITE, OLD_EPOCH (not above
 * floor), UNDER_SIGNED (fewer than k). scratch: payload + 96 bytes; REVOCATION_MAX is always enough.
 */
enum reason revocation_accept(struct span signed_set, const struct site_policy *policy, uint64_t floor,
                              struct revocation *out, uint8_t *scratch, size_t scratch_size);
