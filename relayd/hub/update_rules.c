/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Decides what an update is and who may see it; everything here can be repeated at any time. */

#include <string.h>

#include "hub/updates_internal.h"

#define WINDOW_CHECK_MS 10000u /* how late the end of an approval's window may be noticed */

/* The device's class; what the manifest was signed for stands in for one the registry does not know. Registered? */
static bool device_class(const struct updates *u, const struct update *update, const char *device,
                         uint8_t class_id[CLASS_ID_SIZE])
{
        static const uint8_t unknown[CLASS_ID_SIZE];
        bool online;

        memset(class_id, 0, CLASS_ID_SIZE);
        bool registered = u->host.device(u->host.context, device, class_id, &online);
        if (memcmp(class_id, unknown, CLASS_ID_SIZE) == 0)
                memcpy(class_id, update->manifest.fields.class_id, CLASS_ID_SIZE);
        return registered;
}

static struct decision decide(const struct updates *u, const struct update *update, const char *device)
{
        struct span approvals[SITE_APPROVERS_MAX];
        struct approval_facts facts = {
                .device = device,
                .time_trusted = u->host.time_trusted(u->host.context),
                .now = u->host.now(u->host.context),
        };

        if (!u->anchors->policy_set)
                return DECISION_DENY(REASON_NOT_APPROVED);
        for (size_t i = 0; i < update->approval_count; i++)
                approvals[i] = span_of(update->approvals[i].sign1, update->approvals[i].size);
        if (device)
                (void)device_class(u, update, device, facts.class_id);
        return approval_decide(approvals, update->approval_count, update->digest, &u->anchors->policy, &facts);
}

static bool all_for_the_site(const struct update *update)
{
        for (size_t i = 0; i < update->approval_count; i++)
                if (update->approvals[i].content.scope != SCOPE_SITE)
                        return false;
        return true;
}

static bool has_windows(const struct update *update)
{
        for (size_t i = 0; i < update->approval_count; i++)
                if (update->approvals[i].content.has_not_before || update->approvals[i].content.has_not_after)
                        return true;
        return false;
}

static bool same_class(const struct update *a, const struct update *b)
{
        return memcmp(a->manifest.fields.class_id, b->manifest.fields.class_id, CLASS_ID_SIZE) == 0 &&
               memcmp(a->manifest.fields.vendor_id, b->manifest.fields.vendor_id, VENDOR_ID_SIZE) == 0;
}

/* Only an approved newer one supersedes an approved one: what nobody approved displaces nothing. */
static bool is_superseded(const struct updates *u, const struct update *update)
{
        bool approved = update->approval.verdict == VERDICT_ALLOW;

        for (size_t i = 0; i < u->table.count; i++) {
                const struct update *other = u->table.updates[i];
                if (other != update && !other->denied && same_class(other, update) &&
                    other->manifest.fields.sequence > update->manifest.fields.sequence &&
                    (!approved || other->approval.verdict == VERDICT_ALLOW))
                        return true;
        }
        return false;
}

static enum update_state state_of(const struct updates *u, const struct update *update)
{
        if (update->denied)
                return UPDATE_DENIED;
        if (is_superseded(u, update))
                return UPDATE_SUPERSEDED;
        return update->approval.verdict == VERDICT_ALLOW ? UPDATE_APPROVED : UPDATE_PENDING;
}

static bool take_decision(struct decision *decision, struct decision next)
{
        bool changed = decision->verdict != next.verdict || decision->reason != next.reason;

        *decision = next;
        return changed;
}

/* Asks approval_decide() anew; says whether any answer is another one. */
static bool decide_all(struct updates *u, struct update *update)
{
        bool uniform = all_for_the_site(update);
        bool changed = take_decision(&update->approval, decide(u, update, NULL));

        for (size_t i = 0; i < update->device_count; i++) {
                struct update_device *device = &update->devices[i];
                struct decision next = uniform ? update->approval : decide(u, update, device->name);
                changed = take_decision(&device->approval, next) || changed;
        }
        return changed;
}

/* ---- images */

static bool needs_image(const struct update *update)
{
        return update->state == UPDATE_APPROVED || (update->state == UPDATE_PENDING && update->imported);
}

void updates_release_image(struct updates *u, const struct update *update)
{
        const uint8_t *image = update->manifest.fields.image_digest;

        for (size_t i = 0; i < u->table.count; i++)
                if (u->table.updates[i] != update && needs_image(u->table.updates[i]) &&
                    memcmp(u->table.updates[i]->manifest.fields.image_digest, image, SHA256_SIZE) == 0)
                        return;
        images_drop(u->images, image);
}

static void manage_image(struct updates *u, const struct update *update)
{
        const struct manifest_fields *fields = &update->manifest.fields;

        switch (update->state) {
        case UPDATE_APPROVED:
                if (images_want(u->images, fields->image_digest, fields->image_size, fields->block_list_digest,
                                u->host.now_ms(u->host.context)) < 0)
                        u->host.alert(
                                u->host.context, "", REASON_STORE_FULL,
                                "the image of an approved update cannot be fetched: the image cache is full; deny "
                                "updates that are not wanted any more");
                break;
        case UPDATE_DENIED:
        case UPDATE_SUPERSEDED:
                updates_release_image(u, update);
                break;
        case UPDATE_PENDING:
                /* what came in a file waits here for its approvals */
                if (update->imported &&
                    images_keep(u->images, fields->image_digest, fields->image_size, fields->block_list_digest) < 0)
                        u->host.alert(u->host.context, "", REASON_STORE_FULL,
                                      "the image of an imported update cannot be kept: the image cache is full; deny "
                                      "updates that are not wanted any more, and import it again");
                /* its approvals may be outside their window only: what is fetched stays */
                break;
        }
}

