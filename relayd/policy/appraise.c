/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Appraisal of a session. */

#include "policy/appraise.h"

const char *attestation_trust_name(enum attestation_trust trust)
{
        switch (trust) {
        case TRUST_FRONT_END:
                return "front-end";
        case TRUST_CLAIMED:
                return "claimed";
        case TRUST_ATTESTED:
                return "attested";
        case TRUST_RECOVERY:
                return reason_name(REASON_RECOVERY);
        case TRUST_UNKNOWN_IMAGE:
                break;
        }
        return reason_name(REASON_UNKNOWN_IMAGE);
}

const char *attestation_level_name(enum factory_attestation level)
{
        static const char *const names[] = {
                [FACTORY_NO_ATTESTATION] = "none",
                [FACTORY_CLAIMED] = "claimed",
                [FACTORY_ATTESTED] = "attested",
        };

        return names[level];
}

static enum attestation_trust trust_of(const struct appraise_facts *facts)
{
        if (!facts->proved)
                return TRUST_FRONT_END;
        switch (facts->mode) {
        case DICE_MODE_RECOVERY:
                return TRUST_RECOVERY;
        case DICE_MODE_NORMAL:
                if (!facts->image_known)
                        return TRUST_UNKNOWN_IMAGE;
                return facts->level == FACTORY_ATTESTED ? TRUST_ATTESTED : TRUST_CLAIMED;
        case DICE_MODE_NOT_CONFIGURED:
        case DICE_MODE_DEBUG:
                break;
        }
        return TRUST_UNKNOWN_IMAGE;
}

static enum reason quarantine_of(enum attestation_trust trust)
{
        switch (trust) {
        case TRUST_FRONT_END:
        case TRUST_CLAIMED:
        case TRUST_ATTESTED:
                return REASON_NONE;
        case TRUST_RECOVERY:
                return REASON_RECOVERY;
        case TRUST_UNKNOWN_IMAGE:
                break;
        }
        return REASON_UNKNOWN_IMAGE;
}

struct appraise_result appraise_decide(const struct appraise_facts *facts)
{
        struct appraise_result result = { .trust = trust_of(facts) };

        if (!facts->proved && (facts->level != FACTORY_NO_ATTESTATION || facts->proved_before))
                result.reason = REASON_NOT_ATTESTED;
        result.quarantine = facts->cloned ? REASON_CLONED_DEVICE : quarantine_of(result.trust);
        return result;
}
