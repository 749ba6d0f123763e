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

/* ---- k approvals, or a rule */

static struct decision decide_approvals(const struct updates *u, const struct update *update, const char *device)
{
        struct span approvals[SITE_APPROVERS_MAX];
        struct approval_facts facts = {
                .device = device,
                .epoch_floor = anchors_floor(u->anchors),
                .time_trusted = u->host.time_trusted(u->host.context),
                .now = u->host.now(u->host.context),
        };

        if (u->anchors->policy.epoch == 0)
                return DECISION_DENY(REASON_NOT_APPROVED);
        for (size_t i = 0; i < update->approval_count; i++)
                approvals[i] = span_of(update->approvals[i].sign1, update->approvals[i].size);
        if (device)
                (void)device_class(u, update, device, facts.class_id);
        return approval_decide(approvals, update->approval_count, update->digest, &u->anchors->policy, &facts);
}

/* Does this relay's gate answer for the device? Where tickets are needed, that is the gate that the policy names. */
static bool answers_for(const struct updates *u, const char *device, const uint8_t class_id[CLASS_ID_SIZE])
{
        const struct site_policy *policy = &u->anchors->policy;

        if (!policy->ticket_needed || !site_policy_gate(policy, device, class_id))
                return true;
        return u->gate_key && site_policy_is_gate(policy, u->gate_key, device, class_id);
}

bool updates_gate_answers(const struct updates *u)
{
        const struct site_policy *policy = &u->anchors->policy;

        for (size_t i = 0; i < policy->gate_count; i++)
                if (u->gate_key && key_equal(&policy->gates[i].key, u->gate_key))
                        return true;
        return !policy->ticket_needed || policy->gate_count == 0;
}

struct decision updates_rule(const struct updates *u, const struct update *update, const char *device, int *rule)
{
        const struct gate_facts now = gate_facts(u->gate, u->host.time_trusted(u->host.context),
                                                 u->host.now(u->host.context));
        uint8_t class_id[CLASS_ID_SIZE];

        *rule = -1;
        if (u->anchors->policy.rule_count == 0)
                return DECISION_DENY(REASON_NOT_APPROVED);
        (void)device_class(u, update, device, class_id);
        const struct rule_facts facts = {
                .urgency = update->manifest.fields.urgency,
                .device = device,
                .class_id = class_id,
                .is_gate = answers_for(u, device, class_id),
                .time_known = now.time_known,
                .now = now.now,
                .received = update->received,
                .minute_known = now.minute_known,
                .minute = now.minute,
        };
        return rule_decide(&u->anchors->policy, &facts, rule);
}

/* Approvals first; where they do not suffice, what a rule that covers the device says. */
static struct decision decide_device(const struct updates *u, const struct update *update, const char *device,
                                     struct decision signed_by)
{
        int rule;

        if (signed_by.verdict == VERDICT_ALLOW)
                return signed_by;
        struct decision by_rule = updates_rule(u, update, device, &rule);
        return rule >= 0 ? by_rule : signed_by;
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

/* Can its decision change by time alone? */
static bool is_timed(const struct updates *u, const struct update *update)
{
        return !update->denied && (has_windows(update) || u->anchors->policy.rule_count > 0);
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
                if (other != update && !other->denied && !other->leaving && same_class(other, update) &&
                    other->manifest.fields.sequence > update->manifest.fields.sequence &&
                    (!approved || other->approval.verdict == VERDICT_ALLOW))
                        return true;
        }
        return false;
}

static enum update_state state_of(const struct updates *u, const struct update *update)
{
        if (update->denied || update->leaving)
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

static void sign_all(struct updates *u, struct update *update)
{
        bool uniform = all_for_the_site(update);

        update->signed_by = decide_approvals(u, update, NULL);
        for (size_t i = 0; i < update->device_count; i++)
                update->devices[i].signed_by = uniform ? update->signed_by
                                                       : decide_approvals(u, update, update->devices[i].name);
}

/* For the update as a whole a rule counts as soon as it approves it for one of its devices. */
static struct decision decide_whole(const struct update *update)
{
        struct decision decision = update->signed_by;

