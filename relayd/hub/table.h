/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Hash table of objects that embed a table_entry; the object's key stays in the object. Hashes are seeded at start, so
 * that a peer cannot choose names that collide.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/span.h"

struct table_entry {
        struct table_entry *next;
        uint64_t hash;
};
struct table {
        struct table_entry **slots;
        size_t size, count; /* size: a power of two, or 0 before the first insertion */
};
typedef bool (*table_equal_fn)(const struct table_entry *entry, const void *key);

uint64_t table_hash(struct span bytes);                          /* seeded at start */
uint64_t table_hash_two(const void *pointer, struct span bytes); /* of a pointer and bytes together */

/* The entry with this hash for which equal says yes to key, or NULL. */
struct table_entry *table_find(const struct table *table, uint64_t hash, table_equal_fn equal, const void *key);
/* The entry must not be in a table. 0 or -ENOMEM */
int table_insert(struct table *table, struct table_entry *entry, uint64_t hash);
void table_remove(struct table *table, struct table_entry *entry);
/* Any order. NULL starts, NULL ends. To remove while walking, fetch the next entry first. */
struct table_entry *table_next(const struct table *table, const struct table_entry *entry);
void table_release(struct table *table); /* the slots; the objects are the caller's */

#define container_of(pointer, type, member) ((type *)(void *)((char *)(pointer)-offsetof(type, member)))
