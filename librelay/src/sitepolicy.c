/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/sitepolicy.h"

#include <string.h>

enum {
        POLICY_VERSION = 0,
        POLICY_SITE = 1,
        POLICY_EPOCH = 2,
        POLICY_PREDECESSOR = 3,
        POLICY_APPROVERS = 4,
        POLICY_THRESHOLD = 5,
        POLICY_GATES = 6,
        POLICY_ENDPOINTS = 7,
        POLICY_MODE = 8,
        POLICY_TICKET = 9,
        POLICY_PATIENCE = 10,
};
#define POLICY_REQUIRED (0x7ffu & ~(1u << POLICY_PREDECESSOR)) /* a bit for each label */
enum {
        ENDPOINT_KIND = 0,
        ENDPOINT_HOST = 1,
        ENDPOINT_PORT = 2,
        ENDPOINT_PIN = 3,
        ENDPOINT_BACKUP = 4,
        ENDPOINT_DEVICES = 5
};
#define ENDPOINT_REQUIRED 0x0fu

static size_t get_keys(struct reader *r, struct public_key *keys, size_t least, size_t most)
{
        size_t count = cbor_get_array(r);

        if (count < least || count > most) {
                reader_fail(r, RELAY_E_RANGE);
                return 0;
        }
        for (size_t i = 0; i < count; i++)
                key_get_cose(r, &keys[i]);
        return count;
}

/* a DNS name or an address; what else could stand here would only confuse resolvers and terminals */
static bool host_is_valid(struct span host)
{
        if (host.size < 1 || host.size > SITE_HOST_SIZE - 1)
                return false;
        for (size_t i = 0; i < host.size; i++) {
                uint8_t c = host.data[i];
                if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
                      c == '-' || c == ':'))
                        return false;
        }
        return true;
}

static void get_endpoint_devices(struct reader *r, struct site_policy *policy, struct site_endpoint *endpoint)
{
        size_t count = cbor_get_array(r);

        if (count < 1 || count > SITE_DEVICES_MAX - policy->device_count) {
                reader_fail(r, RELAY_E_RANGE);
                return;
        }
        endpoint->device_first = policy->device_count;
        endpoint->device_count = count;
        for (size_t i = 0; i < count; i++) {
                struct span name = cbor_get_tstr(r);
                char *out = policy->devices[policy->device_count++];
                if (!identity_is_device(name) || !span_to_string(name, out, IDENTITY_MAX + 1))
                        reader_fail(r, RELAY_E_RANGE);
        }
}

static void get_endpoint_field(struct reader *r, int64_t label, struct site_policy *policy, struct site_endpoint *out)
{
        struct span host;

        switch (label) {
        case ENDPOINT_KIND:
                out->kind = (enum endpoint_kind)cbor_get_uint_max(r, ENDPOINT_CLOUD);
                break;
        case ENDPOINT_HOST:
                host = cbor_get_tstr(r);
                if (!host_is_valid(host) || !span_to_string(host, out->host, sizeof(out->host)))
                        reader_fail(r, RELAY_E_RANGE);
                break;
        case ENDPOINT_PORT:
                out->port = (uint16_t)cbor_get_uint_max(r, UINT16_MAX);
                if (out->port == 0)
                        reader_fail(r, RELAY_E_RANGE);
                break;
        case ENDPOINT_PIN:
                cbor_get_bstr_exact(r, out->pin, sizeof(out->pin));
                break;
        case ENDPOINT_BACKUP:
                cbor_get_bstr_exact(r, out->backup_pin, sizeof(out->backup_pin));
                out->has_backup_pin = true;
                break;
        case ENDPOINT_DEVICES:
                get_endpoint_devices(r, policy, out);
                break;
        default:
                reader_fail(r, RELAY_E_MALFORMED);
                break;
        }
}

static void get_endpoints(struct reader *r, struct site_policy *policy)
{
        size_t count = cbor_get_array(r);

        if (count < 1 || count > SITE_ENDPOINTS_MAX) {
                reader_fail(r, RELAY_E_RANGE);
                return;
        }
        for (size_t i = 0; i < count && r->result == RELAY_OK; i++) {
                unsigned seen = 0;
                struct cbor_map m;
                int64_t label;

                cbor_map_enter(&m, r);
                while (cbor_map_next(&m, &label)) {
                        get_endpoint_field(r, label, policy, &policy->endpoints[i]);
                        if (r->result == RELAY_OK)
                                seen |= 1u << label;
                }
                if ((seen & ENDPOINT_REQUIRED) != ENDPOINT_REQUIRED)
                        reader_fail(r, RELAY_E_MALFORMED);
        }
        policy->endpoint_count = count;
}

