/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The audit log in the store. */

#include <errno.h>

#include "hub/audit_log.h"
#include "util/cleanup.h"

static int note_head(void *context, struct span key, struct span record)
{
        struct audit_log *log = context;

        (void)key;
        return audit_head_of(record, &log->head) == RELAY_OK ? 0 : -EBADMSG;
}

static int note_more(void *context, struct span key, struct span record)
{
        (void)key, (void)record;
        ((struct audit_log *)context)->has_gaps = true;
        return 1;
}

/* Numbers have no gaps, so the last one is their count; unless somebody took records away. */
static int find_gaps(struct audit_log *log, uint64_t count)
{
        uint8_t key[AUDIT_KEY_SIZE];
        int result = store_walk(log->store, STORE_AUDIT, store_number_key(count + 1, key), note_more, log);

        if (result < 0 || !log->has_gaps)
                return result;
        return store_walk(log->store, STORE_AUDIT, SPAN_EMPTY, note_head, log);
}

int audit_log_load(struct audit_log *log, struct store *store)
{
        _cleanup_free_ uint8_t *record = NULL;
        uint8_t key[AUDIT_KEY_SIZE];
        struct store_usage usage;
        size_t size;
        int result;

        *log = (struct audit_log){ .store = store };
        result = store_usage(store, &usage);
        if (result < 0 || usage.records[STORE_AUDIT] == 0)
                return result;
        result = find_gaps(log, usage.records[STORE_AUDIT]);
        if (result < 0 || log->has_gaps)
                return result;
        result = store_get(store, STORE_AUDIT, store_number_key(usage.records[STORE_AUDIT], key), &record, &size);
        if (result < 0)
                return result == -ENOENT ? -EBADMSG : result;
        return audit_head_of(span_of(record, size), &log->head) == RELAY_OK ? 0 : -EBADMSG;
}

int audit_log_append(struct audit_log *log, uint64_t now, const char *actor, enum audit_action action,
                     const char *object, const char *detail)
{
        struct audit_record record = { .time = now,
                                       .actor = span_of_string(actor),
                                       .action = span_of_string(audit_action_name(action)),
                                       .object = span_of_string(object),
                                       .detail = span_of_string(detail) };
        struct audit_head head = log->head;
        uint8_t bytes[AUDIT_RECORD_MAX], key[AUDIT_KEY_SIZE];
        size_t size;
        int result;

        if (audit_append(&head, &record, bytes, &size, key) != RELAY_OK)
                return -EIO;
        result = store_put(log->store, STORE_AUDIT, SPAN_OF(key), span_of(bytes, size));
        if (result == 0)
                log->head = head;
        return result;
}

struct walk {
        uint32_t left;
        int (*fn)(void *context, uint64_t number, struct span record);
        void *context;
};

static int walk_one(void *context, struct span key, struct span value)
{
        struct walk *walk = context;
        struct reader r;

        if (walk->left-- == 0)
                return 1;
        reader_init(&r, key);
        return walk->fn(walk->context, reader_u64(&r), value);
}

int audit_log_walk(const struct audit_log *log, uint64_t from, uint32_t max,
                   int (*fn)(void *context, uint64_t number, struct span record), void *context)
{
        struct walk walk = { max, fn, context };
        uint8_t key[AUDIT_KEY_SIZE];
        int result = store_walk(log->store, STORE_AUDIT, store_number_key(from, key), walk_one, &walk);

        return result < 0 ? result : 0;
}
