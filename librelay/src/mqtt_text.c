/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Names of packet types, and the reason codes of MQTT 5 section 2.4 with the packets each may stand in.
 */

#include "mqtt_internal.h"

static const char *const type_names[] = {
        [MQTT_CONNECT] = "CONNECT",         [MQTT_CONNACK] = "CONNACK",       [MQTT_PUBLISH] = "PUBLISH",
        [MQTT_PUBACK] = "PUBACK",           [MQTT_PUBREC] = "PUBREC",         [MQTT_PUBREL] = "PUBREL",
        [MQTT_PUBCOMP] = "PUBCOMP",         [MQTT_SUBSCRIBE] = "SUBSCRIBE",   [MQTT_SUBACK] = "SUBACK",
        [MQTT_UNSUBSCRIBE] = "UNSUBSCRIBE", [MQTT_UNSUBACK] = "UNSUBACK",     [MQTT_PINGREQ] = "PINGREQ",
        [MQTT_PINGRESP] = "PINGRESP",       [MQTT_DISCONNECT] = "DISCONNECT", [MQTT_AUTH] = "AUTH",
};

struct reason_row {
        const char *text;
        uint16_t packets; /* bit n: may stand in packet type n */
};

#define CONNACK    MQTT_BIT(MQTT_CONNACK)
#define PUBACK     (MQTT_BIT(MQTT_PUBACK) | MQTT_BIT(MQTT_PUBREC))
#define PUBREL     (MQTT_BIT(MQTT_PUBREL) | MQTT_BIT(MQTT_PUBCOMP))
#define SUBACK     MQTT_BIT(MQTT_SUBACK)
#define UNSUBACK   MQTT_BIT(MQTT_UNSUBACK)
#define DISCONNECT MQTT_BIT(MQTT_DISCONNECT)
#define AUTH       MQTT_BIT(MQTT_AUTH)

static const struct reason_row low_reasons[] = {
        [0x00] = { "Success", CONNACK | PUBACK | PUBREL | SUBACK | UNSUBACK | DISCONNECT | AUTH },
        [0x01] = { "Granted QoS 1", SUBACK },
        [0x02] = { "Granted QoS 2", SUBACK },
        [0x04] = { "Disconnect with Will Message", DISCONNECT },
        [0x10] = { "No matching subscribers", PUBACK },
        [0x11] = { "No subscription existed", UNSUBACK },
        [0x18] = { "Continue authentication", AUTH },
        [0x19] = { "Re-authenticate", AUTH },
};

static const struct reason_row high_reasons[] = {
        [0x00] = { "Unspecified error", CONNACK | PUBACK | SUBACK | UNSUBACK | DISCONNECT },
        [0x01] = { "Malformed Packet", CONNACK | DISCONNECT },
        [0x02] = { "Protocol Error", CONNACK | DISCONNECT },
        [0x03] = { "Implementation specific error", CONNACK | PUBACK | SUBACK | UNSUBACK | DISCONNECT },
        [0x04] = { "Unsupported Protocol Version", CONNACK },
        [0x05] = { "Client Identifier not valid", CONNACK },
        [0x06] = { "Bad User Name or Password", CONNACK },
        [0x07] = { "Not authorized", CONNACK | PUBACK | SUBACK | UNSUBACK | DISCONNECT },
        [0x08] = { "Server unavailable", CONNACK },
        [0x09] = { "Server busy", CONNACK | DISCONNECT },
        [0x0A] = { "Banned", CONNACK },
        [0x0B] = { "Server shutting down", DISCONNECT },
        [0x0C] = { "Bad authentication method", CONNACK | DISCONNECT },
        [0x0D] = { "Keep Alive timeout", DISCONNECT },
        [0x0E] = { "Session taken over", DISCONNECT },
        [0x0F] = { "Topic Filter invalid", SUBACK | UNSUBACK | DISCONNECT },
        [0x10] = { "Topic Name invalid", CONNACK | PUBACK | DISCONNECT },
        [0x11] = { "Packet Identifier in use", PUBACK | SUBACK | UNSUBACK },
        [0x12] = { "Packet Identifier not found", PUBREL },
        [0x13] = { "Receive Maximum exceeded", DISCONNECT },
        [0x14] = { "Topic Alias invalid", DISCONNECT },
        [0x15] = { "Packet too large", CONNACK | DISCONNECT },
        [0x16] = { "Message rate too high", DISCONNECT },
        [0x17] = { "Quota exceeded", CONNACK | PUBACK | SUBACK | DISCONNECT },
        [0x18] = { "Administrative action", DISCONNECT },
        [0x19] = { "Payload format invalid", CONNACK | PUBACK | DISCONNECT },
        [0x1A] = { "Retain not supported", CONNACK | DISCONNECT },
        [0x1B] = { "QoS not supported", CONNACK | DISCONNECT },
        [0x1C] = { "Use another server", CONNACK | DISCONNECT },
        [0x1D] = { "Server moved", CONNACK | DISCONNECT },
        [0x1E] = { "Shared Subscriptions not supported", SUBACK | DISCONNECT },
        [0x1F] = { "Connection rate exceeded", CONNACK | DISCONNECT },
        [0x20] = { "Maximum connect time", DISCONNECT },
        [0x21] = { "Subscription Identifiers not supported", SUBACK | DISCONNECT },
        [0x22] = { "Wildcard Subscriptions not supported", SUBACK | DISCONNECT },
};

static const struct reason_row *find_row(uint8_t reason)
{
        const struct reason_row *table = reason < 0x80 ? low_reasons : high_reasons;
        size_t count = reason < 0x80 ? sizeof(low_reasons) / sizeof(low_reasons[0])
                                     : sizeof(high_reasons) / sizeof(high_reasons[0]);
        size_t at = reason & 0x7F;
        return at < count && table[at].text ? &table[at] : NULL;
}

bool mqtt_reason_fits(enum mqtt_type type, uint8_t reason)
{
        const struct reason_row *row = find_row(reason);
        return row && row->packets & MQTT_BIT(type);
}

const char *mqtt_type_string(enum mqtt_type type)
{
        size_t at = (size_t)type;
        return at > 0 && at < sizeof(type_names) / sizeof(type_names[0]) ? type_names[at] : "unknown";
}

const char *mqtt_reason_string(uint8_t reason)
{
        const struct reason_row *row = find_row(reason);
        return row ? row->text : "unknown";
}
