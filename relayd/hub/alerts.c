/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Alerts; see alerts.h. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hub/alerts.h"

#define RECORD_FORMAT 1
#define RECORD_MAX    512

static const struct quota_rule rule = { .per_second = 5, .burst = 100 };

static struct alert *slot(const struct alerts *alerts, uint64_t number)
{
        return &alerts->ring[number % ALERTS_MAX];
}

static void read_text(struct reader *r, char *out, size_t size)
{
        if (!span_to_string(reader_bytes(r, reader_u8(r)), out, size))
                reader_fail(r, RELAY_E_RANGE);
}

static int load_one(void *context, struct span key, struct span value)
{
        struct alerts *alerts = context;
        struct alert alert = { 0 };
        struct reader r;

        reader_init(&r, key);
        alert.number = reader_u64(&r);
        if (reader_finish(&r) != RELAY_OK || alert.number <= alerts->last)
                return -EBADMSG;
        reader_init(&r, value);
        if (reader_u8(&r) != RECORD_FORMAT)
                return -EBADMSG;
        alert.time = reader_u64(&r);
        read_text(&r, alert.device, sizeof(alert.device));
        read_text(&r, alert.reason, sizeof(alert.reason));
        read_text(&r, alert.detail, sizeof(alert.detail));
        if (reader_finish(&r) != RELAY_OK)
                return -EBADMSG;
        *slot(alerts, alert.number) = alert;
        alerts->last = alert.number;
        return 0;
}

int alerts_load(struct alerts *alerts, struct store *store, uint64_t now_ms)
{
        int result;

        *alerts = (struct alerts){ .store = store, .ring = calloc(ALERTS_MAX, sizeof(struct alert)) };
        if (!alerts->ring)
                return -ENOMEM;
        quota_fill(&alerts->quota, &rule, now_ms);
        result = store_walk(store, STORE_ALERTS, SPAN_EMPTY, load_one, alerts);
        alerts->told = alerts->last;
        return result;
}

void alerts_release(struct alerts *alerts)
{
        free(alerts->ring);
        alerts->ring = NULL;
}

static void write_text(struct writer *w, const char *text)
{
        writer_u8(w, (uint8_t)strlen(text));
        writer_bytes(w, span_of_string(text));
}

/* An alert that cannot be stored is told all the same. */
static void keep(struct alerts *alerts, const struct alert *alert)
{
        uint8_t record[RECORD_MAX], key[STORE_NUMBER_SIZE];
        struct writer w;

        writer_init(&w, record, sizeof(record));
        writer_u8(&w, RECORD_FORMAT);
        writer_u64(&w, alert->time);
        write_text(&w, alert->device);
        write_text(&w, alert->reason);
        write_text(&w, alert->detail);
        store_put(alerts->store, STORE_ALERTS, store_number_key(alert->number, key), writer_span(&w));
        if (alert->number > ALERTS_MAX)
                store_delete(alerts->store, STORE_ALERTS, store_number_key(alert->number - ALERTS_MAX, key));
}

/* Printable ASCII without quote and backslash: the text goes into logs and JSON. */
static void copy_clean(char *out, size_t size, const char *text)
{
        size_t at = 0;

        for (; text[at] && at + 1 < size; at++) {
                char c = text[at];
                out[at] = c == '"' || c == '\\' ? '\'' : c < 0x20 || c > 0x7E ? '?' : c;
        }
        out[at] = 0;
}

static bool was_raised(const struct alerts *alerts, const struct alert *alert)
{
        uint64_t oldest = alerts->last > ALERTS_MAX ? alerts->last - ALERTS_MAX + 1 : 1;

        for (uint64_t n = alerts->last; n >= oldest && n > 0; n--) {
                const struct alert *old = slot(alerts, n);
                if (old->time > alert->time) /* the clock was set back since */
                        continue;
                if (old->time + ALERT_REPEAT_S <= alert->time)
                        return false;
                if (strcmp(old->device, alert->device) == 0 && strcmp(old->reason, alert->reason) == 0 &&
                    strcmp(old->detail, alert->detail) == 0)
                        return true;
        }
        return false;
}

void alerts_raise(struct alerts *alerts, const char *device, enum reason reason, const char *detail, uint64_t now,
                  uint64_t now_ms)
{
        struct alert alert = { .number = alerts->last + 1, .time = now };

        copy_clean(alert.device, sizeof(alert.device), device);
        copy_clean(alert.reason, sizeof(alert.reason), reason_name(reason));
        copy_clean(alert.detail, sizeof(alert.detail), detail);
        if (was_raised(alerts, &alert) || quota_take(&alerts->quota, &rule, now_ms).verdict != VERDICT_ALLOW) {
                alerts->suppressed++;
                return;
        }
        *slot(alerts, alert.number) = alert;
        alerts->last = alert.number;
        keep(alerts, &alert);
}

const struct alert *alerts_next_untold(struct alerts *alerts)
{
        return alerts->told < alerts->last ? slot(alerts, ++alerts->told) : NULL;
}

void alert_view(const struct alert *alert, struct alert_view *out)
{
        *out = (struct alert_view){ alert->number, alert->time, alert->device, alert->reason, alert->detail };
}

int alerts_walk(const struct alerts *alerts, uint64_t from, int (*fn)(void *context, const struct alert_view *alert),
                void *context)
{
        uint64_t oldest = alerts->last > ALERTS_MAX ? alerts->last - ALERTS_MAX + 1 : 1;

        for (uint64_t n = from > oldest ? from : oldest; n <= alerts->last; n++) {
                struct alert_view view;
                int result;
                if (slot(alerts, n)->number != n)
                        continue;
                alert_view(slot(alerts, n), &view);
                result = fn(context, &view);
                if (result != 0)
                        return result;
        }
        return 0;
}

size_t alert_json(const struct alert *alert, char out[ALERT_JSON_MAX])
{
        int size = snprintf(out, ALERT_JSON_MAX,
                            "{\"number\":%" PRIu64 ",\"time\":%" PRIu64
                            ",\"device\":\"%s\",\"reason\":\"%s\",\"detail\":\"%s\"}",
                            alert->number, alert->time, alert->device, alert->reason, alert->detail);
        return size < 0 ? 0 : size < ALERT_JSON_MAX ? (size_t)size : ALERT_JSON_MAX - 1;
}
