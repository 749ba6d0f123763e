/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * What follows from how a session's device showed itself (hub/attestation.h). Pure: the caller gathers the facts from
 * registry, known images and evidence, and does what comes out.
 */

#include <stdbool.h>

#include "relay/dice.h"
#include "relay/factory.h"
#include "relay/reason.h"

/* What the relay knows about who a session's device is, and what runs there. */
enum attestation_trust {
        TRUST_FRONT_END = 0, /* plain CONNECT: the front end's word about the certificate */
        TRUST_CLAIMED,       /* DICE-1, by a boot stage that is not isolated from the application */
        TRUST_ATTESTED,      /* DICE-1, isolated boot stage, mode normal, known image */
        TRUST_RECOVERY,      /* DICE-1, mode recovery */
        TRUST_UNKNOWN_IMAGE, /* DICE-1, but nobody approved or made known what runs; or mode debug, not configured */
};
/* "front-end", "claimed", "attested", "recovery", "unknown-image" */
const char *attestation_trust_name(enum attestation_trust trust);

/* "none", "claimed", "attested" */
const char *attestation_level_name(enum factory_attestation level);

struct appraise_facts {
        bool proved;                    /* by DICE-1, now; false: a plain CONNECT */
        enum factory_attestation level; /* as the factory list says */
        bool proved_before;             /* in this or an earlier session */
        enum dice_mode mode;            /* of what was measured; this and the next only if proved */
        bool image_known;
        bool cloned; /* it is in quarantine as one that has a clone; only a person takes that back */
};
struct appraise_result {
        enum reason reason; /* REASON_NONE: it gets its session; NOT_ATTESTED */
        enum attestation_trust trust;
        enum reason quarantine; /* REASON_NONE: none; UNKNOWN_IMAGE, RECOVERY, CLONED_DEVICE */
};
/*
 * Who has to prove itself and does not, gets no session. Mode recovery is quarantine whatever the image, debug and not
 * configured count as an unknown image. Of several reasons for a quarantine the clone is told.
 */
struct appraise_result appraise_decide(const struct appraise_facts *facts);
