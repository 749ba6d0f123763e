/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/ticket.h"

enum { REQUEST_VERSION = 0, REQUEST_NONCE = 1, REQUEST_MANIFEST = 2 };
#define REQUEST_REQUIRED 0x03u /* a bit for each label */

enum {
        TICKET_VERSION = 0,
        TICKET_SITE = 1,
        TICKET_DEVICE = 2,
        TICKET_NONCE = 3,
        TICKET_MANIFEST = 4,
        TICKET_POLICY = 5,
        TICKET_EPOCH = 6,
        TICKET_VERDICT = 7,
        TICKET_REASON = 8,
        TICKET_TIME = 9,
};
#define TICKET_REQUIRED    (0x3ffu & ~(1u << TICKET_MANIFEST) & ~(1u << TICKET_TIME))
#define TICKET_SCRATCH     (TICKET_MAX + sizeof(TICKET_AAD) + COSE_SCRATCH_EXTRA)
#define TICKET_REASON_SIZE 40 /* of a reason's name, at most */

int gate_request_decode(struct span in, struct gate_request *out)
{
        struct gate_request request = { 0 };
        struct cbor_map m;
        struct reader r;
        int64_t label;
        int result;

        reader_init(&r, in);
        cbor_map_enter(&m, &r);
        while (cbor_map_next(&m, &label)) {
                switch (label) {
                case REQUEST_VERSION:
                        cbor_get_version(&r, 1);
                        break;
                case REQUEST_NONCE:
                        cbor_get_bstr_exact(&r, request.nonce, sizeof(request.nonce));
                        break;
                case REQUEST_MANIFEST:
                        cbor_get_bstr_exact(&r, request.manifest_digest, sizeof(request.manifest_digest));
                        request.has_digest = true;
                        break;
                default:
                        reader_fail(&r, RELAY_E_MALFORMED);
                        break;
                }
        }
        cbor_map_require(&m, REQUEST_REQUIRED);
        result = reader_finish(&r);
        if (result == RELAY_OK)
                *out = request;
        return result;
}

int gate_request_encode(struct writer *w, const struct gate_request *request)
{
        cbor_put_map(w, request->has_digest ? 3 : 2);
        cbor_put_uint(w, REQUEST_VERSION);
        cbor_put_uint(w, 1);
        cbor_put_uint(w, REQUEST_NONCE);
        cbor_put_bstr(w, SPAN_OF(request->nonce));
        if (request->has_digest) {
                cbor_put_uint(w, REQUEST_MANIFEST);
                cbor_put_bstr(w, SPAN_OF(request->manifest_digest));
        }
        return writer_finish(w);
}

/* A gate of a later version may have reasons of its own: they close, and are not understood. */
static enum reason get_reason(struct reader *r)
{
        char name[TICKET_REASON_SIZE + 1];
        enum reason reason;

        cbor_get_text(r, identity_is_device, name, sizeof(name)); /* a reason's name has the letters of a device's */
        reason = r->result == RELAY_OK ? reason_from_name(name) : REASON_COUNT;
        return reason == REASON_COUNT ? REASON_GATE_CLOSED : reason;
}

static void get_field(struct reader *r, int64_t label, struct ticket *out)
{
        switch (label) {
        case TICKET_VERSION:
                cbor_get_version(r, 1);
                break;
        case TICKET_SITE:
                cbor_get_text(r, identity_is_device, out->site, sizeof(out->site));
                break;
        case TICKET_DEVICE:
                cbor_get_text(r, identity_is_device, out->device, sizeof(out->device));
                break;
        case TICKET_NONCE:
                cbor_get_bstr_exact(r, out->nonce, sizeof(out->nonce));
                break;
        case TICKET_MANIFEST:
                cbor_get_bstr_exact(r, out->manifest_digest, sizeof(out->manifest_digest));
                out->has_digest = true;
                break;
        case TICKET_POLICY:
                cbor_get_bstr_exact(r, out->policy_digest, sizeof(out->policy_digest));
                break;
        case TICKET_EPOCH:
                out->approval_epoch = cbor_get_uint(r);
                break;
        case TICKET_VERDICT:
                out->decision.verdict = cbor_get_uint_max(r, 1) == 1 ? VERDICT_ALLOW : VERDICT_DENY;
                break;
        case TICKET_REASON:
                out->decision.reason = get_reason(r);
                break;
        case TICKET_TIME:
                out->time = cbor_get_uint(r);
                out->has_time = true;
                break;
        default:
                reader_fail(r, RELAY_E_MALFORMED);
                break;
        }
}

/* Open for what? And why, if there is something that keeps it closed? A verdict of closed says why. */
static bool verdict_holds(const struct ticket *ticket)
{
        if (!ticket->has_digest)
                return ticket->decision.verdict == VERDICT_DENY;
        return (ticket->decision.verdict == VERDICT_ALLOW) == (ticket->decision.reason == REASON_NONE);
}

int ticket_decode(struct span payload, struct ticket *out)
{
        struct ticket ticket = { 0 };
        struct cbor_map m;
        struct reader r;
        int64_t label;
        int result;

        reader_init(&r, payload);
        cbor_map_enter(&m, &r);
        while (cbor_map_next(&m, &label))
                get_field(&r, label, &ticket);
        cbor_map_require(&m, TICKET_REQUIRED);
        if (!verdict_holds(&ticket))
                reader_fail(&r, RELAY_E_RANGE);
        result = reader_finish(&r);
        if (result == RELAY_OK)
                *out = ticket;
        return result;
}

