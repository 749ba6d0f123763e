/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/approval.h"

#include <string.h>

enum {
        APPROVAL_VERSION = 0,
        APPROVAL_SITE_ID = 1,
        APPROVAL_MANIFEST = 2,
        APPROVAL_SCOPE = 3,
        APPROVAL_NOT_BEFORE = 4,
        APPROVAL_NOT_AFTER = 5,
        APPROVAL_EPOCH = 6,
};
#define APPROVAL_REQUIRED 0x4fu /* a bit for each label */
#define APPROVAL_SCRATCH  (APPROVAL_MAX + sizeof(APPROVAL_AAD) + COSE_SCRATCH_EXTRA)

static void get_devices(struct reader *r, struct approval *out)
{
        out->device_count = cbor_get_array(r);
        if (out->device_count < 1 || out->device_count > APPROVAL_DEVICES_MAX) {
                reader_fail(r, RELAY_E_RANGE);
                out->device_count = 0;
        }
        for (size_t i = 0; i < out->device_count; i++)
                cbor_get_text(r, identity_is_device, out->devices[i], sizeof(out->devices[i]));
}

static void get_scope(struct reader *r, struct approval *out)
{
        size_t items = cbor_get_array(r);

        out->scope = (enum scope_kind)cbor_get_uint_max(r, SCOPE_DEVICES);
        if (items != (out->scope == SCOPE_SITE ? 1u : 2u))
                reader_fail(r, RELAY_E_MALFORMED);
        switch (out->scope) {
        case SCOPE_SITE:
                break;
        case SCOPE_CLASS:
                cbor_get_bstr_exact(r, out->class_id, sizeof(out->class_id));
                break;
        case SCOPE_DEVICES:
                get_devices(r, out);
                break;
        }
}

static void get_field(struct reader *r, int64_t label, struct approval *out)
{
        switch (label) {
        case APPROVAL_VERSION:
                cbor_get_version(r, 1);
                break;
        case APPROVAL_SITE_ID:
                cbor_get_text(r, identity_is_device, out->site, sizeof(out->site));
                break;
        case APPROVAL_MANIFEST:
                cbor_get_bstr_exact(r, out->manifest_digest, sizeof(out->manifest_digest));
                break;
        case APPROVAL_SCOPE:
                get_scope(r, out);
                break;
        case APPROVAL_NOT_BEFORE:
                out->not_before = cbor_get_uint(r);
                out->has_not_before = true;
                break;
        case APPROVAL_NOT_AFTER:
                out->not_after = cbor_get_uint(r);
                out->has_not_after = true;
                break;
        case APPROVAL_EPOCH:
                out->epoch = cbor_get_uint(r);
                break;
        default:
                reader_fail(r, RELAY_E_MALFORMED);
                break;
        }
}

static bool window_is_empty(const struct approval *approval)
{
        return approval->has_not_before && approval->has_not_after && approval->not_before > approval->not_after;
}

/* *approval is half written after an error: callers keep it to themselves */
static int decode_into(struct span payload, struct approval *approval)
{
        struct cbor_map m;
        struct reader r;
        int64_t label;

        memset(approval, 0, sizeof(*approval));
        reader_init(&r, payload);
        cbor_map_enter(&m, &r);
        while (cbor_map_next(&m, &label))
                get_field(&r, label, approval);
        cbor_map_require(&m, APPROVAL_REQUIRED);
        if (window_is_empty(approval))
                reader_fail(&r, RELAY_E_RANGE);
        return reader_finish(&r);
}

int approval_decode(struct span payload, struct approval *out)
{
        struct approval approval;
        int result = decode_into(payload, &approval);

        if (result == RELAY_OK)
                *out = approval;
        return result;
}

static void put_scope(struct writer *w, const struct approval *approval)
{
        cbor_put_array(w, approval->scope == SCOPE_SITE ? 1 : 2);
        cbor_put_uint(w, approval->scope);
        switch (approval->scope) {
        case SCOPE_SITE:
                break;
        case SCOPE_CLASS:
                cbor_put_bstr(w, SPAN_OF(approval->class_id));
                break;
        case SCOPE_DEVICES:
                cbor_put_array(w, approval->device_count);
                for (size_t i = 0; i < approval->device_count; i++)
                        cbor_put_tstr(w, span_of_string(approval->devices[i]));
                break;
        }
}

