/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Admission of certificates. */

#include "policy/admit.h"

static struct admit_result deny(enum reason reason)
{
        return (struct admit_result){ DECISION_DENY(reason), false };
}

static struct admit_result decide_stranger(const struct admit_facts *facts)
{
        if (facts->kind == ADMIT_APPLICATION || facts->refuse_unknown)
                return deny(REASON_UNKNOWN_DEVICE);

        struct admit_result result = deny(REASON_PENDING_DEVICE);
        /* somebody without a factory certificate must not take the place of one who has it, so only that way round */
        bool better = facts->pin == ADMIT_PIN_DIFFERENT && facts->chain_verified;
        if (facts->registration == ADMIT_PENDING)
                result.record_pending = better;
        else
                /* anybody on the LAN can make certificates: half of the places are for those of the factory */
                result.record_pending = facts->pending < facts->pending_max / (facts->chain_verified ? 1 : 2);
        return result;
}

static bool certificate_fits(const struct admit_facts *facts)
{
        switch (facts->pin) {
        case ADMIT_PIN_EQUAL:
                return true;
        case ADMIT_PIN_DIFFERENT:
                return facts->kind == ADMIT_DEVICE && facts->proves_itself && facts->chain_verified;
        case ADMIT_PIN_NONE:
                return facts->kind == ADMIT_DEVICE && facts->chain_verified;
        }
        return false;
}

struct admit_result admit_decide(const struct admit_facts *facts)
{
        if (!facts->identity_valid)
                return deny(REASON_BAD_IDENTITY);
        if (facts->registration == ADMIT_REVOKED)
                return deny(REASON_REVOKED_DEVICE);
        if (facts->forged)
                return deny(REASON_FOREIGN_CERTIFICATE);
        if (facts->time == ADMIT_TIME_OUTSIDE)
                return deny(REASON_EXPIRED_CERTIFICATE);
        if (facts->registration != ADMIT_REGISTERED)
                return decide_stranger(facts);
        if (!certificate_fits(facts))
                return deny(REASON_FOREIGN_CERTIFICATE);
        /* who takes over is not counted twice, but may not come again and again without end */
        if (facts->sessions / (facts->takes_over ? 2 : 1) >= facts->sessions_max)
                return deny(REASON_TOO_MANY_SESSIONS);
        return (struct admit_result){ DECISION_ALLOW, false };
}
