/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hub/updater_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hub/flat_json.h"

/* ---- what the parts ask of their host */

static uint64_t now_s(void *context)
{
        struct updater *u = context;
        return u->host.now_s(u->host.context);
}

static uint64_t now_ms(void *context)
{
        struct updater *u = context;
        return u->host.now_ms(u->host.context);
}

static bool time_trusted(void *context)
{
        struct updater *u = context;
        return u->host.time_trusted(u->host.context);
}

static bool device(void *context, const char *name, uint8_t class_id[CLASS_ID_SIZE], bool *online)
{
        struct updater *u = context;
        return u->host.device(u->host.context, name, class_id, online);
}

static int publish_local(void *context, const char *topic, struct span payload)
{
        struct updater *u = context;
        return u->host.publish_local(u->host.context, topic, payload);
}

static int publish_cloud(void *context, const char *topic, struct span payload)
{
        struct updater *u = context;
        return u->host.publish_cloud(u->host.context, topic, payload);
}

static void alert(void *context, const char *name, enum reason reason, const char *detail)
{
        struct updater *u = context;
        u->host.alert(u->host.context, name, reason, detail);
}

static void audit(void *context, const char *actor, enum audit_action action, const char *object, const char *detail)
{
        struct updater *u = context;
        u->host.audit(u->host.context, actor, action, object, detail);
}

static void changed(void *context, const uint8_t digest[SHA256_SIZE])
{
        struct updater *u = context;
        char hex[2 * SHA256_SIZE + 1];

        u->host.changed(u->host.context, span_to_hex(span_of(digest, SHA256_SIZE), hex, sizeof(hex)));
}

static void approved(void *context, const struct manifest_verified *manifest)
{
        struct updater *u = context;
        u->host.approved(u->host.context, manifest);
}

static int watch(void *context, const char *topic)
{
        struct updater *u = context;
        return u->host.watch(u->host.context, topic);
}

static void unwatch(void *context, const char *topic)
{
        struct updater *u = context;
        u->host.unwatch(u->host.context, topic);
}

static void image_alert(void *context, const uint8_t image[SHA256_SIZE], enum reason reason, const char *detail)
{
        struct updater *u = context;
        char hex[2 * SHA256_SIZE + 1], text[VIEW_TEXT_MAX];

        snprintf(text, sizeof(text), "image %s: %s", span_to_hex(span_of(image, SHA256_SIZE), hex, sizeof(hex)),
                 detail);
        u->host.alert(u->host.context, "", reason, text);
}

static void image_progress(void *context, const uint8_t image[SHA256_SIZE])
{
        struct updater *u = context;

        if (u->updates)
                updates_image_changed(u->updates, image, false);
        u->host.changed(u->host.context, NULL);
}

static void image_complete(void *context, const uint8_t image[SHA256_SIZE])
{
        struct updater *u = context;
        char hex[2 * SHA256_SIZE + 1];

        u->host.audit(u->host.context, AUDIT_ACTOR_RELAY, AUDIT_IMAGE_FETCHED,
                      span_to_hex(span_of(image, SHA256_SIZE), hex, sizeof(hex)), "");
        if (u->updates)
                updates_image_changed(u->updates, image, true);
}

/* ---- life */

static int make_parts(struct updater *u)
{
        const struct images_host images = {
                .context = u,
                .watch = watch,
                .unwatch = unwatch,
                .alert = image_alert,
                .progress = image_progress,
                .complete = image_complete,
        };
        const struct updates_options updates = {
                .site = u->site,
                .store = u->store,
                .anchors = &u->anchors,
                .gate = &u->gate,
                .gate_key = u->host.gate_key,
                .gate_only = u->host.gate_only,
                .host = { .context = u,
                          .now = now_s,
                          .now_ms = now_ms,
                          .time_trusted = time_trusted,
                          .device = device,
                          .publish_local = publish_local,
                          .publish_cloud = publish_cloud,
                          .alert = alert,
                          .audit = audit,
                          .changed = changed,
                          .approved = approved },
        };
        int r = images_new(&u->images, u->store, &images);

        if (r < 0)
                return r;
        struct updates_options options = updates;
        options.images = u->images;
        return updates_new(&u->updates, &options);
}

int updater_new(struct updater **ret, struct store *store, const char *site, const struct updater_host *host)
{
        struct updater *u = calloc(1, sizeof(*u));

        if (!u)
                return -ENOMEM;
        u->host = *host;
        u->store = store;
        snprintf(u->site, sizeof(u->site), "%s", site);
        int r = anchors_load(&u->anchors, store, site);
        if (r == 0)
                r = gate_load(&u->gate, store);
        if (r == 0)
                r = make_parts(u);
        if (r < 0) {
                updater_free(u);
                return r;
        }
        *ret = u;
        return 0;
}

struct updater *updater_free(struct updater *u)
{
        if (u) {
                updates_free(u->updates);
                images_free(u->images);
                updater_parked_clear(u);
                anchors_clear(&u->anchors);
                gate_clear(&u->gate);
                free(u);
        }
        return NULL;
}

void updater_start(struct updater *u)
{
        updater_use_zone(u);
        const struct gate_facts facts = updater_gate_facts(u);
        u->gate_open = gate_open_entries(&u->gate.settings, &facts);
        updater_publish_anchors(u, true, false);
        updates_publish(u->updates);
        /* what cannot be swept now is swept at the next start */
        (void)images_sweep(u->images);
}

void updater_tick(struct updater *u)
{
        updater_gate_tick(u);
        images_tick(u->images, now_ms(u));
        updates_tick(u->updates);
        updater_parked_tick(u);
}

