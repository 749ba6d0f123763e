/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which entry decides, and what it says now. */

#include "policy/gate.h"

#include <string.h>

/* Who an entry is about, as an order: site, classes by id, devices by name. */
static int compare_scope(const struct gate_entry *a, const struct gate_entry *b)
{
        if (a->scope != b->scope)
                return a->scope < b->scope ? -1 : 1;
        switch (a->scope) {
        case GATE_SITE:
                return 0;
        case GATE_CLASS:
                return memcmp(a->class_id, b->class_id, CLASS_ID_SIZE);
        case GATE_DEVICE:
                return strcmp(a->device, b->device);
        }
        return 0;
}

static bool is_about(const struct gate_entry *entry, const struct gate_facts *facts)
{
        switch (entry->scope) {
        case GATE_SITE:
                return true;
        case GATE_CLASS:
                return facts->class_id && memcmp(entry->class_id, facts->class_id, CLASS_ID_SIZE) == 0;
        case GATE_DEVICE:
                return facts->device && strcmp(entry->device, facts->device) == 0;
        }
        return false;
}

const struct gate_entry *gate_find(const struct gate_settings *settings, const struct gate_facts *facts)
{
        const struct gate_entry *found = NULL;

        for (size_t i = 0; i < settings->count; i++) /* ascending: the last one is the most specific */
                if (is_about(&settings->entries[i], facts))
                        found = &settings->entries[i];
        return found;
}

static bool is_in_window(const struct gate_entry *entry, unsigned minute)
{
        const unsigned week = WEEK_DAYS * 1440;

        for (size_t i = 0; i < entry->window_count; i++)
                if ((minute + week - entry->windows[i].first) % week < entry->windows[i].minutes)
                        return true;
        return false;
}

static struct decision decide(const struct gate_entry *entry, const struct gate_facts *facts)
{
        switch (entry->state) {
        case GATE_CLOSED:
                break;
        case GATE_OPEN:
                if (entry->until == 0)
                        return DECISION_ALLOW;
                if (!facts->time_known)
                        return DECISION_DENY(REASON_NO_TRUSTED_TIME);
                return facts->now < entry->until ? DECISION_ALLOW : DECISION_DENY(REASON_GATE_CLOSED);
        case GATE_WINDOWS:
                if (!facts->time_known || !facts->minute_known)
                        return DECISION_DENY(REASON_NO_TRUSTED_TIME);
                return is_in_window(entry, facts->minute) ? DECISION_ALLOW : DECISION_DENY(REASON_OUTSIDE_WINDOW);
        }
        return DECISION_DENY(REASON_GATE_CLOSED);
}

struct decision gate_decide(const struct gate_settings *settings, const struct gate_facts *facts)
{
        const struct gate_entry *entry = gate_find(settings, facts);

        return entry ? decide(entry, facts) : DECISION_DENY(REASON_GATE_CLOSED);
}

uint64_t gate_open_entries(const struct gate_settings *settings, const struct gate_facts *facts)
{
        uint64_t bits = 0;

        for (size_t i = 0; i < settings->count; i++)
                if (decide(&settings->entries[i], facts).verdict == VERDICT_ALLOW)
                        bits |= UINT64_C(1) << i;
        return bits;
}

/* ---- changing them */

/* the entry's place, or where it belongs */
static size_t place_of(const struct gate_settings *settings, const struct gate_entry *scope, bool *found)
{
        size_t i = 0;

        while (i < settings->count && compare_scope(&settings->entries[i], scope) < 0)
                i++;
        *found = i < settings->count && compare_scope(&settings->entries[i], scope) == 0;
        return i;
}

const struct gate_entry *gate_entry_of(const struct gate_settings *settings, const struct gate_entry *scope)
{
        bool found;
        size_t place = place_of(settings, scope, &found);

        return found ? &settings->entries[place] : NULL;
}

bool gate_set(struct gate_settings *settings, const struct gate_entry *entry)
{
        bool found;
        size_t place = place_of(settings, entry, &found);

        if (!found) {
                if (settings->count == GATE_ENTRIES_MAX)
                        return false;
                memmove(&settings->entries[place + 1], &settings->entries[place],
                        (settings->count++ - place) * sizeof(*entry));
        }
        settings->entries[place] = *entry;
        return true;
}

bool gate_reset(struct gate_settings *settings, const struct gate_entry *scope)
{
        bool found;
        size_t place = place_of(settings, scope, &found);

        if (found)
                memmove(&settings->entries[place], &settings->entries[place + 1],
                        (--settings->count - place) * sizeof(*scope));
        return found;
}

static bool scope_is_valid(const struct gate_entry *entry)
{
        switch (entry->scope) {
        case GATE_SITE:
        case GATE_CLASS:
                return entry->device[0] == '\0';
        case GATE_DEVICE:
                return identity_is_device(span_of_string(entry->device));
        }
        return false;
}

bool gate_entry_is_valid(const struct gate_entry *entry)
{
        if (!scope_is_valid(entry) || entry->window_count > GATE_WINDOWS_MAX)
                return false;
        for (size_t i = 0; i < entry->window_count; i++)
                if (entry->windows[i].first >= WEEK_DAYS * 1440 || entry->windows[i].minutes < 1 ||
                    entry->windows[i].minutes > WEEK_DAYS * 1440)
                        return false;
        switch (entry->state) {
        case GATE_CLOSED:
                return entry->until == 0 && entry->window_count == 0;
        case GATE_OPEN:
                return entry->window_count == 0;
        case GATE_WINDOWS:
                return entry->until == 0 && entry->window_count > 0;
        }
        return false;
}
