/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hub/anchors.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/array.h"

/* a signed set is copied into it while one signature is checked */
#define SCRATCH_SIZE (SITE_POLICY_MAX + 256)
#define KEY_SIZE     32

static const char *const names[ANCHOR_KINDS] = { "policy", "vendor", "revocation" };

static enum reason reason_of_store(int r)
{
        return r == 0 ? REASON_NONE : r == -ENOSPC || r == -E2BIG ? REASON_STORE_FULL : REASON_STORE_FAILED;
}

static struct span store_key(char out[KEY_SIZE], enum anchor_kind kind, uint64_t epoch)
{
        if (kind == ANCHOR_REVOCATION)
                snprintf(out, KEY_SIZE, "%s", names[kind]);
        else
                snprintf(out, KEY_SIZE, "%s/%llu", names[kind], (unsigned long long)epoch);
        return span_of_string(out);
}

/* ---- chains */

static const struct anchor_chain *chain_of(const struct anchors *anchors, enum anchor_kind kind)
{
        switch (kind) {
        case ANCHOR_POLICY:
                return &anchors->policies;
        case ANCHOR_VENDOR:
                return &anchors->vendors;
        case ANCHOR_REVOCATION:
                break;
        }
        return NULL;
}

static const struct anchor_set *find_set(const struct anchors *anchors, enum anchor_kind kind, uint64_t epoch)
{
        const struct anchor_chain *chain = chain_of(anchors, kind);

        if (!chain)
                return anchors->revocation_set.bytes ? &anchors->revocation_set : NULL;
        return epoch > 0 && epoch <= chain->count ? &chain->sets[epoch - 1] : NULL;
}

static int copy_set(struct span signed_set, const uint8_t digest[SHA256_SIZE], struct anchor_set *out)
{
        uint8_t *copy = malloc(signed_set.size + 1);

        if (!copy)
                return -ENOMEM;
        memcpy(copy, signed_set.data, signed_set.size);
        *out = (struct anchor_set){ .bytes = copy, .size = signed_set.size };
        memcpy(out->digest, digest, SHA256_SIZE);
        return 0;
}

/* Makes room first, so that what is staged later is also remembered. */
static int reserve(struct anchors *anchors, enum anchor_kind kind)
{
        switch (kind) {
        case ANCHOR_POLICY:
                return array_reserve(anchors->policies.sets, anchors->policies.count, anchors->policies.room);
        case ANCHOR_VENDOR:
                return array_reserve(anchors->vendors.sets, anchors->vendors.count, anchors->vendors.room);
        case ANCHOR_REVOCATION:
                break;
        }
        return 0;
}

static void remember(struct anchors *anchors, enum anchor_kind kind, const struct anchor_set *set)
{
        switch (kind) {
        case ANCHOR_POLICY:
                anchors->policies.sets[anchors->policies.count++] = *set;
                break;
        case ANCHOR_VENDOR:
                anchors->vendors.sets[anchors->vendors.count++] = *set;
                break;
        case ANCHOR_REVOCATION:
                free(anchors->revocation_set.bytes);
                anchors->revocation_set = *set;
                break;
        }
}

static void clear_chain(struct anchor_chain *chain)
{
        for (size_t i = 0; i < chain->count; i++)
                free(chain->sets[i].bytes);
        free(chain->sets);
}

void anchors_clear(struct anchors *anchors)
{
        clear_chain(&anchors->policies);
        clear_chain(&anchors->vendors);
        free(anchors->revocation_set.bytes);
        *anchors = (struct anchors){ 0 };
}

/* ---- claims */

static void claim_policy(struct span payload, struct anchor_claim *claim)
{
        struct site_policy policy;

        if (site_policy_decode(payload, &policy) != RELAY_OK)
                return;
        claim->epoch = policy.epoch;
        memcpy(claim->predecessor, policy.predecessor, SHA256_SIZE);
}

static void claim_vendor(struct span payload, struct anchor_claim *claim)
{
        struct vendor_keys keys;

        if (vendor_keys_decode(payload, &keys) != RELAY_OK)
                return;
        claim->epoch = keys.epoch;
        memcpy(claim->predecessor, keys.predecessor, SHA256_SIZE);
}

struct anchor_claim anchor_claim(enum anchor_kind kind, struct span signed_set)
{
        struct anchor_claim claim = { 0 };
        struct revocation revocation;
        struct cose_set set;

