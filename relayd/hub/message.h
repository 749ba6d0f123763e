/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * An application message inside the hub: counted references, immutable, one allocation. The same form is stored in
 * the outbox, in the retained table and in the queues of subscribers:
 *
 *     u8 format (1) | u8 flags (bits 0-1 QoS, bit 2 retain) | u64 received | u64 expires | u16 topic size | topic
 *     | u32 size of the properties | properties | payload         times: Unix seconds, expires 0: never
 *
 * Properties: encoded MQTT 5 PUBLISH properties that are forwarded unaltered (no topic alias, subscription identifier
 * or message expiry interval: those belong to one hop or are counted down).
 */

#include "relay/mqtt.h"

#define MESSAGE_FORMAT       1
#define MESSAGE_HEADER_SIZE  24 /* bytes of the stored form beside topic, properties and payload */
#define MESSAGE_IDS_MAX      8  /* subscription identifiers told with one delivery */
#define MESSAGE_PACKET_EXTRA 64 /* bytes of a PUBLISH beside topic, properties and payload, at most */

struct message {
        uint32_t refs;
        uint8_t qos;
        bool retain;
        uint64_t received, expires;
        struct span topic, properties, payload;
        struct span stored; /* the stored form, all of the above point into it */
        uint8_t bytes[];
};

struct message_parts {
        uint8_t qos;
        bool retain;
        uint64_t received, expires;
        struct span topic, properties, payload;
};
int message_new(struct message **ret, const struct message_parts *parts); /* -ENOMEM, -EMSGSIZE */
/* From a decoded PUBLISH (or will): filters the raw properties; message_expiry counts from now. -EBADMSG: properties */
int message_from_publish(struct message **ret, const struct mqtt_publish *publish, const struct mqtt_props *props,
                         uint64_t now);
/* From the stored form; -EBADMSG */
int message_from_stored(struct message **ret, struct span stored);
struct message *message_ref(struct message *m);
struct message *message_unref(struct message *m); /* NULL-safe, returns NULL */

/* A gateway without a clock starts near 1970 and jumps later: times from before this one say nothing. */
#define MESSAGE_TIME_PLAUSIBLE UINT64_C(1750000000)

static inline bool message_time_is_comparable(uint64_t then, uint64_t now)
{
        return then >= MESSAGE_TIME_PLAUSIBLE || now < MESSAGE_TIME_PLAUSIBLE;
}

static inline bool message_is_expired(const struct message *m, uint64_t now)
{
        return m->expires && m->expires <= now && message_time_is_comparable(m->received, now);
}

/* what is particular to one delivery */
struct message_delivery {
        uint8_t qos;
        bool dup, retain;
        uint16_t packet_id;
        const uint32_t *ids; /* subscription identifiers */
        size_t id_count;
};
/* Bytes of a PUBLISH of m at most: size the writer by it. */
size_t message_packet_size(const struct message *m);
/* Appends the normalised (MQTT 5) PUBLISH with what is left of the expiry interval. */
void message_write_publish(struct writer *w, const struct message *m, const struct message_delivery *delivery,
                           uint64_t now);
