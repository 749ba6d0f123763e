/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The gate's settings: what people ask for, and what time does to them. */

#include "hub/updater_internal.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* ---- time */

struct gate_facts updater_gate_facts(const struct updater *u)
{
        return gate_facts(&u->gate, u->host.time_trusted(u->host.context), u->host.now_s(u->host.context));
}

/* What opened or closed by itself is in the audit log like what people did. */
static void tell_gate(struct updater *u, const struct gate_entry *entry, bool open)
{
        char scope[GATE_SCOPE_SIZE];

        u->host.audit(u->host.context, AUDIT_ACTOR_RELAY, open ? AUDIT_GATE_OPENED : AUDIT_GATE_CLOSED,
                      entry->scope == GATE_SITE ? "gate" : gate_scope_text(entry, scope),
                      open                        ? "its window begins"
                      : entry->state == GATE_OPEN ? "its time is over"
                                                  : "its window is over");
}

/* Also when the clock jumped: open and closed are compared, not the time. */
void updater_gate_tick(struct updater *u)
{
        const struct gate_facts facts = updater_gate_facts(u);
        uint64_t open = gate_open_entries(&u->gate.settings, &facts), change = open ^ u->gate_open;

        if (change == 0)
                return;
        u->gate_open = open;
        for (size_t i = 0; i < u->gate.settings.count; i++)
                if (change >> i & 1)
                        tell_gate(u, &u->gate.settings.entries[i], open >> i & 1);
        updates_gate_changed(u->updates);
        u->host.changed(u->host.context, NULL);
}

/* Somebody changed the settings: every offer is looked at again. */
static void look_again(struct updater *u)
{
        const struct gate_facts facts = updater_gate_facts(u);

        u->gate_open = gate_open_entries(&u->gate.settings, &facts);
        updates_gate_changed(u->updates);
        u->host.changed(u->host.context, NULL);
}

/* How long an entry stays as it is, in seconds: a minute at most where the week's windows matter. */
static uint64_t entry_rest(const struct gate_entry *entry, const struct gate_facts *facts)
{
        switch (entry->state) {
        case GATE_CLOSED:
                return UINT64_MAX;
        case GATE_OPEN:
                if (entry->until == 0 || !facts->time_known || entry->until <= facts->now)
                        return UINT64_MAX;
                return entry->until - facts->now;
        case GATE_WINDOWS:
                return facts->time_known ? 60 - facts->now % 60 : UINT64_MAX;
        }
        return UINT64_MAX;
}

uint64_t updater_gate_deadline(const struct updater *u)
{
        const struct gate_facts facts = updater_gate_facts(u);
        uint64_t rest = UINT64_MAX;

        for (size_t i = 0; i < u->gate.settings.count; i++) {
                uint64_t own = entry_rest(&u->gate.settings.entries[i], &facts);
                rest = own < rest ? own : rest;
        }
        return rest < UINT32_MAX ? u->host.now_ms(u->host.context) + rest * 1000 : UINT64_MAX;
}

/* ---- what people ask for */

static enum audit_action action_of(enum gate_state state)
{
        switch (state) {
        case GATE_CLOSED:
                return AUDIT_GATE_CLOSED;
        case GATE_OPEN:
                return AUDIT_GATE_OPENED;
        case GATE_WINDOWS:
                return AUDIT_GATE_WINDOWS;
        }
        return AUDIT_GATE_CLOSED;
}

/* "until 2026-11-29 04:00:00 UTC", "Sun 02:00-04:00, Wed 03:00-04:00" */
static void describe(const struct gate_entry *entry, char *out, size_t size)
{
        char text[WEEK_TEXT_SIZE];
        time_t until = (time_t)entry->until;
        struct tm utc;
        size_t at = 0;

        snprintf(out, size, "%s", entry->state == GATE_OPEN ? "without end" : "");
        if (entry->until > 0 && gmtime_r(&until, &utc))
                strftime(out, size, "until %Y-%m-%d %H:%M:%S UTC", &utc);
        for (size_t i = 0; i < entry->window_count && at < size; i++)
                at += (size_t)snprintf(out + at, size - at, "%s%s", i ? ", " : "",
                                       week_format(&entry->windows[i], text));
}

static int keep_gate(struct updater *u, const char *caller, const struct gate_settings *next, enum audit_action action,
                     const struct gate_entry *entry)
{
        char detail[VIEW_TEXT_MAX], scope[GATE_SCOPE_SIZE];
        int r = gate_save(&u->gate, u->store, next);

        if (r < 0)
                return r;
        describe(entry, detail, sizeof(detail));
        u->host.audit(u->host.context, caller, action,
                      entry->scope == GATE_SITE ? "gate" : gate_scope_text(entry, scope), detail);
        look_again(u);
        return 0;
}

static int check_until(struct updater *u, uint64_t until, struct refusal *refusal)
{
        if (until == 0)
                return 0;
        if (!u->host.time_trusted(u->host.context))
                return refusal_set(
                        refusal, REASON_NO_TRUSTED_TIME,
                        "the relay does not know the time, so it cannot close the gate at %llu; open it without "
                        "end, or set the clock",
                        (unsigned long long)until);
        if (until <= u->host.now_s(u->host.context))
                return refusal_set(refusal, REASON_OUTSIDE_WINDOW,
                                   "%llu is over; give a time that is still to come, or 0", (unsigned long long)until);
        return 0;
}