        if (signed_set.size > SITE_POLICY_MAX || cose_set_decode(signed_set, &set) != RELAY_OK ||
            crypto_sha256(set.payload, claim.digest) != RELAY_OK)
                return claim;
        switch (kind) {
        case ANCHOR_POLICY:
                claim_policy(set.payload, &claim);
                break;
        case ANCHOR_VENDOR:
                claim_vendor(set.payload, &claim);
                break;
        case ANCHOR_REVOCATION:
                if (revocation_decode(set.payload, &revocation) == RELAY_OK)
                        claim.epoch = revocation.epoch;
                break;
        }
        return claim;
}

const uint8_t *anchors_digest(const struct anchors *anchors, enum anchor_kind kind, uint64_t epoch)
{
        const struct anchor_set *set = find_set(anchors, kind, epoch);

        return set ? set->digest : NULL;
}

bool anchors_hold(const struct anchors *anchors, enum anchor_kind kind, const struct anchor_claim *claim)
{
        const uint8_t *held = claim->epoch > 0 ? anchors_digest(anchors, kind, claim->epoch) : NULL;

        return held && memcmp(held, claim->digest, SHA256_SIZE) == 0;
}

/* ---- taking */

static enum reason judge_policy(const struct anchors *anchors, const char *site, struct span set,
                                struct site_policy *out)
{
        uint8_t scratch[SCRATCH_SIZE];
        enum reason reason = anchors->policy.epoch == 0
                                     ? site_policy_accept_first(set, out, scratch, sizeof(scratch))
                                     : site_policy_accept_next(set, &anchors->policy, out, scratch, sizeof(scratch));

        if (reason == REASON_NONE && strcmp(out->site, site) != 0)
                reason = REASON_WRONG_SITE;
        if (reason == REASON_NONE && site_policy_shares_key(out, &anchors->vendor))
                reason = REASON_POLICY_INVALID; /* nobody of the vendor approves for the site */
        return reason;
}

static enum reason judge_vendor(const struct anchors *anchors, const struct site_policy *policy, struct span set,
                                struct vendor_keys *out)
{
        uint8_t scratch[SCRATCH_SIZE];
        enum reason reason;

        if (set.size > VENDOR_KEYS_SET_MAX)
                return REASON_TOO_LARGE;
        if (anchors->vendor.epoch == 0)
                reason = vendor_keys_accept_first(set, out, scratch, sizeof(scratch));
        else if (policy->epoch == 0)
                return REASON_POLICY_INVALID;
        else
                reason = vendor_keys_accept_next(set, &anchors->vendor, policy, out, scratch, sizeof(scratch));
        if (reason == REASON_NONE && site_policy_shares_key(policy, out))
                reason = REASON_VENDOR_KEYS_INVALID;
        return reason;
}

static enum reason judge_revocation(const struct site_policy *policy, uint64_t floor, struct span set,
                                    struct revocation *out)
{
        uint8_t scratch[SCRATCH_SIZE];

        if (policy->epoch == 0)
                return REASON_POLICY_INVALID;
        return revocation_accept(set, policy, floor, out, scratch, sizeof(scratch));
}

/* ---- forks of the past */

/* signed like the one that was taken, or by those whom that one names */
static bool forks_policy(const struct anchors *anchors, uint64_t epoch, struct span set)
{
        uint8_t scratch[SCRATCH_SIZE];
        struct site_policy held, other;

        if (site_policy_read(anchors_set(anchors, ANCHOR_POLICY, epoch), &held, scratch, sizeof(scratch)) ==
                    REASON_NONE &&
            site_policy_accept_next(set, &held, &other, scratch, sizeof(scratch)) == REASON_POLICY_FORK)
                return true;
        return epoch > 1 &&
               site_policy_read(anchors_set(anchors, ANCHOR_POLICY, epoch - 1), &held, scratch, sizeof(scratch)) ==
                       REASON_NONE &&
               site_policy_accept_next(set, &held, &other, scratch, sizeof(scratch)) == REASON_NONE;
}

static enum reason fork_of_vendor(const struct anchors *anchors, const struct site_policy *policy, uint64_t epoch,
                                  struct span set)
{
        uint8_t scratch[SCRATCH_SIZE];
        struct vendor_keys held, other;
        enum reason reason = vendor_keys_read(anchors_set(anchors, ANCHOR_VENDOR, epoch), &held);

        if (reason == REASON_NONE)
                reason = vendor_keys_accept_next(set, &held, policy, &other, scratch, sizeof(scratch));
        if (reason == REASON_VENDOR_KEYS_FORK || epoch == 1)
                return reason;
        reason = vendor_keys_read(anchors_set(anchors, ANCHOR_VENDOR, epoch - 1), &held);
        if (reason == REASON_NONE)
                reason = vendor_keys_accept_next(set, &held, policy, &other, scratch, sizeof(scratch));
        return reason == REASON_NONE ? REASON_VENDOR_KEYS_FORK : reason;
}

