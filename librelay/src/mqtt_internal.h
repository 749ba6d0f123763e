/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * What the files of the MQTT codec share: a reader that also remembers the MQTT 5 reason code, and properties.
 */

#include "relay/mqtt.h"

#define MQTT_WILL        0 /* "packet type" of the will's properties inside CONNECT */
#define MQTT_VARINT_MAX  268435455u
#define MQTT_STRING_MAX  65535u
#define MQTT_BIT(number) (1u << (number))

struct mqtt_reader {
        struct reader r;
        uint8_t reason; /* of the first error; 0 means "malformed" */
};

/* The first error stays, together with its reason code. */
void mqtt_fail(struct mqtt_reader *m, uint8_t reason);
uint32_t mqtt_get_varint(struct mqtt_reader *m);
struct span mqtt_get_binary(struct mqtt_reader *m);
struct span mqtt_get_string(struct mqtt_reader *m); /* checks UTF-8 */
/* a packet identifier, which is never 0 */
uint16_t mqtt_get_packet_id(struct mqtt_reader *m);

void mqtt_put_varint(struct writer *w, size_t value);
void mqtt_put_binary(struct writer *w, struct span bytes);

/* Property list with its length. type: a packet type or MQTT_WILL. */
void mqtt_get_props(struct mqtt_reader *m, unsigned type, struct mqtt_props *props);
void mqtt_put_props(struct writer *w, unsigned type, const struct mqtt_props *props);
