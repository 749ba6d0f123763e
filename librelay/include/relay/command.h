/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Command: an order to one device, at sites/<site>/devices/<device>/commands. A COSE_Sign1 of a command key of the
 * vendor key set or of a grant of the site policy, aad "relayd/command/1", payload
 *
 *     command = { 0: 1, 1: site id (tstr), 2: device (tstr), 3: counter (uint, of this key for this device, rises),
 *                 4: expiry (uint, Unix seconds, last second in which it may start), 5: name (tstr),
 *                 6: arguments (bstr, what they mean is the application's) }
 */

#include "relay/sitepolicy.h"

#define COMMAND_AAD           "relayd/command/1"
#define COMMAND_MAX           1024 /* bytes of a COSE_Sign1 */
#define COMMAND_ARGUMENTS_MAX 512

struct command {
        char site[SITE_MAX + 1];
        char device[IDENTITY_MAX + 1];
        uint64_t counter; /* at least 1 */
        uint64_t expiry;  /* Unix seconds */
        char name[COMMAND_NAME_SIZE];
        struct span arguments; /* points into the input */
};
int command_decode(struct span payload, struct command *out); /* form only */
int command_sign(struct writer *w, const struct command *command, const struct signer *signer);

/*
 * Form, site, device, signature and scope of the key: REASON_NONE, MALFORMED, WRONG_SITE, WRONG_DEVICE, BAD_SIGNATURE
 * (of no command key), OUT_OF_SCOPE (the key may not run this command, or not there). *key: whose signature it is.
 * Counter and expiry are the caller's to compare: REPLAYED_COMMAND, EXPIRED_COMMAND, NO_TRUSTED_TIME.
 * device: NULL for a relay that judges for whatever device the command names. class_id: NULL if not known.
 */
enum reason command_check(struct span sign1, const struct site_policy *policy, const struct vendor_keys *vendor,
                          const char *device, const uint8_t *class_id, struct command *out, struct public_key *key);
