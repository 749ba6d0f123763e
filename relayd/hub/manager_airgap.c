/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What goes in and out by files, at a site without a cloud; see manager.h. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hub/manager_internal.h"
#include "relay/manifest.h"
#include "util/cleanup.h"

/* ---- events */
static bool starts_with(struct span text, struct span prefix)
{
        return text.size > prefix.size && span_equal(span_slice(text, 0, prefix.size), prefix);
}

/* events/<name>; or events1/<name>, whose payload has the key as a prefix (docs/protocol.md) */
static bool take_name(struct span rest, struct span payload, struct event_view *out)
{
        if (starts_with(rest, SPAN_LITERAL("events/"))) {
                out->name = span_slice(rest, 7, rest.size);
                out->payload = payload;
                return true;
        }
        if (!starts_with(rest, SPAN_LITERAL("events1/")))
                return false;
        out->name = span_slice(rest, 8, rest.size);
        out->payload = span_slice(payload, REPEATS_PREFIX_SIZE, payload.size);
        return true;
}

/* false: no event, or nothing that a PUBLISH could have brought */
static bool view_event(struct broker *b, const struct message *m, struct event_view *out)
{
        struct message_delivery delivery = { .qos = 1, .packet_id = 1 };
        struct topic_parts parts;
        struct mqtt_packet packet;
        struct writer w;
        size_t consumed;
        uint8_t reason;

        writer_init(&w, b->packet, sizeof(b->packet));
        message_write_publish(&w, m, &delivery, b->time);
        if (writer_finish(&w) != RELAY_OK ||
            mqtt_decode(writer_span(&w), MQTT_V5, BROKER_PACKET_MAX, &packet, &consumed, &reason) != RELAY_OK ||
            topic_parse(packet.publish.topic, &parts) != TOPIC_DEVICE ||
            !take_name(parts.rest, packet.publish.payload, out) ||
            !span_to_string(parts.device, out->device, sizeof(out->device)))
                return false;
        out->keyed = repeats_key(&packet, &parts, &out->boot, &out->seq);
        return true;
}

struct walk {
        struct broker *b;
        int (*fn)(void *context, const struct event_view *event);
        void *context;
        uint64_t next;
};

static int walk_one(void *context, uint64_t number, const struct message *message)
{
        struct walk *walk = context;
        struct event_view event = { .number = number, .time = message->received };
        int result = view_event(walk->b, message, &event) ? walk->fn(walk->context, &event) : 0;

        if (result == 0)
                walk->next = number + 1;
        return result;
}

int manager_walk_events(struct manager *m, uint64_t from, int (*fn)(void *context, const struct event_view *event),
                        void *context, uint64_t *next)
{
        struct walk walk = { m->broker, fn, context, from };
        int result = m->broker->outbox ? outbox_walk(m->broker->outbox, from, walk_one, &walk) : 0;

        *next = walk.next;
        return result < 0 ? result : 0;
}

int manager_drop_events(struct manager *m, const char *caller, uint64_t through, uint32_t *dropped,
                        struct refusal *refusal)
{
        char detail[80];
        int result;

        manager_refresh(m);
        if (m->cloud) {
                refusal->reason = REASON_NOT_AUTHORISED;
                snprintf(refusal->text, sizeof(refusal->text),
                         "the uplink takes the events of this relay; export them without --drop");
                return MANAGER_REFUSED;
        }
        result = m->broker->outbox ? outbox_drop(m->broker->outbox, through, MANAGER_DROP_MAX) : 0;
        if (result < 0)
                return result;
        *dropped = (uint32_t)result;
        if (result > 0) {
                snprintf(detail, sizeof(detail), "%d, up to number %" PRIu64, result, through);
                manager_audit(m, caller, AUDIT_EVENTS_DROPPED, "", detail);
        }
        return 0;
}

/* ---- checkpoints */
struct checkpoint_walk {
        int (*fn)(void *context, uint64_t records, struct span checkpoint);
        void *context;
};

static int walk_checkpoint(void *context, struct span key, struct span value)
{
        const struct checkpoint_walk *walk = context;
        struct reader r;

        reader_init(&r, key);
        uint64_t records = reader_u64(&r);
        return reader_finish(&r) == RELAY_OK ? walk->fn(walk->context, records, value) : -EBADMSG;
}

int manager_walk_checkpoints(struct manager *m, uint64_t from,
                             int (*fn)(void *context, uint64_t records, struct span checkpoint), void *context)
{
        struct checkpoint_walk walk = { fn, context };
        uint8_t key[STORE_NUMBER_SIZE];
        int result = store_walk(m->store, STORE_CHECKPOINTS, store_number_key(from, key), walk_checkpoint, &walk);

        return result < 0 ? result : 0;
}

/* ---- updates */
/* Those that the update is for, if nobody names any: found by what the manifest says; verified is it later. */
static int devices_of_class(const struct manager *m, struct update_import *import, const char ***names)
{
        struct manifest_unverified manifest;

        if (manifest_decode(import->envelope, &manifest) != REASON_NONE)
                return 0;
        *names = calloc(m->registry.count + 1, sizeof(**names));
        if (!*names)
                return -ENOMEM;
        for (size_t i = 0; i < m->registry.count; i++) {
                const struct device *d = m->registry.sorted[i];
                if (d->registration == REGISTRATION_REGISTERED &&
                    memcmp(d->class_id, manifest.fields.class_id, CLASS_ID_SIZE) == 0)
                        (*names)[import->device_count++] = d->identity;
        }
        import->devices = *names;
        return 0;
}

int manager_import_update(struct manager *m, const char *caller, struct update_import *import,
                          uint8_t digest[SHA256_SIZE], uint32_t *next, uint32_t *blocks, struct refusal *refusal)
{
        _cleanup_free_ const char **names = NULL;
        int result;

        manager_refresh(m);
        result = import->device_count == 0 ? devices_of_class(m, import, &names) : 0;
        if (result == 0)
                result = updates_import(updater_updates(m->updater), caller, import, digest, refusal);
        if (result == 0)
                (void)updates_import_progress(updater_updates(m->updater), digest, next, blocks);
        return result;
}

int manager_import_image(struct manager *m, const uint8_t digest[SHA256_SIZE], uint32_t first, struct span bytes,
                         uint32_t *next, uint32_t *blocks, struct refusal *refusal)
{
        int result;

        manager_refresh(m);
        result = updates_import_image(updater_updates(m->updater), digest, first, bytes, refusal);
        if (result == 0)
                (void)updates_import_progress(updater_updates(m->updater), digest, next, blocks);
        return result;
}
