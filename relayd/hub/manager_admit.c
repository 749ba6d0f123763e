/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who may have a session: certificate, registry and role files in, verdict out; pending records and alerts. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "hub/manager_internal.h"
#include "policy/admit.h"

#define ALERTS_PER_SECOND 1
#define ALERTS_BURST      20

static const struct quota_rule alert_rule = { .per_second = ALERTS_PER_SECOND, .burst = ALERTS_BURST };

static enum admit_time time_of(struct manager *m, const struct x509_facts *facts)
{
        if (!manager_time_is_trusted(m))
                return ADMIT_TIME_UNKNOWN;
        return m->broker->time >= facts->not_before && m->broker->time <= facts->not_after ? ADMIT_TIME_WITHIN
                                                                                           : ADMIT_TIME_OUTSIDE;
}

/*
 * A boot stage's leaf is issued by the device certificate behind it, whose key is what the registry knows, and whose
 * times count. False: the two do not belong together.
 */
static bool look_behind(const struct channel_open *open, struct x509_facts *certificate)
{
        struct x509_device device;
        int result = x509_device_chain(open->certificates, open->certificate_count, &device);

        if (result == -ENOENT)
                return true;
        if (result < 0)
                return false;
        certificate->key = device.identity_key;
        memcpy(certificate->fingerprint, device.fingerprint, SHA256_SIZE);
        certificate->not_before = device.not_before;
        certificate->not_after = device.not_after;
        return true;
}

/* After a rotation the device certificate may be that of the key before, until the device is given a new one. */
static bool has_key(const struct device *d, const uint8_t fingerprint[SHA256_SIZE])
{
        return memcmp(d->fingerprint, fingerprint, SHA256_SIZE) == 0 ||
               (device_must_prove(d) && d->rotation > 0 && memcmp(d->previous, fingerprint, SHA256_SIZE) == 0);
}

static void device_facts(const struct manager *m, const struct x509_facts *certificate, struct admit_facts *facts)
{
        const struct device *d = registry_find(&m->registry, span_of_string(certificate->identity));

        facts->kind = ADMIT_DEVICE;
        if (!d)
                return;
        facts->takes_over = d->sessions > 0;
        facts->registration = d->registration == REGISTRATION_PENDING      ? ADMIT_PENDING
                              : d->registration == REGISTRATION_REGISTERED ? ADMIT_REGISTERED
                                                                           : ADMIT_REVOKED;
        facts->proves_itself = device_must_prove(d);
        if (d->pinned)
                facts->pin = has_key(d, certificate->fingerprint) ? ADMIT_PIN_EQUAL : ADMIT_PIN_DIFFERENT;
}

static const struct conf_role *application_facts(const struct manager *m, const struct x509_facts *certificate,
                                                 struct admit_facts *facts)
{
        const struct conf_role *role = conf_roles_find(m->roles, certificate->identity);

        facts->kind = ADMIT_APPLICATION;
        if (!role)
                return NULL;
        facts->registration = ADMIT_REGISTERED;
        facts->pin = memcmp(role->fingerprint, certificate->fingerprint, SHA256_SIZE) == 0 ? ADMIT_PIN_EQUAL
                                                                                           : ADMIT_PIN_DIFFERENT;
        return role;
}

static void note_pending(struct manager *m, const struct x509_facts *certificate)
{
        char fingerprint[2 * SHA256_SIZE + 1];

        if (registry_note_pending(&m->registry, certificate->identity, &certificate->key, certificate->fingerprint,
                                  m->broker->time) < 0)
                return;
        manager_audit(m, AUDIT_ACTOR_RELAY, AUDIT_DEVICE_PENDING, certificate->identity,
                      span_to_hex(SPAN_OF(certificate->fingerprint), fingerprint, sizeof(fingerprint)));
        manager_changed(m, MANAGER_CHANGE_DEVICE, certificate->identity);
}

/* Anybody on the LAN can cause refusals: bounded in log and alerts. */
static void tell(struct manager *m, const struct channel_open *open, const char *identity, enum reason reason)
{
        struct span peer = span_slice(open->peer, 0, 64);
        char detail[VIEW_TEXT_MAX];
        uint32_t dropped = 0;

        snprintf(detail, sizeof(detail), "a session from %.*s was refused: %s", (int)peer.size, (const char *)peer.data,
                 reason_explanation(reason));
        if (log_rate_allow(&m->admit_rate, m->broker->now_ms, &dropped))
                log_warning("%s: %s (%s)", *identity ? identity : "(no identity)", detail, reason_name(reason));
        /* without the port, so that one peer that comes again and again is one alert */
        while (peer.size && peer.data[peer.size - 1] != ':')
                peer.size--;
        snprintf(detail, sizeof(detail), "a session from %.*s was refused: %s", (int)(peer.size ? peer.size - 1 : 0),
                 (const char *)peer.data, reason_explanation(reason));
        if (quota_take(&m->admit_alerts, &alert_rule, m->broker->now_ms).verdict == VERDICT_ALLOW)
                manager_alert(m, identity, reason, detail);
}

/* What the chain says, and what is known about who that is. */
static const struct conf_role *gather(struct manager *m, const struct channel_open *open,
                                      struct x509_facts *certificate, struct admit_facts *facts)
{
        struct span identity = span_of_string(certificate->identity);
        const struct conf_role *role = NULL;
        bool is_device = identity_is_device(identity);

        facts->forged = is_device && !look_behind(open, certificate);
        facts->identity_valid = certificate->key.type != KEY_NONE && (is_device || identity_is_dotted(identity));
        facts->time = time_of(m, certificate);
        if (is_device)
                device_facts(m, certificate, facts);
        else if (facts->identity_valid)
                role = application_facts(m, certificate, facts);
        facts->chain_verified = m->trust && x509_trust_verify(m->trust, open->certificates, open->certificate_count,
                                                              facts->time != ADMIT_TIME_UNKNOWN) == 0;
        return role;
}

void manager_admit(void *context, const struct channel_open *open, struct admission *out)
{
        struct manager *m = context;
        struct x509_facts certificate = { 0 };
        const struct conf_role *role = NULL;
        struct admit_facts facts = {
                .refuse_unknown = m->conf->unknown == CONF_UNKNOWN_REFUSE,
                .sessions = frontends_sessions(m->frontends),
                .sessions_max = m->conf->sessions_max,
                .pending = (uint32_t)m->registry.pending,
                .pending_max = REGISTRY_PENDING_MAX,
        };
        struct admit_result result;

        if (!manager_country_admits(m, open, out))
                return;
        if (open->certificate_count > 0 && x509_parse(open->certificates[0], &certificate) == 0) {
                memcpy(out->fingerprint, certificate.fingerprint, SHA256_SIZE);
                role = gather(m, open, &certificate, &facts);
        }
        result = admit_decide(&facts);
        if (result.record_pending)
                note_pending(m, &certificate);
        if (result.decision.verdict != VERDICT_ALLOW)
                tell(m, open, facts.identity_valid ? certificate.identity : "", result.decision.reason);
        out->decision = result.decision;
        out->is_device = facts.kind == ADMIT_DEVICE;
        out->role = role ? &role->access : NULL;
        memcpy(out->identity, certificate.identity, sizeof(out->identity));
}
