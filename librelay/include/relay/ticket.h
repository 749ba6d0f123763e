/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The gate's question and answer. A device asks below its own prefix, at gate/request:
 *
 *     gate-request = { 0: 1, 1: nonce (bstr 16), ? 2: manifest digest (bstr 32) }   without 2: only the time is asked
 *
 * and the gate answers at gate/ticket with a COSE_Sign1 of a gate key, aad "relayd/ticket/1", payload
 *
 *     ticket = { 0: 1, 1: site id (tstr), 2: device (tstr), 3: nonce (bstr 16), ? 4: manifest digest (bstr 32),
 *                5: site policy digest (bstr 32), 6: approval epoch (uint), 7: verdict (0 closed, 1 open),
 *                8: reason (tstr, a name of relay/reason.h; "none" if open), ? 9: time (uint, Unix seconds; absent: the
 *                gate has no clock) }
 *
 * The device compares every field, and counts the age from the making of the nonce on its own uptime. Labels 2 of the
 * request and 4 of the ticket stand or are absent together; a ticket without a digest opens nothing.
 */

#include "relay/sitepolicy.h"

#define TICKET_AAD        "relayd/ticket/1"
#define TICKET_MAX        512 /* bytes of a COSE_Sign1 */
#define TICKET_NONCE_SIZE 16
#define TICKET_AGE_MAX_S  120
#define GATE_REQUEST_MAX  64

struct gate_request {
        uint8_t nonce[TICKET_NONCE_SIZE];
        bool has_digest;
        uint8_t manifest_digest[SHA256_SIZE];
};
int gate_request_decode(struct span in, struct gate_request *out); /* RELAY_OK or why not */
int gate_request_encode(struct writer *w, const struct gate_request *request);

struct ticket {
        char site[SITE_MAX + 1];
        char device[IDENTITY_MAX + 1];
        uint8_t nonce[TICKET_NONCE_SIZE];
        bool has_digest;
        uint8_t manifest_digest[SHA256_SIZE];
        uint8_t policy_digest[SHA256_SIZE];
        uint64_t approval_epoch;
        struct decision decision; /* reasons this program does not know become REASON_GATE_CLOSED */
        bool has_time;
        uint64_t time; /* Unix seconds */
};
int ticket_decode(struct span payload, struct ticket *out); /* form only */
int ticket_sign(struct writer *w, const struct ticket *ticket, const struct signer *signer);

/* what the device that asked knows, for ticket_check() */
struct ticket_facts {
        const char *device;
        const uint8_t *class_id;
        const struct gate_request *request; /* its own, still unanswered */
        uint64_t approval_epoch;            /* the device's floor */
        uint64_t time_floor;                /* Unix seconds: issued of the newest object signed by k */
};
/*
 * Is this the answer to this request, of a gate of this policy? REASON_NONE: it is, and *out is to be believed (open or
 * not). Else MALFORMED, WRONG_SITE, WRONG_DEVICE, WRONG_NONCE (of another request: replayed), WRONG_DIGEST,
 * BAD_SIGNATURE (no gate key of this device), POLICY_DIFFERS (the gate holds another site policy; *out is filled, for
 * it tells a device to walk the chain), REVOKED_EPOCH (the gate's epoch is above the floor: fetch the revocation; *out
 * is filled), CLOCK_TURNED_BACK (time below the floor). The caller compares the age.
 */
enum reason ticket_check(struct span sign1, const struct site_policy *policy, const struct ticket_facts *facts,
                         struct ticket *out);
