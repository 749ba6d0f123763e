/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The topic tree against the plain rule of topic_matches(), on every pair of a small world of names and filters. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "hub/topictree.h"
#include "relay/topic.h"

#define WORLD_MAX 2000

static const char *const name_levels[] = { "a", "b", "", "$x" };
static const char *const filter_levels[] = { "a", "b", "", "$x", "+", "#" };

struct world {
        char texts[WORLD_MAX][32];
        size_t count;
};

/* all topics of one to four levels */
static void fill(struct world *world, const char *const *levels, size_t count, bool (*valid)(struct span))
{
        for (size_t depth = 1; depth <= 4; depth++) {
                size_t total = 1;
                for (size_t i = 0; i < depth; i++)
                        total *= count;
                for (size_t n = 0; n < total; n++) {
                        char *text = world->texts[world->count];
                        text[0] = 0;
                        for (size_t i = 0, rest = n; i < depth; i++, rest /= count) {
                                strcat(text, i ? "/" : "");
                                strcat(text, levels[rest % count]);
                        }
                        if (valid(span_of_string(text)))
                                world->count++;
                        assert_true(world->count < WORLD_MAX);
                }
        }
}

static struct world names, filters;

static int setup(void **state)
{
        (void)state;
        fill(&names, name_levels, 4, topic_name_is_valid);
        fill(&filters, filter_levels, 6, topic_filter_is_valid);
        assert_true(names.count > 300 && filters.count > 700);
        return 0;
}

static void fill_tree(struct topic_tree *tree, struct world *world)
{
        assert_int_equal(topic_tree_init(tree), 0);
        for (size_t i = 0; i < world->count; i++) {
                struct topic_node *node = topic_tree_make(tree, span_of_string(world->texts[i]));
                assert_non_null(node);
                assert_null(node->value);
                node->value = world->texts[i];
        }
}

static void empty_tree(struct topic_tree *tree, struct world *world)
{
        for (size_t i = 0; i < world->count; i++) {
                struct topic_node *node = topic_tree_find(tree, span_of_string(world->texts[i]));
                assert_non_null(node);
                node->value = NULL;
                topic_tree_prune(tree, node);
        }
        assert_int_equal(tree->nodes.count, 0);
        assert_null(tree->root->children);
        topic_tree_release(tree);
}

static const char *found[WORLD_MAX];
static size_t found_count;

static void collect(void *context, struct topic_node *node)
{
        (void)context;
        for (size_t i = 0; i < found_count; i++)
                assert_ptr_not_equal(found[i], node->value); /* each once */
        found[found_count++] = node->value;
}

static void names_against_filters(void **state)
{
        struct topic_tree tree;

        (void)state;
        fill_tree(&tree, &filters);
        for (size_t n = 0; n < names.count; n++) {
                size_t expected = 0;
                found_count = 0;
                topic_tree_match_name(&tree, span_of_string(names.texts[n]), collect, NULL);
                for (size_t f = 0; f < filters.count; f++)
                        expected += topic_matches(span_of_string(filters.texts[f]), span_of_string(names.texts[n]));
                assert_int_equal(found_count, expected);
                for (size_t i = 0; i < found_count; i++)
                        assert_true(topic_matches(span_of_string(found[i]), span_of_string(names.texts[n])));
        }
        empty_tree(&tree, &filters);
}

static void filters_against_names(void **state)
{
        struct topic_tree tree;

        (void)state;
        fill_tree(&tree, &names);
        for (size_t f = 0; f < filters.count; f++) {
                size_t expected = 0;
                found_count = 0;
                topic_tree_match_filter(&tree, span_of_string(filters.texts[f]), collect, NULL);
                for (size_t n = 0; n < names.count; n++)
                        expected += topic_matches(span_of_string(filters.texts[f]), span_of_string(names.texts[n]));
                if (found_count != expected)
                        fail_msg("%s: %zu instead of %zu", filters.texts[f], found_count, expected);
        }
        empty_tree(&tree, &names);
}

static void depth(void **state)
{
        char deep[400];

        (void)state;
        memset(deep, '/', sizeof(deep));
        assert_true(topic_depth_is_valid(span_of(deep, TOPIC_LEVELS_MAX - 1)));
        assert_false(topic_depth_is_valid(span_of(deep, TOPIC_LEVELS_MAX)));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(names_against_filters),
                cmocka_unit_test(filters_against_names),
                cmocka_unit_test(depth),
        };
        return cmocka_run_group_tests_name("topictree", tests, setup, NULL);
}
