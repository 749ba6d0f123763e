/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hub/anchors.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define POLICY_KEY "policy/1"
#define VENDOR_KEY "vendor/1"
/* a signed set is copied into it while one signature is checked */
#define SCRATCH_SIZE (SITE_POLICY_MAX + 256)

static enum reason reason_of_store(int r)
{
        return r == 0 ? REASON_NONE : r == -ENOSPC || r == -E2BIG ? REASON_STORE_FULL : REASON_STORE_FAILED;
}

static enum reason accept_policy(struct span set, const char *site, struct site_policy *out)
{
        uint8_t scratch[SCRATCH_SIZE];

        if (set.size > SITE_POLICY_MAX)
                return REASON_TOO_LARGE;
        enum reason reason = site_policy_accept_first(set, out, scratch, sizeof(scratch));
        if (reason == REASON_NONE && strcmp(out->site, site) != 0)
                reason = REASON_WRONG_SITE;
        return reason;
}

static enum reason accept_vendor(struct span set, struct vendor_keys *out)
{
        uint8_t scratch[SCRATCH_SIZE];

        if (set.size > SITE_POLICY_MAX)
                return REASON_TOO_LARGE;
        return vendor_keys_accept_first(set, out, scratch, sizeof(scratch));
}

int anchors_load(struct anchors *anchors, struct store *store, const char *site)
{
        struct anchors next = { 0 };
        int r = store_get(store, STORE_POLICY, SPAN_LITERAL(POLICY_KEY), &next.policy_set, &next.policy_set_size);

        if (r == 0 && accept_policy(anchors_policy_set(&next), site, &next.policy) != REASON_NONE)
                r = -EBADMSG;
        if (r == 0 || r == -ENOENT)
                r = store_get(store, STORE_POLICY, SPAN_LITERAL(VENDOR_KEY), &next.vendor_set, &next.vendor_set_size);
        if (r == 0 && next.vendor_set && accept_vendor(anchors_vendor_set(&next), &next.vendor) != REASON_NONE)
                r = -EBADMSG;
        if (r != 0 && r != -ENOENT) {
                anchors_clear(&next);
                return r;
        }
        *anchors = next;
        return 0;
}

void anchors_clear(struct anchors *anchors)
{
        free(anchors->policy_set);
        free(anchors->vendor_set);
        *anchors = (struct anchors){ 0 };
}

/* Copies first and stages second, so that memory and store never disagree. */
static enum reason keep(struct store *store, const char *key, struct span set, uint8_t **ret, size_t *ret_size)
{
        uint8_t *copy = malloc(set.size);

        if (!copy)
                return REASON_STORE_FAILED;
        memcpy(copy, set.data, set.size);
        enum reason reason = reason_of_store(store_put(store, STORE_POLICY, span_of_string(key), set));
        if (reason != REASON_NONE) {
                free(copy);
                return reason;
        }
        *ret = copy;
        *ret_size = set.size;
        return REASON_NONE;
}

enum reason anchors_import_policy(struct anchors *anchors, struct store *store, const char *site,
                                  struct span signed_set)
{
        struct site_policy policy = { 0 };

        if (anchors->policy_set)
                return REASON_POLICY_INVALID;
        enum reason reason = accept_policy(signed_set, site, &policy);
        if (reason == REASON_NONE && site_policy_shares_key(&policy, &anchors->vendor))
                reason = REASON_POLICY_INVALID; /* nobody of the vendor approves for the site */
        if (reason == REASON_NONE)
                reason = keep(store, POLICY_KEY, signed_set, &anchors->policy_set, &anchors->policy_set_size);
        if (reason == REASON_NONE)
                anchors->policy = policy;
        return reason;
}

enum reason anchors_import_vendor(struct anchors *anchors, struct store *store, struct span signed_set)
{
        struct vendor_keys keys = { 0 };

        if (anchors->vendor_set)
                return REASON_VENDOR_KEYS_INVALID;
        enum reason reason = accept_vendor(signed_set, &keys);
        if (reason == REASON_NONE && site_policy_shares_key(&anchors->policy, &keys))
                reason = REASON_VENDOR_KEYS_INVALID;
        if (reason == REASON_NONE)
                reason = keep(store, VENDOR_KEY, signed_set, &anchors->vendor_set, &anchors->vendor_set_size);
        if (reason == REASON_NONE)
                anchors->vendor = keys;
        return reason;
}

struct span anchors_policy_set(const struct anchors *anchors)
{
        return span_of(anchors->policy_set, anchors->policy_set_size);
}

struct span anchors_vendor_set(const struct anchors *anchors)
{
        return span_of(anchors->vendor_set, anchors->vendor_set_size);
}
