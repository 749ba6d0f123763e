/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Acknowledgements that wait for the disk: PUBACK and PUBREC go out in the order of their publishes, once the commit
 * that holds them is durable.
 */

#include <stddef.h>
#include <stdint.h>

struct broker;
struct link;

struct ack {
        struct link *link; /* referenced */
        uint64_t commit;
        uint16_t packet_id;
        uint8_t type; /* MQTT_PUBACK, MQTT_PUBREC */
        uint8_t reason;
};
#define ACKS_COUNT_MAX (1u << 20) /* a front end that was taken over may send without waiting */
struct acks {
        struct ack *ring;
        size_t size, first, count; /* size: a power of two */
        size_t unsealed;           /* the last so many wait for the commit of this turn */
};

/* 0; -ENOMEM: no memory, or too many wait */
int acks_push(struct broker *b, struct link *link, uint8_t type, uint16_t packet_id, uint8_t reason);
void acks_seal(struct acks *acks, uint64_t commit);
void acks_release(struct broker *b); /* sends what is durable */
void acks_drop(struct broker *b);    /* at shut-down */