static void get_field(struct reader *r, int64_t label, struct site_policy *out)
{
        struct span site;

        switch (label) {
        case POLICY_VERSION:
                if (cbor_get_uint(r) != 1)
                        reader_fail(r, RELAY_E_UNSUPPORTED);
                break;
        case POLICY_SITE:
                site = cbor_get_tstr(r);
                if (!identity_is_device(site) || !span_to_string(site, out->site, sizeof(out->site)))
                        reader_fail(r, RELAY_E_RANGE);
                break;
        case POLICY_EPOCH:
                out->epoch = cbor_get_uint(r);
                break;
        case POLICY_PREDECESSOR:
                cbor_get_bstr_exact(r, out->predecessor, sizeof(out->predecessor));
                out->has_predecessor = true;
                break;
        case POLICY_APPROVERS:
                out->approver_count = get_keys(r, out->approvers, 1, SITE_APPROVERS_MAX);
                break;
        case POLICY_THRESHOLD:
                out->threshold = (size_t)cbor_get_uint_max(r, SITE_APPROVERS_MAX);
                break;
        case POLICY_GATES:
                out->gate_count = get_keys(r, out->gates, 0, SITE_GATES_MAX);
                break;
        case POLICY_ENDPOINTS:
                get_endpoints(r, out);
                break;
        case POLICY_MODE:
                out->mode = (enum site_mode)cbor_get_uint_max(r, SITE_RELAY_ONLY);
                break;
        case POLICY_TICKET:
                out->ticket_needed = cbor_get_bool(r);
                break;
        case POLICY_PATIENCE:
                out->patience_s = (uint32_t)cbor_get_uint_max(r, UINT32_MAX);
                break;
        default:
                reader_fail(r, RELAY_E_MALFORMED);
                break;
        }
}

static bool rules_hold(const struct site_policy *policy)
{
        if (policy->epoch < 1 || policy->has_predecessor != (policy->epoch > 1))
                return false;
        /* n/2 < k <= n, so that two groups of k approvers always share a person */
        if (policy->threshold > policy->approver_count || 2 * policy->threshold <= policy->approver_count)
                return false;
        if (key_list_repeats(policy->approvers, policy->approver_count) ||
            key_list_repeats(policy->gates, policy->gate_count))
                return false;
        for (size_t i = 0; i < policy->gate_count; i++)
                if (key_find(policy->approvers, policy->approver_count, &policy->gates[i]) >= 0)
                        return false;
        for (size_t i = 0; i < policy->endpoint_count; i++)
                if (policy->mode == SITE_RELAY_ONLY && policy->endpoints[i].kind == ENDPOINT_CLOUD)
                        return false;
        return true;
}

/* *policy is half written after an error: callers keep it to themselves */
static int decode_into(struct span payload, struct site_policy *policy)
{
        unsigned seen = 0;
        struct cbor_map m;
        struct reader r;
        int64_t label;
        int result;

        memset(policy, 0, sizeof(*policy));
        reader_init(&r, payload);
        cbor_map_enter(&m, &r);
        while (cbor_map_next(&m, &label)) {
                get_field(&r, label, policy);
                if (r.result == RELAY_OK)
                        seen |= 1u << label;
        }
        if ((seen & POLICY_REQUIRED) != POLICY_REQUIRED)
                reader_fail(&r, RELAY_E_MALFORMED);
        result = reader_finish(&r);
        if (result != RELAY_OK)
                return result;
        return rules_hold(policy) ? crypto_sha256(payload, policy->digest) : RELAY_E_RANGE;
}

int site_policy_decode(struct span payload, struct site_policy *out)
{
        struct site_policy policy;
        int result = decode_into(payload, &policy);

        if (result == RELAY_OK)
                *out = policy;
        return result;
}

static void put_keys(struct writer *w, const struct public_key *keys, size_t count)
{
        cbor_put_array(w, count);
        for (size_t i = 0; i < count; i++)
                key_put_cose(w, &keys[i]);
}

static void put_endpoint(struct writer *w, const struct site_policy *policy, const struct site_endpoint *endpoint)
{
        cbor_put_map(w, 4 + (endpoint->has_backup_pin ? 1u : 0u) + (endpoint->device_count > 0 ? 1u : 0u));
        cbor_put_uint(w, ENDPOINT_KIND);
        cbor_put_uint(w, endpoint->kind);
        cbor_put_uint(w, ENDPOINT_HOST);
        cbor_put_tstr(w, span_of_string(endpoint->host));
        cbor_put_uint(w, ENDPOINT_PORT);
        cbor_put_uint(w, endpoint->port);
        cbor_put_uint(w, ENDPOINT_PIN);
        cbor_put_bstr(w, SPAN_OF(endpoint->pin));
        if (endpoint->has_backup_pin) {
                cbor_put_uint(w, ENDPOINT_BACKUP);
                cbor_put_bstr(w, SPAN_OF(endpoint->backup_pin));
        }
        if (endpoint->device_count == 0)
                return;
        cbor_put_uint(w, ENDPOINT_DEVICES);
        cbor_put_array(w, endpoint->device_count);
        for (size_t i = 0; i < endpoint->device_count; i++)
                cbor_put_tstr(w, span_of_string(policy->devices[endpoint->device_first + i]));
}

