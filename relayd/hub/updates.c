/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What comes in about updates: offers, approvals, refusals, what devices say. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hub/flat_json.h"
#include "hub/updates_internal.h"

#define DETAIL_SIZE 256

static enum reason reason_of_store(int r)
{
        return r == 0 ? REASON_NONE : r == -ENOSPC || r == -E2BIG ? REASON_STORE_FULL : REASON_STORE_FAILED;
}

/* ---- refusals */

static void tell_refusal(struct updates *u, const char *device, const uint8_t digest[SHA256_SIZE], enum reason reason,
                         enum audit_action action)
{
        char hex[2 * SHA256_SIZE + 1], detail[DETAIL_SIZE];

        switch (refusals_note(&u->refusals, device, digest, u->host.now(u->host.context))) {
        case REFUSALS_QUIET:
                return;
        case REFUSALS_TELL:
                snprintf(detail, sizeof(detail), "%s %s from the cloud was refused: %s",
                         action == AUDIT_UPDATE_REFUSED ? "update" : "approval",
                         span_to_hex(span_of(digest, SHA256_SIZE), hex, sizeof(hex)), reason_explanation(reason));
                u->host.alert(u->host.context, device, reason, detail);
                u->host.audit(u->host.context, AUDIT_ACTOR_UPLINK, action, hex, reason_name(reason));
                return;
        case REFUSALS_FLOOD:
                u->host.alert(u->host.context, "", REASON_QUOTA,
                              "the cloud sends more refused offers and approvals than "
                              "are told each; the next hour brings a new count");
                return;
        }
}

static enum reason refuse_offer(struct updates *u, const char *device, const uint8_t digest[SHA256_SIZE],
                                enum reason reason)
{
        tell_refusal(u, device, digest, reason, AUDIT_UPDATE_REFUSED);
        return reason;
}

/* ---- waiting for what is needed to judge */

static void unpark(struct updates *u, size_t place)
{
        free(u->parked[place].bytes);
        memmove(&u->parked[place], &u->parked[place + 1], (--u->parked_count - place) * sizeof(u->parked[0]));
}

static void park(struct updates *u, const char *device, struct span bytes)
{
        for (size_t i = 0; i < u->parked_count; i++)
                if (strcmp(u->parked[i].device, device) == 0 &&
                    span_equal(span_of(u->parked[i].bytes, u->parked[i].size), bytes))
                        return;
        uint8_t *copy = malloc(bytes.size + 1);
        if (!copy)
                return; /* as if it had not come yet: it is retained at the cloud */
        memcpy(copy, bytes.data, bytes.size);
        if (u->parked_count == PARKED_MAX)
                unpark(u, 0);
        struct parked *entry = &u->parked[u->parked_count++];
        *entry = (struct parked){ .bytes = copy, .size = bytes.size };
        snprintf(entry->device, sizeof(entry->device), "%s", device);
}

/* Looks at everything parked once more; what still cannot be judged is parked anew. */
static void replay_parked(struct updates *u)
{
        if (u->parked_replaying)
                return;
        u->parked_replaying = true;
        for (size_t left = u->parked_count; left > 0; left--) {
                struct parked entry = u->parked[0];
                u->parked[0].bytes = NULL;
                unpark(u, 0);
                struct span bytes = span_of(entry.bytes, entry.size);
                if (entry.device[0])
                        (void)updates_offer(u, entry.device, bytes);
                else
                        (void)updates_approve(u, bytes, UPDATES_FROM_UPLINK, NULL, NULL);
                free(entry.bytes);
        }
        u->parked_replaying = false;
}

/* ---- offers */

static void remove_update(struct updates *u, struct update *update)
{
        uint8_t digest[SHA256_SIZE];
        char hex[2 * SHA256_SIZE + 1];

        memcpy(digest, update->digest, SHA256_SIZE);
        u->host.audit(u->host.context, AUDIT_ACTOR_RELAY, AUDIT_UPDATE_DROPPED,
                      span_to_hex(SPAN_OF(digest), hex, sizeof(hex)), "made room for a newer update");
        update_store_delete(u->store, update);
        updates_release_image(u, update);
        update_table_remove(&u->table, update);
        u->host.changed(u->host.context, digest);
}

