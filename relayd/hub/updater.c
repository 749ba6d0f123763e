/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hub/updater.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "hub/flat_json.h"
#include "hub/manager.h"
#include "hub/refusals.h"
#include "hub/updates.h"

struct updater {
        struct updater_host host;
        struct store *store;
        char site[SITE_MAX + 1];
        struct anchors anchors;
        struct gate gate;
        bool gate_was_open, was_up;
        struct refusals refusals; /* of policies and vendor key sets of the cloud */
        struct images *images;
        struct updates *updates;
};

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
                .host = { .context = u,
                          .now = now_s,
                          .now_ms = now_ms,
                          .time_trusted = time_trusted,
                          .device = device,
                          .publish_local = publish_local,
                          .publish_cloud = publish_cloud,
                          .alert = alert,
                          .audit = audit,
                          .changed = changed },
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
                anchors_clear(&u->anchors);
                free(u);
        }
        return NULL;
}

static bool gate_allows(struct updater *u)
{
        return gate_decide(&u->gate, time_trusted(u), now_s(u)).verdict == VERDICT_ALLOW;
}

void updater_start(struct updater *u)
{
        u->gate_was_open = gate_allows(u);
        updates_publish(u->updates);
        /* what cannot be swept now is swept at the next start */
        (void)images_sweep(u->images);
}

/* Also when the clock jumped: open and closed are compared, not the time. */
static void check_gate(struct updater *u)
{
        bool open = gate_allows(u);

        if (open == u->gate_was_open)
                return;
        u->gate_was_open = open;
        if (!open)
                u->host.audit(u->host.context, AUDIT_ACTOR_RELAY, AUDIT_GATE_CLOSED, "gate", "its time is over");
        updates_gate_changed(u->updates);
        u->host.changed(u->host.context, NULL);
}

void updater_tick(struct updater *u)
{
        check_gate(u);
        images_tick(u->images, now_ms(u));
        updates_tick(u->updates);
}

uint64_t updater_deadline(const struct updater *u)
{
        uint64_t deadline = images_deadline(u->images), windows = updates_deadline(u->updates);
        uint64_t left = u->gate_was_open ? gate_seconds_left(&u->gate, u->host.time_trusted(u->host.context),
                                                             u->host.now_s(u->host.context))
                                         : UINT64_MAX;

        if (windows < deadline)
                deadline = windows;
        if (left < UINT32_MAX && u->host.now_ms(u->host.context) + left * 1000 < deadline)
                deadline = u->host.now_ms(u->host.context) + left * 1000;
        return deadline;
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
                updates_publish_up(u->updates);
        }
}

/* ---- what comes in */

static enum reason import_policy(struct updater *u, struct span set)
{
        enum reason reason = anchors_import_policy(&u->anchors, u->store, u->site, set);

        if (reason == REASON_NONE) {
                updates_anchors_changed(u->updates);
                u->host.changed(u->host.context, NULL);
        }
        return reason;
}

static enum reason import_vendor(struct updater *u, struct span set)
{
        enum reason reason = anchors_import_vendor(&u->anchors, u->store, set);

        if (reason == REASON_NONE)
                updates_anchors_changed(u->updates);
        return reason;
}

static bool starts_with(struct span text, const char *start)
{
        return span_equal_string(span_slice(text, 0, strlen(start)), start);
}

/*
 * Policies and vendor key sets of the cloud: our own come back to us and are known. The first ones enter by hand only,
 * so that a cloud cannot choose the approvers; anything unknown is refused.
 */
static enum reason from_cloud_anchor(struct updater *u, struct span known, struct span payload, enum reason refusal)
{
        uint8_t digest[SHA256_SIZE] = { 0 };

        if (span_equal(known, payload))
                return REASON_NONE;
        (void)crypto_sha256(payload, digest);
        switch (refusals_note(&u->refusals, "", digest, now_s(u))) {
        case REFUSALS_QUIET: /* the audit log has no end, and the cloud no limit */
                return refusal;
        case REFUSALS_TELL:
                break;
        case REFUSALS_FLOOD:
                u->host.alert(u->host.context, "", REASON_QUOTA,
                              "the cloud sends more policies and vendor key sets than are told each; the next hour "
                              "brings a new count");
                return refusal;
        }
        u->host.audit(u->host.context, AUDIT_ACTOR_UPLINK,
                      refusal == REASON_POLICY_INVALID ? AUDIT_POLICY_REFUSED : AUDIT_VENDOR_KEYS_REFUSED, "",
                      reason_name(refusal));
        return refusal;
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
                        return from_cloud_anchor(u, anchors_policy_set(&u->anchors), payload, REASON_POLICY_INVALID);
                if (starts_with(topic->rest, "vendor/"))
                        return from_cloud_anchor(u, anchors_vendor_set(&u->anchors), payload,
                                                 REASON_VENDOR_KEYS_INVALID);
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
        return u->anchors.policy_set ? &u->anchors.policy : NULL;
}

