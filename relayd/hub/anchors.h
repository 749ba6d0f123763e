/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * What the site trusts: its site policy and its vendor's key set. The first of each enters by a local import; kept in
 * STORE_POLICY under "policy/<epoch>" and "vendor/<epoch>".
 */

#include "relay/sitepolicy.h"
#include "relay/vendor.h"
#include "store/store.h"

struct anchors {
        struct site_policy policy;        /* epoch 0: none yet */
        struct vendor_keys vendor;        /* epoch 0: none yet */
        uint8_t *policy_set, *vendor_set; /* as signed; NULL: none */
        size_t policy_set_size, vendor_set_size;
};

/* Everything read from the store is verified again. 0, -EBADMSG, -ENOMEM, or the store's error. */
int anchors_load(struct anchors *anchors, struct store *store, const char *site);
void anchors_clear(struct anchors *anchors);
/*
 * First imports only. REASON_NONE: taken and staged. POLICY_INVALID / VENDOR_KEYS_INVALID: not valid, or there is one
 * already; WRONG_SITE; STORE_FULL, STORE_FAILED.
 */
enum reason anchors_import_policy(struct anchors *anchors, struct store *store, const char *site,
                                  struct span signed_set);
enum reason anchors_import_vendor(struct anchors *anchors, struct store *store, struct span signed_set);
/* as signed; empty: none yet */
struct span anchors_policy_set(const struct anchors *anchors);
struct span anchors_vendor_set(const struct anchors *anchors);
