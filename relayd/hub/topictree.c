/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tree of topics; all nodes stand in one hash table under (parent, level). */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hub/topictree.h"

struct node_key {
        const struct topic_node *parent;
        struct span level;
};

static bool node_equal(const struct table_entry *entry, const void *key)
{
        const struct topic_node *node = container_of(entry, const struct topic_node, entry);
        const struct node_key *wanted = key;

        return node->parent == wanted->parent && node->size == wanted->level.size &&
               memcmp(node->level, wanted->level.data, node->size) == 0;
}

/* The level at the start of *path; *path becomes what follows its '/', with data NULL behind the last level. */
static struct span take_level(struct span *path)
{
        const uint8_t *slash = path->size ? memchr(path->data, '/', path->size) : NULL;
        struct span level = *path;

        if (slash) {
                level.size = (size_t)(slash - path->data);
                *path = span_of(slash + 1, path->size - level.size - 1);
        } else {
                *path = SPAN_EMPTY;
        }
        return level;
}

bool topic_depth_is_valid(struct span topic)
{
        size_t levels = 1;

        for (size_t i = 0; i < topic.size; i++)
                levels += topic.data[i] == '/';
        return levels <= TOPIC_LEVELS_MAX;
}

static struct topic_node *find_child(const struct topic_tree *tree, const struct topic_node *parent, struct span level)
{
        struct node_key key = { parent, level };
        struct table_entry *entry;

        if (!parent->children)
                return NULL;
        entry = table_find(&tree->nodes, table_hash_two(parent, level), node_equal, &key);
        return entry ? container_of(entry, struct topic_node, entry) : NULL;
}

static struct topic_node *make_child(struct topic_tree *tree, struct topic_node *parent, struct span level)
{
        struct topic_node *node = calloc(1, sizeof(*node) + level.size);

        if (!node)
                return NULL;
        node->size = (uint16_t)level.size;
        if (level.size)
                memcpy(node->level, level.data, level.size);
        if (table_insert(&tree->nodes, &node->entry, table_hash_two(parent, level)) < 0) {
                free(node);
                return NULL;
        }
        node->parent = parent;
        node->next = parent->children;
        if (node->next)
                node->next->previous = node;
        parent->children = node;
        return node;
}

int topic_tree_init(struct topic_tree *tree)
{
        *tree = (struct topic_tree){ .root = calloc(1, sizeof(struct topic_node)) };
        return tree->root ? 0 : -ENOMEM;
}

void topic_tree_release(struct topic_tree *tree)
{
        for (struct table_entry *e = table_next(&tree->nodes, NULL), *next; e; e = next) {
                next = table_next(&tree->nodes, e);
                free(container_of(e, struct topic_node, entry));
        }
        table_release(&tree->nodes);
        free(tree->root);
        tree->root = NULL;
}

struct topic_node *topic_tree_find(const struct topic_tree *tree, struct span path)
{
        struct topic_node *node = tree->root;

        do {
                struct span level = take_level(&path);
                node = find_child(tree, node, level);
        } while (node && path.data);
        return node;
}

struct topic_node *topic_tree_make(struct topic_tree *tree, struct span path)
{
        struct topic_node *node = tree->root;

        do {
                struct span level = take_level(&path);
                struct topic_node *child = find_child(tree, node, level);
                if (!child)
                        child = make_child(tree, node, level);
                if (!child) {
                        topic_tree_prune(tree, node);
                        return NULL;
                }
                node = child;
        } while (path.data);
        return node;
}

void topic_tree_prune(struct topic_tree *tree, struct topic_node *node)
{
        while (node != tree->root && !node->value && !node->children) {
                struct topic_node *parent = node->parent;

                if (node->previous)
                        node->previous->next = node->next;
                else
                        parent->children = node->next;
                if (node->next)
                        node->next->previous = node->previous;
                table_remove(&tree->nodes, &node->entry);
                free(node);
                node = parent;
        }
}

struct match {
        const struct topic_tree *tree;
        topic_node_fn fn;
        void *context;
};

static void call_if_set(const struct match *match, struct topic_node *node)
{
        if (node && node->value)
                match->fn(match->context, node);
}

static bool starts_with_dollar(struct span topic)
{
        return topic.size > 0 && topic.data[0] == '$';
}

/* left.data NULL: the name ended at this node */
static void match_name_below(const struct match *match, const struct topic_node *node, struct span left, bool wildcards)
{
        struct topic_node *child;
        struct span level;

        if (!node->children)
                return;
        /* '#' matches the parent level, too */
        if (wildcards)
                call_if_set(match, find_child(match->tree, node, SPAN_LITERAL("#")));
        if (!left.data)
                return;
        level = take_level(&left);
        for (int plus = 0; plus < 2; plus++) {
                if (plus && !wildcards)
                        break;
                child = find_child(match->tree, node, plus ? SPAN_LITERAL("+") : level);
                if (!child)
                        continue;
                if (!left.data)
                        call_if_set(match, child);
                match_name_below(match, child, left, true);
        }
}

void topic_tree_match_name(const struct topic_tree *tree, struct span name, topic_node_fn fn, void *context)
{
        struct match match = { tree, fn, context };

        if (name.data)
                match_name_below(&match, tree->root, name, !starts_with_dollar(name));
}

static void match_all_below(const struct match *match, struct topic_node *node)
{
        for (struct topic_node *child = node->children; child; child = child->next) {
                call_if_set(match, child);
                match_all_below(match, child);
        }
}

static void match_filter_below(const struct match *match, struct topic_node *node, struct span left)
{
        bool top = node == match->tree->root;
        struct span level = take_level(&left);
        struct topic_node *child;

        if (span_equal(level, SPAN_LITERAL("#"))) {
                call_if_set(match, node);
                for (child = node->children; child; child = child->next) {
                        if (top && child->size && child->level[0] == '$')
                                continue;
                        call_if_set(match, child);
                        match_all_below(match, child);
                }
                return;
        }
        if (!span_equal(level, SPAN_LITERAL("+"))) {
                child = find_child(match->tree, node, level);
                if (child && left.data)
                        match_filter_below(match, child, left);
                else
                        call_if_set(match, child);
                return;
        }
        for (child = node->children; child; child = child->next) {
                if (top && child->size && child->level[0] == '$')
                        continue;
                if (left.data)
                        match_filter_below(match, child, left);
                else
                        call_if_set(match, child);
        }
}

void topic_tree_match_filter(const struct topic_tree *tree, struct span filter, topic_node_fn fn, void *context)
{
        struct match match = { tree, fn, context };

        if (filter.data)
                match_filter_below(&match, tree->root, filter);
}