const struct vendor_keys *updater_vendor(const struct updater *u)
{
        return u->anchors.vendor_set ? &u->anchors.vendor : NULL;
}

uint64_t updater_approval_epoch(const struct updater *u)
{
        (void)u;
        return 0;
}

struct decision updater_verdict(struct updater *u, const char *name, const uint8_t digest[SHA256_SIZE])
{
        (void)u, (void)name, (void)digest;
        return DECISION_DENY(REASON_GATE_CLOSED);
}

/* ---- what is shown */

void updater_view(const struct updater *u, struct manager_view *out)
{
        out->gate.open = u->gate.state == GATE_OPEN &&
                         gate_decide(&u->gate, u->host.time_trusted(u->host.context), u->host.now_s(u->host.context))
                                         .verdict == VERDICT_ALLOW;
        out->gate.until = out->gate.open ? u->gate.until : 0;
        out->policy.epoch = u->anchors.policy.epoch;
        memcpy(out->policy.digest, u->anchors.policy.digest, SHA256_SIZE);
        out->policy.threshold = (uint32_t)u->anchors.policy.threshold;
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

/* ---- actions */

static int refuse(struct refusal *refusal, enum reason reason, const char *format, ...)
        __attribute__((format(printf, 3, 4)));
static int refuse(struct refusal *refusal, enum reason reason, const char *format, ...)
{
        va_list arguments;

        refusal->reason = reason;
        va_start(arguments, format);
        vsnprintf(refusal->text, sizeof(refusal->text), format, arguments);
        va_end(arguments);
        return MANAGER_REFUSED;
}

static int store_error(enum reason reason)
{
        return reason == REASON_STORE_FULL ? -ENOSPC : reason == REASON_STORE_FAILED ? -EIO : 0;
}

int updater_import_site_policy(struct updater *u, const char *caller, struct span signed_set, struct refusal *refusal)
{
        char epoch[32];

        if (u->anchors.policy_set)
                return refuse(refusal, REASON_POLICY_INVALID,
                              "this relay has the site policy of epoch %llu already; a later one needs the signatures "
                              "of its approvers",
                              (unsigned long long)u->anchors.policy.epoch);
        enum reason reason = import_policy(u, signed_set);
        if (store_error(reason) < 0)
                return store_error(reason);
        if (reason == REASON_WRONG_SITE)
                return refuse(refusal, reason, "the site policy is for another site than %s; give that of %s", u->site,
                              u->site);
        if (reason != REASON_NONE)
                return refuse(refusal, reason,
                              "the site policy is refused: %s; it must be the first one, signed by k "
                              "of its own approvers",
                              reason_explanation(reason));
        snprintf(epoch, sizeof(epoch), "epoch %llu", (unsigned long long)u->anchors.policy.epoch);
        u->host.audit(u->host.context, caller, AUDIT_POLICY_ACCEPTED, epoch, "");
        return 0;
}

int updater_import_vendor_keys(struct updater *u, const char *caller, struct span signed_set, struct refusal *refusal)
{
        char epoch[32];

        if (u->anchors.vendor_set)
                return refuse(refusal, REASON_VENDOR_KEYS_INVALID,
                              "this relay has the vendor key set of epoch %llu already; a later one needs the "
                              "signatures of its holders and of the site's approvers",
                              (unsigned long long)u->anchors.vendor.epoch);
        enum reason reason = import_vendor(u, signed_set);
        if (store_error(reason) < 0)
                return store_error(reason);
        if (reason != REASON_NONE)
                return refuse(refusal, reason,
                              "the vendor key set is refused: %s; it must be the first one, signed by "
                              "one of its organisation and one of its developer keys",
                              reason_explanation(reason));
        snprintf(epoch, sizeof(epoch), "epoch %llu", (unsigned long long)u->anchors.vendor.epoch);
        u->host.audit(u->host.context, caller, AUDIT_VENDOR_KEYS_ACCEPTED, epoch, "");
        return 0;
}

struct span updater_site_policy(const struct updater *u)
{
        return anchors_policy_set(&u->anchors);
}

struct span updater_vendor_keys(const struct updater *u)
{
        return anchors_vendor_set(&u->anchors);
}

static const char *way_out(enum reason reason)
{
        if (reason == REASON_UNKNOWN_UPDATE)
                return "; relayctl updates list shows what is known";
        if (reason == REASON_NOT_AN_APPROVER)
                return "; sign with a key of the site policy (relayctl approvers)";
        if (reason == REASON_POLICY_INVALID)
                return "; import the site policy first (relayctl setup)";
        return "";
}

int updater_approve(struct updater *u, const char *caller, struct span approval, uint32_t *approved, uint32_t *needed,
                    struct refusal *refusal)
{
        char subject[2 * SHA256_SIZE + 1] = "", detail[64];
        struct approval content;
        size_t approver = 0;
        uint32_t have = 0, of = 0;
        enum reason reason = updates_approve(u->updates, approval, UPDATES_FROM_BUS, &have, &of);

        if (store_error(reason) < 0)
                return store_error(reason);
        if (reason != REASON_NONE)
                return refuse(refusal, reason, "the approval is refused: %s%s", reason_explanation(reason),
                              way_out(reason));
        if (approval_check(approval, &u->anchors.policy, &content, &approver) == REASON_NONE)
                span_to_hex(SPAN_OF(content.manifest_digest), subject, sizeof(subject));
        snprintf(detail, sizeof(detail), "approver %zu, %u of %u", approver + 1, have, of);
        u->host.audit(u->host.context, caller, AUDIT_UPDATE_APPROVED, subject, detail);
        *approved = have;
        *needed = of;
        return 0;
}

int updater_deny(struct updater *u, const char *caller, const uint8_t digest[SHA256_SIZE], const char *why,
                 struct refusal *refusal)
{
        char hex[2 * SHA256_SIZE + 1];
        enum reason reason = updates_deny(u->updates, digest, why);

        span_to_hex(span_of(digest, SHA256_SIZE), hex, sizeof(hex));
        if (store_error(reason) < 0)
                return store_error(reason);
        if (reason != REASON_NONE)
                return refuse(refusal, reason, "no update with the digest %s is known%s", hex, way_out(reason));
        u->host.audit(u->host.context, caller, AUDIT_UPDATE_DENIED, hex, why);
        return 0;
}

static int set_gate(struct updater *u, const char *caller, enum audit_action action, struct gate next)
{
        char detail[64] = "without end";
        int r = gate_save(&u->gate, u->store, next);

        if (r < 0)
                return r;
        time_t until = (time_t)next.until;
        struct tm utc;
        if (next.until > 0 && gmtime_r(&until, &utc))
                strftime(detail, sizeof(detail), "until %Y-%m-%d %H:%M:%S UTC", &utc);
        u->host.audit(u->host.context, caller, action, "gate", next.state == GATE_OPEN ? detail : "");
        u->gate_was_open = gate_allows(u);
        updates_gate_changed(u->updates);
        u->host.changed(u->host.context, NULL);
        return 0;
}

int updater_open_gate(struct updater *u, const char *caller, uint64_t until, struct refusal *refusal)
{
        if (until > 0 && !time_trusted(u))
                return refuse(refusal, REASON_NO_TRUSTED_TIME,
                              "the relay does not know the time, so it cannot close the gate at %llu; open it without "
                              "end, or set the clock",
                              (unsigned long long)until);
        if (until > 0 && until <= now_s(u))
                return refuse(refusal, REASON_OUTSIDE_WINDOW, "%llu is over; give a time that is still to come, or 0",
                              (unsigned long long)until);
        return set_gate(u, caller, AUDIT_GATE_OPENED, (struct gate){ GATE_OPEN, until });
}

int updater_close_gate(struct updater *u, const char *caller, struct refusal *refusal)
{
        (void)refusal;
        return set_gate(u, caller, AUDIT_GATE_CLOSED, (struct gate){ GATE_CLOSED, 0 });
}
