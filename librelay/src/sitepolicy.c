/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "sitepolicy_internal.h"

/* a bit for each label that has to stand */
#define POLICY_REQUIRED (0x1fffu & ~(1u << POLICY_PREDECESSOR))

/* who it is, whom it follows, who signs */
static bool get_head_field(struct reader *r, int64_t label, struct site_policy *out)
{
        switch (label) {
        case POLICY_VERSION:
                cbor_get_version(r, 1);
                return true;
        case POLICY_SITE:
                cbor_get_text(r, identity_is_device, out->site, sizeof(out->site));
                return true;
        case POLICY_EPOCH:
                out->epoch = cbor_get_uint(r);
                return true;
        case POLICY_PREDECESSOR:
                cbor_get_bstr_exact(r, out->predecessor, sizeof(out->predecessor));
                out->has_predecessor = true;
                return true;
        case POLICY_APPROVERS:
                policy_get_keys(r, out->approvers, SITE_APPROVERS_MAX, &out->approver_count);
                return true;
        case POLICY_THRESHOLD:
                out->threshold = (size_t)cbor_get_uint_max(r, SITE_APPROVERS_MAX);
                return true;
        default:
                return false;
        }
}

/* where gate, relay and cloud are, and how devices use them */
static bool get_place_field(struct reader *r, int64_t label, struct site_policy *out)
{
        switch (label) {
        case POLICY_GATES:
                policy_get_gates(r, out);
                return true;
        case POLICY_ENDPOINTS:
                policy_get_endpoints(r, out);
                return true;
        case POLICY_MODE:
                out->mode = (enum site_mode)cbor_get_uint_max(r, SITE_RELAY_ONLY);
                return true;
        case POLICY_TICKET:
                out->ticket_needed = cbor_get_bool(r);
                return true;
        case POLICY_PATIENCE:
                out->patience_s = (uint32_t)cbor_get_uint_max(r, UINT32_MAX);
                return true;
        default:
                return false;
        }
}

/* what is granted, and since when */
static bool get_grant_field(struct reader *r, int64_t label, struct site_policy *out)
{
        switch (label) {
        case POLICY_APPROVAL_EPOCH:
                out->approval_epoch = cbor_get_uint(r);
                return true;
        case POLICY_ISSUED:
                out->issued = cbor_get_uint(r);
                return true;
        case POLICY_GRANTS:
                policy_get_grants(r, out);
                return true;
        case POLICY_VENDOR_COMMANDS:
                policy_get_names(r, out, &out->vendor_commands);
                return true;
        case POLICY_RULES:
                policy_get_rules(r, out);
                return true;
        case POLICY_TIME_ZONE:
                cbor_get_text(r, policy_time_zone_is_valid, out->time_zone, sizeof(out->time_zone));
                return true;
        case POLICY_VENDOR_EPOCH:
                out->vendor_epoch = cbor_get_uint(r);
                if (out->vendor_epoch == 0) /* absence says so */
                        reader_fail(r, RELAY_E_RANGE);
                return true;
        default:
                return false;
        }
}

static int decode_into(struct span payload, struct site_policy *policy)
{
        struct cbor_map m;
        struct reader r;
        int64_t label;
        int result;

        reader_init(&r, payload);
        cbor_map_enter(&m, &r);
        while (cbor_map_next(&m, &label)) {
                if (!get_head_field(&r, label, policy) && !get_place_field(&r, label, policy) &&
                    !get_grant_field(&r, label, policy))
                        reader_fail(&r, RELAY_E_MALFORMED);
        }
        cbor_map_require(&m, POLICY_REQUIRED);
        result = reader_finish(&r);
        if (result != RELAY_OK)
                return result;
        return policy_rules_hold(policy) ? crypto_sha256(payload, policy->digest) : RELAY_E_RANGE;
}

/* A second policy would not fit a microcontroller's stack, so it is read in place and taken away again. */
int site_policy_decode(struct span payload, struct site_policy *out)
{
        int result;

        memset(out, 0, sizeof(*out));
        result = decode_into(payload, out);
        if (result != RELAY_OK)
                memset(out, 0, sizeof(*out));
        return result;
}
