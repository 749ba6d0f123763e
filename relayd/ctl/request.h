/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * What an approver decides about: a manifest envelope with the signed sets it is checked under, from the relay or, for
 * a machine without network, from a file:
 *
 *     request = { 0: 1, 1: envelope (bstr), 2: signed site policy (bstr), 3: signed vendor key set (bstr),
 *                 ? 4: [+ bstr] site policies before it, ? 5: [+ bstr] vendor key sets before it, oldest first,
 *                 ? 6: signed revocation (bstr) }
 *
 * Nothing in it is believed before request_sign() verified it.
 */

#include <jansson.h>
#include <systemd/sd-bus.h>

#include "cli/signing.h"
#include "ctl/trust.h"
#include "relay/approval.h"

#define REQUEST_MAX       (256u * 1024)
#define REQUEST_CHAIN_MAX 16

/* signed sets before the one in force, oldest first */
struct request_chain {
        struct span sets[REQUEST_CHAIN_MAX];
        size_t count;
};
/* borrowed */
struct request_parts {
        struct span envelope, policy_set, vendor_set, revocation_set;
        struct request_chain policies, vendors;
};
/* RELAY_OK, RELAY_E_MALFORMED, RELAY_E_TRUNCATED, RELAY_E_RANGE */
int request_decode(struct span in, struct request_parts *out);
int request_encode(struct writer *w, const struct request_parts *parts);

#define REQUEST_BUFFERS (5 + 2 * REQUEST_CHAIN_MAX)

struct request {
        uint8_t *bytes[REQUEST_BUFFERS]; /* what parts point into */
        size_t bytes_count;
        uint8_t *step; /* of a walk over epochs */
        struct request_parts parts;
        struct cli *cli; /* where it comes from: a relay, or bus NULL: a file */
        sd_bus *bus;
        json_t *update; /* as the relay shows it; NULL: from a file */
        struct trust trust;
        struct manifest_verified manifest;
        struct cli_signer signer;
        struct approval approval;
};
void request_done(struct request *request); /* for _cleanup_ */

/* All of the following answer CLI_* with message. */
/* The signed sets in force of a relay: what trust is established from. out may be zeroed before. */
int request_fetch_sets(struct cli *cli, sd_bus *bus, struct request *out);
/* the same, and an update's manifest */
int request_fetch(struct cli *cli, sd_bus *bus, const char *id, struct request *out);
/* what the relay has of the epochs before, for a file */
int request_fetch_chains(struct request *request);
int request_load(struct cli *cli, const char *path, struct request *out);
/* where trust finds what the request holds; borrows it */
struct trust_source request_source(struct request *request);
/*
 * Establishes trust, verifies both vendor signatures, opens --key or --agent (an approver's), shows everything, asks,
 * signs. The approval goes to w.
 */
int request_sign(struct cli *cli, struct request *request, struct writer *w);
/* Nothing between this program and the relay: what is signed, is signed on the gateway itself. */
bool request_is_on_gateway(const struct cli *cli);
