/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/eventsfile.h"

#include <errno.h>
#include <string.h>

#include "cli/output.h"
#include "util/cleanup.h"

/* control characters would make a line unreadable, and longer than EVENTS_LINE_MAX */
static bool is_readable(struct span payload)
{
        for (size_t i = 0; i < payload.size; i++)
                if ((payload.data[i] < ' ' && payload.data[i] != '\n' && payload.data[i] != '\t') ||
                    payload.data[i] == 0x7f)
                        return false;
        return span_is_utf8(payload);
}

static json_t *base64(struct span bytes)
{
        static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        _cleanup_free_ char *out = malloc((bytes.size + 2) / 3 * 4 + 1);
        size_t at = 0;

        if (!out)
                return NULL;
        for (size_t i = 0; i < bytes.size; i += 3) {
                size_t left = bytes.size - i;
                uint32_t group = (uint32_t)bytes.data[i] << 16 | (left > 1 ? (uint32_t)bytes.data[i + 1] << 8 : 0) |
                                 (left > 2 ? bytes.data[i + 2] : 0);
                out[at++] = digits[group >> 18];
                out[at++] = digits[group >> 12 & 63];
                out[at++] = (char)(left > 1 ? digits[group >> 6 & 63] : '=');
                out[at++] = (char)(left > 2 ? digits[group & 63] : '=');
        }
        return json_stringn(out, at);
}

json_t *events_line_json(const struct events_line *event)
{
        bool text = is_readable(event->payload);
        json_t *line = json_pack("{s:I, s:s, s:s}", "number", (json_int_t)event->number, "site", event->site, "device",
                                 event->device);

        if (line && event->keyed) {
                json_object_set_new(line, "boot", json_integer((json_int_t)event->boot));
                json_object_set_new(line, "seq", json_integer((json_int_t)event->seq));
        }
        json_object_set_new(line, "name", json_string(event->name));
        json_object_set_new(line, "time", json_integer((json_int_t)event->time));
        if (json_object_set_new(line, text ? "text" : "base64",
                                text ? json_text(event->payload.data, event->payload.size) : base64(event->payload)) ==
            0)
                return line;
        json_decref(line);
        return NULL;
}

int events_resume(struct span end, const char *site, size_t *keep, uint64_t *number)
{
        const uint8_t *last = end.data ? memrchr(end.data, '\n', end.size) : NULL, *before;
        json_t *line, *value;
        const char *of;
        json_int_t n;

        *keep = 0;
        *number = 0;
        if (!last)
                return end.size < EVENTS_LINE_MAX ? 0 : -EBADMSG;
        before = memrchr(end.data, '\n', (size_t)(last - end.data));
        before = before ? before + 1 : end.data;
        line = json_loadb((const char *)before, (size_t)(last - before), JSON_REJECT_DUPLICATES, NULL);
        value = json_object_get(line, "number");
        of = json_string_value(json_object_get(line, "site"));
        n = json_is_integer(value) ? json_integer_value(value) : 0;
        if (n > 0 && of && strcmp(of, site) == 0) {
                *keep = (size_t)(last + 1 - end.data);
                *number = (uint64_t)n;
        }
        json_decref(line);
        return *keep > 0 ? 0 : -EBADMSG;
}
