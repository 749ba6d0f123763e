/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The registry's side of DICE-1 (hub/attestation.h). */

#include "hub/manager_internal.h"

bool manager_identity_key(void *context, const char *device, struct span rotation, struct public_key *out)
{
        const struct manager *m = context;
        const struct device *d = registry_find(&m->registry, span_of_string(device));

        (void)rotation;
        if (!d || d->registration != REGISTRATION_REGISTERED || !d->pinned)
                return false;
        *out = d->key;
        return true;
}

void manager_appraise(void *context, const struct attestation_proof *proof, struct attestation_verdict *out)
{
        (void)context;
        *out = (struct attestation_verdict){ .trust = proof->evidence ? TRUST_CLAIMED : TRUST_FRONT_END };
}
