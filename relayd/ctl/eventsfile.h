/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Files of exported events: one JSON object a line, in the order in which the relay took them.
 *
 *     {"number":7,"site":"s1","device":"device-1","boot":3,"seq":41,"name":"soil","time":1763800000,"text":"{\"wet\":1}"}
 *
 * boot and seq are absent for foreign devices; the payload is "text" if it is readable text, else "base64".
 */

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/span.h"

#define EVENTS_LINE_MAX (512u * 1024) /* bytes of a line with its end, at most */

struct events_line {
        uint64_t number, time, boot, seq;
        const char *site, *device, *name;
        bool keyed;
        struct span payload;
};
/* A new object; NULL without memory. */
json_t *events_line_json(const struct events_line *event);
/*
 * Where to go on: end is the end of a file, at most EVENTS_LINE_MAX bytes. *keep: how many bytes of it are whole lines,
 * *number: that of the last one (0: there is none). 0, or -EBADMSG: not an export of this site.
 */
int events_resume(struct span end, const char *site, size_t *keep, uint64_t *number);
