/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * What the site trusts: the chain of its site policies, that of its vendor's key sets, and the newest revocation. The
 * first of each chain enters by a local import; successors by whatever way, because their signatures tell. Every epoch
 * is kept in STORE_POLICY under "policy/<epoch>" and "vendor/<epoch>" (for devices that were away), the revocation
 * under "revocation".
 */

#include "relay/revocation.h"
#include "relay/sitepolicy.h"
#include "relay/vendor.h"
#include "store/store.h"

enum anchor_kind { ANCHOR_POLICY = 0, ANCHOR_VENDOR = 1, ANCHOR_REVOCATION = 2 };
#define ANCHOR_KINDS 3

/* as signed */
struct anchor_set {
        uint8_t *bytes;
        size_t size;
        uint8_t digest[SHA256_SIZE]; /* of the payload */
};
struct anchor_chain {
        struct anchor_set *sets; /* the one of epoch n at n - 1 */
        size_t count, room;
};
struct anchors {
        struct site_policy policy;    /* epoch 0: none yet */
        struct vendor_keys vendor;    /* epoch 0: none yet */
        struct revocation revocation; /* epoch 0: none yet */
        struct anchor_chain policies, vendors;
        struct anchor_set revocation_set;
};

/* Everything read from the store is verified again, from epoch 1 up. 0, -EBADMSG, -ENOMEM, or the store's error. */
int anchors_load(struct anchors *anchors, struct store *store, const char *site);
void anchors_clear(struct anchors *anchors);

/*
 * Takes the first one, or the direct successor, and stages it. REASON_NONE; what relay/sitepolicy.h, relay/vendor.h and
 * relay/revocation.h answer; POLICY_INVALID, VENDOR_KEYS_INVALID also if site and vendor would share a key; WRONG_SITE;
 * POLICY_FORK and VENDOR_KEYS_FORK also for another one of an epoch that was passed; POLICY_INVALID for a revocation
 * or a successor of vendor keys without a site policy; STORE_FULL, STORE_FAILED. Nothing changes unless it is taken.
 */
enum reason anchors_take(struct anchors *anchors, struct store *store, const char *site, enum anchor_kind kind,
                         struct span signed_set);

/* What a set says of itself, whoever signed it. */
struct anchor_claim {
        uint64_t epoch; /* 0: it says nothing that can be read */
        uint8_t digest[SHA256_SIZE];
        uint8_t predecessor[SHA256_SIZE]; /* zeros: none */
};
struct anchor_claim anchor_claim(enum anchor_kind kind, struct span signed_set);
/* Is it held, by its payload? Who signed a policy or revocation beside the k that were enough, does not matter. */
bool anchors_hold(const struct anchors *anchors, enum anchor_kind kind, const struct anchor_claim *claim);
/* digest of the one that is held of this epoch; NULL: none */
const uint8_t *anchors_digest(const struct anchors *anchors, enum anchor_kind kind, uint64_t epoch);

/* as signed; empty: there is none. epoch: ignored for the revocation */
struct span anchors_set(const struct anchors *anchors, enum anchor_kind kind, uint64_t epoch);
/* epoch of the newest one, 0: none */
uint64_t anchors_epoch(const struct anchors *anchors, enum anchor_kind kind);
/* Approvals of an epoch below this one are revoked. */
uint64_t anchors_floor(const struct anchors *anchors);
