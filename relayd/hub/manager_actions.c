/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the bus sees and asks; see manager.h. */

#include <stdio.h>
#include <string.h>

#include "hub/manager_internal.h"

void manager_listen(struct manager *m, const struct manager_listener *listener)
{
        m->listener = listener ? *listener : (struct manager_listener){ 0 };
}

/* ---- views */
void manager_view(struct manager *m, struct manager_view *out)
{
        struct outbox_figures outbox = { 0 };
        struct store_usage usage = { 0 };

        *out = (struct manager_view){
                .version = RELAYD_VERSION,
                .site = m->conf->site,
                .identity = m->conf->identity,
                .uplink = !m->cloud      ? UPLINK_VIEW_NONE
                          : m->uplink_up ? UPLINK_VIEW_UP
                                         : UPLINK_VIEW_DOWN,
                .uplink_since = m->uplink_since,
                .uplink_error = m->uplink_error,
                .sessions = frontends_sessions(m->frontends),
                .events_received = m->broker->counters.received,
                .events_repeated = m->broker->counters.repeated,
        };
        if (m->broker->outbox)
                outbox_figures(m->broker->outbox, &outbox);
        store_usage(m->store, &usage);
        out->outbox_events = outbox.events;
        out->outbox_bytes = outbox.bytes;
        out->events_forwarded = outbox.delivered;
        out->store_used = usage.used;
        out->store_max = usage.size_max;
        updater_view(m->updater, out);
        manager_country_view(m, &out->country);
}

int manager_walk_devices(struct manager *m, int (*fn)(void *context, const struct device_view *device), void *context)
{
        for (size_t i = 0; i < m->registry.count; i++) {
                struct device_view view;
                int result;

                registry_view(m->registry.sorted[i], &view);
                result = fn(context, &view);
                if (result != 0)
                        return result;
        }
        return 0;
}

bool manager_find_device(struct manager *m, const char *identity, struct device_view *out)
{
        const struct device *d = registry_find(&m->registry, span_of_string(identity));

        if (d)
                registry_view(d, out);
        return d;
}

int manager_walk_updates(struct manager *m, int (*fn)(void *context, const struct manager_update *update),
                         void *context)
{
        return updater_walk(m->updater, fn, context);
}

bool manager_find_update(struct manager *m, const uint8_t digest[SHA256_SIZE], struct manager_update *out)
{
        return updater_find(m->updater, digest, out);
}

bool manager_update_device_at(struct manager *m, const uint8_t digest[SHA256_SIZE], size_t index,
                              struct manager_update_device *out)
{
        return updater_device_at(m->updater, digest, index, out);
}

int manager_walk_audit(struct manager *m, uint64_t from, uint32_t max,
                       int (*fn)(void *context, uint64_t number, struct span record), void *context)
{
        return audit_log_walk(&m->audit, from, max, fn, context);
}

/* ---- devices */
/* The list may name any device: whoever shows them looks at all. */
static void tell_all_devices(struct manager *m)
{
        for (size_t i = 0; i < m->registry.count; i++) {
                manager_changed(m, MANAGER_CHANGE_DEVICE, m->registry.sorted[i]->identity);
                updater_device_changed(m->updater, m->registry.sorted[i]->identity);
        }
}

int manager_import_devices(struct manager *m, const char *caller, struct span list, uint32_t *added, uint32_t *known,
                           struct refusal *refusal)
{
        char detail[VIEW_TEXT_MAX];
        int result;

        manager_refresh(m);
        result = registry_import(&m->registry, list, m->broker->time, added, known, refusal);
        if (result == 0)
                result = manager_identity_import_images(m, caller, list);
        if (*added > 0) {
                snprintf(detail, sizeof(detail), "%u new, %u known", *added, *known);
                manager_audit(m, caller, AUDIT_DEVICES_IMPORTED, "", detail);
                tell_all_devices(m);
        }
        return result;
}

static void device_changed(struct manager *m, const char *caller, enum audit_action action, const char *identity,
                           const char *detail)
{
        manager_audit(m, caller, action, identity, detail);
        manager_changed(m, MANAGER_CHANGE_DEVICE, identity);
        updater_device_changed(m->updater, identity);
}

int manager_admit_device(struct manager *m, const char *caller, const char *identity, struct refusal *refusal)
{
        struct device_view view;
        int result;

        manager_refresh(m);
        if (manager_find_device(m, identity, &view) && view.registration == REGISTRATION_REGISTERED)
                return 0; /* nothing changes, and nothing is to be audited */
        result = registry_admit(&m->registry, identity, m->broker->time, refusal);
        if (result == 0 && manager_find_device(m, identity, &view))
                device_changed(m, caller, AUDIT_DEVICE_ADMITTED, identity, view.fingerprint);
        return result;
}

int manager_revoke_device(struct manager *m, const char *caller, const char *identity, const char *why,
                          struct refusal *refusal)
{
        int result;

        manager_refresh(m);
        result = registry_revoke(&m->registry, identity, why, m->broker->time, refusal);
        if (result != 0)
                return result;
        broker_forget_identity(m->broker, identity);
        device_changed(m, caller, AUDIT_DEVICE_REVOKED, identity, why);
        return 0;
}

/* ---- updates */
int manager_import_site_policy(struct manager *m, const char *caller, struct span signed_set, struct refusal *refusal)
{
        manager_refresh(m);
        return updater_import_site_policy(m->updater, caller, signed_set, refusal);
}

int manager_import_vendor_keys(struct manager *m, const char *caller, struct span signed_set, struct refusal *refusal)
{
        manager_refresh(m);
        return updater_import_vendor_keys(m->updater, caller, signed_set, refusal);
}

int manager_approve(struct manager *m, const char *caller, struct span approval, uint32_t *approved, uint32_t *needed,
                    struct refusal *refusal)
{
        manager_refresh(m);
        return updater_approve(m->updater, caller, approval, approved, needed, refusal);
}

int manager_deny_update(struct manager *m, const char *caller, const uint8_t digest[SHA256_SIZE], const char *why,
                        struct refusal *refusal)
{
        manager_refresh(m);
        return updater_deny(m->updater, caller, digest, why, refusal);
}

int manager_open_gate(struct manager *m, const char *caller, uint64_t until, struct refusal *refusal)
{
        manager_refresh(m);
        return updater_open_gate(m->updater, caller, until, refusal);
}

int manager_close_gate(struct manager *m, const char *caller, struct refusal *refusal)
{
        manager_refresh(m);
        return updater_close_gate(m->updater, caller, refusal);
}
