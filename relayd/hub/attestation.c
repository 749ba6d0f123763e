/* SPDX-License-Identifier: GPL-2.0-or-later */
/* DICE-1 at the hub; see attestation.h. */

#include <string.h>

#include "hub/attestation.h"

int attestation_ask(struct attestation *a, const uint8_t relay[SHA256_SIZE], struct writer *out)
{
        int result;

        a->asked = false;
        memcpy(a->challenge.relay, relay, SHA256_SIZE);
        result = crypto_random(a->challenge.nonce, sizeof(a->challenge.nonce));
        if (result == RELAY_OK)
                result = attest_challenge_encode(out, &a->challenge);
        a->asked = result == RELAY_OK;
        return result;
}

static enum reason check(const struct attestation *a, const struct attestation_registry *registry, const char *device,
                         const uint8_t application[SHA256_SIZE], struct span sign1, struct attest_statement *statement,
                         struct dice_evidence *evidence)
{
        uint8_t scratch[ATTEST_STATEMENT_MAX + 128], fingerprint[SHA256_SIZE];
        struct public_key identity;
        enum reason reason;

        /* which key counts may be in the statement itself: in its rotation, which is verified by the key before it */
        if (sign1.size > ATTEST_STATEMENT_MAX || attest_decode(sign1, statement) != RELAY_OK)
                return REASON_MALFORMED;
        if (!registry->key(registry->context, device, statement->rotation, &identity))
                return REASON_UNKNOWN_DEVICE;
        reason = attest_check(sign1, &a->challenge, device, &identity, statement, evidence, scratch, sizeof(scratch));
        if (reason != REASON_NONE)
                return reason;
        if (key_fingerprint(&evidence->key, fingerprint) != RELAY_OK ||
            memcmp(fingerprint, application, SHA256_SIZE) != 0)
                return REASON_FOREIGN_CERTIFICATE;
        return REASON_NONE;
}

enum reason attestation_answer(struct attestation *a, const struct attestation_registry *registry, const char *device,
                               const uint8_t application[SHA256_SIZE], bool again, struct span sign1)
{
        struct attest_statement statement;
        struct dice_evidence evidence;
        struct attestation_proof proof = { device, &statement, &evidence, again };
        enum reason reason;

        a->verdict = (struct attestation_verdict){ .reason = REASON_NOT_ATTESTED };
        if (!a->asked)
                return REASON_NOT_ATTESTED;
        a->asked = false;
        reason = check(a, registry, device, application, sign1, &statement, &evidence);
        if (reason == REASON_NONE)
                registry->appraise(registry->context, &proof, &a->verdict);
        else
                a->verdict.reason = reason;
        return reason;
}

void attestation_plain(struct attestation *a, const struct attestation_registry *registry, const char *device)
{
        struct attestation_proof proof = { .device = device };

        a->verdict = (struct attestation_verdict){ .reason = REASON_NOT_ATTESTED };
        registry->appraise(registry->context, &proof, &a->verdict);
}
