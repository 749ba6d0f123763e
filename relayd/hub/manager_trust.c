/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the bus asks about what the site trusts, and about its gate; see manager.h. */

#include "hub/manager_internal.h"

int manager_set_gate(struct manager *m, const char *caller, const struct gate_change *change, struct refusal *refusal)
{
        manager_refresh(m);
        return updater_set_gate(m->updater, caller, change, refusal);
}

int manager_reset_gate(struct manager *m, const char *caller, const char *scope, struct refusal *refusal)
{
        manager_refresh(m);
        return updater_reset_gate(m->updater, caller, scope, refusal);
}

int manager_walk_gate(struct manager *m, int (*fn)(void *context, const struct gate_change *setting), void *context)
{
        return updater_walk_gate(m->updater, fn, context);
}

int manager_revoke_approvals(struct manager *m, const char *caller, struct span signed_set, struct refusal *refusal)
{
        manager_refresh(m);
        return updater_revoke(m->updater, caller, signed_set, refusal);
}

struct span manager_site_policy(struct manager *m, uint64_t epoch)
{
        return updater_site_policy(m->updater, epoch);
}

struct span manager_vendor_keys(struct manager *m, uint64_t epoch)
{
        return updater_vendor_keys(m->updater, epoch);
}

struct span manager_revocation(struct manager *m)
{
        return updater_revocation(m->updater);
}
