/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/vendor.h"

#include "relay/sitepolicy.h"

enum {
        KEYS_VERSION = 0,
        KEYS_VENDOR = 1,
        KEYS_EPOCH = 2,
        KEYS_ORGANISATION = 3,
        KEYS_DEVELOPER = 4,
        KEYS_COMMAND = 5,
        KEYS_PREDECESSOR = 6,
};
#define KEYS_REQUIRED 0x3fu /* a bit for each label, predecessor aside */

static size_t get_keys(struct reader *r, struct public_key keys[VENDOR_KEYS_MAX], size_t least)
{
        size_t count = cbor_get_array(r);

        if (count < least || count > VENDOR_KEYS_MAX) {
                reader_fail(r, RELAY_E_RANGE);
                return 0;
        }
        for (size_t i = 0; i < count; i++)
                key_get_cose(r, &keys[i]);
        return count;
}

static void get_field(struct reader *r, int64_t label, struct vendor_keys *out)
{
        switch (label) {
        case KEYS_VERSION:
                cbor_get_version(r, 1);
                break;
        case KEYS_VENDOR:
                cbor_get_bstr_exact(r, out->vendor_id, sizeof(out->vendor_id));
                break;
        case KEYS_EPOCH:
                out->epoch = cbor_get_uint(r);
                break;
        case KEYS_ORGANISATION:
                out->organisation_count = get_keys(r, out->organisation, 1);
                break;
        case KEYS_DEVELOPER:
                out->developer_count = get_keys(r, out->developer, 1);
                break;
        case KEYS_COMMAND:
                out->command_count = get_keys(r, out->command, 0);
                break;
        case KEYS_PREDECESSOR:
                cbor_get_bstr_exact(r, out->predecessor, sizeof(out->predecessor));
                out->has_predecessor = true;
                break;
        default:
                reader_fail(r, RELAY_E_MALFORMED);
                break;
        }
}

/* is some key of a also in b, or twice in a? */
static bool keys_clash(const struct public_key *a, size_t a_count, const struct public_key *b, size_t b_count)
{
        for (size_t i = 0; i < a_count; i++)
                if (key_find(b, b_count, &a[i]) >= 0)
                        return true;
        return key_list_repeats(a, a_count);
}

static bool rules_hold(const struct vendor_keys *keys)
{
        return keys->epoch >= 1 && keys->has_predecessor == (keys->epoch > 1) &&
               !keys_clash(keys->organisation, keys->organisation_count, keys->developer, keys->developer_count) &&
               !keys_clash(keys->developer, keys->developer_count, keys->command, keys->command_count) &&
               !keys_clash(keys->command, keys->command_count, keys->organisation, keys->organisation_count);
}

int vendor_keys_decode(struct span payload, struct vendor_keys *out)
{
        struct vendor_keys keys = { 0 };
        struct cbor_map m;
        struct reader r;
        int64_t label;
        int result;

        reader_init(&r, payload);
        cbor_map_enter(&m, &r);
        while (cbor_map_next(&m, &label))
                get_field(&r, label, &keys);
        cbor_map_require(&m, KEYS_REQUIRED);
        result = reader_finish(&r);
        if (result == RELAY_OK && !rules_hold(&keys))
                result = RELAY_E_RANGE;
        if (result == RELAY_OK)
                result = crypto_sha256(payload, keys.digest);
        if (result == RELAY_OK)
                *out = keys;
        return result;
}

static void put_keys(struct writer *w, int64_t label, const struct public_key *keys, size_t count)
{
        cbor_put_int(w, label);
        cbor_put_array(w, count);
        for (size_t i = 0; i < count; i++)
                key_put_cose(w, &keys[i]);
}

int vendor_keys_encode(struct writer *w, const struct vendor_keys *keys)
{
        if (keys->organisation_count < 1 || keys->organisation_count > VENDOR_KEYS_MAX || keys->developer_count < 1 ||
            keys->developer_count > VENDOR_KEYS_MAX || keys->command_count > VENDOR_KEYS_MAX || !rules_hold(keys))
                return RELAY_E_RANGE;
        cbor_put_map(w, keys->has_predecessor ? 7 : 6);
        cbor_put_uint(w, KEYS_VERSION);
        cbor_put_uint(w, 1);
        cbor_put_uint(w, KEYS_VENDOR);
        cbor_put_bstr(w, SPAN_OF(keys->vendor_id));
        cbor_put_uint(w, KEYS_EPOCH);
        cbor_put_uint(w, keys->epoch);
        put_keys(w, KEYS_ORGANISATION, keys->organisation, keys->organisation_count);
        put_keys(w, KEYS_DEVELOPER, keys->developer, keys->developer_count);
        put_keys(w, KEYS_COMMAND, keys->command, keys->command_count);
        if (keys->has_predecessor) {
                cbor_put_uint(w, KEYS_PREDECESSOR);
                cbor_put_bstr(w, SPAN_OF(keys->predecessor));
        }
        return writer_finish(w);
}

/* form and own rules; *keys may be written after a refusal */
static enum reason open_set(struct span signed_set, struct cose_set *set, struct vendor_keys *keys)
{
        int result;

