/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The site's devices; see registry.h. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hub/flat_json.h"
#include "hub/registry.h"
#include "util/array.h"

static bool device_equal(const struct table_entry *entry, const void *key)
{
        return span_equal_string(*(const struct span *)key, container_of(entry, const struct device, entry)->identity);
}

struct device *registry_find(const struct registry *registry, struct span identity)
{
        struct table_entry *e = table_find(&registry->by_identity, table_hash(identity), device_equal, &identity);

        return e ? container_of(e, struct device, entry) : NULL;
}

bool device_must_prove(const struct device *d)
{
        return d->proved || d->level != FACTORY_NO_ATTESTATION;
}

static size_t place_of(const struct registry *registry, const char *identity)
{
        size_t low = 0, high = registry->count;

        while (low < high) {
                size_t middle = low + (high - low) / 2;
                if (strcmp(registry->sorted[middle]->identity, identity) < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

static int add(struct registry *registry, const struct device *device)
{
        struct device *d = malloc(sizeof(*d));
        size_t place;

        if (!d)
                return -ENOMEM;
        *d = *device;
        if (array_reserve(registry->sorted, registry->count, registry->size) < 0 ||
            table_insert(&registry->by_identity, &d->entry, table_hash(span_of_string(d->identity))) < 0) {
                free(d);
                return -ENOMEM;
        }
        place = place_of(registry, d->identity);
        memmove(&registry->sorted[place + 1], &registry->sorted[place],
                (registry->count - place) * sizeof(struct device *));
        registry->sorted[place] = d;
        registry->count++;
        registry->pending += d->registration == REGISTRATION_PENDING;
        return 0;
}

static int load_one(void *context, struct span key, struct span value)
{
        struct device d = { .update_reason = "none" };
        int result = device_record_read(key, value, &d);

        return result < 0 ? result : add(context, &d);
}

int registry_load(struct registry *registry, struct store *store)
{
        *registry = (struct registry){ .store = store };
        return store_walk(store, STORE_DEVICES, SPAN_EMPTY, load_one, registry);
}

void registry_release(struct registry *registry)
{
        for (size_t i = 0; i < registry->count; i++)
                free(registry->sorted[i]);
        free(registry->sorted);
        table_release(&registry->by_identity);
}

void registry_view(const struct device *d, struct device_view *out)
{
        *out = (struct device_view){
                .identity = d->identity,
                .registration = d->registration,
                .online = d->sessions > 0,
                .since = d->since,
                .peer = d->sessions > 0 ? d->peer : "",
                .version = d->version,
                .boot = d->boot,
                .trust = attestation_trust_name(d->trust),
                .attestation = attestation_level_name(d->level),
                .quarantine = d->quarantine == REASON_NONE ? "" : reason_name(d->quarantine),
                .proved_sequence = d->evidence.sequence,
                .proved_time = d->evidence.time,
                .rotation = d->rotation,
                .update_checks = d->relay_checks ? "relay" : "device",
                .update_state = d->update_state,
                .update_progress = d->update_progress,
                .update_reason = d->update_reason,
        };
        memcpy(out->image_digest, d->image_digest, sizeof(out->image_digest));
        if (d->pinned)
                span_to_hex(SPAN_OF(d->fingerprint), out->fingerprint, sizeof(out->fingerprint));
        if (d->evidence.there)
                span_to_hex(SPAN_OF(d->evidence.image), out->proved_image, sizeof(out->proved_image));
}

/* ---- changes: written first, then believed */
int registry_change(struct registry *registry, struct device *d, const struct device *to)
{
        int result = device_record_write(registry->store, to);

        if (result < 0)
                return result;
        registry->pending -= d->registration == REGISTRATION_PENDING;
        registry->pending += to->registration == REGISTRATION_PENDING;
        *d = *to;
        return 0;
}

static int put(struct registry *registry, const struct device *d)
{
        int result = device_record_write(registry->store, d);

        return result < 0 ? result : add(registry, d);
}

static int import_one(struct registry *registry, const struct factory_list *list, const struct factory_device *from,
                      uint64_t now, uint32_t *added, uint32_t *known)
{
        struct device *old = registry_find(registry, span_of_string(from->identity)), d = { 0 };
        int result;

        if (old)
                d = *old;
        if (old && old->registration != REGISTRATION_PENDING) {
                ++*known;
                if (from->attestation <= d.level || !key_equal(&d.key, &from->key))
                        return 0;
                d.level = from->attestation;
                return registry_change(registry, old, &d);
        }
        memcpy(d.identity, from->identity, sizeof(d.identity));
        d.registration = REGISTRATION_REGISTERED;
        d.time = now;
        d.pinned = true;
        d.relay_checks = from->relay_checks;
        d.level = from->attestation;
        d.key = from->key;
        memcpy(d.vendor_id, list->vendor_id, sizeof(d.vendor_id));
        memcpy(d.class_id, from->class_id, sizeof(d.class_id));
        if (!old)
                snprintf(d.update_reason, sizeof(d.update_reason), "%s", reason_name(REASON_NONE));
        if (key_fingerprint(&d.key, d.fingerprint) != RELAY_OK)
                return -EBADMSG;
        result = old ? registry_change(registry, old, &d) : put(registry, &d);
        if (result == 0)
                ++*added;
        return result;
}

int registry_import(struct registry *registry, struct span bytes, uint64_t now, uint32_t *added, uint32_t *known,
                    struct refusal *refusal)
{
        struct factory_device device;
        struct factory_list list;
        int result = 0;

        *added = *known = 0;
        if (factory_list_decode(bytes, &list) != RELAY_OK)
                return refusal_set(refusal, REASON_MALFORMED, "the file is no factory list; make one with fwtool");
        while (result == 0 && factory_list_next(&list, &device))
                result = import_one(registry, &list, &device, now, added, known);
        return result;
}

int registry_note_pending(struct registry *registry, const char *identity, const struct public_key *key,
                          const uint8_t fingerprint[SHA256_SIZE], uint64_t now)
{
        struct device *old = registry_find(registry, span_of_string(identity)), d = { .update_reason = "none" };

        if (old)
                d = *old;
        snprintf(d.identity, sizeof(d.identity), "%s", identity);
        d.registration = REGISTRATION_PENDING;
        d.time = now;
        d.pinned = true;
        d.relay_checks = true;
        d.key = *key;
        memcpy(d.fingerprint, fingerprint, SHA256_SIZE);
        return old ? registry_change(registry, old, &d) : put(registry, &d);
}

int registry_admit(struct registry *registry, const char *identity, uint64_t now, struct refusal *refusal)
{
        struct device *old = registry_find(registry, span_of_string(identity)), d;

        if (!old)
                return refusal_set(refusal, REASON_UNKNOWN_DEVICE,
                                   "no device \"%s\" asked to be admitted; relayctl devices lists those that did",
                                   identity);
        if (old->registration == REGISTRATION_REVOKED)
                return refusal_set(refusal, REASON_REVOKED_DEVICE,
                                   "device \"%s\" was revoked; give the hardware a new identity at the factory",
                                   identity);
        if (old->registration == REGISTRATION_REGISTERED)
                return 0;
        d = *old;
        d.registration = REGISTRATION_REGISTERED;
        d.time = now;
        return registry_change(registry, old, &d);
}

int registry_revoke(struct registry *registry, const char *identity, const char *why, uint64_t now,
                    struct refusal *refusal)
{
        struct device *old = registry_find(registry, span_of_string(identity)), d;

        if (!old)
                return refusal_set(refusal, REASON_UNKNOWN_DEVICE,
                                   "no device \"%s\" is known; relayctl devices lists them", identity);
        d = *old;
        d.registration = REGISTRATION_REVOKED;
        d.time = now;
        snprintf(d.why, sizeof(d.why), "%s", why);
        return registry_change(registry, old, &d);
}

/* ---- what devices tell */
static void copy_text(const struct flat_json *json, const char *name, char *out, size_t size)
{
        struct span text = flat_json_string(json, name);

        if (text.size && !span_to_string(text, out, size))
                out[0] = 0;
}

bool registry_told(struct registry *registry, struct span identity, struct span rest, struct span payload)
{
        struct device *d = registry_find(registry, identity);
        bool state = span_equal_string(rest, "state/relay"), status = span_equal_string(rest, "updates/status");
        struct flat_json json;

        if (!d || (!state && !status) || flat_json_decode(payload, &json) != RELAY_OK)
                return false;
        if (state) {
                copy_text(&json, "version", d->version, sizeof(d->version));
                copy_text(&json, "image", d->image_digest, sizeof(d->image_digest));
                if (d->trust == TRUST_FRONT_END) /* else it was proven */
                        d->boot = flat_json_number(&json, "boot", d->boot);
        } else {
                uint64_t progress = flat_json_number(&json, "progress", 0);
                copy_text(&json, "state", d->update_state, sizeof(d->update_state));
                copy_text(&json, "reason", d->update_reason, sizeof(d->update_reason));
                d->update_progress = progress > 100 ? 100 : (uint32_t)progress;
        }
        return true;
}
