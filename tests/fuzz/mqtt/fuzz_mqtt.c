/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packet decoder. Input: one byte for the version (0, 3.1.1, 5), then packets. What decodes is walked to its last
 * property, written again, and the second reading must write the same bytes.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "relay/mqtt.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition)
{
        if (!condition)
                abort();
}

static void walk(const struct mqtt_packet *packet)
{
        struct mqtt_user user;
        struct span name, value;
        mqtt_user_init(&user, packet->props.raw);
        while (mqtt_user_next(&user, &name, &value))
                require(span_is_utf8(name) && span_is_utf8(value));
        if (packet->type != MQTT_SUBSCRIBE && packet->type != MQTT_UNSUBSCRIBE)
                return;
        struct mqtt_filters it;
        struct mqtt_filter filter;
        size_t count = 0;
        mqtt_filters_init(&it, packet);
        while (mqtt_filters_next(&it, &filter)) {
                require(filter.qos < 3 && filter.filter.size > 0);
                count++;
        }
        require(count == packet->subscribe.count && it.r.at == packet->subscribe.filters.size);
}

/* into a buffer of exactly the size measured */
static uint8_t *encode(const struct mqtt_packet *packet, int version, size_t *size)
{
        struct writer w;
        writer_init(&w, NULL, 0);
        (void)mqtt_encode(&w, version, packet);
        *size = writer_needed(&w);
        uint8_t *bytes = malloc(*size);
        require(bytes);
        writer_init(&w, bytes, *size);
        require(mqtt_encode(&w, version, packet) == RELAY_OK);
        require(writer_needed(&w) == *size);
        return bytes;
}

static void round_trip(const struct mqtt_packet *packet, int version)
{
        struct mqtt_packet again;
        size_t first_size, second_size, consumed;
        uint8_t reason;
        uint8_t *first = encode(packet, version, &first_size);
        int decode_version = packet->type == MQTT_CONNECT ? 0 : version;
        require(mqtt_decode(span_of(first, first_size), decode_version, SIZE_MAX, &again, &consumed, &reason) ==
                RELAY_OK);
        require(consumed == first_size && again.type == packet->type && again.props.present == packet->props.present);
        uint8_t *second = encode(&again, version, &second_size);
        require(second_size == first_size && memcmp(first, second, first_size) == 0);
        free(first);
        free(second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static const int versions[] = { 0, MQTT_V311, MQTT_V5 };
        if (size == 0)
                return 0;
        int version = versions[data[0] % 3];
        struct span in = span_slice(span_of(data, size), 1, size);
        while (in.size > 0) {
                struct mqtt_packet packet;
                size_t consumed;
                uint8_t reason = 0;
                int result = mqtt_decode(in, version, 1 << 20, &packet, &consumed, &reason);
                if (result != RELAY_OK) {
                        require(result == RELAY_MORE ? consumed == 0 || consumed > in.size : reason >= 0x80);
                        return 0;
                }
                require(consumed >= 2 && consumed <= in.size);
                walk(&packet);
                if (packet.type == MQTT_CONNECT)
                        version = (int)packet.connect.version;
                round_trip(&packet, version);
                in = span_slice(in, consumed, in.size);
        }
        return 0;
}
