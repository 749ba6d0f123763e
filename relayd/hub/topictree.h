/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Tree of topic names or topic filters, one node per level (MQTT 5 section 4.7). The nodes' values are the caller's:
 * subscriptions hang lists on filters, the retained store hangs messages on names.
 */

#include "hub/table.h"

#define TOPIC_LEVELS_MAX 128 /* deeper names and filters are refused by the hub: matching recurses once per level */

struct topic_node {
        struct table_entry entry;
        struct topic_node *parent, *children, *next, *previous; /* siblings */
        void *value;
        uint16_t size;
        uint8_t level[]; /* one level's bytes */
};
struct topic_tree {
        struct table nodes;
        struct topic_node *root;
};

int topic_tree_init(struct topic_tree *tree); /* 0, -ENOMEM */
/* Frees all nodes; values must be gone. */
void topic_tree_release(struct topic_tree *tree);

bool topic_depth_is_valid(struct span topic); /* at most TOPIC_LEVELS_MAX levels */
struct topic_node *topic_tree_find(const struct topic_tree *tree, struct span path);
/* The node of path, made if it is not there; NULL without memory. */
struct topic_node *topic_tree_make(struct topic_tree *tree, struct span path);
/* Takes the node and its ancestors away as far as they have neither value nor children. */
void topic_tree_prune(struct topic_tree *tree, struct topic_node *node);

typedef void (*topic_node_fn)(void *context, struct topic_node *node);
/* The tree holds filters: calls fn for each node with a value whose filter matches the name. */
void topic_tree_match_name(const struct topic_tree *tree, struct span name, topic_node_fn fn, void *context);
/* The tree holds names: calls fn for each node with a value whose name the filter matches. fn may clear the value but
 * must not prune. */
void topic_tree_match_filter(const struct topic_tree *tree, struct span filter, topic_node_fn fn, void *context);
