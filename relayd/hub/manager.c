/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The composition root: makes the parts, gives them time and events, and passes what one says to those it concerns. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hub/manager_internal.h"
#include "util/cleanup.h"
#include "util/time.h"

#define TICK_US     UINT64_C(1000000)
#define CROWD_LEAST 64u /* devices told at first; above, the next power of two */
#define CROWD_MOST  UINT32_C(0x10000)
#define TELL_PAUSE_US \
        UINT64_C(100000) /* between two tellings of changes: many devices at work change much, and often */

/* ---- time */
void manager_refresh(void *context)
{
        struct manager *m = context;
        uint64_t monotonic, real;

        if (sd_event_now(m->event, CLOCK_MONOTONIC, &monotonic) < 0 ||
            sd_event_now(m->event, CLOCK_REALTIME, &real) < 0)
                return;
        broker_time(m->broker, monotonic / TIME_US_PER_MS, real / TIME_US_PER_MS / TIME_MS_PER_S);
}

bool manager_time_is_trusted(void *context)
{
        return ((struct manager *)context)->broker->time >= MESSAGE_TIME_PLAUSIBLE;
}

/* ---- telling */
static void tell_changes(struct manager *m)
{
        for (size_t i = 0; i < m->change_count; i++)
                if (m->listener.changed)
                        m->listener.changed(m->listener.context, m->changes[i].what, m->changes[i].key);
        m->change_count = 0;
}

void manager_changed(struct manager *m, enum manager_change what, const char *key)
{
        for (size_t i = 0; i < m->change_count; i++)
                if (m->changes[i].what == what && strcmp(m->changes[i].key, key) == 0)
                        return;
        if (m->change_count == CHANGES_MAX)
                tell_changes(m);
        m->changes[m->change_count].what = what;
        snprintf(m->changes[m->change_count++].key, sizeof(m->changes[0].key), "%s", key);
}

void manager_alert(void *context, const char *device, enum reason reason, const char *detail)
{
        struct manager *m = context;

        alerts_raise(&m->alerts, device ? device : "", reason, detail,
                     m->broker ? m->broker->time : time_real_ms() / TIME_MS_PER_S,
                     m->broker ? m->broker->now_ms : time_monotonic_ms());
}

void manager_audit(void *context, const char *actor, enum audit_action action, const char *object, const char *detail)
{
        struct manager *m = context;
        uint64_t now = m->broker ? m->broker->time : time_real_ms() / TIME_MS_PER_S;
        int result = audit_log_append(&m->audit, now, actor, action, object, detail);

        if (result < 0)
                log_error("the audit log lost \"%s %s %s\": %s", actor, audit_action_name(action), object ? object : "",
                          errno_string(result));
        else
                manager_gate_audited(m);
}

static enum uplink_view_state uplink_view(const struct manager *m)
{
        return !m->cloud ? UPLINK_VIEW_NONE : m->uplink_up ? UPLINK_VIEW_UP : UPLINK_VIEW_DOWN;
}

static void publish_state(struct manager *m)
{
        char topic[TOPIC_MAX], json[256];
        int size = snprintf(json, sizeof(json),
                            "{\"relay\":\"%s\",\"uplink\":\"%s\",\"since\":%" PRIu64 ",\"devices\":%" PRIu32 "}",
                            m->conf->identity, uplink_view_name(uplink_view(m)), m->uplink_since, m->crowd);
        struct span payload = span_of(json, (size_t)size);

        topic_site(topic, m->conf->site, "relay/state");
        if (broker_publish(m->broker, topic, payload, true) < 0)
                log_warning("relay/state was not stored");
        if (m->uplink_up && !m->gate.only)
                broker_send_up(m->broker, topic, payload, true);
}

/* Devices spread their moves by the relay's word of their number: told anew each time it has doubled. */
static void watch_crowd(struct manager *m)
{
        uint32_t crowd = m->crowd;

        while (crowd < m->broker->clients.online && crowd < CROWD_MOST)
                crowd *= 2;
        if (crowd == m->crowd)
                return;
        m->crowd = crowd;
        publish_state(m);
}

