/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The gate's settings as a record, and their words. */

#include <stdio.h>
#include <string.h>

#include "policy/gate.h"
#include "relay/cbor.h"

#define OLD_RECORD_SIZE 9 /* state (0 or 1), until (u64): one gate for all */

/* ---- writing */

static void put_scope(struct writer *w, const struct gate_entry *entry)
{
        cbor_put_array(w, entry->scope == GATE_SITE ? 1 : 2);
        cbor_put_uint(w, entry->scope);
        switch (entry->scope) {
        case GATE_SITE:
                break;
        case GATE_CLASS:
                cbor_put_bstr(w, SPAN_OF(entry->class_id));
                break;
        case GATE_DEVICE:
                cbor_put_tstr(w, span_of_string(entry->device));
                break;
        }
}

static void put_entry(struct writer *w, const struct gate_entry *entry)
{
        cbor_put_map(w, 2 + (size_t)(entry->until > 0) + (size_t)(entry->window_count > 0));
        cbor_put_uint(w, 0);
        put_scope(w, entry);
        cbor_put_uint(w, 1);
        cbor_put_uint(w, entry->state);
        if (entry->until > 0) {
                cbor_put_uint(w, 2);
                cbor_put_uint(w, entry->until);
        }
        if (entry->window_count == 0)
                return;
        cbor_put_uint(w, 3);
        cbor_put_array(w, entry->window_count);
        for (size_t i = 0; i < entry->window_count; i++) {
                cbor_put_array(w, 2);
                cbor_put_uint(w, entry->windows[i].first);
                cbor_put_uint(w, entry->windows[i].minutes);
        }
}

void gate_encode(struct writer *w, const struct gate_settings *settings)
{
        cbor_put_map(w, 2);
        cbor_put_uint(w, 0);
        cbor_put_uint(w, 1);
        cbor_put_uint(w, 1);
        cbor_put_array(w, settings->count);
        for (size_t i = 0; i < settings->count; i++)
                put_entry(w, &settings->entries[i]);
}

/* ---- reading */

static void get_scope(struct reader *r, struct gate_entry *entry)
{
        size_t items = cbor_get_array(r);

        entry->scope = (enum gate_scope)cbor_get_uint_max(r, GATE_DEVICE);
        if (items != (entry->scope == GATE_SITE ? 1 : 2))
                reader_fail(r, RELAY_E_MALFORMED);
        switch (entry->scope) {
        case GATE_SITE:
                break;
        case GATE_CLASS:
                cbor_get_bstr_exact(r, entry->class_id, CLASS_ID_SIZE);
                break;
        case GATE_DEVICE:
                if (!span_to_string(cbor_get_tstr(r), entry->device, sizeof(entry->device)))
                        reader_fail(r, RELAY_E_RANGE);
                break;
        }
}

static void get_windows(struct reader *r, struct gate_entry *entry)
{
        size_t count = cbor_get_array(r);

        if (count == 0 || count > GATE_WINDOWS_MAX) {
                reader_fail(r, RELAY_E_RANGE);
                return;
        }
        for (size_t i = 0; i < count; i++) {
                if (cbor_get_array(r) != 2)
                        reader_fail(r, RELAY_E_MALFORMED);
                entry->windows[i].first = (uint16_t)cbor_get_uint_max(r, WEEK_DAYS * 1440 - 1);
                entry->windows[i].minutes = (uint16_t)cbor_get_uint_max(r, WEEK_DAYS * 1440);
        }
        entry->window_count = count;
}

static void get_entry(struct reader *r, struct gate_entry *out)
{
        struct cbor_map m;
        int64_t key;

        *out = (struct gate_entry){ 0 };
        cbor_map_enter(&m, r);
        while (cbor_map_next(&m, &key)) {
                switch (key) {
                case 0:
                        get_scope(r, out);
                        break;
                case 1:
                        out->state = (enum gate_state)cbor_get_uint_max(r, GATE_WINDOWS);
                        break;
                case 2:
                        out->until = cbor_get_uint(r);
                        if (out->until == 0)
                                reader_fail(r, RELAY_E_MALFORMED);
                        break;
                case 3:
                        get_windows(r, out);
                        break;
                default:
                        reader_fail(r, RELAY_E_MALFORMED);
                }
        }
        cbor_map_require(&m, 3);
        if (!gate_entry_is_valid(out))
                reader_fail(r, RELAY_E_MALFORMED);
}

