/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <string.h>

#include "bus/internal.h"

/* D-Bus strings are UTF-8 without NUL; what a vendor or device made otherwise is shown as "?". */
static int append_text(sd_bus_message *reply, struct span text)
{
        char copy[VIEW_TEXT_MAX];

        if (!span_is_utf8(text) || !span_to_string(text, copy, sizeof(copy)))
                return sd_bus_message_append(reply, "s", "?");
        return sd_bus_message_append(reply, "s", copy);
}

static int append_hex(sd_bus_message *reply, const uint8_t digest[SHA256_SIZE])
{
        char hex[2 * SHA256_SIZE + 1];

        return sd_bus_message_append(reply, "s", span_to_hex(span_of(digest, SHA256_SIZE), hex, sizeof(hex)));
}

static int append(sd_bus_message *reply, enum property_kind kind, const void *value)
{
        switch (kind) {
        case PROPERTY_TEXT:
                return append_text(reply, span_of_string(*(const char *const *)value));
        case PROPERTY_CHARS:
                return append_text(reply, span_of_string(value));
        case PROPERTY_SPAN:
                return append_text(reply, *(const struct span *)value);
        case PROPERTY_U32:
                return sd_bus_message_append(reply, "u", *(const uint32_t *)value);
        case PROPERTY_U64:
                return sd_bus_message_append(reply, "t", *(const uint64_t *)value);
        case PROPERTY_BOOL:
                return sd_bus_message_append(reply, "b", (int)*(const bool *)value);
        case PROPERTY_DIGEST:
                return sd_bus_message_append_array(reply, 'y', value, SHA256_SIZE);
        case PROPERTY_DIGEST_HEX:
                return append_hex(reply, value);
        case PROPERTY_REGISTRATION:
                return sd_bus_message_append(reply, "s", registration_name(*(const enum registration *)value));
        case PROPERTY_UPLINK:
                return sd_bus_message_append(reply, "s", uplink_view_name(*(const enum uplink_view_state *)value));
        case PROPERTY_GATE:
                return sd_bus_message_append(reply, "s", *(const bool *)value ? "open" : "closed");
        case PROPERTY_ENFORCED:
                return sd_bus_message_append(reply, "s", country_enforced_name(*(const enum country_enforced *)value));
        }
        return -EINVAL;
}

int property_append(sd_bus_message *reply, const struct property *properties, const char *name, const void *view)
{
        for (; properties->name; properties++)
                if (strcmp(properties->name, name) == 0)
                        return append(reply, properties->kind, (const uint8_t *)view + properties->offset);
        return -ENOENT;
}