        if (signed_set.size > VENDOR_KEYS_SET_MAX)
                return REASON_TOO_LARGE;
        if (cose_set_decode(signed_set, set) != RELAY_OK)
                return REASON_MALFORMED;
        result = vendor_keys_decode(set->payload, keys);
        if (result == RELAY_E_TRUNCATED || result == RELAY_E_MALFORMED)
                return REASON_MALFORMED;
        return result == RELAY_OK ? REASON_NONE : REASON_VENDOR_KEYS_INVALID;
}

static size_t count_valid(const struct cose_set *set, const struct public_key *keys, size_t count, uint8_t *scratch,
                          size_t scratch_size)
{
        return cose_set_count_valid(set, SPAN_LITERAL(VENDOR_KEYS_AAD), keys, count, scratch, scratch_size);
}

static enum reason check_roles(const struct cose_set *set, const struct vendor_keys *keys, uint8_t *scratch,
                               size_t scratch_size)
{
        if (count_valid(set, keys->organisation, keys->organisation_count, scratch, scratch_size) == 0)
                return REASON_ORGANISATION_SIGNATURE;
        if (count_valid(set, keys->developer, keys->developer_count, scratch, scratch_size) == 0)
                return REASON_DEVELOPER_SIGNATURE;
        return REASON_NONE;
}

static bool scratch_fits(const struct cose_set *set, size_t scratch_size)
{
        return set->payload.size + sizeof(VENDOR_KEYS_AAD) - 1 + COSE_SCRATCH_EXTRA <= scratch_size;
}

enum reason vendor_keys_accept_first(struct span signed_set, struct vendor_keys *out, uint8_t *scratch,
                                     size_t scratch_size)
{
        struct vendor_keys keys;
        struct cose_set set;
        enum reason reason = open_set(signed_set, &set, &keys);

        if (reason != REASON_NONE)
                return reason;
        if (!scratch_fits(&set, scratch_size))
                return REASON_TOO_LARGE;
        if (keys.epoch != 1)
                return REASON_VENDOR_KEYS_INVALID;
        reason = check_roles(&set, &keys, scratch, scratch_size);
        if (reason == REASON_NONE)
                *out = keys;
        return reason;
}

/* where the key set stands to the one in force; whether a fork is one, its signatures say */
static enum reason check_place(const struct vendor_keys *keys, const struct vendor_keys *current)
{
        if (!span_equal(SPAN_OF(keys->vendor_id), SPAN_OF(current->vendor_id)))
                return REASON_WRONG_VENDOR;
        if (keys->epoch == current->epoch && !span_equal(SPAN_OF(keys->digest), SPAN_OF(current->digest)))
                return REASON_VENDOR_KEYS_FORK;
        if (keys->epoch <= current->epoch)
                return REASON_OLD_VENDOR_KEYS;
        if (keys->epoch - current->epoch > 1)
                return REASON_VENDOR_KEYS_GAP;
        return span_equal(SPAN_OF(keys->predecessor), SPAN_OF(current->digest)) ? REASON_NONE : REASON_VENDOR_KEYS_FORK;
}

/* The vendor's old keys, and the site's; a first key set has no old ones, and no approver signs it. */
static enum reason check_signatures(const struct cose_set *set, const struct vendor_keys *keys,
                                    const struct vendor_keys *current, const struct site_policy *policy,
                                    uint8_t *scratch, size_t scratch_size)
{
        enum reason reason = check_roles(set, current, scratch, scratch_size);

        if (reason != REASON_NONE || keys->epoch == 1)
                return reason;
        if (policy->threshold == 0 ||
            count_valid(set, policy->approvers, policy->approver_count, scratch, scratch_size) < policy->threshold)
                return REASON_UNDER_SIGNED;
        return REASON_NONE;
}

enum reason vendor_keys_accept_next(struct span signed_set, const struct vendor_keys *current,
                                    const struct site_policy *policy, struct vendor_keys *out, uint8_t *scratch,
                                    size_t scratch_size)
{
        struct vendor_keys keys;
        struct cose_set set;
        enum reason reason = open_set(signed_set, &set, &keys);

        if (reason == REASON_NONE)
                reason = check_place(&keys, current);
        if (reason != REASON_NONE && reason != REASON_VENDOR_KEYS_FORK)
                return reason;
        if (!scratch_fits(&set, scratch_size))
                return REASON_TOO_LARGE;
        if (site_policy_shares_key(policy, &keys))
                return REASON_VENDOR_KEYS_INVALID;
        enum reason missing = check_signatures(&set, &keys, current, policy, scratch, scratch_size);
        if (missing != REASON_NONE)
                return missing;
        if (reason == REASON_NONE)
                *out = keys;
        return reason;
}

enum reason vendor_keys_read(struct span signed_set, struct vendor_keys *out)
{
        struct vendor_keys keys;
        struct cose_set set;
        enum reason reason = open_set(signed_set, &set, &keys);

        if (reason == REASON_NONE)
                *out = keys;
        return reason;
}
