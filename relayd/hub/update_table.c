/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hub/update_table.h"
#include "util/array.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct update *update_new(const struct manifest_verified *manifest, uint64_t received)
{
        struct update *update = calloc(1, sizeof(*update));
        struct manifest_unverified copy;

        if (!update)
                return NULL;
        update->bytes = malloc(manifest->envelope.size);
        if (!update->bytes)
                return update_free(update);
        memcpy(update->bytes, manifest->envelope.data, manifest->envelope.size);
        memcpy(update->digest, manifest->digest, SHA256_SIZE);
        update->received = received;
        update->manifest = *manifest;
        update->manifest.envelope = span_of(update->bytes, manifest->envelope.size);
        /* the same bytes were verified: decoding again only moves the spans to the copy */
        if (manifest_decode(update->manifest.envelope, &copy) != REASON_NONE)
                return update_free(update);
        update->manifest.fields = copy.fields;
        return update;
}

struct update *update_free(struct update *update)
{
        if (update) {
                for (size_t i = 0; i < update->approval_count; i++)
                        free(update->approvals[i].sign1);
                free(update->devices);
                free(update->notes);
                free(update->bytes);
                free(update);
        }
        return NULL;
}

int update_set_imported(struct update *update, struct span notes)
{
        char *copy = malloc(notes.size + 1);

        if (!copy)
                return -ENOMEM;
        if (notes.size > 0)
                memcpy(copy, notes.data, notes.size);
        free(update->notes);
        update->notes = copy;
        update->notes_size = notes.size;
        update->imported = true;
        return 0;
}

/* the device's place, or where it belongs */
static size_t device_place(const struct update *update, const char *device, bool *found)
{
        size_t low = 0, high = update->device_count;

        *found = false;
        while (low < high) {
                size_t middle = low + (high - low) / 2;
                int order = strcmp(update->devices[middle].name, device);
                if (order == 0) {
                        *found = true;
                        return middle;
                }
                if (order < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

struct update_device *update_find_device(const struct update *update, const char *device)
{
        bool found;
        size_t place = device_place(update, device, &found);

        return found ? &update->devices[place] : NULL;
}

struct update_device *update_add_device(struct update *update, const char *device, size_t max)
{
        bool found;
        size_t place = device_place(update, device, &found);

        if (found)
                return &update->devices[place];
        if (update->device_count >= max || strlen(device) > IDENTITY_MAX)
                return NULL;
        if (array_reserve(update->devices, update->device_count, update->device_room) < 0)
                return NULL;
        struct update_device *entry = &update->devices[place];
        memmove(entry + 1, entry, (update->device_count - place) * sizeof(*entry));
        update->device_count++;
        *entry = (struct update_device){ .changed = true };
        snprintf(entry->name, sizeof(entry->name), "%s", device);
        return entry;
}

struct update_approval *update_find_approval(struct update *update, size_t approver)
{
        for (size_t i = 0; i < update->approval_count; i++)
                if (update->approvals[i].approver == approver)
                        return &update->approvals[i];
        return NULL;
}

void update_remove_approval(struct update *update, size_t place)
{
        free(update->approvals[place].sign1);
        memmove(&update->approvals[place], &update->approvals[place + 1],
                (--update->approval_count - place) * sizeof(update->approvals[0]));
}

const char *update_state_name(enum update_state state)
{
        static const char *const names[] = {
                [UPDATE_PENDING] = "pending",
                [UPDATE_APPROVED] = "approved",
                [UPDATE_DENIED] = "denied",
                [UPDATE_SUPERSEDED] = "superseded",
        };

        return names[state];
}

int update_set_approval(struct update *update, const struct approval *content, size_t approver,
                        const uint8_t key_id[KEY_ID_SIZE], struct span sign1)
{
        struct update_approval *entry = update_find_approval(update, approver);

        if (!entry && update->approval_count == SITE_APPROVERS_MAX)
                return -ENOSPC;
        uint8_t *copy = malloc(sign1.size);
        if (!copy)
                return -ENOMEM;
        memcpy(copy, sign1.data, sign1.size);
        if (entry)
                free(entry->sign1);
        else
                entry = &update->approvals[update->approval_count++];
        *entry = (struct update_approval){
                .approver = approver, .content = *content, .sign1 = copy, .size = sign1.size
        };
        memcpy(entry->key_id, key_id, KEY_ID_SIZE);
        return 0;
}

int update_table_init(struct update_table *table, size_t max)
{
        table->updates = calloc(max, sizeof(*table->updates));
        table->count = 0;
        table->max = max;
        return table->updates ? 0 : -ENOMEM;
}

void update_table_clear(struct update_table *table)
{
        for (size_t i = 0; i < table->count; i++)
                update_free(table->updates[i]);
        free(table->updates);
        *table = (struct update_table){ 0 };
}

struct update *update_table_find(const struct update_table *table, const uint8_t digest[SHA256_SIZE])
{
        for (size_t i = 0; i < table->count; i++)
                if (memcmp(table->updates[i]->digest, digest, SHA256_SIZE) == 0)
                        return table->updates[i];
        return NULL;
}

int update_table_add(struct update_table *table, struct update *update)
{
        size_t place = table->count;

        if (table->count == table->max)
                return -ENOSPC;
        for (; place > 0 && table->updates[place - 1]->received > update->received; place--)
                table->updates[place] = table->updates[place - 1];
        table->updates[place] = update;
        table->count++;
        return 0;
}

void update_table_remove(struct update_table *table, struct update *update)
{
        for (size_t i = 0; i < table->count; i++) {
                if (table->updates[i] != update)
                        continue;
                memmove(&table->updates[i], &table->updates[i + 1], (--table->count - i) * sizeof(*table->updates));
                update_free(update);
                return;
        }
}
