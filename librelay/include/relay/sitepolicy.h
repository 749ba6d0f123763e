/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Site policy: who approves, how many are needed, where gates, relay and cloud are, who may command what, and which
 * updates are approved by rule. Travels as a signed set (cose.h), aad "relayd/site-policy/1".
 *
 *     site-policy = { 0: 1, 1: site id (tstr), 2: epoch (uint), ? 3: predecessor digest (bstr 32),
 *                     4: [+ COSE_Key] approvers, 5: k (uint), 6: [* gate], 7: [+ endpoint],
 *                     8: mode (0 normal, 1 relay-only), 9: ticket needed (bool),
 *                     10: patience (uint, seconds a device stays with a relay whose uplink is down; 0: for ever),
 *                     11: approval epoch (uint): approvals of an older one are revoked; never falls in a successor,
 *                     12: issued (uint, Unix seconds): no device believes in an earlier time; never falls either,
 *                     ? 13: [+ grant] site command keys, ? 14: [+ name] commands of the vendor's command keys,
 *                     ? 15: [+ rule], ? 16: time zone of the gate's and the rules' windows (tstr, "Europe/Helsinki"),
 *                     ? 17: vendor epoch (uint), in successors only: nobody takes it before he holds a vendor
 *                           key set of this epoch, which the approvers of the policies before may have signed }
 *     gate        = { 0: COSE_Key, ? 1: host (tstr), ? 2: port (uint), ? 3: pin (bstr 32), ? 4: backup pin (bstr 32),
 *                     ? 5: scope }      1, 2 and 3 stand together: the gate has an address of its own
 *     endpoint    = { 0: kind (0 relay, 1 cloud), 1: host (tstr), 2: port (uint), 3: pin (bstr 32),
 *                     ? 4: backup pin (bstr 32), ? 5: [+ tstr] devices that use it (absent: all) }
 *     grant       = { 0: COSE_Key, 1: [+ name], ? 2: scope }
 *     name        = a command ("pump.on": [a-z0-9.-]{1,40}), or the beginning of some and an asterisk ("pump.*");
 *                   40 characters at most; an asterisk alone is every command
 *     rule        = { 0: [+ word] urgencies, 1: scope, 2: seconds it must have been on offer (uint), ? 3: [+ window] }
 *     scope       = [0] site / [1, class id (bstr 16)] / [2, [+ device (tstr)]]   gates, grants: absent for the site
 *     window      = [ first minute, minutes ]  of the week, Monday 00:00 is 0 (uint 0..10079, uint 1..10080)
 *
 * Pins: SHA-256 of the server key's SubjectPublicKeyInfo. n/2 < k <= n. All keys are distinct. A host is a DNS name or
 * an address: [A-Za-z0-9.:-]. Epoch 1 has no predecessor, every later one has. Ticket needed, and any rule, demand a
 * gate. A rule is a standing approval of k people: of its conditions a device checks urgency, class and scope, the
 * gate the rest; an update approved by rule always needs a ticket.
 */

#include "relay/cose.h"
#include "relay/reason.h"
#include "relay/scope.h"
#include "relay/topic.h"
#include "relay/vendor.h"

#define SITE_POLICY_AAD     "relayd/site-policy/1"
#define SITE_APPROVERS_MAX  16
#define SITE_GATES_MAX      4
#define SITE_ENDPOINTS_MAX  6
#define SITE_DEVICES_MAX    64 /* device names in the whole policy together */
#define SITE_GRANTS_MAX     4
#define SITE_NAMES_MAX      24 /* command names in the whole policy together */
#define SITE_RULES_MAX      4
#define SITE_URGENCIES_MAX  4 /* of one rule */
#define SITE_URGENCY_SIZE   (24 + 1)
#define SITE_WINDOWS_MAX    8 /* of one rule */
#define SITE_HOST_SIZE      (253 + 1)
#define SITE_TIME_ZONE_SIZE (48 + 1)
#define SITE_POLICY_MAX     8192 /* bytes of a signed set */
#define WEEK_MINUTES        10080
#define COMMAND_NAME_SIZE   (40 + 1)

enum endpoint_kind { ENDPOINT_RELAY = 0, ENDPOINT_CLOUD = 1 };
enum site_mode { SITE_NORMAL = 0, SITE_RELAY_ONLY = 1 };

/* a scope whose device names are policy->devices[device_first] and the following */
struct site_scope {
        enum scope_kind kind;
        uint8_t class_id[CLASS_ID_SIZE];
        size_t device_first, device_count;
};

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

struct site_gate {
        struct public_key key;
        bool has_address;             /* false: it is asked on the session, by the relay or through the cloud */
        struct site_endpoint address; /* kind ENDPOINT_RELAY; no devices of its own */
        struct site_scope scope;      /* the devices it answers for; default: the site */
};

struct site_names {
        size_t first, count; /* policy->names */
};

struct site_grant {
        struct public_key key;
        struct site_names names;
        struct site_scope scope;
};

struct site_window {
        uint16_t first, minutes; /* minutes of the week, Monday 00:00 is 0; may run over its end */
};