/* The oldest superseded one, else the oldest denied one; one that is approved or waits for people stays. */
static bool make_room(struct updates *u)
{
        static const enum update_state order[] = { UPDATE_SUPERSEDED, UPDATE_DENIED };

        for (size_t k = 0; k < sizeof(order) / sizeof(order[0]); k++) {
                for (size_t i = 0; i < u->table.count; i++) {
                        if (u->table.updates[i]->state != order[k])
                                continue;
                        remove_update(u, u->table.updates[i]);
                        return true;
                }
        }
        return false;
}

static const char *version_of(const struct manifest_verified *manifest, char out[MANIFEST_TEXT_MAX + 1])
{
        return span_to_string(manifest->fields.version, out, MANIFEST_TEXT_MAX + 1) ? out : "?";
}

static enum reason add_update(struct updates *u, const struct manifest_verified *manifest, const char *importer,
                              struct update **ret)
{
        char hex[2 * SHA256_SIZE + 1], version[MANIFEST_TEXT_MAX + 1];

        if (u->table.count == u->table.max && !make_room(u))
                return REASON_QUOTA;
        struct update *update = update_new(manifest, u->host.now(u->host.context));
        if (!update)
                return REASON_STORE_FAILED;
        enum reason reason = reason_of_store(update_store(u->store, update));
        if (reason != REASON_NONE || update_table_add(&u->table, update) < 0) {
                update_free(update);
                return reason != REASON_NONE ? reason : REASON_QUOTA;
        }
        u->host.audit(u->host.context, importer ? importer : AUDIT_ACTOR_UPLINK,
                      importer ? AUDIT_UPDATE_IMPORTED : AUDIT_UPDATE_OFFERED,
                      span_to_hex(SPAN_OF(update->digest), hex, sizeof(hex)), version_of(manifest, version));
        *ret = update;
        return REASON_NONE;
}

/* Whom it is for: known here, and of the class the manifest names. */
enum reason updates_check_device(struct updates *u, const char *device, const struct manifest_verified *manifest)
{
        static const uint8_t unknown[CLASS_ID_SIZE];
        uint8_t class_id[CLASS_ID_SIZE] = { 0 };
        bool online;

        if (!u->host.device(u->host.context, device, class_id, &online))
                return REASON_UNKNOWN_DEVICE;
        if (memcmp(class_id, unknown, CLASS_ID_SIZE) != 0 &&
            memcmp(class_id, manifest->fields.class_id, CLASS_ID_SIZE) != 0)
                return REASON_WRONG_CLASS;
        return REASON_NONE;
}

enum reason updates_take(struct updates *u, const char *device, const struct manifest_verified *manifest,
                         const char *importer)
{
        enum reason reason = updates_check_device(u, device, manifest);
        struct update *update = update_table_find(&u->table, manifest->digest);
        bool is_new = !update;

        if (reason != REASON_NONE)
                return reason;
        if (update && update_find_device(update, device))
                return REASON_NONE;
        if (!update) {
                reason = add_update(u, manifest, importer, &update);
                if (reason != REASON_NONE)
                        return reason;
        }
        if (!update_add_device(update, device, UPDATES_DEVICES_MAX))
                return REASON_QUOTA;
        updates_evaluate(u, update);
        if (is_new)
                replay_parked(u);
        return REASON_NONE;
}

enum reason updates_offer(struct updates *u, const char *device, struct span envelope)
{
        struct manifest_unverified manifest;
        struct manifest_verified verified;
        uint8_t digest[SHA256_SIZE] = { 0 };

