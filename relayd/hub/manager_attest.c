/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who is it? The broker's question, answered by DICE-1 and the registry. Applications are their certificate. */

#include <stdio.h>

#include "hub/manager_internal.h"

#define ALERTS_PER_SECOND 2 /* whoever is between devices and hub can cause them; half of what all alerts may be */
#define ALERTS_BURST      50

static struct front_session *session_of(struct link *link)
{
        return container_of(link, struct front_session, link);
}

static struct attestation_registry registry_of(struct manager *m)
{
        return (struct attestation_registry){ m, manager_identity_key, manager_appraise };
}

void manager_tell_unproven(struct manager *m, const char *device, enum reason reason, const char *detail)
{
        static const struct quota_rule rule = { .per_second = ALERTS_PER_SECOND, .burst = ALERTS_BURST };

        if (quota_take(&m->unproven_alerts, &rule, m->broker->now_ms).verdict == VERDICT_ALLOW)
                manager_alert(m, device, reason, detail);
}

/* What the registry refuses it tells itself. */
static void tell(struct manager *m, const char *device, enum reason reason)
{
        char detail[VIEW_TEXT_MAX];

        snprintf(detail, sizeof(detail), "it did not prove itself by " ATTEST_METHOD ": %s",
                 reason_explanation(reason));
        manager_tell_unproven(m, device, reason, detail);
}

static void conclude(struct link *link, struct broker_answer *answer)
{
        const struct attestation_verdict *verdict = &session_of(link)->attestation.verdict;

        if (verdict->reason != REASON_NONE) {
                answer->mqtt_reason = MQTT_NOT_AUTHORIZED;
                return;
        }
        link->quarantined = verdict->quarantined;
        answer->staged = verdict->staged;
        answer->step = BROKER_PROVEN;
}

static void ask(struct manager *m, struct link *link, struct broker_answer *answer)
{
        struct writer w;

        writer_init(&w, m->challenge, sizeof(m->challenge));
        if (attestation_ask(&session_of(link)->attestation, m->tls_fingerprint, &w) != RELAY_OK) {
                manager_alert(m, link->identity, REASON_NO_ENTROPY, "the relay cannot ask it to prove itself");
                answer->mqtt_reason = MQTT_SERVER_UNAVAILABLE;
                return;
        }
        answer->step = BROKER_CONTINUE;
        answer->data = writer_span(&w);
}

void manager_authenticate(void *context, struct link *link, struct span method, struct span data,
                          struct broker_answer *answer)
{
        struct manager *m = context;
        struct attestation_registry registry = registry_of(m);

        if (method.size > 0 &&
            !(link->is_device && m->has_tls_fingerprint && span_equal_string(method, ATTEST_METHOD))) {
                answer->mqtt_reason = MQTT_BAD_AUTH_METHOD;
        } else if (!link->is_device) {
                answer->step = BROKER_PROVEN;
        } else if (method.size == 0) {
                attestation_plain(&session_of(link)->attestation, &registry, link->identity);
                conclude(link, answer);
        } else if (data.size > 0) {
                tell(m, link->identity, REASON_MALFORMED);
        } else {
                ask(m, link, answer);
        }
}

void manager_authenticate_more(void *context, struct link *link, struct span data, struct broker_answer *answer)
{
        struct manager *m = context;
        struct attestation_registry registry = registry_of(m);
        struct front_session *session = session_of(link);
        enum reason checked = attestation_answer(&session->attestation, &registry, link->identity, session->fingerprint,
                                                 link->client, data);

        if (checked != REASON_NONE)
                tell(m, link->identity, checked);
        conclude(link, answer);
        if (link->client && answer->step == BROKER_PROVEN)
                broker_recheck(m->broker, link);
}
