/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Elements of interval sets: what is sent for a list, and for a change from one list to another.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include "guard/elements.h"

struct pair {
        uint32_t first, last;
};
struct list {
        const struct pair *pairs;
        size_t count, at;
};

static bool next(void *context, struct address_range *range)
{
        struct list *list = context;

        if (list->at == list->count)
                return false;
        range->first = (struct address){ ADDRESS_IPV4, 0, list->pairs[list->at].first };
        range->last = (struct address){ ADDRESS_IPV4, 0, list->pairs[list->at].last };
        list->at++;
        return true;
}

/* The messages as text: "+a ]b " for an added start a and end b, "-" and "[" for deleted ones. */
static void describe(const struct nfbatch *batch, char *out, size_t size)
{
        struct nlmsghdr *header = (struct nlmsghdr *)batch->data;
        size_t at = 0;

        out[0] = '\0';
        for (int left = (int)batch->size; nlmsg_ok(header, left); header = nlmsg_next(header, &left)) {
                int type = NFNL_MSG_TYPE(header->nlmsg_type);
                if (NFNL_SUBSYS_ID(header->nlmsg_type) != NFNL_SUBSYS_NFTABLES)
                        continue;
                struct nlattr *list = nlmsg_find_attr(header, sizeof(struct nfgenmsg), NFTA_SET_ELEM_LIST_ELEMENTS);
                struct nlattr *element = nla_data(list);
                for (int rest = nla_len(list); nla_ok(element, rest); element = nla_next(element, &rest)) {
                        struct nlattr *a[NFTA_SET_ELEM_MAX + 1], *key[NFTA_DATA_MAX + 1];
                        assert_int_equal(nla_parse_nested(a, NFTA_SET_ELEM_MAX, element, NULL), 0);
                        assert_int_equal(nla_parse_nested(key, NFTA_DATA_MAX, a[NFTA_SET_ELEM_KEY], NULL), 0);
                        const uint8_t *bytes = nla_data(key[NFTA_DATA_VALUE]);
                        uint32_t value = (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 |
                                         bytes[3];
                        bool added = type == NFT_MSG_NEWSETELEM, end = a[NFTA_SET_ELEM_FLAGS];
                        at += (size_t)snprintf(out + at, size - at, "%c%x ",
                                               added ? (end ? ']' : '+')
                                               : end ? '['
                                                     : '-',
                                               value);
                }
        }
}

struct change {
        struct list present, wanted;
};

static void rewind_both(void *context)
{
        struct change *c = context;

        c->present.at = c->wanted.at = 0;
}

static const struct {
        const char *name;
        struct pair present[4], wanted[4];
        size_t present_count, wanted_count;
        const char *sent;
} rows[] = {
        { "nothing", { { 0 } }, { { 0 } }, 0, 0, "" },
        { "first", { { 0 } }, { { 1, 5 } }, 0, 1, "+1 ]6 " },
        { "single address", { { 0 } }, { { 7, 7 } }, 0, 1, "+7 ]8 " },
        { "all addresses", { { 0 } }, { { 0, UINT32_MAX } }, 0, 1, "+0 " },
        { "up to the top", { { 0 } }, { { 0, 1 }, { 0xfffffff0, UINT32_MAX } }, 0, 2, "+0 ]2 +fffffff0 " },
        { "same", { { 1, 5 }, { 9, 9 } }, { { 1, 5 }, { 9, 9 } }, 2, 2, "" },
        { "one gone", { { 1, 5 }, { 9, 9 } }, { { 9, 9 } }, 2, 1, "-1 [6 " },
        { "all gone", { { 1, 5 }, { 9, UINT32_MAX } }, { { 0 } }, 2, 0, "-1 [6 -9 " },
        { "one grown: deleted first", { { 1, 5 } }, { { 1, 8 } }, 1, 1, "-1 [6 +1 ]9 " },
        { "one more between", { { 1, 2 }, { 9, 9 } }, { { 1, 2 }, { 5, 6 }, { 9, 9 } }, 2, 3, "+5 ]7 " },
        { "two become one", { { 1, 2 }, { 4, 5 } }, { { 1, 5 } }, 2, 1, "-1 [3 -4 [6 +1 ]6 " },
        { "one becomes two", { { 1, 5 } }, { { 1, 2 }, { 4, 5 } }, 1, 2, "-1 [6 +1 ]3 +4 ]6 " },
};

static void test_changes(void **state)
{
        struct nfbatch *batch;
        char text[300];

        (void)state;
        assert_int_equal(nfbatch_new(&batch), 0);
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                struct change c = { { rows[i].present, rows[i].present_count, 0 },
                                    { rows[i].wanted, rows[i].wanted_count, 0 } };
                struct element_change change = { rewind_both, &c, { next, &c.present }, { next, &c.wanted } };
                struct element_counts counts = { 0 };
                nfbatch_start(batch, 1);
                elements_change(batch, "t", "s", &change, &counts);
                assert_int_equal(nfbatch_finish(batch), 0);
                assert_int_equal(counts.wanted, rows[i].wanted_count);
                describe(batch, text, sizeof(text));
                if (strcmp(text, rows[i].sent) != 0)
                        fail_msg("%s: %s", rows[i].name, text);
        }
        nfbatch_free(batch);
}

