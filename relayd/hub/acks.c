/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Acknowledgements that wait for the disk. */

#include <errno.h>
#include <stdlib.h>

#include "hub/broker.h"

#define ACKS_SIZE_MIN 1024

static int grow(struct acks *acks)
{
        size_t size = acks->size ? 2 * acks->size : ACKS_SIZE_MIN;
        struct ack *ring = calloc(size, sizeof(*ring));

        if (!ring)
                return -ENOMEM;
        for (size_t i = 0; i < acks->count; i++)
                ring[i] = acks->ring[(acks->first + i) & (acks->size - 1)];
        free(acks->ring);
        acks->ring = ring;
        acks->size = size;
        acks->first = 0;
        return 0;
}

int acks_push(struct broker *b, struct link *link, uint8_t type, uint16_t packet_id, uint8_t reason)
{
        struct acks *acks = &b->acks;

        if (acks->count >= ACKS_COUNT_MAX || (acks->count == acks->size && grow(acks) < 0))
                return -ENOMEM;
        acks->ring[(acks->first + acks->count) & (acks->size - 1)] = (struct ack){ link, 0, packet_id, type, reason };
        acks->count++;
        acks->unsealed++;
        link->refs++;
        return 0;
}

void acks_seal(struct acks *acks, uint64_t commit)
{
        for (; acks->unsealed > 0; acks->unsealed--)
                acks->ring[(acks->first + acks->count - acks->unsealed) & (acks->size - 1)].commit = commit;
}

static struct ack pop(struct acks *acks)
{
        struct ack ack = acks->ring[acks->first];

        acks->first = (acks->first + 1) & (acks->size - 1);
        acks->count--;
        return ack;
}

void acks_release(struct broker *b)
{
        struct acks *acks = &b->acks;

        while (acks->count > acks->unsealed && acks->ring[acks->first].commit <= b->durable) {
                struct ack ack = pop(acks);
                if (!ack.link->closed && ack.link->client)
                        link_send_ack(b, ack.link, ack.type, ack.packet_id, ack.reason);
                link_unref(b, ack.link);
        }
}

void acks_drop(struct broker *b)
{
        while (b->acks.count)
                link_unref(b, pop(&b->acks).link);
        free(b->acks.ring);
        b->acks = (struct acks){ 0 };
}
