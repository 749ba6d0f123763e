/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Reads the small JSON objects devices publish (docs/protocol.md): one flat object whose values are strings, unsigned
 * integers, true or false. Of the escapes only those a value needs are taken: \", \\, \u0000 to \u001f. Everything
 * else is refused whole. Spans point into the input.
 */

#include <stdbool.h>

#include "relay/result.h"
#include "relay/span.h"

#define FLAT_JSON_MAX     2048 /* bytes of an object */
#define FLAT_JSON_MEMBERS 16

enum flat_json_type { FLAT_JSON_STRING, FLAT_JSON_NUMBER, FLAT_JSON_BOOL };
struct flat_json_member {
        struct span name;
        enum flat_json_type type;
        struct span string; /* as it stands there */
        bool escaped;
        uint64_t number; /* of a bool: 0 or 1 */
};
struct flat_json {
        struct flat_json_member members[FLAT_JSON_MEMBERS];
        size_t count;
};

/* RELAY_OK, RELAY_E_MALFORMED (also repeated names and control characters), RELAY_E_RANGE (too large, too many) */
int flat_json_decode(struct span in, struct flat_json *out);
/* The member of this name if it has this type, else empty, the fallback, or false. Escaped strings are none here. */
struct span flat_json_string(const struct flat_json *json, const char *name);
uint64_t flat_json_number(const struct flat_json *json, const char *name, uint64_t fallback);
bool flat_json_bool(const struct flat_json *json, const char *name);
/* A string's bytes without its escapes, as many as fit into out; gives how many. */
size_t flat_json_text(const struct flat_json *json, const char *name, uint8_t *out, size_t size);
