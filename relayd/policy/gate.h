/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The gate: the owner's answer to "may this device update now?". Entries for the site, a class, a device; the most
 * specific one that is there decides, and none means closed. What needs a clock counts as closed without one.
 */

#include <stdbool.h>
#include <stdint.h>

#include "relay/cursor.h"
#include "relay/manifest.h"
#include "relay/reason.h"
#include "relay/topic.h"
#include "util/week.h"

#define GATE_ENTRIES_MAX 64
#define GATE_WINDOWS_MAX 14 /* of one entry: two a day */

enum gate_scope { GATE_SITE = 0, GATE_CLASS = 1, GATE_DEVICE = 2 };
enum gate_state { GATE_CLOSED = 0, GATE_OPEN = 1, GATE_WINDOWS = 2 };
struct gate_entry {
        enum gate_scope scope;
        uint8_t class_id[CLASS_ID_SIZE]; /* GATE_CLASS */
        char device[IDENTITY_MAX + 1];   /* GATE_DEVICE */
        enum gate_state state;
        uint64_t until;      /* GATE_OPEN: first second (Unix) that is closed again; 0: till somebody changes it */
        size_t window_count; /* GATE_WINDOWS: 1 to GATE_WINDOWS_MAX */
        struct week_window windows[GATE_WINDOWS_MAX];
};
struct gate_settings {
        struct gate_entry entries[GATE_ENTRIES_MAX]; /* one a scope, ascending: site, classes, devices */
        size_t count;
};

struct gate_facts {
        const char *device;      /* NULL: the site as a whole */
        const uint8_t *class_id; /* NULL: not known */
        bool time_known;
        uint64_t now; /* Unix seconds */
        bool minute_known;
        unsigned minute; /* of the week, in the site's time zone */
};
/* The entry that decides about this device; NULL: none, so the gate is closed. */
const struct gate_entry *gate_find(const struct gate_settings *settings, const struct gate_facts *facts);
/* Allows, or GATE_CLOSED, OUTSIDE_WINDOW, NO_TRUSTED_TIME (a time matters, and now is not known). */
struct decision gate_decide(const struct gate_settings *settings, const struct gate_facts *facts);
/* Bit n: entry n is open now, whoever it is about; what changes with the time shows as a change of this. */
uint64_t gate_open_entries(const struct gate_settings *settings, const struct gate_facts *facts);

/* The entry of exactly this scope (class_id and device of scope count), or NULL. */
const struct gate_entry *gate_entry_of(const struct gate_settings *settings, const struct gate_entry *scope);
/* Puts an entry in, in place of the one of the same scope. False: no room. */
bool gate_set(struct gate_settings *settings, const struct gate_entry *entry);
/* Takes the entry of this scope out. False: there is none. */
bool gate_reset(struct gate_settings *settings, const struct gate_entry *scope);
/* Is it a setting that may be kept? Scope, windows, until where they belong. */
bool gate_entry_is_valid(const struct gate_entry *entry);

/*
 * The settings as they stand in the store:
 *     { 0: 1, 1: [ * { 0: scope, 1: state (uint), ? 2: until (uint), ? 3: [ + [first, minutes] ] } ] }
 *     scope = [0] / [1, class id (bstr 16)] / [2, device (tstr)]
 * Records of nine bytes, of the time when there was one gate for all, are read, too.
 */
#define GATE_RECORD_MAX 12288
void gate_encode(struct writer *w, const struct gate_settings *settings);
bool gate_decode(struct span record, struct gate_settings *out); /* false: no such record, and out has no entry */

/* ---- in words, as D-Bus and relayctl have them */
#define GATE_SCOPE_SIZE (7 + IDENTITY_MAX + 1) /* "device:" and a name, or "class:" and 32 digits */
/* "site", "class:<32 hexadecimal digits>", "device:<identity>" into entry's scope; false: none of them */
bool gate_scope_parse(const char *text, struct gate_entry *entry);
char *gate_scope_text(const struct gate_entry *entry, char out[GATE_SCOPE_SIZE]);
const char *gate_state_name(enum gate_state state); /* "open", "closed", "windows" */
