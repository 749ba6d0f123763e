/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Packet ids in flight in one direction and what each waits for: a small hash table. Few ids need no memory of their
 * own.
 */

#include <stdint.h>

#define FLIGHTS_INLINE 8

enum flight {
        FLIGHT_NONE = 0,
        FLIGHT_PUBACK,    /* QoS 1 publish */
        FLIGHT_PUBREC,    /* QoS 2 publish */
        FLIGHT_PUBREL,    /* QoS 2: PUBREC went, PUBREL is next */
        FLIGHT_PUBCOMP,   /* QoS 2: PUBREL went, PUBCOMP is next */
        FLIGHT_SUBSCRIBE, /* SUBSCRIBE */
        FLIGHT_UNSUBSCRIBE,
};

struct flights {
        uint32_t inside[FLIGHTS_INLINE];
        uint32_t *slots; /* state << 16 | packet id; 0: free. NULL: inside */
        uint32_t size;   /* of slots, a power of two */
        uint32_t count;
};

enum flight flights_find(const struct flights *f, uint16_t packet_id);
/* Adds or changes; -ENOMEM only when adding. */
int flights_set(struct flights *f, uint16_t packet_id, enum flight state);
void flights_remove(struct flights *f, uint16_t packet_id);
void flights_clear(struct flights *f);