/* ---- what the updater asks */
static uint64_t now_s(void *context)
{
        return ((struct manager *)context)->broker->time;
}

static uint64_t now_ms(void *context)
{
        return ((struct manager *)context)->broker->now_ms;
}

static bool device_of(void *context, const char *device, uint8_t class_id[CLASS_ID_SIZE], bool *online)
{
        const struct manager *m = context;
        const struct device *d = registry_find(&m->registry, span_of_string(device));

        if (!d || d->registration != REGISTRATION_REGISTERED)
                return false;
        memcpy(class_id, d->class_id, CLASS_ID_SIZE);
        *online = d->sessions > 0;
        return true;
}

static int publish_local(void *context, const char *topic, struct span payload)
{
        return broker_publish(((struct manager *)context)->broker, topic, payload, true);
}

/* A stand-alone gate says nothing about the state of updates: that is the relay's word. */
static int publish_cloud(void *context, const char *topic, struct span payload)
{
        struct manager *m = context;
        struct topic_parts parts;

        if (m->gate.only && topic_parse(span_of_string(topic), &parts) == TOPIC_SITE &&
            span_equal(span_slice(parts.rest, 0, 8), SPAN_LITERAL("updates/")))
                return 0;
        return broker_send_up(m->broker, topic, payload, true);
}

static int watch(void *context, const char *topic)
{
        struct manager *m = context;

        return m->cloud && !m->gate.only ? uplink_watch(cloud_uplink(m->cloud), topic) : UPLINK_NOT_UP;
}

static void unwatch(void *context, const char *topic)
{
        struct manager *m = context;

        if (m->cloud)
                uplink_unwatch(cloud_uplink(m->cloud), topic);
}

static void update_changed(void *context, const char *digest)
{
        manager_changed(context, digest ? MANAGER_CHANGE_UPDATE : MANAGER_CHANGE_MANAGER, digest ? digest : "");
}

/* ---- what the cloud says */
static enum reason from_cloud(void *context, enum access_uplink kind, const struct topic_parts *parts,
                              struct span payload, bool again)
{
        struct manager *m = context;

        switch (kind) {
        case ACCESS_UPLINK_COMMAND:
        case ACCESS_UPLINK_GATE_REQUEST:
        case ACCESS_UPLINK_TICKET:
        case ACCESS_UPLINK_REPORT:
                return manager_gate_message(m, kind, parts, payload, again);
        case ACCESS_UPLINK_STATE:
                manager_identity_direct(m, parts->device, payload);
                return REASON_NONE;
        case ACCESS_UPLINK_REFUSED:
        case ACCESS_UPLINK_OFFER:
        case ACCESS_UPLINK_APPROVAL:
        case ACCESS_UPLINK_POLICY:
        case ACCESS_UPLINK_REVOCATION:
        case ACCESS_UPLINK_VENDOR:
        case ACCESS_UPLINK_IMAGE_BLOCK:
        case ACCESS_UPLINK_IMAGE_LIST:
                break;
        }
        return updater_from_cloud(m->updater, parts, payload);
}

static void on_uplink(void *context, bool up, const char *error)
{
        struct manager *m = context;
        bool changed = up != m->uplink_up;

        if (changed)
                log_info("uplink is %s%s%s", up ? "up" : "down", *error ? ": " : "", error);
        m->uplink_up = up;
        snprintf(m->uplink_error, sizeof(m->uplink_error), "%s", up ? "" : error);
        manager_changed(m, MANAGER_CHANGE_MANAGER, "");
        if (!changed)
                return;
        m->uplink_since = m->broker->time;
        publish_state(m);
        updater_uplink(m->updater, up);
}

/* ---- the loop */
static int fail(struct manager *m, int error)
{
        log_error("the store failed: %s; the hub ends, nothing acknowledged is lost", errno_string(error));
        return sd_event_exit(m->event, error);
}