static void get_entries(struct reader *r, struct gate_settings *out)
{
        size_t count = cbor_get_array(r);

        for (size_t i = 0; i < count && r->result == RELAY_OK; i++) {
                struct gate_entry entry;
                get_entry(r, &entry);
                if (r->result != RELAY_OK)
                        return;
                /* a scope that stands twice, or out of order, is nothing we wrote */
                if (gate_entry_of(out, &entry) || !gate_set(out, &entry) ||
                    gate_entry_of(out, &entry) != &out->entries[i])
                        reader_fail(r, RELAY_E_MALFORMED);
        }
}

static bool decode_old(struct span record, struct gate_settings *out)
{
        struct reader r;

        reader_init(&r, record);
        uint8_t state = reader_u8(&r);
        uint64_t until = reader_u64(&r);
        if (reader_finish(&r) != RELAY_OK || state > GATE_OPEN)
                return false;
        struct gate_entry entry = { .scope = GATE_SITE, .state = (enum gate_state)state };
        if (entry.state == GATE_OPEN)
                entry.until = until;
        return gate_set(out, &entry);
}

bool gate_decode(struct span record, struct gate_settings *out)
{
        struct cbor_map m;
        struct reader r;
        int64_t key;

        out->count = 0;
        if (record.size == OLD_RECORD_SIZE && record.data[0] <= GATE_OPEN)
                return decode_old(record, out);
        reader_init(&r, record);
        cbor_map_enter(&m, &r);
        while (cbor_map_next(&m, &key)) {
                if (key == 0)
                        cbor_get_version(&r, 1);
                if (key == 1)
                        get_entries(&r, out);
                if (key < 0 || key > 1)
                        reader_fail(&r, RELAY_E_MALFORMED);
        }
        cbor_map_require(&m, 3);
        if (reader_finish(&r) == RELAY_OK)
                return true;
        out->count = 0;
        return false;
}

/* ---- words */

static const char class_prefix[] = "class:", device_prefix[] = "device:";

bool gate_scope_parse(const char *text, struct gate_entry *entry)
{
        struct gate_entry next = *entry;

        memset(next.class_id, 0, sizeof(next.class_id));
        memset(next.device, 0, sizeof(next.device));
        if (strcmp(text, "site") == 0) {
                next.scope = GATE_SITE;
        } else if (strncmp(text, class_prefix, sizeof(class_prefix) - 1) == 0) {
                next.scope = GATE_CLASS;
                if (!span_from_hex(span_of_string(text + sizeof(class_prefix) - 1), next.class_id, CLASS_ID_SIZE))
                        return false;
        } else if (strncmp(text, device_prefix, sizeof(device_prefix) - 1) == 0) {
                next.scope = GATE_DEVICE;
                struct span name = span_of_string(text + sizeof(device_prefix) - 1);
                if (!identity_is_device(name) || !span_to_string(name, next.device, sizeof(next.device)))
                        return false;
        } else {
                return false;
        }
        *entry = next;
        return true;
}

char *gate_scope_text(const struct gate_entry *entry, char out[GATE_SCOPE_SIZE])
{
        char hex[2 * CLASS_ID_SIZE + 1];

        switch (entry->scope) {
        case GATE_SITE:
                snprintf(out, GATE_SCOPE_SIZE, "site");
                break;
        case GATE_CLASS:
                snprintf(out, GATE_SCOPE_SIZE, "%s%s", class_prefix,
                         span_to_hex(SPAN_OF(entry->class_id), hex, sizeof(hex)));
                break;
        case GATE_DEVICE:
                snprintf(out, GATE_SCOPE_SIZE, "%s%s", device_prefix, entry->device);
                break;
        }
        return out;
}

const char *gate_state_name(enum gate_state state)
{
        static const char *const names[] = { "closed", "open", "windows" };

        return (size_t)state < sizeof(names) / sizeof(names[0]) ? names[state] : "closed";
}
