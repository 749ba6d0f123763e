/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Updates as the bus shows them. */

#include <stdio.h>
#include <string.h>

#include "hub/updates_internal.h"

#define DAY_S 86400u

/* "rule 2: urgency security, 7 d after the offer, in Sun 02:00-04:00": of the first one that covers one of its devices
 */
static void describe_rule(const struct updates *u, const struct update *update, char out[VIEW_TEXT_MAX])
{
        char text[WEEK_TEXT_SIZE];
        int number = -1;

        for (size_t i = 0; i < update->device_count && number < 0; i++)
                (void)updates_rule(u, update, update->devices[i].name, &number);
        if (number < 0)
                return;
        const struct site_rule *rule = &u->anchors->policy.rules[number];
        size_t at = (size_t)snprintf(out, VIEW_TEXT_MAX, "rule %d: urgency %.*s", number + 1,
                                     (int)update->manifest.fields.urgency.size,
                                     (const char *)update->manifest.fields.urgency.data);
        if (rule->wait_s > 0 && at < VIEW_TEXT_MAX)
                at += (size_t)snprintf(out + at, VIEW_TEXT_MAX - at, ", %llu %s after the offer",
                                       (unsigned long long)(rule->wait_s % DAY_S ? rule->wait_s : rule->wait_s / DAY_S),
                                       rule->wait_s % DAY_S ? "s" : "d");
        for (size_t i = 0; i < rule->window_count && at < VIEW_TEXT_MAX; i++) {
                const struct week_window window = { rule->windows[i].first, rule->windows[i].minutes };
                at += (size_t)snprintf(out + at, VIEW_TEXT_MAX - at, "%s%s", i ? ", " : ", in ",
                                       week_format(&window, text));
        }
}

static void fill(const struct updates *u, const struct update *update, struct manager_update *out)
{
        const struct manifest_fields *fields = &update->manifest.fields;

        *out = (struct manager_update){
                .version = fields->version,
                .urgency = fields->urgency,
                .description = fields->description,
                .sequence = fields->sequence,
                .image_size = fields->image_size,
                .state = update_state_name(update->state),
                .received = update->received,
                .approval_count = (uint32_t)update->approval_count,
                .needed = (uint32_t)u->anchors->policy.threshold,
                .blocks = image_block_count(fields->image_size),
                .envelope = update->manifest.envelope,
                .why = update->denied ? update->why : "",
                .device_count = (uint32_t)update->device_count,
                .notes = span_of(update->notes, update->notes_size),
        };
        memcpy(out->digest, update->digest, SHA256_SIZE);
        memcpy(out->image_digest, fields->image_digest, SHA256_SIZE);
        for (size_t i = 0; i < update->approval_count; i++)
                memcpy(out->approvals[i], update->approvals[i].key_id, KEY_ID_SIZE);
        describe_rule(u, update, out->rule);
        (void)images_progress(u->images, fields->image_digest, &out->blocks_cached, &out->blocks);
}

size_t updates_count(const struct updates *u)
{
        return u->table.count;
}

void updates_at(const struct updates *u, size_t index, struct manager_update *out)
{
        fill(u, u->table.updates[index], out);
}

bool updates_find(const struct updates *u, const uint8_t digest[SHA256_SIZE], struct manager_update *out)
{
        const struct update *update = update_table_find(&u->table, digest);

        if (update)
                fill(u, update, out);
        return update != NULL;
}

/* The word of docs/dbus/; where a reason says more, its name. */
static const char *wait_word(enum update_wait wait, enum reason approval, enum reason refusal)
{
        if (wait == UPDATE_WAIT_APPROVAL && approval != REASON_NOT_APPROVED)
                return reason_name(approval);
        if (wait == UPDATE_WAIT_REFUSED && refusal != REASON_NONE)
                return reason_name(refusal);
        return update_wait_name(wait);
}

static const char *waits_for(const struct updates *u, const struct update *update, const struct update_device *device)
{
        uint8_t class_id[CLASS_ID_SIZE];
        struct update_facts facts = {
                .approval = device->approval,
                .denied = update->denied,
                .gate = updates_gate(u, update, device->name),
                .image_complete = images_complete(u->images, update->manifest.fields.image_digest),
                .status = device->record.installed ? UPDATE_STATUS_CONFIRMED : device->record.status,
        };

        if (!u->host.device(u->host.context, device->name, class_id, &facts.device_online))
                return reason_name(REASON_UNKNOWN_DEVICE);
        if (update->state == UPDATE_SUPERSEDED && !device->record.installed)
                return "superseded";
        return wait_word(update_wait(&facts), facts.approval.reason, device->record.reason);
}

bool updates_device_at(const struct updates *u, const uint8_t digest[SHA256_SIZE], size_t index,
                       struct manager_update_device *out)
{
        const struct update *update = update_table_find(&u->table, digest);

        if (!update || index >= update->device_count)
                return false;
        out->device = update->devices[index].name;
        out->waits_for = waits_for(u, update, &update->devices[index]);
        return true;
}
