/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The broker at the hub: made, and what it says is passed to those it concerns. */

#include <stdio.h>

#include "hub/manager_internal.h"
#include "util/time.h"

#define AIR_GAPPED_WINDOW 64 /* messages of the outbox in memory: nobody fetches them one after the other */

static void on_send(void *context, struct link *link, struct span packet)
{
        (void)context;
        frontends_send(link, packet);
}

static void on_close(void *context, struct link *link, uint8_t mqtt_reason)
{
        (void)context;
        frontends_close(link, mqtt_reason);
}

static bool on_writable(void *context, const struct link *link)
{
        (void)context;
        return frontends_writable(link);
}

static void on_release(void *context, struct link *link)
{
        (void)context;
        frontends_release(link);
}

static void on_published(void *context, const struct link *link, const struct message *message)
{
        struct manager *m = context;
        struct span identity = span_of_string(link->identity);
        struct topic_parts parts;

        if (!link->is_device || topic_parse(message->topic, &parts) != TOPIC_DEVICE)
                return;
        if (registry_told(&m->registry, identity, parts.rest, message->payload))
                manager_changed(m, MANAGER_CHANGE_DEVICE, link->identity);
        updater_from_device(m->updater, link->identity, parts.rest, message->payload);
        manager_gate_published(m, link->identity, parts.rest, message->payload);
        manager_identity_published(m, link->identity, parts.rest, message->payload);
}

static int on_image(void *context, const struct topic_parts *parts, uint8_t **ret, size_t *ret_size)
{
        return updater_image(((struct manager *)context)->updater, parts, ret, ret_size);
}

static void on_online(void *context, const struct link *link, bool online)
{
        struct manager *m = context;
        const struct front_session *session = container_of(link, const struct front_session, link);
        struct device *d;

        if (!link->is_device)
                return;
        d = registry_find(&m->registry, span_of_string(link->identity));
        if (!d)
                return;
        d->sessions += online ? 1 : (uint32_t)-1;
        d->since = m->broker->time;
        manager_identity_online(m, d, link, online);
        if (online)
                snprintf(d->peer, sizeof(d->peer), "%s", session->peer);
        manager_changed(m, MANAGER_CHANGE_DEVICE, d->identity);
        if (m->updater)
                updater_device_changed(m->updater, d->identity);
        if (online)
                commands_session(&m->gate.commands, d->identity);
}

static const struct access_role *on_role(void *context, const char *identity)
{
        const struct conf_role *role = conf_roles_find(((struct manager *)context)->roles, identity);

        return role ? &role->access : NULL;
}

int manager_make_broker(struct manager *m)
{
        struct outbox_options outbox = { .store = m->store,
                                         .bytes_max = m->conf->outbox_bytes_max,
                                         .age_max_s = m->conf->outbox_age_max_s,
                                         .drop_oldest = m->conf->when_full == CONF_FULL_DROP_OLDEST };
        bool is_air_gapped = m->conf->uplink == CONF_UPLINK_NONE;
        struct broker_options options = {
                .site = m->conf->site,
                .gate_only = m->gate.only,
                .store = m->store,
                .now_ms = time_monotonic_ms(),
                .time = time_real_ms() / TIME_MS_PER_S,
                .host = { m, on_send, on_close, on_writable, on_release, on_published, on_image, manager_alert,
                          on_online, on_role, manager_gate_command, manager_gate_subscribed, manager_gate_delivered,
                          manager_authenticate, manager_authenticate_more },
        };
        int result = 0;

        if (is_air_gapped) {
                outbox.events_only = true;
                outbox.window_count = AIR_GAPPED_WINDOW;
        }
        if (!is_air_gapped || m->conf->air_gapped == CONF_AIR_GAPPED_KEEP)
                result = outbox_new(&options.outbox, &outbox);
        if (result < 0)
                return result;
        result = broker_new(&m->broker, &options);
        if (result < 0)
                outbox_free(options.outbox);
        return result;
}
