/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* A gate in a test: entropy that never repeats, and signed answers to a device's questions. */

#include "../librelay/objects.h"

#include "app/gate.h"

#define GATE_LAB_TIME UINT64_C(1763800000) /* Unix seconds, what the gate says */

static inline int gate_lab_fill(void *context, void *out, size_t size)
{
        static uint32_t random = 1;
        uint8_t *bytes = out;

        (void)context;
        for (size_t i = 0; i < size; i++) {
                random ^= random << 13;
                random ^= random >> 17;
                random ^= random << 5;
                bytes[i] = (uint8_t)random;
        }
        return 0;
}

static const struct port_entropy gate_lab_entropy = { .fill = gate_lab_fill };

/* the open answer (or, to a question without a digest, the time) */
static inline struct ticket gate_lab_ticket(const struct site_policy *policy, struct span question)
{
        struct ticket ticket = { .device = "device-1", .has_time = true, .time = GATE_LAB_TIME };
        struct gate_request request;

        assert_int_equal(gate_request_decode(question, &request), RELAY_OK);
        strcpy(ticket.site, policy->site);
        memcpy(ticket.nonce, request.nonce, sizeof(ticket.nonce));
        memcpy(ticket.manifest_digest, request.manifest_digest, SHA256_SIZE);
        memcpy(ticket.policy_digest, policy->digest, SHA256_SIZE);
        ticket.has_digest = request.has_digest;
        ticket.decision = request.has_digest ? DECISION_ALLOW : DECISION_DENY(REASON_NONE);
        ticket.approval_epoch = policy->approval_epoch;
        return ticket;
}

static inline struct span gate_lab_sign(uint8_t out[TICKET_MAX], const struct ticket *ticket, enum who by)
{
        struct signer signer = who(by);
        struct writer w;

        writer_init(&w, out, TICKET_MAX);
        assert_int_equal(ticket_sign(&w, ticket, &signer), RELAY_OK);
        return writer_span(&w);
}