static int set_gate(struct updater *u, const char *caller, const struct gate_entry *entry, struct refusal *refusal)
{
        struct gate_settings next = u->gate.settings;
        int r = check_until(u, entry->until, refusal);

        if (r != 0)
                return r;
        if (!gate_set(&next, entry))
                return refusal_set(
                        refusal, REASON_QUOTA,
                        "the gate has %d settings already, and no room for another; reset one that is not needed "
                        "(relayctl gate reset)",
                        GATE_ENTRIES_MAX);
        return keep_gate(u, caller, &next, action_of(entry->state), entry);
}

int updater_open_gate(struct updater *u, const char *caller, uint64_t until, struct refusal *refusal)
{
        return set_gate(u, caller, &(struct gate_entry){ .state = GATE_OPEN, .until = until }, refusal);
}

int updater_close_gate(struct updater *u, const char *caller, struct refusal *refusal)
{
        return set_gate(u, caller, &(struct gate_entry){ .state = GATE_CLOSED }, refusal);
}

static int parse_scope(const char *text, struct gate_entry *entry, struct refusal *refusal)
{
        if (gate_scope_parse(text, entry))
                return 0;
        return refusal_set(
                refusal, REASON_MALFORMED,
                "'%.80s' is no scope; give site, class:<class id, 32 hexadecimal digits> or device:<identity>", text);
}

static int parse_windows(const struct gate_change *change, struct gate_entry *entry, struct refusal *refusal)
{
        for (size_t i = 0; i < change->window_count; i++) {
                struct week_window windows[WEEK_DAYS];
                size_t count = week_parse(change->windows[i], windows);
                if (count == 0)
                        return refusal_set(refusal, REASON_MALFORMED,
                                           "'%.80s' is no window; write it like Sun 02:00-04:00", change->windows[i]);
                if (entry->window_count + count > GATE_WINDOWS_MAX)
                        return refusal_set(refusal, REASON_TOO_LARGE, "more than %d windows a week; join some of them",
                                           GATE_WINDOWS_MAX);
                memcpy(&entry->windows[entry->window_count], windows, count * sizeof(windows[0]));
                entry->window_count += count;
        }
        return 0;
}

static int parse_change(const struct gate_change *change, struct gate_entry *entry, struct refusal *refusal)
{
        static const enum gate_state states[] = { GATE_CLOSED, GATE_OPEN, GATE_WINDOWS };
        size_t i = 0;
        int r = parse_scope(change->scope, entry, refusal);

        while (i < sizeof(states) / sizeof(states[0]) && strcmp(change->state, gate_state_name(states[i])) != 0)
                i++;
        if (r == 0 && i == sizeof(states) / sizeof(states[0]))
                r = refusal_set(refusal, REASON_MALFORMED,
                                "'%.80s' is no state of a gate; give open, closed or windows", change->state);
        if (r == 0)
                r = parse_windows(change, entry, refusal);
        if (r != 0)
                return r;
        entry->state = states[i];
        entry->until = change->until;
        if (!gate_entry_is_valid(entry))
                return refusal_set(
                        refusal, REASON_MALFORMED,
                        "a gate that is %s does not go with these times: until belongs to open, and windows, at "
                        "least one, to windows",
                        change->state);
        return 0;
}

int updater_set_gate(struct updater *u, const char *caller, const struct gate_change *change, struct refusal *refusal)
{
        struct gate_entry entry = { 0 };
        int r = parse_change(change, &entry, refusal);

        return r != 0 ? r : set_gate(u, caller, &entry, refusal);
}

int updater_reset_gate(struct updater *u, const char *caller, const char *scope, struct refusal *refusal)
{
        struct gate_settings next = u->gate.settings;
        struct gate_entry entry = { 0 };
        int r = parse_scope(scope, &entry, refusal);

        if (r != 0)
                return r;
        if (!gate_reset(&next, &entry))
                return 0; /* nothing changes, and nothing is to be audited */
        return keep_gate(u, caller, &next, AUDIT_GATE_RESET, &entry);
}

int updater_walk_gate(struct updater *u, int (*fn)(void *context, const struct gate_change *setting), void *context)
{
        int r = 0;

        for (size_t i = 0; i < u->gate.settings.count && r == 0; i++) {
                const struct gate_entry *entry = &u->gate.settings.entries[i];
                char scope[GATE_SCOPE_SIZE], text[GATE_WINDOWS_MAX][WEEK_TEXT_SIZE];
                const char *windows[GATE_WINDOWS_MAX];
                for (size_t k = 0; k < entry->window_count; k++)
                        windows[k] = week_format(&entry->windows[k], text[k]);
                struct gate_change setting = { gate_scope_text(entry, scope), gate_state_name(entry->state),
                                               entry->until, windows, entry->window_count };
                r = fn(context, &setting);
        }
        return r;
}