uint64_t updater_deadline(const struct updater *u)
{
        uint64_t deadline = images_deadline(u->images), windows = updates_deadline(u->updates);
        uint64_t gate = updater_gate_deadline(u);

        if (windows < deadline)
                deadline = windows;
        return gate < deadline ? gate : deadline;
}

void updater_durable(struct updater *u, uint64_t commit)
{
        images_durable(u->images, commit);
}

void updater_uplink(struct updater *u, bool up)
{
        images_uplink(u->images, up, now_ms(u));
        if (up && !u->was_up) {
                u->was_up = true;
                updater_publish_anchors(u, false, true);
                updates_publish_up(u->updates);
        }
}

/* ---- what comes in */

static bool starts_with(struct span text, const char *start)
{
        return span_equal_string(span_slice(text, 0, strlen(start)), start);
}

enum reason updater_from_cloud(struct updater *u, const struct topic_parts *topic, struct span payload)
{
        char name[IDENTITY_MAX + 1];

        switch (topic->kind) {
        case TOPIC_IMAGE_BLOCK:
        case TOPIC_IMAGE_LIST:
                images_message(u->images, topic, payload, now_ms(u));
                return REASON_NONE;
        case TOPIC_DEVICE:
                if (!span_equal_string(topic->rest, "updates/offer") || payload.size == 0 ||
                    !span_to_string(topic->device, name, sizeof(name)))
                        return REASON_TOPIC;
                return updates_offer(u->updates, name, payload);
        case TOPIC_SITE:
                if (payload.size == 0)
                        return REASON_TOPIC; /* an unsigned word of the cloud takes nothing back */
                if (starts_with(topic->rest, "approvals/"))
                        return updates_approve(u->updates, payload, UPDATES_FROM_UPLINK, NULL, NULL);
                if (starts_with(topic->rest, "policy/"))
                        return updater_anchor_from_cloud(u, ANCHOR_POLICY, payload);
                if (starts_with(topic->rest, "vendor/"))
                        return updater_anchor_from_cloud(u, ANCHOR_VENDOR, payload);
                if (span_equal_string(topic->rest, "revocations"))
                        return updater_anchor_from_cloud(u, ANCHOR_REVOCATION, payload);
                return REASON_TOPIC;
        case TOPIC_FOREIGN:
                break;
        }
        return REASON_TOPIC;
}

void updater_from_device(struct updater *u, const char *name, struct span rest, struct span payload)
{
        struct flat_json json;
        uint8_t image[SHA256_SIZE];

        if (span_equal_string(rest, "updates/status"))
                updates_status(u->updates, name, payload);
        else if ((span_equal_string(rest, "state/relay") || span_equal_string(rest, "state/direct")) &&
                 flat_json_decode(payload, &json) == RELAY_OK &&
                 span_from_hex(flat_json_string(&json, "image"), image, sizeof(image)))
                updates_running(u->updates, name, image);
}

void updater_device_changed(struct updater *u, const char *name)
{
        updates_device_changed(u->updates, name);
}

int updater_image(struct updater *u, const struct topic_parts *topic, uint8_t **ret, size_t *ret_size)
{
        return images_serve(u->images, topic, ret, ret_size);
}

/* ---- for tickets and commands */

const struct site_policy *updater_policy(const struct updater *u)
{
        return u->anchors.policy.epoch > 0 ? &u->anchors.policy : NULL;
}

const struct vendor_keys *updater_vendor(const struct updater *u)
{
        return u->anchors.vendor.epoch > 0 ? &u->anchors.vendor : NULL;
}

uint64_t updater_approval_epoch(const struct updater *u)
{
        return anchors_floor(&u->anchors);
}

struct decision updater_verdict(struct updater *u, const char *name, const uint8_t digest[SHA256_SIZE])
{
        return updates_verdict(u->updates, name, digest);
}

struct updates *updater_updates(struct updater *u)
{
        return u->updates;
}

/* ---- what is shown */

void updater_view(const struct updater *u, struct manager_view *out)
{
        const struct gate_facts facts = updater_gate_facts(u);
        const struct gate_entry *entry = gate_find(&u->gate.settings, &facts);

        out->gate.open = gate_decide(&u->gate.settings, &facts).verdict == VERDICT_ALLOW;
        out->gate.until = out->gate.open ? entry->until : 0;
        out->gate.answers = updates_gate_answers(u->updates);
        out->policy.epoch = u->anchors.policy.epoch;
        memcpy(out->policy.digest, u->anchors.policy.digest, SHA256_SIZE);
        out->policy.threshold = (uint32_t)u->anchors.policy.threshold;
        out->policy.approval_epoch = anchors_floor(&u->anchors);
        out->image_bytes_fetched = images_bytes_fetched(u->images);
        out->image_bytes_served = images_bytes_served(u->images);
}

int updater_walk(struct updater *u, int (*fn)(void *context, const struct manager_update *update), void *context)
{
        struct manager_update view;
        int r = 0;

        for (size_t i = 0; i < updates_count(u->updates) && r == 0; i++) {
                updates_at(u->updates, i, &view);
                r = fn(context, &view);
        }
        return r;
}

bool updater_find(struct updater *u, const uint8_t digest[SHA256_SIZE], struct manager_update *out)
{
        return updates_find(u->updates, digest, out);
}

bool updater_device_at(struct updater *u, const uint8_t digest[SHA256_SIZE], size_t index,
                       struct manager_update_device *out)
{
        return updates_device_at(u->updates, digest, index, out);
}