/* The first change is told at once, those that follow it closely together. */
static int tell_in_time(struct manager *m)
{
        uint64_t now;
        int result = m->change_count > 0 ? sd_event_now(m->event, CLOCK_MONOTONIC, &now) : 0;

        if (m->change_count == 0 || result < 0)
                return result;
        if (now >= m->tell_next_us) {
                tell_changes(m);
                m->tell_next_us = now + TELL_PAUSE_US;
                return 0;
        }
        result = sd_event_source_set_time(m->tell, m->tell_next_us);
        return result < 0 ? result : sd_event_source_set_enabled(m->tell, SD_EVENT_ONESHOT);
}

static int on_tell(sd_event_source *source, uint64_t usec, void *context)
{
        (void)source, (void)usec, (void)context;
        return 0; /* the turn ends now, and tells */
}

/* also after a turn that staged nothing: its actions have nothing to wait for */
static void tell_durable(struct manager *m)
{
        manager_signal_alerts(m);
        if (m->listener.durable)
                m->listener.durable(m->listener.context, m->broker->durable);
}

static int on_turn(sd_event_source *source, void *context)
{
        struct manager *m = context;
        int result;

        (void)source;
        manager_identity_turn(m);
        manager_tell_alerts(m);
        frontends_reap(m->frontends);
        result = tell_in_time(m);
        if (result >= 0)
                result = broker_commit(m->broker);
        if (result < 0)
                return fail(m, result);
        manager_seal_alerts(m);
        manager_gate_sealed(m, m->broker->commit);
        if (m->cloud)
                cloud_commit(m->cloud);
        if (m->listener.sealed)
                m->listener.sealed(m->listener.context, m->broker->commit);
        tell_durable(m);
        return 0;
}

static int on_durable(sd_event_source *source, int fd, uint32_t events, void *context)
{
        struct manager *m = context;
        int result;

        (void)source, (void)fd, (void)events;
        manager_refresh(m);
        result = broker_durable(m->broker);
        if (result < 0)
                return fail(m, result);
        updater_durable(m->updater, m->broker->durable);
        manager_gate_durable(m, m->broker->durable);
        if (m->cloud)
                cloud_durable(m->cloud);
        tell_durable(m);
        return 0;
}