/* The approvers of its day have to have signed it; what the vendor did not sign is not worth looking for them. */
static bool forks_vendor(const struct anchors *anchors, uint64_t epoch, struct span set)
{
        enum reason reason = fork_of_vendor(anchors, &anchors->policy, epoch, set);

        for (uint64_t of = anchors->policy.epoch; reason == REASON_UNDER_SIGNED && of-- > 1;) {
                uint8_t scratch[SCRATCH_SIZE];
                struct site_policy policy;
                if (site_policy_read(anchors_set(anchors, ANCHOR_POLICY, of), &policy, scratch, sizeof(scratch)) ==
                    REASON_NONE)
                        reason = fork_of_vendor(anchors, &policy, epoch, set);
        }
        return reason == REASON_VENDOR_KEYS_FORK;
}

/* Somebody who could made two of one epoch: that is more than an old one told again, and than rubbish. */
static enum reason see_fork(const struct anchors *anchors, enum anchor_kind kind, const struct anchor_claim *claim,
                            struct span set, enum reason reason)
{
        const uint8_t *held = anchors_digest(anchors, kind, claim->epoch);

        if (!held || claim->epoch == 0 || memcmp(held, claim->digest, SHA256_SIZE) == 0)
                return reason;
        switch (kind) {
        case ANCHOR_POLICY:
                return forks_policy(anchors, claim->epoch, set) ? REASON_POLICY_FORK : reason;
        case ANCHOR_VENDOR:
                return forks_vendor(anchors, claim->epoch, set) ? REASON_VENDOR_KEYS_FORK : reason;
        case ANCHOR_REVOCATION:
                break;
        }
        return reason;
}

/* Copies first and stages second, so that memory and store never disagree. */
static enum reason keep(struct anchors *anchors, struct store *store, enum anchor_kind kind,
                        const struct anchor_claim *claim, struct span signed_set)
{
        char key[KEY_SIZE];
        struct anchor_set set;

        if (reserve(anchors, kind) < 0 || copy_set(signed_set, claim->digest, &set) < 0)
                return REASON_STORE_FAILED;
        enum reason reason = reason_of_store(
                store_put(store, STORE_POLICY, store_key(key, kind, claim->epoch), signed_set));
        if (reason == REASON_NONE)
                remember(anchors, kind, &set);
        else
                free(set.bytes);
        return reason;
}

enum reason anchors_take(struct anchors *anchors, struct store *store, const char *site, enum anchor_kind kind,
                         struct span signed_set)
{
        const struct anchor_claim claim = anchor_claim(kind, signed_set);
        struct site_policy policy;
        struct vendor_keys vendor;
        struct revocation revocation;
        enum reason reason = REASON_MALFORMED;

        switch (kind) {
        case ANCHOR_POLICY:
                reason = judge_policy(anchors, site, signed_set, &policy);
                if (reason == REASON_NONE)
                        reason = site_policy_fits(&policy, &anchors->vendor);
                break;
        case ANCHOR_VENDOR:
                reason = judge_vendor(anchors, &anchors->policy, signed_set, &vendor);
                break;
        case ANCHOR_REVOCATION:
                reason = judge_revocation(&anchors->policy, anchors_floor(anchors), signed_set, &revocation);
                break;
        }
        if (reason == REASON_NONE)
                reason = keep(anchors, store, kind, &claim, signed_set);
        if (reason != REASON_NONE)
                return see_fork(anchors, kind, &claim, signed_set, reason);
        switch (kind) {
        case ANCHOR_POLICY:
                anchors->policy = policy;
                break;
        case ANCHOR_VENDOR:
                anchors->vendor = vendor;
                break;
        case ANCHOR_REVOCATION:
                anchors->revocation = revocation;
                break;
        }
        return REASON_NONE;
}

/* ---- what is held */

struct span anchors_set(const struct anchors *anchors, enum anchor_kind kind, uint64_t epoch)
{
        const struct anchor_set *set = find_set(anchors, kind, epoch);

        return set ? span_of(set->bytes, set->size) : SPAN_EMPTY;
}

uint64_t anchors_epoch(const struct anchors *anchors, enum anchor_kind kind)
{
        switch (kind) {
        case ANCHOR_POLICY:
                return anchors->policy.epoch;
        case ANCHOR_VENDOR:
                return anchors->vendor.epoch;
        case ANCHOR_REVOCATION:
                return anchors->revocation.epoch;
        }
        return 0;
}

