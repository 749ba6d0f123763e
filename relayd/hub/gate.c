/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hub/gate.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/zone.h"

#define GATE_KEY SPAN_LITERAL("gate")

int gate_load(struct gate *gate, struct store *store)
{
        struct gate next = { 0 };
        uint8_t *record = NULL;
        size_t size = 0;
        int r = store_get(store, STORE_META, GATE_KEY, &record, &size);

        if (r == 0 && !gate_decode(span_of(record, size), &next.settings))
                r = -EBADMSG;
        free(record);
        if (r < 0 && r != -ENOENT)
                return r;
        *gate = next;
        (void)gate_use_zone(gate, "");
        return 0;
}

void gate_clear(struct gate *gate)
{
        free(gate->zone);
        *gate = (struct gate){ 0 };
}

int gate_save(struct gate *gate, struct store *store, const struct gate_settings *next)
{
        uint8_t record[GATE_RECORD_MAX];
        struct writer w;

        writer_init(&w, record, sizeof(record));
        gate_encode(&w, next);
        if (writer_finish(&w) != RELAY_OK)
                return -E2BIG;
        int r = store_put(store, STORE_META, GATE_KEY, writer_span(&w));
        if (r == 0)
                gate->settings = *next;
        return r;
}

int gate_use_zone(struct gate *gate, const char *name)
{
        uint8_t *zone = NULL;
        size_t size = 0;
        int r = strcmp(name, "UTC") == 0 ? 0 : zone_read(ZONE_FOLDER, name, &zone, &size);

        free(gate->zone);
        gate->zone = zone;
        gate->zone_size = size;
        gate->zone_known = r == 0;
        return r;
}

/* minute of the week in the gate's time zone; false: the zone is not known */
static bool minute_of_week(const struct gate *gate, uint64_t now, unsigned *minute)
{
        int32_t offset;

        if (!gate->zone_known || zone_offset(span_of(gate->zone, gate->zone_size), now, &offset) < 0)
                return false;
        *minute = zone_minute_of_week(now, offset);
        return true;
}

struct gate_facts gate_facts(const struct gate *gate, bool time_trusted, uint64_t now)
{
        struct gate_facts facts = { .time_known = time_trusted, .now = now };

        facts.minute_known = time_trusted && minute_of_week(gate, now, &facts.minute);
        return facts;
}
