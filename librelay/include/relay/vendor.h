/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Vendor key set: whose signatures make a manifest. Travels as a signed set (cose.h), aad "relayd/vendor-keys/1".
 *
 *     vendor-keys = { 0: 1, 1: vendor id (bstr 16, UUID), 2: epoch (uint), 3: [+ COSE_Key] organisation,
 *                     4: [+ COSE_Key] developer, 5: [* COSE_Key] command, ? 6: predecessor digest (bstr 32) }
 * The first (epoch 1, no predecessor) carries an organisation and a developer signature of its own keys.
 * A successor (epoch + 1, the predecessor's digest) carries an organisation and a developer signature of the OLD keys
 * and those of k approvers of the site. All keys of all roles are distinct.
 */

#include "relay/cose.h"
#include "relay/reason.h"

#define VENDOR_KEYS_AAD     "relayd/vendor-keys/1"
#define VENDOR_KEYS_MAX     4 /* per role */
#define VENDOR_ID_SIZE      16
#define VENDOR_KEYS_SET_MAX 4096 /* bytes of a signed set */

struct vendor_keys {
        uint8_t vendor_id[VENDOR_ID_SIZE];
        uint64_t epoch;
        struct public_key organisation[VENDOR_KEYS_MAX];
        struct public_key developer[VENDOR_KEYS_MAX];
        struct public_key command[VENDOR_KEYS_MAX];
        size_t organisation_count, developer_count, command_count;
        bool has_predecessor;
        uint8_t predecessor[SHA256_SIZE];
        uint8_t digest[SHA256_SIZE]; /* SHA-256 of the payload; filled by decoding */
};

/* Payload only. Refuses repeated keys across all roles (RELAY_E_RANGE). */
int vendor_keys_decode(struct span payload, struct vendor_keys *out);
int vendor_keys_encode(struct writer *w, const struct vendor_keys *keys); /* digest is ignored */

/*
 * A first vendor key set from outside: decodes the set, checks epoch 1, no predecessor, and one signature of each role.
 * scratch: payload + 96 bytes; VENDOR_KEYS_SET_MAX is always enough.
 * REASON_NONE and *out, or MALFORMED, TOO_LARGE, VENDOR_KEYS_INVALID, ORGANISATION_SIGNATURE, DEVELOPER_SIGNATURE.
 */
enum reason vendor_keys_accept_first(struct span signed_set, struct vendor_keys *out, uint8_t *scratch,
                                     size_t scratch_size);

struct site_policy; /* relay/sitepolicy.h, which includes this header */
/*
 * The direct successor of current. REASON_NONE; MALFORMED, TOO_LARGE, VENDOR_KEYS_INVALID, WRONG_VENDOR;
 * OLD_VENDOR_KEYS, VENDOR_KEYS_GAP (as for site policies); ORGANISATION_SIGNATURE, DEVELOPER_SIGNATURE (of the old
 * keys), UNDER_SIGNED (fewer than k approvers of the policy); VENDOR_KEYS_FORK (as for site policies: only what is
 * signed like a successor, or like the first one, is a fork). VENDOR_KEYS_INVALID also if one of its keys is one of the
 * site's.
 */
enum reason vendor_keys_accept_next(struct span signed_set, const struct vendor_keys *current,
                                    const struct site_policy *policy, struct vendor_keys *out, uint8_t *scratch,
                                    size_t scratch_size);
/* One that was accepted before and is read back; its keeper vouches for it. REASON_NONE, MALFORMED, TOO_LARGE,
 * VENDOR_KEYS_INVALID. */
enum reason vendor_keys_read(struct span signed_set, struct vendor_keys *out);