uint64_t anchors_floor(const struct anchors *anchors)
{
        return anchors->revocation.epoch > anchors->policy.approval_epoch ? anchors->revocation.epoch
                                                                          : anchors->policy.approval_epoch;
}

/* ---- loading */

/* The next set of this kind from the store: 0, -ENOENT (there is none), -EBADMSG, -ENOMEM, or the store's error. */
static int load_set(struct anchors *anchors, struct store *store, enum anchor_kind kind)
{
        char key[KEY_SIZE];
        struct anchor_set set = { 0 };
        uint64_t epoch = anchors_epoch(anchors, kind) + 1;
        int r = store_get(store, STORE_POLICY, store_key(key, kind, epoch), &set.bytes, &set.size);

        if (r < 0)
                return r;
        const struct anchor_claim claim = anchor_claim(kind, span_of(set.bytes, set.size));
        memcpy(set.digest, claim.digest, SHA256_SIZE);
        r = reserve(anchors, kind);
        if (r == 0 && kind != ANCHOR_REVOCATION && claim.epoch != epoch)
                r = -EBADMSG;
        if (r == 0)
                remember(anchors, kind, &set);
        else
                free(set.bytes);
        return r;
}

static int load_policies(struct anchors *anchors, struct store *store, const char *site)
{
        struct site_policy policy;
        int r;

        while ((r = load_set(anchors, store, ANCHOR_POLICY)) == 0) {
                struct span set = anchors_set(anchors, ANCHOR_POLICY, anchors->policy.epoch + 1);
                if (judge_policy(anchors, site, set, &policy) != REASON_NONE)
                        return -EBADMSG;
                anchors->policy = policy;
        }
        return r == -ENOENT ? 0 : r;
}

/*
 * Vendor key sets and revocations were signed by the approvers of their day: one policy of the chain has to satisfy.
 * The newest comes first, since it mostly does.
 */
static enum reason judge_by_any_policy(struct anchors *anchors, enum anchor_kind kind, struct span set,
                                       struct vendor_keys *vendor, struct revocation *revocation)
{
        enum reason reason = kind == ANCHOR_VENDOR ? judge_vendor(anchors, &anchors->policy, set, vendor)
                                                   : judge_revocation(&anchors->policy, 0, set, revocation);

        for (uint64_t epoch = anchors->policy.epoch; reason != REASON_NONE && epoch-- > 1;) {
                uint8_t scratch[SCRATCH_SIZE];
                struct site_policy policy;
                if (site_policy_read(anchors_set(anchors, ANCHOR_POLICY, epoch), &policy, scratch, sizeof(scratch)) !=
                    REASON_NONE)
                        return REASON_POLICY_INVALID;
                reason = kind == ANCHOR_VENDOR ? judge_vendor(anchors, &policy, set, vendor)
                                               : judge_revocation(&policy, 0, set, revocation);
        }
        return reason;
}

static int load_vendors(struct anchors *anchors, struct store *store)
{
        struct vendor_keys keys;
        int r;

        while ((r = load_set(anchors, store, ANCHOR_VENDOR)) == 0) {
                struct span set = anchors_set(anchors, ANCHOR_VENDOR, anchors->vendor.epoch + 1);
                if (judge_by_any_policy(anchors, ANCHOR_VENDOR, set, &keys, NULL) != REASON_NONE)
                        return -EBADMSG;
                anchors->vendor = keys;
        }
        return r == -ENOENT ? 0 : r;
}

static int load_revocation(struct anchors *anchors, struct store *store)
{
        struct revocation revocation;
        int r = load_set(anchors, store, ANCHOR_REVOCATION);

        if (r == 0 && judge_by_any_policy(anchors, ANCHOR_REVOCATION, anchors_set(anchors, ANCHOR_REVOCATION, 0), NULL,
                                          &revocation) != REASON_NONE)
                return -EBADMSG;
        if (r == 0)
                anchors->revocation = revocation;
        return r == -ENOENT ? 0 : r;
}

int anchors_load(struct anchors *anchors, struct store *store, const char *site)
{
        struct anchors next = { 0 };
        int r = load_policies(&next, store, site);

        if (r == 0)
                r = load_vendors(&next, store);
        if (r == 0)
                r = load_revocation(&next, store);
        if (r < 0) {
                anchors_clear(&next);
                return r;
        }
        *anchors = next;
        return 0;
}