static bool can_be_written(const struct approval *approval)
{
        if (!identity_is_device(span_of_string(approval->site)) || window_is_empty(approval))
                return false;
        if (approval->scope != SCOPE_DEVICES)
                return true;
        for (size_t i = 0; i < approval->device_count && i < APPROVAL_DEVICES_MAX; i++)
                if (!identity_is_device(span_of_string(approval->devices[i])))
                        return false;
        return approval->device_count >= 1 && approval->device_count <= APPROVAL_DEVICES_MAX;
}

int approval_encode(struct writer *w, const struct approval *approval)
{
        if (!can_be_written(approval))
                return RELAY_E_RANGE;
        cbor_put_map(w, 5 + (approval->has_not_before ? 1u : 0u) + (approval->has_not_after ? 1u : 0u));
        cbor_put_uint(w, APPROVAL_VERSION);
        cbor_put_uint(w, 1);
        cbor_put_uint(w, APPROVAL_SITE_ID);
        cbor_put_tstr(w, span_of_string(approval->site));
        cbor_put_uint(w, APPROVAL_MANIFEST);
        cbor_put_bstr(w, SPAN_OF(approval->manifest_digest));
        cbor_put_uint(w, APPROVAL_SCOPE);
        put_scope(w, approval);
        if (approval->has_not_before) {
                cbor_put_uint(w, APPROVAL_NOT_BEFORE);
                cbor_put_uint(w, approval->not_before);
        }
        if (approval->has_not_after) {
                cbor_put_uint(w, APPROVAL_NOT_AFTER);
                cbor_put_uint(w, approval->not_after);
        }
        cbor_put_uint(w, APPROVAL_EPOCH);
        cbor_put_uint(w, approval->epoch);
        return writer_finish(w);
}

int approval_sign(struct writer *w, const struct approval *approval, const struct signer *signer)
{
        uint8_t bytes[APPROVAL_MAX], scratch[APPROVAL_SCRATCH];
        struct writer payload;
        int result;

        writer_init(&payload, bytes, sizeof(bytes));
        result = approval_encode(&payload, approval);
        if (result != RELAY_OK)
                return result;
        return cose_sign1_write(w, signer, SPAN_LITERAL(APPROVAL_AAD), writer_span(&payload), false, scratch,
                                sizeof(scratch));
}

/* The key id says whose signature to try; only that whole key's verification makes it his. */
static int find_signer(const struct cose_sign1 *sign1, const struct site_policy *policy, size_t from)
{
        for (size_t i = from; i < policy->approver_count; i++) {
                uint8_t id[KEY_ID_SIZE];
                if (key_id(&policy->approvers[i], id) == RELAY_OK && span_equal(sign1->key_id, SPAN_OF(id)))
                        return (int)i;
        }
        return -1;
}

static enum reason check_signature(const struct cose_sign1 *sign1, const struct site_policy *policy, size_t *approver)
{
        uint8_t scratch[APPROVAL_SCRATCH];
        int at = find_signer(sign1, policy, 0);

        if (at < 0)
                return REASON_NOT_AN_APPROVER;
        for (; at >= 0; at = find_signer(sign1, policy, (size_t)at + 1))
                if (cose_sign1_verify(sign1, &policy->approvers[at], SPAN_LITERAL(APPROVAL_AAD), SPAN_EMPTY, scratch,
                                      sizeof(scratch)) == RELAY_OK) {
                        *approver = (size_t)at;
                        return REASON_NONE;
                }
        return REASON_BAD_SIGNATURE;
}

/* form and site; *approval may be half written after a refusal */
static enum reason open_into(struct span bytes, const struct site_policy *policy, struct cose_sign1 *sign1,
                             struct approval *approval)
{
        if (bytes.size > APPROVAL_MAX || cose_sign1_decode(bytes, sign1) != RELAY_OK || sign1->detached ||
            decode_into(sign1->payload, approval) != RELAY_OK)
                return REASON_MALFORMED;
        return span_equal_string(span_of_string(approval->site), policy->site) ? REASON_NONE : REASON_WRONG_SITE;
}

