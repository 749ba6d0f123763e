/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages inside the hub. First byte 0: a stored form; else: a PUBLISH as a front end sends it. What is accepted must
 * come out as a PUBLISH that the codec reads, and its stored form must be read back as the same.
 */

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "hub/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct message *m)
{
        const uint32_t ids[] = { 1, 200, 268435455 };
        struct message_delivery delivery = { .qos = 1, .packet_id = 7, .ids = ids, .id_count = 3 };
        size_t room = message_packet_size(m);
        uint8_t *bytes = malloc(room);
        struct message *again;
        struct writer w;

        if (!bytes)
                return;
        writer_init(&w, bytes, room);
        message_write_publish(&w, m, &delivery, 1000);
        if (writer_finish(&w) != RELAY_OK)
                abort(); /* message_packet_size() promised room */
        if (message_from_stored(&again, m->stored) < 0 || !span_equal(again->stored, m->stored) ||
            !span_equal(again->topic, m->topic) || !span_equal(again->payload, m->payload))
                abort();
        message_unref(again);
        free(bytes);
}

/* What a client sent and the codec took is still good when the hub sends it on. */
static void check_publish(struct span in)
{
        struct mqtt_packet packet;
        struct message *m;
        uint8_t bytes[70000], reason;
        size_t consumed;
        struct writer w;

        if (mqtt_decode(in, MQTT_V5, 60000, &packet, &consumed, &reason) != RELAY_OK || packet.type != MQTT_PUBLISH ||
            packet.publish.topic.size == 0 || message_from_publish(&m, &packet.publish, &packet.props, 1000) < 0)
                return;
        check(m);
        writer_init(&w, bytes, sizeof(bytes));
        message_write_publish(&w, m, &(struct message_delivery){ .qos = 2, .packet_id = 1 }, 1000);
        if (mqtt_decode(writer_span(&w), MQTT_V5, sizeof(bytes), &packet, &consumed, &reason) != RELAY_OK ||
            consumed != w.at || !span_equal(packet.publish.payload, m->payload))
                abort();
        message_unref(m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct message *m;

        if (size == 0)
                return 0;
        if (data[0] != 0) {
                check_publish(span_of(data + 1, size - 1));
        } else if (message_from_stored(&m, span_of(data + 1, size - 1)) == 0) {
                check(m);
                message_unref(m);
        }
        return 0;
}