        if (strlen(device) > IDENTITY_MAX)
                return REASON_BAD_IDENTITY;
        (void)crypto_sha256(envelope, digest);
        if (envelope.size > MANIFEST_MAX)
                return refuse_offer(u, device, digest, REASON_TOO_LARGE);
        enum reason reason = manifest_decode(envelope, &manifest);
        if (reason != REASON_NONE)
                return refuse_offer(u, device, digest, reason);
        if (!u->anchors->vendor_set) {
                park(u, device, envelope);
                return REASON_VENDOR_KEYS_INVALID;
        }
        reason = manifest_verify(&manifest, &u->anchors->vendor, &verified);
        if (reason == REASON_NONE)
                reason = updates_take(u, device, &verified, NULL);
        return reason == REASON_NONE ? REASON_NONE : refuse_offer(u, device, manifest.digest, reason);
}

/* ---- approvals */

static bool is_over(struct updates *u, const struct approval *approval)
{
        return approval->has_not_after && u->host.time_trusted(u->host.context) &&
               approval->not_after < u->host.now(u->host.context);
}

static enum reason store_approval(struct updates *u, struct update *update, const struct approval *approval,
                                  size_t approver, struct span sign1, enum updates_source source)
{
        uint8_t key[KEY_ID_SIZE];
        char hex[2 * SHA256_SIZE + 1], key_hex[2 * KEY_ID_SIZE + 1];

        if (key_id(&u->anchors->policy.approvers[approver], key) != RELAY_OK)
                return REASON_STORE_FAILED;
        enum reason reason = reason_of_store(update_store_approval(u->store, update->digest, key, sign1));
        if (reason == REASON_NONE && update_set_approval(update, approval, approver, key, sign1) < 0)
                reason = REASON_STORE_FAILED;
        if (reason != REASON_NONE)
                return reason;
        if (source == UPDATES_FROM_UPLINK) /* the bus's caller is in the record its action writes */
                u->host.audit(u->host.context, AUDIT_ACTOR_UPLINK, AUDIT_UPDATE_APPROVED,
                              span_to_hex(SPAN_OF(update->digest), hex, sizeof(hex)),
                              span_to_hex(SPAN_OF(key), key_hex, sizeof(key_hex)));
        updates_publish_approval(u, update, update_find_approval(update, approver), source == UPDATES_FROM_BUS);
        updates_evaluate(u, update);
        return REASON_NONE;
}

static enum reason take_approval(struct updates *u, struct span sign1, enum updates_source source,
                                 struct update **update)
{
        struct approval approval;
        size_t approver = 0;
        enum reason reason = approval_check(sign1, &u->anchors->policy, &approval, &approver);

        if (reason != REASON_NONE)
                return reason;
        *update = update_table_find(&u->table, approval.manifest_digest);
        if (!*update) {
                if (source == UPDATES_FROM_UPLINK)
                        park(u, "", sign1);
                return REASON_UNKNOWN_UPDATE;
        }
        if ((*update)->denied)
                return REASON_DENIED;
        const struct update_approval *before = update_find_approval(*update, approver);
        if (before && !is_over(u, &before->content))
                return REASON_ALREADY_APPROVED;
        return store_approval(u, *update, &approval, approver, sign1, source);
}

/* what is an ordinary thing to come by the uplink, and no reason to alert */
static bool is_harmless(enum reason reason)
{
        return reason == REASON_NONE || reason == REASON_ALREADY_APPROVED || reason == REASON_UNKNOWN_UPDATE ||
               reason == REASON_DENIED;
}

enum reason updates_approve(struct updates *u, struct span sign1, enum updates_source source, uint32_t *approved,
                            uint32_t *needed)
{
        struct update *update = NULL;
        uint8_t digest[SHA256_SIZE] = { 0 };

        if (sign1.size > APPROVAL_MAX)
                return REASON_TOO_LARGE;
        if (!u->anchors->policy_set) {
                if (source == UPDATES_FROM_UPLINK)
                        park(u, "", sign1);
                return REASON_POLICY_INVALID;
        }
        enum reason reason = take_approval(u, sign1, source, &update);
        if (source == UPDATES_FROM_UPLINK && !is_harmless(reason)) {
                (void)crypto_sha256(sign1, digest);
                tell_refusal(u, "", digest, reason, AUDIT_APPROVAL_REFUSED);
        }
        if (approved)
                *approved = update ? (uint32_t)update->approval_count : 0;
        if (needed)
                *needed = (uint32_t)u->anchors->policy.threshold;
        return reason;
}