#define MANY 20000

static void test_long_lists_are_cut_below_the_attribute_limit(void **state)
{
        static struct pair pairs[MANY];
        struct list list = { pairs, MANY, 0 };
        struct interval_source source = { next, &list };
        struct element_counts counts = { 0 };
        struct nfbatch *batch;
        unsigned messages = 0;

        (void)state;
        for (uint32_t i = 0; i < MANY; i++)
                pairs[i] = (struct pair){ i * 4, i * 4 + 1 };
        assert_int_equal(nfbatch_new(&batch), 0);
        nfbatch_start(batch, 1);
        elements_add(batch, "t", "s", &source, &counts);
        assert_int_equal(nfbatch_finish(batch), 0);
        assert_int_equal(counts.added, MANY);
        struct nlmsghdr *header = (struct nlmsghdr *)batch->data;
        for (int left = (int)batch->size; nlmsg_ok(header, left); header = nlmsg_next(header, &left)) {
                assert_true(header->nlmsg_len <= 65535);
                messages++;
        }
        assert_true(messages > 10);
        nfbatch_free(batch);
}

struct pieces {
        unsigned count;
        size_t largest;
        int fail_at; /* number of the piece that fails; 0: none */
};

static int take_piece(struct nfbatch *batch, void *context)
{
        struct pieces *pieces = context;

        assert_int_equal(nfbatch_finish(batch), 0);
        pieces->count++;
        if (batch->size > pieces->largest)
                pieces->largest = batch->size;
        nfbatch_start(batch, batch->sequence);
        return (int)pieces->count == pieces->fail_at ? -ENOSPC : 0;
}

static void test_pieces(void **state)
{
        static struct pair pairs[MANY];
        struct element_counts counts = { 0 };
        struct pieces pieces = { 0 };
        struct nfbatch *batch;

        (void)state;
        for (uint32_t i = 0; i < MANY; i++)
                pairs[i] = (struct pair){ i * 4, i * 4 + 1 };
        assert_int_equal(nfbatch_new(&batch), 0);
        batch->piece = take_piece;
        batch->piece_context = &pieces;
        batch->piece_size = 200000;
        for (int round = 0; round < 2; round++) {
                struct list list = { pairs, MANY, 0 };
                struct interval_source source = { next, &list };
                nfbatch_start(batch, 1);
                nfbatch_end_piece(batch); /* nothing in it: nothing is sent */
                assert_int_equal(pieces.count, 0);
                elements_add(batch, "t", "s", &source, &counts);
                nfbatch_end_piece(batch);
                assert_int_equal(nfbatch_finish(batch), round == 0 ? 0 : -ENOSPC);
                assert_int_equal(pieces.count, round == 0 ? 4 : 2);
                assert_true(pieces.largest < 270000);
                pieces = (struct pieces){ .fail_at = 2 };
        }
        nfbatch_free(batch);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_changes),
                cmocka_unit_test(test_pieces),
                cmocka_unit_test(test_long_lists_are_cut_below_the_attribute_limit),
        };
        return cmocka_run_group_tests_name("guard elements", tests, NULL, NULL);
}
