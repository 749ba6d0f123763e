/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Hash table with chains; see table.h. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "hub/table.h"

#define TABLE_SIZE_MIN 16

static uint64_t table_seed(void)
{
        static uint64_t seed;

        while (!seed)
                if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
                        seed = (uintptr_t)&seed | 1;
        return seed;
}

static uint64_t mix(uint64_t a, uint64_t b)
{
        unsigned __int128 product = (unsigned __int128)(a ^ UINT64_C(0x9E3779B97F4A7C15)) * (b | 1);
        return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t hash_bytes(uint64_t hash, struct span bytes)
{
        size_t at = 0;

        for (; bytes.size - at >= 8; at += 8) {
                uint64_t word;
                memcpy(&word, bytes.data + at, 8);
                hash = mix(hash ^ word, UINT64_C(0xD6E8FEB86659FD93));
        }
        if (at < bytes.size) {
                uint64_t word = 0;
                memcpy(&word, bytes.data + at, bytes.size - at);
                hash = mix(hash ^ word, UINT64_C(0xA0761D6478BD642F));
        }
        return mix(hash ^ bytes.size, table_seed());
}

uint64_t table_hash(struct span bytes)
{
        return hash_bytes(table_seed(), bytes);
}

uint64_t table_hash_two(const void *pointer, struct span bytes)
{
        return hash_bytes(table_seed() ^ (uintptr_t)pointer, bytes);
}

struct table_entry *table_find(const struct table *table, uint64_t hash, table_equal_fn equal, const void *key)
{
        if (!table->size)
                return NULL;
        for (struct table_entry *e = table->slots[hash & (table->size - 1)]; e; e = e->next)
                if (e->hash == hash && equal(e, key))
                        return e;
        return NULL;
}

static int table_grow(struct table *table)
{
        size_t size = table->size ? 2 * table->size : TABLE_SIZE_MIN;
        struct table_entry **slots = calloc(size, sizeof(*slots));

        if (!slots)
                return -ENOMEM;
        for (size_t i = 0; i < table->size; i++)
                for (struct table_entry *e = table->slots[i], *next; e; e = next) {
                        next = e->next;
                        e->next = slots[e->hash & (size - 1)];
                        slots[e->hash & (size - 1)] = e;
                }
        free(table->slots);
        table->slots = slots;
        table->size = size;
        return 0;
}

int table_insert(struct table *table, struct table_entry *entry, uint64_t hash)
{
        struct table_entry **slot;

        /* a table that cannot grow still works, with longer chains */
        if (table->count >= table->size && table_grow(table) < 0 && !table->size)
                return -ENOMEM;
        slot = &table->slots[hash & (table->size - 1)];
        entry->hash = hash;
        entry->next = *slot;
        *slot = entry;
        table->count++;
        return 0;
}

void table_remove(struct table *table, struct table_entry *entry)
{
        struct table_entry **at = &table->slots[entry->hash & (table->size - 1)];

        while (*at != entry)
                at = &(*at)->next;
        *at = entry->next;
        entry->next = NULL;
        table->count--;
}

struct table_entry *table_next(const struct table *table, const struct table_entry *entry)
{
        size_t slot = entry ? (entry->hash & (table->size - 1)) + 1 : 0;

        if (entry && entry->next)
                return entry->next;
        for (; slot < table->size; slot++)
                if (table->slots[slot])
                        return table->slots[slot];
        return NULL;
}

void table_release(struct table *table)
{
        free(table->slots);
        *table = (struct table){ 0 };
}