static int ticket_encode(struct writer *w, const struct ticket *ticket)
{
        if (!identity_is_device(span_of_string(ticket->site)) || !identity_is_device(span_of_string(ticket->device)) ||
            !verdict_holds(ticket))
                return RELAY_E_RANGE;
        cbor_put_map(w, 8 + (ticket->has_digest ? 1u : 0u) + (ticket->has_time ? 1u : 0u));
        cbor_put_uint(w, TICKET_VERSION);
        cbor_put_uint(w, 1);
        cbor_put_uint(w, TICKET_SITE);
        cbor_put_tstr(w, span_of_string(ticket->site));
        cbor_put_uint(w, TICKET_DEVICE);
        cbor_put_tstr(w, span_of_string(ticket->device));
        cbor_put_uint(w, TICKET_NONCE);
        cbor_put_bstr(w, SPAN_OF(ticket->nonce));
        if (ticket->has_digest) {
                cbor_put_uint(w, TICKET_MANIFEST);
                cbor_put_bstr(w, SPAN_OF(ticket->manifest_digest));
        }
        cbor_put_uint(w, TICKET_POLICY);
        cbor_put_bstr(w, SPAN_OF(ticket->policy_digest));
        cbor_put_uint(w, TICKET_EPOCH);
        cbor_put_uint(w, ticket->approval_epoch);
        cbor_put_uint(w, TICKET_VERDICT);
        cbor_put_uint(w, ticket->decision.verdict);
        cbor_put_uint(w, TICKET_REASON);
        cbor_put_tstr(w, span_of_string(reason_name(ticket->decision.reason)));
        if (ticket->has_time) {
                cbor_put_uint(w, TICKET_TIME);
                cbor_put_uint(w, ticket->time);
        }
        return writer_finish(w);
}

int ticket_sign(struct writer *w, const struct ticket *ticket, const struct signer *signer)
{
        uint8_t bytes[TICKET_MAX], scratch[TICKET_SCRATCH];
        struct writer payload;
        int result;

        writer_init(&payload, bytes, sizeof(bytes));
        result = ticket_encode(&payload, ticket);
        if (result != RELAY_OK)
                return result;
        return cose_sign1_write(w, signer, SPAN_LITERAL(TICKET_AAD), writer_span(&payload), false, scratch,
                                sizeof(scratch));
}

/* is it the answer to this question? */
static enum reason check_question(const struct ticket *ticket, const struct site_policy *policy,
                                  const struct ticket_facts *facts)
{
        const struct gate_request *request = facts->request;

        if (!span_equal_string(span_of_string(ticket->site), policy->site))
                return REASON_WRONG_SITE;
        if (!span_equal_string(span_of_string(ticket->device), facts->device))
                return REASON_WRONG_DEVICE;
        if (!span_equal(SPAN_OF(ticket->nonce), SPAN_OF(request->nonce)))
                return REASON_WRONG_NONCE;
        if (ticket->has_digest != request->has_digest ||
            (ticket->has_digest && !span_equal(SPAN_OF(ticket->manifest_digest), SPAN_OF(request->manifest_digest))))
                return REASON_WRONG_DIGEST;
        return REASON_NONE;
}

static bool signed_by_gate(const struct cose_sign1 *sign1, const struct site_policy *policy,
                           const struct ticket_facts *facts)
{
        uint8_t scratch[TICKET_SCRATCH];

        for (size_t i = 0; i < policy->gate_count; i++) {
                const struct public_key *key = &policy->gates[i].key;

                if (site_policy_is_gate(policy, key, facts->device, facts->class_id) &&
                    cose_sign1_is_by(sign1, key, SPAN_LITERAL(TICKET_AAD), scratch, sizeof(scratch)))
                        return true;
        }
        return false;
}

/* a gate's true word, seen from what the device knows itself */
static enum reason check_word(const struct ticket *ticket, const struct site_policy *policy,
                              const struct ticket_facts *facts)
{
        if (!span_equal(SPAN_OF(ticket->policy_digest), SPAN_OF(policy->digest)))
                return REASON_POLICY_DIFFERS;
        if (ticket->approval_epoch > facts->approval_epoch)
                return REASON_REVOKED_EPOCH;
        if (ticket->has_time && ticket->time < facts->time_floor)
                return REASON_CLOCK_TURNED_BACK;
        return REASON_NONE;
}

enum reason ticket_check(struct span sign1, const struct site_policy *policy, const struct ticket_facts *facts,
                         struct ticket *out)
{
        struct ticket ticket;
        struct cose_sign1 opened;
        enum reason reason;

        if (sign1.size > TICKET_MAX || cose_sign1_decode(sign1, &opened) != RELAY_OK || opened.detached ||
            ticket_decode(opened.payload, &ticket) != RELAY_OK)
                return REASON_MALFORMED;
        reason = check_question(&ticket, policy, facts);
        if (reason != REASON_NONE)
                return reason;
        if (!signed_by_gate(&opened, policy, facts))
                return REASON_BAD_SIGNATURE;
        reason = check_word(&ticket, policy, facts);
        if (reason == REASON_NONE || reason == REASON_POLICY_DIFFERS || reason == REASON_REVOKED_EPOCH)
                *out = ticket;
        return reason;
}
