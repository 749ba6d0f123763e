/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The manager's inside, shared by manager.c (composition and events), manager_admit.c (who may have a session) and
 * manager_actions.c (what the bus sees and asks).
 */

#include <systemd/sd-event.h>

#include "conf/conf.h"
#include "conf/roles.h"
#include "hub/alerts.h"
#include "hub/audit_log.h"
#include "hub/broker.h"
#include "hub/cloud.h"
#include "hub/frontends.h"
#include "hub/manager.h"
#include "hub/manager_country.h"
#include "hub/manager_gate.h"
#include "hub/manager_identity.h"
#include "hub/manager_open.h"
#include "hub/registry.h"
#include "hub/updater.h"
#include "tls/x509.h"
#include "util/log.h"

#define CHANGES_MAX 64 /* told at once at the latest */

struct change {
        enum manager_change what;
        char key[2 * SHA256_SIZE + 1];
};

struct manager {
        const struct conf *conf;
        sd_event *event;
        struct store *store;
        struct conf_roles *roles;
        struct x509_trust *trust; /* NULL: no factory CA */
        struct registry registry;
        struct alerts alerts;
        uint64_t alerts_signalled, alerts_sealed; /* numbers: told on the bus; waiting for alerts_commit */
        uint64_t alerts_commit, alerts_late_ms;   /* not later than this, whatever the disk does */
        struct audit_log audit;
        struct broker *broker;
        struct updater *updater;
        struct frontends *frontends;
        struct cloud *cloud; /* NULL: air-gapped */
        sd_event_source *turn, *durable, *tick, *tell;
        struct manager_listener listener;
        struct change changes[CHANGES_MAX];
        size_t change_count;
        uint64_t tell_next_us; /* of the loop's clock */
        bool uplink_up;
        uint64_t uplink_since;
        uint32_t crowd; /* sessions here, as devices were told */
        char uplink_error[UPLINK_ERROR_SIZE];
        struct log_rate admit_rate;
        struct quota admit_alerts;
        uint8_t tls_fingerprint[SHA256_SIZE]; /* of the relay's TLS key */
        bool has_tls_fingerprint;
        uint8_t challenge[ATTEST_CHALLENGE_MAX]; /* the last one, on its way */
        struct quota unproven_alerts;
        struct manager_country country;
        struct manager_gate gate;
        struct manager_identity identity;
};

void manager_refresh(void *m); /* the broker's time is the loop's */
void manager_changed(struct manager *m, enum manager_change what, const char *key);
void manager_alert(void *m, const char *device, enum reason reason, const char *detail);
/* manager_alerts.c: at the end of a turn; once it is sealed; when something became durable, and once a second */
void manager_tell_alerts(struct manager *m);
void manager_seal_alerts(struct manager *m);
void manager_signal_alerts(struct manager *m);
void manager_audit(void *m, const char *actor, enum audit_action action, const char *object, const char *detail);
/* Is the clock set? A gateway without one starts near the epoch of its firmware. */
bool manager_time_is_trusted(void *m);
int manager_make_broker(struct manager *m);
void manager_admit(void *m, const struct channel_open *open, struct admission *out);
/* manager_attest.c */
/* An alert about who did not prove itself, at a bounded rate. */
void manager_tell_unproven(struct manager *m, const char *device, enum reason reason, const char *detail);
/* for struct broker_host */
void manager_authenticate(void *m, struct link *link, struct span method, struct span data,
                          struct broker_answer *answer);
void manager_authenticate_more(void *m, struct link *link, struct span data, struct broker_answer *answer);