enum reason updates_deny(struct updates *u, const uint8_t digest[SHA256_SIZE], const char *why)
{
        struct update *update = update_table_find(&u->table, digest);

        if (!update)
                return REASON_UNKNOWN_UPDATE;
        bool before = update->denied;
        update->denied = true;
        snprintf(update->why, sizeof(update->why), "%s", why);
        /* cut in the middle of a character it would not be text any more */
        while (update->why[0] && !span_is_utf8(span_of_string(update->why)))
                update->why[strlen(update->why) - 1] = '\0';
        enum reason reason = reason_of_store(update_store(u->store, update));
        if (reason != REASON_NONE) {
                update->denied = before;
                return reason;
        }
        updates_evaluate(u, update);
        return REASON_NONE;
}

/* ---- what devices say */

static void note_installed(struct updates *u, const struct update *update, struct update_device *device)
{
        char actor[IDENTITY_MAX + sizeof(AUDIT_ACTOR_DEVICE)], hex[2 * SHA256_SIZE + 1], version[MANIFEST_TEXT_MAX + 1];

        if (device->record.installed)
                return;
        device->record.installed = true;
        device->changed = true;
        snprintf(actor, sizeof(actor), AUDIT_ACTOR_DEVICE, device->name);
        u->host.audit(u->host.context, actor, AUDIT_UPDATE_INSTALLED,
                      span_to_hex(SPAN_OF(update->digest), hex, sizeof(hex)), version_of(&update->manifest, version));
}

static enum reason reason_of(struct span name)
{
        char text[64];
        enum reason reason = span_to_string(name, text, sizeof(text)) ? reason_from_name(text) : REASON_COUNT;

        return reason == REASON_COUNT ? REASON_NONE : reason;
}

void updates_status(struct updates *u, const char *name, struct span payload)
{
        struct flat_json json;
        uint8_t digest[SHA256_SIZE];

        if (flat_json_decode(payload, &json) != RELAY_OK ||
            !span_from_hex(flat_json_string(&json, "manifest"), digest, sizeof(digest)))
                return;
        struct update *update = update_table_find(&u->table, digest);
        struct update_device *device = update ? update_find_device(update, name) : NULL;
        if (!device)
                return;
        uint64_t progress = flat_json_number(&json, "progress", 0);
        struct update_device_record next = device->record;
        next.status = update_status_from_name(flat_json_string(&json, "state"));
        next.progress = progress > 100 ? 100 : (uint32_t)progress;
        next.reason = reason_of(flat_json_string(&json, "reason"));
        /* progress alone is shown and not stored: it would write the disk once a block */
        device->changed = next.status != device->record.status || next.reason != device->record.reason ||
                          device->changed;
        device->record = next;
        if (next.status == UPDATE_STATUS_CONFIRMED)
                note_installed(u, update, device);
        if (device->changed)
                (void)update_store_device(u->store, update, device);
        updates_refresh_device(u, name);
        u->host.changed(u->host.context, update->digest);
}

static bool runs(const struct update *update, const uint8_t image[SHA256_SIZE])
{
        return memcmp(update->manifest.fields.image_digest, image, SHA256_SIZE) == 0;
}

/* does the device run what came after this update? */
static bool runs_newer(const struct updates *u, const struct update *update, const uint8_t image[SHA256_SIZE])
{
        for (size_t i = 0; i < u->table.count; i++)
                if (runs(u->table.updates[i], image) &&
                    u->table.updates[i]->manifest.fields.sequence > update->manifest.fields.sequence)
                        return true;
        return false;
}

void updates_running(struct updates *u, const char *name, const uint8_t image[SHA256_SIZE])
{
        for (size_t i = 0; i < u->table.count; i++) {
                struct update *update = u->table.updates[i];
                struct update_device *device = update_find_device(update, name);
                /* while it tries the image, running it is no news */
                if (!device || device->record.installed == runs(update, image) ||
                    device->record.status == UPDATE_STATUS_TRYING || runs_newer(u, update, image))
                        continue;
                if (device->record.installed)
                        device->record.installed = false; /* provisioned anew */
                else
                        note_installed(u, update, device);
                (void)update_store_device(u->store, update, device);
                updates_refresh_device(u, name);
                u->host.changed(u->host.context, update->digest);
        }
}