static int on_tick(sd_event_source *source, uint64_t usec, void *context)
{
        struct manager *m = context;

        manager_refresh(m);
        broker_tick(m->broker);
        updater_tick(m->updater);
        manager_signal_alerts(m);
        manager_country_tick(m);
        manager_gate_tick(m);
        manager_identity_tick(m);
        watch_crowd(m);
        if (m->cloud)
                cloud_tick(m->cloud);
        sd_event_source_set_time(source, usec + TICK_US);
        return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static int add_sources(struct manager *m)
{
        uint64_t now;
        int result = sd_event_add_post(m->event, &m->turn, on_turn, m);

        if (result >= 0)
                result = sd_event_add_io(m->event, &m->durable, store_fd(m->store), EPOLLIN, on_durable, m);
        if (result >= 0)
                result = sd_event_now(m->event, CLOCK_MONOTONIC, &now);
        if (result >= 0)
                result = sd_event_add_time(m->event, &m->tick, CLOCK_MONOTONIC, now + TICK_US, 0, on_tick, m);
        if (result >= 0)
                result = sd_event_add_time(m->event, &m->tell, CLOCK_MONOTONIC, now, 1000, on_tell, m);
        if (result >= 0)
                result = sd_event_source_set_enabled(m->tell, SD_EVENT_OFF);
        return result < 0 ? result : 0;
}

/* ---- making it */
static int say(char *error, size_t error_size, int result, const char *what)
{
        snprintf(error, error_size, "%s: %s%s", what, errno_string(result),
                 result == -EBADMSG ? " (a damaged record; restore a backup or start with relayd --new-store)" : "");
        return result;
}

static int load_files(struct manager *m, char *error, size_t error_size)
{
        int result = conf_roles_load(m->conf->roles, &m->roles, error, error_size);

        if (result < 0 || !m->conf->device_ca || !*m->conf->device_ca)
                return result;
        result = x509_trust_new(&m->trust);
        if (result == 0)
                result = x509_trust_add_file(m->trust, m->conf->device_ca);
        return result < 0 ? say(error, error_size, result, m->conf->device_ca) : 0;
}

static void learn_state(void *context, struct message *message)
{
        struct manager *m = context;
        struct topic_parts parts;

        if (topic_parse(message->topic, &parts) == TOPIC_DEVICE)
                registry_told(&m->registry, parts.device, parts.rest, message->payload);
}

static int load_parts(struct manager *m, char *error, size_t error_size)
{
        char filter[TOPIC_MAX];
        int result = audit_log_load(&m->audit, m->store);

        if (result < 0)
                return say(error, error_size, result, "the audit log");
        result = registry_load(&m->registry, m->store);
        if (result < 0)
                return say(error, error_size, result, "the registry of devices");
        result = manager_identity_load(m);
        if (result < 0)
                return say(error, error_size, result, "the known images");
        result = alerts_load(&m->alerts, m->store, time_monotonic_ms());
        if (result < 0)
                return say(error, error_size, result, "the alerts");
        m->alerts_signalled = m->alerts_sealed = m->alerts.last;
        result = manager_make_broker(m);
        if (result < 0)
                return say(error, error_size, result, "sessions, retained messages or outbox");
        retained_match(&m->broker->retained, span_of_string(topic_device(filter, m->conf->site, "+", "state/relay")),
                       m->broker->time, learn_state, m);
        return 0;
}

static int make_updater(struct manager *m)
{
        struct updater_host host = {
                .context = m,
                .now_s = now_s,
                .now_ms = now_ms,
                .time_trusted = manager_time_is_trusted,
                .device = device_of,
                .publish_local = publish_local,
                .publish_cloud = publish_cloud,
                .watch = watch,
                .unwatch = unwatch,
                .alert = manager_alert,
                .audit = manager_audit,
                .changed = update_changed,
                .approved = manager_identity_approved,
                .gate_key = &m->gate.key.key, /* no key till it is read, and where there is none */
                .gate_only = m->gate.only,
        };

        return updater_new(&m->updater, m->store, m->conf->site, &host);
}

static int make_country(struct manager *m, const struct manager_options *from, char *error, size_t error_size)
{
        int result = manager_country_load(m);

        if (result < 0)
                return say(error, error_size, result, "the country policy");
        result = from->listen ? manager_country_listen(m, from->guard_uid) : 0;
        return result < 0 ? say(error, error_size, result, "the guard's channel") : 0;
}

static int make_frontends(struct manager *m, const struct manager_options *from, char *error, size_t error_size)
{
        _cleanup_free_ char *path = NULL;
        struct frontends_options options = { .peer_uid = from->front_uid,
                                             .group = (gid_t)-1,
                                             .admit = manager_admit,
                                             .before = manager_refresh,
                                             .context = m };
        int result;

        if (from->listen && asprintf(&path, "%s/mqtt.channel", m->conf->runtime) < 0)
                return -ENOMEM;
        options.path = path;
        result = frontends_new(&m->frontends, m->event, &options);
        if (result < 0)
                return say(error, error_size, result, path ? path : "front ends");
        frontends_use(m->frontends, m->broker);
        return 0;
}

static int make_cloud(struct manager *m, const struct uplink_transport *transport, char *error, size_t error_size)
{
        struct cloud_host host = { m, from_cloud, on_uplink, manager_alert, manager_refresh, manager_country_allows };
        int result;

        if (m->conf->uplink == CONF_UPLINK_NONE)
                return 0;
        result = cloud_new(&m->cloud, m->event, m->conf, m->broker, &host, transport);
        return result < 0 ? say(error, error_size, result, "the uplink (certificate, key, ca, pin of [uplink])") : 0;
}

static int build(struct manager *m, const struct manager_options *options, char *error, size_t error_size)
{
        int result = load_files(m, error, error_size);

        if (result == 0)
                result = load_parts(m, error, error_size);
        if (result < 0)
                return result;
        result = make_updater(m);
        if (result < 0)
                return say(error, error_size, result, "updates, approvals, site policy or vendor keys");
        result = manager_gate_load(m, error, error_size);
        if (result == 0)
                result = make_country(m, options, error, error_size);
        if (result == 0)
                result = make_frontends(m, options, error, error_size);
        if (result == 0)
                result = make_cloud(m, options->transport, error, error_size);
        if (result < 0)
                return result;
        result = add_sources(m);
        return result < 0 ? say(error, error_size, result, "the event loop") : 0;
}

int manager_new(struct manager **ret, const struct manager_options *options, char *error, size_t error_size)
{
        struct manager *m = calloc(1, sizeof(*m));
        int result;

        if (!m)
                return -ENOMEM;
        m->conf = options->conf;
        m->event = sd_event_ref(options->event);
        m->store = options->store;
        m->gate.only = options->gate_only;
        m->has_tls_fingerprint = options->tls_key && key_fingerprint(options->tls_key, m->tls_fingerprint) == RELAY_OK;
        m->admit_rate = (struct log_rate){ .burst = 10, .interval_ms = 10000 };
        m->uplink_since = time_real_ms() / TIME_MS_PER_S;
        m->crowd = CROWD_LEAST;
        result = build(m, options, error, error_size);
        if (result < 0) {
                manager_free(m);
                return result;
        }
        *ret = m;
        return 0;
}

struct manager *manager_free(struct manager *m)
{
        if (!m)
                return NULL;
        sd_event_source_disable_unref(m->turn);
        sd_event_source_disable_unref(m->durable);
        sd_event_source_disable_unref(m->tick);
        sd_event_source_disable_unref(m->tell);
        manager_country_release(m);
        frontends_free(m->frontends);
        cloud_free(m->cloud);
        if (m->broker)
                broker_commit(m->broker);
        updater_free(m->updater);
        manager_gate_release(m);
        broker_free(m->broker);
        alerts_release(&m->alerts);
        manager_identity_release(m);
        registry_release(&m->registry);
        x509_trust_free(m->trust);
        conf_roles_free(m->roles);
        sd_event_unref(m->event);
        free(m);
        return NULL;
}

int manager_start(struct manager *m)
{
        manager_audit(m, AUDIT_ACTOR_RELAY, AUDIT_STARTED, m->conf->identity, RELAYD_VERSION);
        manager_gate_start(m);
        updater_start(m->updater);
        manager_country_start(m);
        publish_state(m);
        return m->cloud ? cloud_start(m->cloud) : 0;
}

void manager_stop(struct manager *m)
{
        manager_audit(m, AUDIT_ACTOR_RELAY, AUDIT_STOPPED, m->conf->identity, "");
        frontends_stop(m->frontends);
        manager_gate_stop(m);
        if (m->cloud)
                cloud_stop(m->cloud);
}

struct frontends *manager_frontends(struct manager *m)
{
        return m->frontends;
}

/* ---- roles again */
static void recheck(void *context, struct front_session *session)
{
        struct manager *m = context;
        const struct conf_role *role;

        if (session->link.is_device)
                return;
        role = conf_roles_find(m->roles, session->link.identity);
        if (!role || memcmp(role->fingerprint, session->fingerprint, SHA256_SIZE) != 0) {
                broker_close(m->broker, &session->link, MQTT_NOT_AUTHORIZED, true);
                return;
        }
        session->link.role = &role->access;
        broker_recheck(m->broker, &session->link);
}

void manager_reload(struct manager *m)
{
        struct conf_roles *roles = NULL, *old = m->roles;
        char error[VIEW_TEXT_MAX];

        manager_refresh(m);
        if (conf_roles_load(m->conf->roles, &roles, error, sizeof(error)) < 0) {
                log_error("roles were not read again, the old ones stay: %s", error);
                return;
        }
        m->roles = roles;
        frontends_walk(m->frontends, recheck, m);
        conf_roles_free(old);
        log_info("roles: %zu site applications", roles->count);
}
