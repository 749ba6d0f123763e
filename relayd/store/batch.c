/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Staged changes. A record is an 8-byte head, the key and the value, without padding. */

#include "store/batch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CAPACITY ((size_t)64 * 1024)
#define PAGE           4096

struct head {
        uint8_t put, table;
        uint16_t key_size;
        uint32_t value_size;
};
_Static_assert(sizeof(struct head) == 8, "record head without holes");

struct batch *batch_free(struct batch *batch)
{
        if (batch)
                free(batch->data);
        free(batch);
        return NULL;
}

void batch_clear(struct batch *batch)
{
        batch->next = NULL;
        batch->number = 0;
        batch->records = batch->charge = batch->size = 0;
}

size_t batch_charge(size_t key_size, size_t value_size)
{
        size_t size = key_size + value_size + 16;
        if (size > PAGE / 2)
                return (value_size / PAGE + 1) * PAGE + 2 * (key_size + 16);
        return 2 * size;
}

static int grow(struct batch *batch, size_t needed)
{
        size_t capacity = batch->capacity ? batch->capacity : FIRST_CAPACITY;
        while (capacity < needed)
                capacity *= 2;
        if (capacity > 2 * (size_t)STORE_STAGED_MAX)
                return -ENOMEM;
        uint8_t *data = realloc(batch->data, capacity);
        if (!data)
                return -ENOMEM;
        batch->data = data;
        batch->capacity = capacity;
        return 0;
}

static int make(struct batch **batch)
{
        *batch = calloc(1, sizeof(**batch));
        return *batch ? 0 : -ENOMEM;
}

int batch_add(struct batch **batch, const struct batch_record *record)
{
        int result = *batch ? 0 : make(batch);
        if (result < 0)
                return result;
        struct batch *b = *batch;
        size_t size = sizeof(struct head) + record->key.size + record->value.size;
        if (b->capacity - b->size < size && (result = grow(b, b->size + size)) < 0)
                return result;

        struct head head = { record->put, (uint8_t)record->table, (uint16_t)record->key.size,
                             (uint32_t)record->value.size };
        uint8_t *at = b->data + b->size;
        memcpy(at, &head, sizeof(head));
        memcpy(at + sizeof(head), record->key.data, record->key.size);
        if (record->value.size)
                memcpy(at + sizeof(head) + record->key.size, record->value.data, record->value.size);
        b->size += size;
        b->records++;
        if (record->put)
                b->charge += batch_charge(record->key.size, record->value.size);
        return 0;
}

bool batch_next(const struct batch *batch, size_t *at, struct batch_record *out)
{
        if (*at >= batch->size)
                return false;
        struct head head;
        const uint8_t *p = batch->data + *at;
        memcpy(&head, p, sizeof(head));
        *out = (struct batch_record){
                .put = head.put,
                .table = (enum store_table)head.table,
                .key = { p + sizeof(head), head.key_size },
                .value = { p + sizeof(head) + head.key_size, head.value_size },
        };
        *at += sizeof(head) + head.key_size + head.value_size;
        return true;
}
