/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whom the device believes: the first policy, successors, revocations. */

#include <string.h>

#include "boot/boot.h"
#include "relay/revocation.h"

/* nothing changed; said as a refusal, so that the application goes on */
#define FLASH_FAILED 1

static uint64_t higher(uint64_t a, uint64_t b)
{
        return a > b ? a : b;
}

/*
 * Both objects into the area that is not in force; next says so, and holds when it is in the journal. Then they go into
 * the other area, too: should one be damaged some day, the other one will do.
 */
static int install(struct boot *b, struct boot_record *next, struct span vendor_set, struct span policy_set)
{
        next->trust_area = (uint8_t)(1u - b->trust_area);
        if (trust_write(b->board.flash, next->trust_area, vendor_set, policy_set) < 0)
                return FLASH_FAILED;
        int r = boot_store(b, next);
        if (r < 0)
                return r;
        (void)trust_write(b->board.flash, b->trust_area, vendor_set, policy_set);
        b->trust_area = next->trust_area;
        return 0;
}

/* the object that stays */
static int read_other(struct boot *b, enum trust_object object, uint8_t *buffer, size_t size, struct span *set)
{
        return trust_read_set(b->board.flash, b->trust_area, object, buffer, size, set) < 0 ? PORT_E_IO : 0;
}

/* b->room.accept.next was verified */
static int install_policy(struct boot *b, struct span policy_set)
{
        const struct site_policy *policy = &b->room.accept.next;
        struct boot_record next = b->record;
        struct span vendor_set;

        int r = read_other(b, TRUST_VENDOR, b->room.accept.scratch, sizeof(b->room.accept.scratch), &vendor_set);
        if (r < 0)
                return r;
        next.claimed = true;
        memcpy(next.policy_digest, policy->digest, SHA256_SIZE);
        next.epoch_floor = higher(next.epoch_floor, policy->approval_epoch);
        next.time_floor = higher(next.time_floor, policy->issued);
        r = install(b, &next, vendor_set, policy_set);
        if (r == 0)
                b->policy = *policy;
        return r;
}

static int accept_policy(struct boot *b, struct span set, enum reason *refusal)
{
        *refusal = site_policy_accept_next(set, &b->policy, &b->room.accept.next, b->room.accept.scratch,
                                           sizeof(b->room.accept.scratch));
        if (*refusal == REASON_NONE)
                *refusal = site_policy_fits(&b->room.accept.next, &b->vendor);
        return *refusal == REASON_NONE ? install_policy(b, set) : 0;
}

static int accept_vendor(struct boot *b, struct span set, enum reason *refusal)
{
        struct boot_record next = b->record;
        struct span policy_set;
        struct vendor_keys keys;

        *refusal = vendor_keys_accept_next(set, &b->vendor, &b->policy, &keys, b->room.read.scratch,
                                           sizeof(b->room.read.scratch));
        if (*refusal != REASON_NONE)
                return 0;
        int r = read_other(b, TRUST_POLICY, b->room.read.set, sizeof(b->room.read.set), &policy_set);
        if (r < 0)
                return r;
        memcpy(next.vendor_digest, keys.digest, SHA256_SIZE);
        r = install(b, &next, set, policy_set);
        if (r == 0)
                b->vendor = keys;
        return r;
}

static int accept_revocation(struct boot *b, struct span set, enum reason *refusal)
{
        struct boot_record next = b->record;
        struct revocation revocation;

        *refusal = revocation_accept(set, &b->policy, b->record.epoch_floor, &revocation, b->room.read.scratch,
                                     sizeof(b->room.read.scratch));
        if (*refusal != REASON_NONE)
                return 0;
        next.epoch_floor = revocation.epoch;
        next.time_floor = higher(next.time_floor, revocation.issued);
        return boot_store(b, &next);
}

int boot_accept(struct boot *b, enum port_boot_object object, struct span signed_set, enum reason *refusal)
{
        enum reason reason = REASON_NOT_AUTHORISED;
        int r = 0;

        if (b->record.claimed)
                switch (object) {
                case PORT_BOOT_POLICY:
                        r = accept_policy(b, signed_set, &reason);
                        break;
                case PORT_BOOT_VENDOR:
                        r = accept_vendor(b, signed_set, &reason);
                        break;
                case PORT_BOOT_REVOCATION:
                        r = accept_revocation(b, signed_set, &reason);
                        break;
                }
        if (r >= 0)
                *refusal = r == FLASH_FAILED ? REASON_FLASH_FAILED : reason;
        return r < 0 ? r : 0;
}

/* ---- by the local port */

int boot_claim(struct boot *b, struct span policy_set, enum reason *refusal)
{
        enum reason reason = REASON_OLD_POLICY;
        int r = 0;

        if (!b->record.claimed)
                reason = site_policy_accept_first(policy_set, &b->room.accept.next, b->room.accept.scratch,
                                                  sizeof(b->room.accept.scratch));
        if (reason == REASON_NONE && site_policy_shares_key(&b->room.accept.next, &b->vendor))
                reason = REASON_POLICY_INVALID;
        if (reason == REASON_NONE)
                r = install_policy(b, policy_set);
        if (r >= 0)
                *refusal = r == FLASH_FAILED ? REASON_FLASH_FAILED : reason;
        return r < 0 ? r : 0;
}

int boot_unclaim(struct boot *b)
{
        struct boot_record next = b->record;
        struct span vendor_set;
        int r = 0;

        if (b->record.claimed) {
                r = read_other(b, TRUST_VENDOR, b->room.read.set, sizeof(b->room.read.set), &vendor_set);
                if (r < 0)
                        return r;
                next.claimed = false;
                next.trial = BOOT_TRIAL_NONE;
                next.epoch_floor = next.time_floor = 0;
                memset(next.policy_digest, 0, SHA256_SIZE);
                r = install(b, &next, vendor_set, SPAN_EMPTY);
        }
        if (r == 0)
                r = trust_erase(b->board.flash, 1u - b->trust_area);
        if (r == 0)
                memset(&b->policy, 0, sizeof(b->policy));
        return r != 0 ? PORT_E_IO : 0;
}