/* ---- offers on the devices' own topics */

struct decision updates_gate(const struct updates *u, const struct update *update, const char *device)
{
        struct gate_facts facts = gate_facts(u->gate, u->host.time_trusted(u->host.context),
                                             u->host.now(u->host.context));
        uint8_t class_id[CLASS_ID_SIZE];

        (void)device_class(u, update, device, class_id);
        facts.device = device;
        facts.class_id = class_id;
        return gate_decide(&u->gate->settings, &facts);
}

static bool may_show(const struct updates *u, const struct update *update, const struct update_device *device)
{
        uint8_t class_id[CLASS_ID_SIZE];

        if (update->state != UPDATE_APPROVED || device->approval.verdict != VERDICT_ALLOW || device->record.installed)
                return false;
        if (!device_class(u, update, device->name, class_id) ||
            memcmp(class_id, update->manifest.fields.class_id, CLASS_ID_SIZE) != 0)
                return false;
        return updates_gate(u, update, device->name).verdict == VERDICT_ALLOW &&
               images_complete(u->images, update->manifest.fields.image_digest);
}

static void stage_device(struct updates *u, const struct update *update, struct update_device *device)
{
        /* a full store leaves it marked: the next evaluation stages it */
        device->changed = true;
        (void)update_store_device(u->store, update, device);
}

void updates_refresh_device(struct updates *u, const char *name)
{
        const struct update *best = NULL, *shown = NULL;
        char topic[TOPIC_MAX];

        for (size_t i = 0; i < u->table.count; i++) {
                const struct update *update = u->table.updates[i];
                const struct update_device *device = update_find_device(update, name);
                if (device && device->record.shown)
                        shown = update;
                if (device && may_show(u, update, device) &&
                    (!best || best->manifest.fields.sequence < update->manifest.fields.sequence))
                        best = update;
        }
        if (best == shown)
                return;
        topic_device(topic, u->site, name, "updates/offer");
        if (u->host.publish_local(u->host.context, topic, best ? best->manifest.envelope : SPAN_EMPTY) < 0)
                return; /* said by whoever failed; tried again at the next evaluation */
        for (size_t i = 0; i < u->table.count; i++) {
                struct update_device *device = update_find_device(u->table.updates[i], name);
                if (!device || device->record.shown == (u->table.updates[i] == best))
                        continue;
                device->record.shown = u->table.updates[i] == best;
                stage_device(u, u->table.updates[i], device);
                u->host.changed(u->host.context, u->table.updates[i]->digest);
        }
}

static void finish(struct updates *u, struct update *update)
{
        manage_image(u, update);
        for (size_t i = 0; i < update->device_count; i++) {
                updates_refresh_device(u, update->devices[i].name);
                if (update->devices[i].changed)
                        (void)update_store_device(u->store, update, &update->devices[i]);
        }
        u->host.changed(u->host.context, update->digest);
}

void updates_evaluate(struct updates *u, struct update *update)
{
        (void)decide_all(u, update);
        /* its decision may change what others of the class are */
        for (size_t i = 0; i < u->table.count; i++) {
                struct update *other = u->table.updates[i];
                enum update_state state = state_of(u, other);
                if (state == other->state && other != update)
                        continue;
                other->state = state;
                if (other != update)
                        finish(u, other);
        }
        finish(u, update);
}

void updates_evaluate_all(struct updates *u)
{
        for (size_t i = 0; i < u->table.count; i++)
                (void)decide_all(u, u->table.updates[i]);
        for (size_t i = 0; i < u->table.count; i++)
                u->table.updates[i]->state = state_of(u, u->table.updates[i]);
        for (size_t i = 0; i < u->table.count; i++)
                finish(u, u->table.updates[i]);
}

void updates_tick(struct updates *u)
{
        uint64_t now_ms = u->host.now_ms(u->host.context);

        if (now_ms - u->checked_ms < WINDOW_CHECK_MS)
                return;
        u->checked_ms = now_ms;
        for (size_t i = 0; i < u->table.count; i++) {
                struct update *update = u->table.updates[i];
                if (!update->denied && has_windows(update) && decide_all(u, update))
                        updates_evaluate(u, update);
        }
}

uint64_t updates_deadline(const struct updates *u)
{
        for (size_t i = 0; i < u->table.count; i++)
                if (!u->table.updates[i]->denied && has_windows(u->table.updates[i]))
                        return u->checked_ms + WINDOW_CHECK_MS;
        return UINT64_MAX;
}

/* ---- signed objects on their topics */

void updates_publish_approval(struct updates *u, const struct update *update, const struct update_approval *approval,
                              bool to_cloud)
{
        char topic[TOPIC_MAX];
        struct span sign1 = span_of(approval->sign1, approval->size);

        topic_approval(topic, u->site, update->digest, approval->key_id);
        (void)u->host.publish_local(u->host.context, topic, sign1);
        if (to_cloud)
                (void)u->host.publish_cloud(u->host.context, topic, sign1);
}
