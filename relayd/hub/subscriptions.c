/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Subscriptions; see subscriptions.h. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hub/subscriptions.h"

int subscriptions_init(struct subscriptions *subs)
{
        *subs = (struct subscriptions){ 0 };
        return topic_tree_init(&subs->filters);
}

void subscriptions_release(struct subscriptions *subs)
{
        if (subs->filters.root)
                topic_tree_release(&subs->filters);
}

static struct subscription *find(const struct topic_node *node, const struct client *client)
{
        struct subscription *sub = node ? node->value : NULL;

        while (sub && sub->client != client)
                sub = sub->next;
        return sub;
}

static struct subscription *insert(struct topic_node *node, struct client *client, struct subscription_list *list,
                                   struct span filter)
{
        struct subscription *sub = calloc(1, sizeof(*sub) + filter.size);

        if (!sub)
                return NULL;
        sub->node = node;
        sub->client = client;
        sub->size = (uint16_t)filter.size;
        memcpy(sub->filter, filter.data, filter.size);
        sub->next = node->value;
        if (sub->next)
                sub->next->previous = sub;
        node->value = sub;
        sub->client_next = list->first;
        if (sub->client_next)
                sub->client_next->client_previous = sub;
        list->first = sub;
        list->count++;
        list->bytes += sub->size;
        return sub;
}

int subscriptions_add(struct subscriptions *subs, struct client *client, struct subscription_list *list,
                      const struct mqtt_filter *filter, uint32_t id)
{
        struct topic_node *node = topic_tree_make(&subs->filters, filter->filter);
        struct subscription *sub = find(node, client);
        int answer = sub ? SUBSCRIPTION_REPLACED : 0;

        if (!node)
                return -ENOMEM;
        if (!sub) {
                sub = insert(node, client, list, filter->filter);
                if (!sub) {
                        topic_tree_prune(&subs->filters, node);
                        return -ENOMEM;
                }
                subs->count++;
        }
        sub->id = id;
        sub->qos = filter->qos;
        sub->no_local = filter->no_local;
        sub->retain_as_published = filter->retain_as_published;
        return answer;
}

void subscriptions_remove_one(struct subscriptions *subs, struct subscription_list *list, struct subscription *sub)
{
        if (sub->previous)
                sub->previous->next = sub->next;
        else
                sub->node->value = sub->next;
        if (sub->next)
                sub->next->previous = sub->previous;
        if (sub->client_previous)
                sub->client_previous->client_next = sub->client_next;
        else
                list->first = sub->client_next;
        if (sub->client_next)
                sub->client_next->client_previous = sub->client_previous;
        list->count--;
        list->bytes -= sub->size;
        subs->count--;
        topic_tree_prune(&subs->filters, sub->node);
        free(sub);
}

bool subscriptions_remove(struct subscriptions *subs, const struct client *client, struct subscription_list *list,
                          struct span filter)
{
        struct subscription *sub = find(topic_tree_find(&subs->filters, filter), client);

        if (sub)
                subscriptions_remove_one(subs, list, sub);
        return sub;
}

void subscriptions_remove_all(struct subscriptions *subs, struct subscription_list *list)
{
        while (list->first)
                subscriptions_remove_one(subs, list, list->first);
}

struct match {
        void (*fn)(void *context, struct subscription *sub);
        void *context;
};

static void match_node(void *context, struct topic_node *node)
{
        const struct match *match = context;

        for (struct subscription *sub = node->value; sub; sub = sub->next)
                match->fn(match->context, sub);
}

void subscriptions_match(const struct subscriptions *subs, struct span topic,
                         void (*fn)(void *context, struct subscription *sub), void *context)
{
        struct match match = { fn, context };

        topic_tree_match_name(&subs->filters, topic, match_node, &match);
}
