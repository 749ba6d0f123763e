/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Site policy: who approves, how many are needed, where the relay and the cloud are.
 * Travels as a signed set (cose.h), aad "relayd/site-policy/1".
 *
 *     site-policy = { 0: 1, 1: site id (tstr), 2: epoch (uint), ? 3: predecessor digest (bstr 32),
 *                     4: [+ COSE_Key] approvers, 5: k (uint), 6: [* COSE_Key] gate keys, 7: [+ endpoint],
 *                     8: mode (0 normal, 1 relay-only), 9: ticket needed (bool),
 *                     10: patience (uint, seconds a device stays with a relay whose uplink is down; 0: for ever) }
 *     endpoint    = { 0: kind (0 relay, 1 cloud), 1: host (tstr), 2: port (uint), 3: pin (bstr 32),
 *                     ? 4: backup pin (bstr 32), ? 5: [+ tstr] devices that use it (absent: all) }
 * Pins: SHA-256 of the server key's SubjectPublicKeyInfo. n/2 < k <= n. All keys are distinct. A host is a DNS name or
 * an address: [A-Za-z0-9.:-]. Epoch 1 has no predecessor, every later one has.
 */

#include "relay/cose.h"
#include "relay/reason.h"
#include "relay/topic.h"
#include "relay/vendor.h"

#define SITE_POLICY_AAD    "relayd/site-policy/1"
#define SITE_APPROVERS_MAX 16
#define SITE_GATES_MAX     4
#define SITE_ENDPOINTS_MAX 6
#define SITE_DEVICES_MAX   64 /* device names in all endpoints together */
#define SITE_HOST_SIZE     (253 + 1)
#define SITE_POLICY_MAX    8192 /* bytes of a signed set */

enum endpoint_kind { ENDPOINT_RELAY = 0, ENDPOINT_CLOUD = 1 };
enum site_mode { SITE_NORMAL = 0, SITE_RELAY_ONLY = 1 };

struct site_endpoint {
        enum endpoint_kind kind;
        char host[SITE_HOST_SIZE];
        uint16_t port;
        uint8_t pin[SHA256_SIZE];
        bool has_backup_pin;
        uint8_t backup_pin[SHA256_SIZE];
        /* which devices use it: policy->devices[device_first] and the following; 0: every device uses it */
        size_t device_first, device_count;
};

struct site_policy {
        char site[SITE_MAX + 1];
        uint64_t epoch;
        bool has_predecessor;
        uint8_t predecessor[SHA256_SIZE];
        struct public_key approvers[SITE_APPROVERS_MAX];
        size_t approver_count;
        size_t threshold; /* k */
        struct public_key gates[SITE_GATES_MAX];
        size_t gate_count;
        struct site_endpoint endpoints[SITE_ENDPOINTS_MAX];
        size_t endpoint_count;
        char devices[SITE_DEVICES_MAX][IDENTITY_MAX + 1]; /* shared by the endpoints, so that a policy stays small */
        size_t device_count;
        enum site_mode mode;
        bool ticket_needed;
        uint32_t patience_s;
        uint8_t digest[SHA256_SIZE]; /* SHA-256 of the payload; filled by decoding */
};

/* Payload only; checks every rule that needs no other object (k, repeated keys, mode relay-only has no cloud endpoint).
 */
int site_policy_decode(struct span payload, struct site_policy *out);
int site_policy_encode(struct writer *w, const struct site_policy *policy); /* digest is ignored */

/*
 * The first policy of a device or relay: epoch 1, no predecessor, k valid signatures of its own approvers.
 * scratch: payload + 96 bytes; SITE_POLICY_MAX is always enough.
 * REASON_NONE, MALFORMED, TOO_LARGE, POLICY_INVALID, BAD_SIGNATURE (fewer than k).
 */
enum reason site_policy_accept_first(struct span signed_set, struct site_policy *out, uint8_t *scratch,
                                     size_t scratch_size);
/* All roles' keys are distinct: true if an approver or gate key of the site is also one of the vendor's. */
bool site_policy_shares_key(const struct site_policy *policy, const struct vendor_keys *vendor);
/* does this device use this endpoint? */
bool site_endpoint_applies(const struct site_policy *policy, const struct site_endpoint *endpoint, const char *device);
