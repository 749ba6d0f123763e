/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Who subscribed to what: a tree of topic filters with lists of subscriptions, and per client the list of its own.
 */

#include "hub/topictree.h"
#include "relay/mqtt.h"

struct client;

struct subscription {
        struct topic_node *node;
        struct client *client;
        struct subscription *next, *previous;               /* of the same filter */
        struct subscription *client_next, *client_previous; /* of the same client */
        uint32_t id;                                        /* subscription identifier, 0: none */
        uint8_t qos;
        bool no_local, retain_as_published;
        uint16_t size;
        uint8_t filter[];
};
struct subscription_list { /* a client's */
        struct subscription *first;
        uint32_t count;
        uint32_t bytes; /* of the filters */
};
struct subscriptions {
        struct topic_tree filters;
        uint64_t count;
};

int subscriptions_init(struct subscriptions *subs); /* 0, -ENOMEM */
/* Every client's list must be empty. */
void subscriptions_release(struct subscriptions *subs);

/* positive answer: the client had this subscription; its options are replaced */
#define SUBSCRIPTION_REPLACED 1
int subscriptions_add(struct subscriptions *subs, struct client *client, struct subscription_list *list,
                      const struct mqtt_filter *filter, uint32_t id);
bool subscriptions_remove(struct subscriptions *subs, const struct client *client, struct subscription_list *list,
                          struct span filter);
void subscriptions_remove_one(struct subscriptions *subs, struct subscription_list *list, struct subscription *sub);
void subscriptions_remove_all(struct subscriptions *subs, struct subscription_list *list);
/* Each subscription that a publish to this topic reaches. fn must not change subscriptions. */
void subscriptions_match(const struct subscriptions *subs, struct span topic,
                         void (*fn)(void *context, struct subscription *sub), void *context);
