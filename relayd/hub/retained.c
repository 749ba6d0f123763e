/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Retained messages; see retained.h. */

#include <errno.h>

#include "hub/retained.h"

int retained_init(struct retained *retained, struct store *store)
{
        *retained = (struct retained){ .store = store,
                                       .count_max = RETAINED_COUNT_MAX,
                                       .bytes_max = RETAINED_BYTES_MAX };
        return topic_tree_init(&retained->names);
}

void retained_release(struct retained *retained)
{
        if (!retained->names.root)
                return;
        for (struct table_entry *e = table_next(&retained->names.nodes, NULL); e;
             e = table_next(&retained->names.nodes, e)) {
                struct topic_node *node = container_of(e, struct topic_node, entry);
                node->value = message_unref(node->value);
        }
        topic_tree_release(&retained->names);
}

/* Takes a reference; the place is known to be allowed. */
static int keep(struct retained *retained, struct message *m)
{
        struct topic_node *node = topic_tree_make(&retained->names, m->topic);
        struct message *old;

        if (!node)
                return -ENOMEM;
        old = node->value;
        if (old)
                retained->bytes -= old->stored.size;
        else
                retained->count++;
        message_unref(old);
        node->value = message_ref(m);
        retained->bytes += m->stored.size;
        return 0;
}

static void forget(struct retained *retained, struct topic_node *node)
{
        struct message *m = node->value;

        retained->count--;
        retained->bytes -= m->stored.size;
        node->value = message_unref(m);
        topic_tree_prune(&retained->names, node);
}

static int load_one(void *context, struct span key, struct span value)
{
        struct retained *retained = context;
        struct message *m;
        int result = message_from_stored(&m, value);

        if (result < 0)
                return result;
        result = span_equal(m->topic, key) ? keep(retained, m) : -EBADMSG;
        message_unref(m);
        return result;
}

int retained_load(struct retained *retained, uint64_t now)
{
        int result = store_walk(retained->store, STORE_RETAINED, SPAN_EMPTY, load_one, retained);

        if (result < 0)
                return result;
        retained_sweep(retained, now, SIZE_MAX);
        return 0;
}

static int clear(struct retained *retained, struct span topic)
{
        struct topic_node *node = topic_tree_find(&retained->names, topic);
        int result;

        if (!node || !node->value)
                return 0;
        result = store_delete(retained->store, STORE_RETAINED, topic);
        if (result < 0)
                return result;
        forget(retained, node);
        return 0;
}

/* borrowed, or NULL */
static struct message *find(const struct retained *retained, struct span topic)
{
        const struct topic_node *node = topic_tree_find(&retained->names, topic);

        return node ? node->value : NULL;
}

int retained_check(const struct retained *retained, const struct message *m)
{
        const struct message *old;

        if (m->topic.size > STORE_KEY_MAX)
                return -E2BIG;
        if (m->payload.size == 0)
                return 0;
        old = find(retained, m->topic);
        if (!old && retained->count >= retained->count_max)
                return -ENOSPC;
        return retained->bytes - (old ? old->stored.size : 0) + m->stored.size > retained->bytes_max ? -ENOSPC : 0;
}

int retained_set(struct retained *retained, struct message *m)
{
        int result = retained_check(retained, m);

        if (result < 0)
                return result;
        if (m->payload.size == 0)
                return clear(retained, m->topic);
        result = store_put(retained->store, STORE_RETAINED, m->topic, m->stored);
        return result < 0 ? result : keep(retained, m);
}

struct match {
        void (*fn)(void *context, struct message *m);
        void *context;
        uint64_t now;
};

static void match_node(void *context, struct topic_node *node)
{
        const struct match *match = context;

        if (!message_is_expired(node->value, match->now))
                match->fn(match->context, node->value);
}

void retained_match(const struct retained *retained, struct span filter, uint64_t now,
                    void (*fn)(void *context, struct message *m), void *context)
{
        struct match match = { fn, context, now };

        topic_tree_match_filter(&retained->names, filter, match_node, &match);
}

/* Nodes are pruned one by one, which may take the walk's next node with them: so the walk starts anew after each. */
void retained_sweep(struct retained *retained, uint64_t now, size_t max)
{
        struct table_entry *e = table_next(&retained->names.nodes, NULL);

        while (e && max > 0) {
                struct topic_node *node = container_of(e, struct topic_node, entry);
                const struct message *m = node->value;

                if (!m || !message_is_expired(m, now)) {
                        e = table_next(&retained->names.nodes, e);
                        continue;
                }
                if (store_delete(retained->store, STORE_RETAINED, m->topic) < 0)
                        return;
                forget(retained, node);
                e = table_next(&retained->names.nodes, NULL);
                max--;
        }
}