static bool endpoint_can_be_written(const struct site_policy *policy, const struct site_endpoint *endpoint)
{
        if (!host_is_valid(span_of_string(endpoint->host)) || endpoint->port == 0 ||
            endpoint->device_first > SITE_DEVICES_MAX ||
            endpoint->device_count > SITE_DEVICES_MAX - endpoint->device_first)
                return false;
        for (size_t i = 0; i < endpoint->device_count; i++)
                if (!identity_is_device(span_of_string(policy->devices[endpoint->device_first + i])))
                        return false;
        return true;
}

static bool can_be_written(const struct site_policy *policy)
{
        if (policy->approver_count > SITE_APPROVERS_MAX || policy->gate_count > SITE_GATES_MAX ||
            policy->endpoint_count < 1 || policy->endpoint_count > SITE_ENDPOINTS_MAX)
                return false;
        for (size_t i = 0; i < policy->endpoint_count; i++)
                if (!endpoint_can_be_written(policy, &policy->endpoints[i]))
                        return false;
        return identity_is_device(span_of_string(policy->site)) && rules_hold(policy);
}

int site_policy_encode(struct writer *w, const struct site_policy *policy)
{
        if (!can_be_written(policy))
                return RELAY_E_RANGE;
        cbor_put_map(w, policy->has_predecessor ? 11 : 10);
        cbor_put_uint(w, POLICY_VERSION);
        cbor_put_uint(w, 1);
        cbor_put_uint(w, POLICY_SITE);
        cbor_put_tstr(w, span_of_string(policy->site));
        cbor_put_uint(w, POLICY_EPOCH);
        cbor_put_uint(w, policy->epoch);
        if (policy->has_predecessor) {
                cbor_put_uint(w, POLICY_PREDECESSOR);
                cbor_put_bstr(w, SPAN_OF(policy->predecessor));
        }
        cbor_put_uint(w, POLICY_APPROVERS);
        put_keys(w, policy->approvers, policy->approver_count);
        cbor_put_uint(w, POLICY_THRESHOLD);
        cbor_put_uint(w, policy->threshold);
        cbor_put_uint(w, POLICY_GATES);
        put_keys(w, policy->gates, policy->gate_count);
        cbor_put_uint(w, POLICY_ENDPOINTS);
        cbor_put_array(w, policy->endpoint_count);
        for (size_t i = 0; i < policy->endpoint_count; i++)
                put_endpoint(w, policy, &policy->endpoints[i]);
        cbor_put_uint(w, POLICY_MODE);
        cbor_put_uint(w, policy->mode);
        cbor_put_uint(w, POLICY_TICKET);
        cbor_put_bool(w, policy->ticket_needed);
        cbor_put_uint(w, POLICY_PATIENCE);
        cbor_put_uint(w, policy->patience_s);
        return writer_finish(w);
}

enum reason site_policy_accept_first(struct span signed_set, struct site_policy *out, uint8_t *scratch,
                                     size_t scratch_size)
{
        struct span aad = SPAN_LITERAL(SITE_POLICY_AAD);
        struct site_policy policy;
        struct cose_set set;
        int result;

        if (signed_set.size > SITE_POLICY_MAX)
                return REASON_TOO_LARGE;
        if (cose_set_decode(signed_set, &set) != RELAY_OK)
                return REASON_MALFORMED;
        if (set.payload.size + aad.size + COSE_SCRATCH_EXTRA > scratch_size)
                return REASON_TOO_LARGE;
        result = decode_into(set.payload, &policy);
        if (result == RELAY_E_TRUNCATED || result == RELAY_E_MALFORMED)
                return REASON_MALFORMED;
        if (result != RELAY_OK || policy.epoch != 1)
                return REASON_POLICY_INVALID;
        if (cose_set_count_valid(&set, aad, policy.approvers, policy.approver_count, scratch, scratch_size) <
            policy.threshold)
                return REASON_BAD_SIGNATURE;
        *out = policy;
        return REASON_NONE;
}

bool site_policy_shares_key(const struct site_policy *policy, const struct vendor_keys *vendor)
{
        for (size_t i = 0; i < policy->approver_count + policy->gate_count; i++) {
                const struct public_key *key = i < policy->approver_count ? &policy->approvers[i]
                                                                          : &policy->gates[i - policy->approver_count];
                if (key_find(vendor->organisation, vendor->organisation_count, key) >= 0 ||
                    key_find(vendor->developer, vendor->developer_count, key) >= 0 ||
                    key_find(vendor->command, vendor->command_count, key) >= 0)
                        return true;
        }
        return false;
}

bool site_endpoint_applies(const struct site_policy *policy, const struct site_endpoint *endpoint, const char *device)
{
        for (size_t i = 0; i < endpoint->device_count; i++)
                if (span_equal_string(span_of_string(policy->devices[endpoint->device_first + i]), device))
                        return true;
        return endpoint->device_count == 0;
}