        for (size_t i = 0; i < update->device_count && decision.verdict != VERDICT_ALLOW; i++) {
                const struct update_device *device = &update->devices[i];
                if (device->signed_by.verdict != VERDICT_ALLOW &&
                    (device->approval.verdict == VERDICT_ALLOW || device->approval.reason != device->signed_by.reason))
                        decision = device->approval;
        }
        return decision;
}

/* Decides anew; says whether any answer is another one. approvals: verify them, too. */
static bool decide_all(struct updates *u, struct update *update, bool approvals)
{
        bool changed = false;

        if (approvals)
                sign_all(u, update);
        for (size_t i = 0; i < update->device_count; i++) {
                struct update_device *device = &update->devices[i];
                struct decision next = decide_device(u, update, device->name, device->signed_by);
                changed = take_decision(&device->approval, next) || changed;
        }
        return take_decision(&update->approval, decide_whole(update)) || changed;
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

        if (u->gate_only)
                return;
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
        if (!answers_for(u, device, class_id))
                return DECISION_ALLOW; /* the device asks another gate */
        facts.device = device;
        facts.class_id = class_id;
        return gate_decide(&u->gate->settings, &facts);
}

static bool may_show(const struct updates *u, const struct update *update, const struct update_device *device)
{
        uint8_t class_id[CLASS_ID_SIZE];

        if (u->gate_only || update->state != UPDATE_APPROVED || device->approval.verdict != VERDICT_ALLOW ||
            device->record.installed)
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
        if (update->state == UPDATE_APPROVED)
                u->host.approved(u->host.context, &update->manifest);
        updates_answer(u, update);
        for (size_t i = 0; i < update->device_count; i++) {
                updates_refresh_device(u, update->devices[i].name);
                if (update->devices[i].changed)
                        (void)update_store_device(u->store, update, &update->devices[i]);
        }
        u->host.changed(u->host.context, update->digest);
}

void updates_evaluate(struct updates *u, struct update *update)
{
        (void)decide_all(u, update, true);
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
                (void)decide_all(u, u->table.updates[i], true);
        for (size_t i = 0; i < u->table.count; i++)
                u->table.updates[i]->state = state_of(u, u->table.updates[i]);
        for (size_t i = 0; i < u->table.count; i++)
                finish(u, u->table.updates[i]);
}

/* The time of an offer that came before the clock was set is that of the clock's first word. */
static void learn_received(struct updates *u, struct update *update)
{
        if (update->received > 0 || !u->host.time_trusted(u->host.context))
                return;
        update->received = u->host.now(u->host.context);
        (void)update_store(u->store, update); /* a full store: learnt again after the next start */
        updates_answer(u, update);
}

void updates_tick(struct updates *u)
{
        uint64_t now_ms = u->host.now_ms(u->host.context);

        if (now_ms - u->checked_ms < WINDOW_CHECK_MS)
                return;
        u->checked_ms = now_ms;
        for (size_t i = 0; i < u->table.count; i++) {
                struct update *update = u->table.updates[i];
                learn_received(u, update);
                if (is_timed(u, update) && decide_all(u, update, has_windows(update)))
                        updates_evaluate(u, update);
        }
}

uint64_t updates_deadline(const struct updates *u)
{
        for (size_t i = 0; i < u->table.count; i++)
                if (is_timed(u, u->table.updates[i]))
                        return u->checked_ms + WINDOW_CHECK_MS;
        return UINT64_MAX;
}

/* ---- tickets */

struct decision updates_verdict(struct updates *u, const char *name, const uint8_t digest[SHA256_SIZE])
{
        const struct update *update = update_table_find(&u->table, digest);
        const struct update_device *device = update ? update_find_device(update, name) : NULL;
        uint8_t class_id[CLASS_ID_SIZE];

        if (!device || update->state == UPDATE_SUPERSEDED)
                return DECISION_DENY(REASON_UNKNOWN_UPDATE);
        if (update->denied)
                return DECISION_DENY(REASON_DENIED);
        if (!device_class(u, update, name, class_id))
                return DECISION_DENY(REASON_UNKNOWN_DEVICE);
        if (memcmp(class_id, update->manifest.fields.class_id, CLASS_ID_SIZE) != 0)
                return DECISION_DENY(REASON_WRONG_CLASS);
        /* asked now, not at the last look: a window may have ended since */
        struct decision decision = decide_device(u, update, name, decide_approvals(u, update, name));
        return decision.verdict == VERDICT_ALLOW ? updates_gate(u, update, name) : decision;
}