struct site_rule {
        char urgencies[SITE_URGENCIES_MAX][SITE_URGENCY_SIZE];
        size_t urgency_count;
        struct site_scope scope;
        uint64_t wait_s; /* since the gate saw the offer */
        struct site_window windows[SITE_WINDOWS_MAX];
        size_t window_count; /* 0: at any time */
};

struct site_policy {
        char site[SITE_MAX + 1];
        uint64_t epoch;
        bool has_predecessor;
        uint8_t predecessor[SHA256_SIZE];
        struct public_key approvers[SITE_APPROVERS_MAX];
        size_t approver_count;
        size_t threshold; /* k */
        struct site_gate gates[SITE_GATES_MAX];
        size_t gate_count;
        struct site_endpoint endpoints[SITE_ENDPOINTS_MAX];
        size_t endpoint_count;
        char devices[SITE_DEVICES_MAX][IDENTITY_MAX + 1]; /* shared by endpoints and scopes, to keep a policy small */
        size_t device_count;
        char names[SITE_NAMES_MAX][COMMAND_NAME_SIZE]; /* shared by grants and vendor_commands */
        size_t name_count;
        enum site_mode mode;
        bool ticket_needed;
        uint32_t patience_s;
        uint64_t approval_epoch;
        uint64_t issued; /* Unix seconds */
        struct site_grant grants[SITE_GRANTS_MAX];
        size_t grant_count;
        struct site_names vendor_commands; /* none: the vendor's command keys may run nothing here */
        struct site_rule rules[SITE_RULES_MAX];
        size_t rule_count;
        char time_zone[SITE_TIME_ZONE_SIZE]; /* "": the gate's own */
        uint64_t vendor_epoch;               /* 0: it demands none */
        uint8_t digest[SHA256_SIZE];         /* SHA-256 of the payload; filled by decoding */
};

/*
 * All functions that read a policy read it in place, because a second one would not fit a microcontroller's stack:
 * after a refusal *out is all zero, a policy of nobody, which no approval satisfies.
 */
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
/*
 * The direct successor of current: epoch + 1, its digest as predecessor, same site, approval epoch and issued not
 * lower, k valid signatures of the OLD approvers and k of the NEW ones (who is both signs once and counts for both).
 * REASON_NONE; MALFORMED, TOO_LARGE, POLICY_INVALID, WRONG_SITE; OLD_POLICY (an epoch that was passed, or the one that
 * is held, told again); POLICY_GAP (those between are missing); UNDER_SIGNED (too few old approvers), BAD_SIGNATURE
 * (too few new ones); POLICY_FORK (another digest for the epoch that is held, or another predecessor, and both k
 * signed it: what nobody signed is no fork). POLICY_INVALID also if approval epoch or issued fall. out is not current.
 * Whether it goes with the vendor key set is the caller's to ask: site_policy_fits().
 */
enum reason site_policy_accept_next(struct span signed_set, const struct site_policy *current, struct site_policy *out,
                                    uint8_t *scratch, size_t scratch_size);
/*
 * One of any epoch that was accepted before and is read back: k of its own approvers. Whoever keeps it vouches for the
 * way it came. REASON_NONE, MALFORMED, TOO_LARGE, POLICY_INVALID, BAD_SIGNATURE.
 */
enum reason site_policy_read(struct span signed_set, struct site_policy *out, uint8_t *scratch, size_t scratch_size);

/* who is asked about: device may be NULL (then only SCOPE_SITE covers), class_id NULL if it is not known */
bool site_scope_covers(const struct site_policy *policy, const struct site_scope *scope, const char *device,
                       const uint8_t *class_id);
/* The gate that answers for this device: of those whose scope covers it the one with the narrowest (devices before
 * class before site), the first of several. NULL: none. */
const struct site_gate *site_policy_gate(const struct site_policy *policy, const char *device, const uint8_t *class_id);
/* Does this key answer as a gate for this device? A wider gate does not where a narrower one covers the device. */
bool site_policy_is_gate(const struct site_policy *policy, const struct public_key *key, const char *device,
                         const uint8_t *class_id);
/* The first rule whose urgencies and scope cover this update for this device, from index first on; -1: none. */
int site_policy_rule(const struct site_policy *policy, size_t first, struct span urgency, const char *device,
                     const uint8_t *class_id);
/* minute: of the week in the policy's time zone; no window covers every minute */
bool site_windows_cover(const struct site_window *windows, size_t count, unsigned minute);
/* the name of one command: [a-z0-9.-]{1,40} */
bool command_name_is_valid(struct span name);
/* May a command of this name be run? names: of a grant, or policy->vendor_commands. */
bool site_names_cover(const struct site_policy *policy, const struct site_names *names, struct span command);
/* All roles' keys are distinct: true if an approver, gate or command key of the site is also one of the vendor's. */
bool site_policy_shares_key(const struct site_policy *policy, const struct vendor_keys *vendor);
/* Can it come into force beside this vendor key set? REASON_NONE, POLICY_INVALID (a shared key), VENDOR_KEYS_GAP (it
 * was written beside a later one: that one comes first). */
enum reason site_policy_fits(const struct site_policy *policy, const struct vendor_keys *vendor);
/* does this device use this endpoint? */
bool site_endpoint_applies(const struct site_policy *policy, const struct site_endpoint *endpoint, const char *device);
