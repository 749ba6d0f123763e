/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What comes in about updates: offers, approvals, refusals, what devices say. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hub/flat_json.h"
#include "hub/updates_internal.h"

#define DETAIL_SIZE 256

enum reason updates_store_reason(int r)
{
        return r == 0 ? REASON_NONE : r == -ENOSPC || r == -E2BIG ? REASON_STORE_FULL : REASON_STORE_FAILED;
}

/* ---- refusals */

void updates_tell_refusal(struct updates *u, const char *device, const uint8_t digest[SHA256_SIZE], enum reason reason,
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
        updates_tell_refusal(u, device, digest, reason, AUDIT_UPDATE_REFUSED);
        return reason;
}

/* ---- waiting for what is needed to judge */

static void unpark(struct updates *u, size_t place)
{
        free(u->parked[place].bytes);
        memmove(&u->parked[place], &u->parked[place + 1], (--u->parked_count - place) * sizeof(u->parked[0]));
}

void updates_park(struct updates *u, const char *device, struct span bytes)
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
void updates_replay_parked(struct updates *u)
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

void updates_remove(struct updates *u, struct update *update, const char *why)
{
        uint8_t digest[SHA256_SIZE];
        char hex[2 * SHA256_SIZE + 1];

        memcpy(digest, update->digest, SHA256_SIZE);
        u->host.audit(u->host.context, AUDIT_ACTOR_RELAY, AUDIT_UPDATE_DROPPED,
                      span_to_hex(SPAN_OF(digest), hex, sizeof(hex)), why);
        updates_take_back(u, update);
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
                        updates_remove(u, u->table.updates[i], "made room for a newer update");
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
        /* without a clock the time of the offer is not known yet; updates_tick() learns it */
        bool trusted = u->host.time_trusted(u->host.context);
        struct update *update = update_new(manifest, trusted ? u->host.now(u->host.context) : 0);
        if (!update)
                return REASON_STORE_FAILED;
        enum reason reason = updates_store_reason(update_store(u->store, update));
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
                updates_replay_parked(u);
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
        if (u->anchors->vendor.epoch == 0) {
                updates_park(u, device, envelope);
                return REASON_VENDOR_KEYS_INVALID;
        }
        reason = manifest_verify(&manifest, &u->anchors->vendor, &verified);
        if (reason == REASON_NONE)
                reason = updates_take(u, device, &verified, NULL);
        return reason == REASON_NONE ? REASON_NONE : refuse_offer(u, device, manifest.digest, reason);
}

/* ---- denied */

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
        enum reason reason = updates_store_reason(update_store(u->store, update));
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
        u->gate_key = options->gate_key;
        u->gate_only = options->gate_only;
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
