/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * What an approver decides about: a manifest envelope with the signed sets it is checked under, from the relay or, for
 * a machine without network, from a file:
 *
 *     request = { 0: 1, 1: envelope (bstr), 2: signed site policy (bstr), 3: signed vendor key set (bstr) }
 *
 * Nothing in it is believed before request_verify().
 */

#include <jansson.h>
#include <systemd/sd-bus.h>

#include "cli/signing.h"
#include "ctl/trust.h"
#include "relay/approval.h"

#define REQUEST_MAX (32u * 1024)

/* borrowed */
struct request_parts {
        struct span envelope, policy_set, vendor_set;
};
/* RELAY_OK, RELAY_E_MALFORMED, RELAY_E_TRUNCATED, RELAY_E_RANGE */
int request_decode(struct span in, struct request_parts *out);
int request_encode(struct writer *w, const struct request_parts *parts);

struct request {
        uint8_t *bytes[3]; /* what parts point into */
        struct request_parts parts;
        json_t *update; /* as the relay shows it; NULL: from a file */
        struct trust trust;
        struct manifest_verified manifest;
        struct cli_signer signer;
        struct approval approval;
};
void request_done(struct request *request); /* for _cleanup_ */

/* All of the following answer CLI_* with message. */
int request_fetch(struct cli *cli, sd_bus *bus, const char *id, struct request *out);
int request_load(struct cli *cli, const char *path, struct request *out);
/*
 * Establishes trust, verifies both vendor signatures, opens --key or --agent (an approver's), shows everything, asks,
 * signs. The approval goes to w.
 */
int request_sign(struct cli *cli, struct request *request, struct writer *w);
