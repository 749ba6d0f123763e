/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The list of topic filters inside SUBSCRIBE and UNSUBSCRIBE, which stays encoded.
 */

#include "mqtt_internal.h"

void mqtt_filters_init(struct mqtt_filters *it, const struct mqtt_packet *packet)
{
        reader_init(&it->r, packet->subscribe.filters);
        it->options = packet->type == MQTT_SUBSCRIBE;
}

bool mqtt_filters_next(struct mqtt_filters *it, struct mqtt_filter *out)
{
        if (reader_left(&it->r) == 0)
                return false;
        uint16_t size = reader_u16(&it->r);
        struct span filter = reader_bytes(&it->r, size);
        uint8_t options = it->options ? reader_u8(&it->r) : 0;
        if (it->r.result != RELAY_OK)
                return false;
        *out = (struct mqtt_filter){
                .filter = filter,
                .qos = options & 3,
                .no_local = options & 4,
                .retain_as_published = options & 8,
                .retain_handling = (options >> 4) & 3,
        };
        return true;
}

void mqtt_filter_put(struct writer *w, const struct mqtt_filter *filter, bool options)
{
        mqtt_put_binary(w, filter->filter);
        if (options)
                writer_u8(w, (uint8_t)((filter->qos & 3) | (filter->no_local ? 4 : 0) |
                                       (filter->retain_as_published ? 8 : 0) | (filter->retain_handling & 3) << 4));
}