enum reason approval_check(struct span sign1, const struct site_policy *policy, struct approval *out, size_t *approver)
{
        struct approval approval;
        struct cose_sign1 opened;
        size_t at = 0;
        enum reason reason = open_into(sign1, policy, &opened, &approval);

        if (reason == REASON_NONE)
                reason = check_signature(&opened, policy, &at);
        if (reason == REASON_NONE) {
                *out = approval;
                *approver = at;
        }
        return reason;
}

static bool scope_covers(const struct approval *approval, const struct approval_facts *facts)
{
        if (!facts->device)
                return true;
        switch (approval->scope) {
        case SCOPE_SITE:
                return true;
        case SCOPE_CLASS:
                return span_equal(SPAN_OF(approval->class_id), SPAN_OF(facts->class_id));
        case SCOPE_DEVICES:
                for (size_t i = 0; i < approval->device_count; i++)
                        if (span_equal_string(span_of_string(approval->devices[i]), facts->device))
                                return true;
                return false;
        }
        return false;
}

/* what keeps a well-signed approval of this manifest from counting, or REASON_NONE */
static enum reason approval_holds(const struct approval *approval, const struct approval_facts *facts)
{
        if (approval->epoch < facts->epoch_floor)
                return REASON_REVOKED_EPOCH;
        if (!scope_covers(approval, facts))
                return REASON_OUT_OF_SCOPE;
        if (!approval->has_not_before && !approval->has_not_after)
                return REASON_NONE;
        if (!facts->time_trusted && !facts->time_is_floor)
                return REASON_NO_TRUSTED_TIME;
        if ((approval->has_not_before && facts->time_trusted && facts->now < approval->not_before) ||
            (approval->has_not_after && facts->now > approval->not_after))
                return REASON_OUTSIDE_WINDOW;
        return REASON_NONE;
}

/* one row per approver: has he a counting approval, and if not, what kept one from counting */
struct tally {
        size_t counted; /* different approvers */
        bool counts[SITE_APPROVERS_MAX];
        enum reason kept[SITE_APPROVERS_MAX]; /* REASON_NONE: no approval of his seen */
};

static void tally_add(struct tally *tally, size_t approver, enum reason reason)
{
        if (reason == REASON_NONE) {
                tally->counted += !tally->counts[approver];
                tally->counts[approver] = true;
        } else if (tally->kept[approver] == REASON_NONE || reason < tally->kept[approver]) {
                tally->kept[approver] = reason; /* the order of arrival must not change the answer */
        }
}

static struct decision tally_decide(const struct tally *tally, const struct site_policy *policy)
{
        size_t missing;

        if (tally->counted >= policy->threshold)
                return DECISION_ALLOW;
        missing = policy->threshold - tally->counted;
        for (size_t i = 0; i < policy->approver_count; i++)
                if (!tally->counts[i] && tally->kept[i] != REASON_NONE && --missing == 0)
                        return DECISION_DENY(tally->kept[i]);
        return DECISION_DENY(REASON_NOT_APPROVED);
}

struct decision approval_decide(const struct span *approvals, size_t count, const uint8_t manifest_digest[SHA256_SIZE],
                                const struct site_policy *policy, const struct approval_facts *facts)
{
        struct tally tally = { 0 };

        if (policy->threshold == 0 || policy->approver_count > SITE_APPROVERS_MAX)
                return DECISION_DENY(REASON_POLICY_INVALID);
        /* verifying is what costs: stop at k, as nothing that comes later can take an approval back */
        for (size_t i = 0; i < count && tally.counted < policy->threshold; i++) {
                struct approval approval;
                struct cose_sign1 sign1;
                size_t approver;

                if (open_into(approvals[i], policy, &sign1, &approval) != REASON_NONE ||
                    !span_equal(SPAN_OF(approval.manifest_digest), span_of(manifest_digest, SHA256_SIZE)) ||
                    check_signature(&sign1, policy, &approver) != REASON_NONE)
                        continue;
                tally_add(&tally, approver, approval_holds(&approval, facts));
        }
        return tally_decide(&tally, policy);
}