void updates_device_changed(struct updates *u, const char *name)
{
        updates_refresh_device(u, name);
        for (size_t i = 0; i < u->table.count; i++)
                if (update_find_device(u->table.updates[i], name))
                        u->host.changed(u->host.context, u->table.updates[i]->digest);
}

void updates_gate_changed(struct updates *u)
{
        updates_evaluate_all(u);
}

void updates_image_changed(struct updates *u, const uint8_t image[SHA256_SIZE], bool complete)
{
        for (size_t i = 0; i < u->table.count; i++) {
                struct update *update = u->table.updates[i];
                if (memcmp(update->manifest.fields.image_digest, image, SHA256_SIZE) != 0)
                        continue;
                if (complete)
                        updates_evaluate(u, update);
                else
                        u->host.changed(u->host.context, update->digest);
        }
}

/* ---- retained objects */

static void publish_set(struct updates *u, const char *kind, uint64_t epoch, struct span set, bool local, bool to_cloud)
{
        char rest[32], topic[TOPIC_MAX];

        if (set.size == 0)
                return;
        snprintf(rest, sizeof(rest), "%s/%llu", kind, (unsigned long long)epoch);
        topic_site(topic, u->site, rest);
        if (local)
                (void)u->host.publish_local(u->host.context, topic, set);
        if (to_cloud)
                (void)u->host.publish_cloud(u->host.context, topic, set);
}

static void publish_anchors(struct updates *u, bool local, bool to_cloud)
{
        publish_set(u, "policy", u->anchors->policy.epoch, anchors_policy_set(u->anchors), local, to_cloud);
        publish_set(u, "vendor", u->anchors->vendor.epoch, anchors_vendor_set(u->anchors), local, to_cloud);
}

void updates_publish(struct updates *u)
{
        publish_anchors(u, true, false);
        for (size_t i = 0; i < u->table.count; i++)
                for (size_t k = 0; k < u->table.updates[i]->approval_count; k++)
                        updates_publish_approval(u, u->table.updates[i], &u->table.updates[i]->approvals[k], false);
        updates_evaluate_all(u);
}

void updates_publish_up(struct updates *u)
{
        char topic[TOPIC_MAX];

        publish_anchors(u, false, true);
        for (size_t i = 0; i < u->table.count; i++) {
                const struct update *update = u->table.updates[i];
                for (size_t k = 0; k < update->approval_count && update->state != UPDATE_SUPERSEDED; k++) {
                        topic_approval(topic, u->site, update->digest, update->approvals[k].key_id);
                        (void)u->host.publish_cloud(u->host.context, topic,
                                                    span_of(update->approvals[k].sign1, update->approvals[k].size));
                }
        }
}

void updates_anchors_changed(struct updates *u)
{
        publish_anchors(u, true, true);
        replay_parked(u);
        updates_evaluate_all(u);
}

/* ---- life */

int updates_new(struct updates **ret, const struct updates_options *options)
{
        struct updates *u = calloc(1, sizeof(*u));

        if (!u)
                return -ENOMEM;
        snprintf(u->site, sizeof(u->site), "%s", options->site);
        u->store = options->store;
        u->anchors = options->anchors;
        u->gate = options->gate;
        u->images = options->images;
        u->host = options->host;
        int r = update_table_init(&u->table, UPDATES_MAX);
        if (r == 0)
                r = update_table_load(&u->table, u->store, &u->anchors->vendor, &u->anchors->policy,
                                      UPDATES_DEVICES_MAX);
        if (r != 0) {
                updates_free(u);
                return r;
        }
        *ret = u;
        return 0;
}

struct updates *updates_free(struct updates *u)
{
        if (u) {
                while (u->parked_count > 0)
                        unpark(u, 0);
                update_table_clear(&u->table);
                free(u);
        }
        return NULL;
}
