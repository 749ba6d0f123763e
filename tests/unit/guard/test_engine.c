/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The engine against a kernel of the test's own: what is sent when, and what happens when the kernel says no or
 * answers are lost. What the rules do is tested with real packets (tests/system/test_guard_*.py).
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

#include "guard/engine.h"

#define ANSWERS_MAX 8

struct kernel {
        bool has_table;
        int refuse; /* transactions get this error ... */
        int lose;   /* ... or so many of them get no answer */
        unsigned transactions, whole, sets_changed;
        struct nlmsgerr answers[ANSWERS_MAX];
        uint32_t sequences[ANSWERS_MAX];
        size_t answer_count;
};

static void answer(struct kernel *k, const struct nlmsghdr *header, int error)
{
        assert_true(k->answer_count < ANSWERS_MAX);
        k->sequences[k->answer_count] = header->nlmsg_seq;
        k->answers[k->answer_count++] = (struct nlmsgerr){ -error, *header };
}

static void take_transaction(struct kernel *k, struct nlmsghdr *header, int left)
{
        k->transactions++;
        for (; nlmsg_ok(header, left); header = nlmsg_next(header, &left)) {
                bool is_tables = NFNL_SUBSYS_ID(header->nlmsg_type) == NFNL_SUBSYS_NFTABLES;
                unsigned type = NFNL_MSG_TYPE(header->nlmsg_type);
                k->whole += is_tables && type == NFT_MSG_DELTABLE;
                k->sets_changed += is_tables && (type == NFT_MSG_NEWSETELEM || type == NFT_MSG_DELSETELEM);
                if (header->nlmsg_flags & NLM_F_ACK && k->lose == 0)
                        answer(k, header, k->refuse);
        }
        if (k->lose > 0)
                k->lose--;
        else if (k->refuse == 0)
                k->has_table = true;
}

static int room(void *context, size_t size)
{
        (void)context, (void)size;
        return 0;
}

static ssize_t send_datagram(void *context, const void *data, size_t size)
{
        struct kernel *k = context;
        struct nlmsghdr *header = (struct nlmsghdr *)data;

        k->answer_count = 0;
        if (header->nlmsg_type == NFNL_MSG_BATCH_BEGIN)
                take_transaction(k, header, (int)size);
        else if (k->has_table) /* GETTABLE: the answer's own type does not matter to the test but its being no error */
                answer(k, header, 0);
        else
                answer(k, header, ENOENT);
        return (ssize_t)size;
}

static ssize_t receive_datagram(void *context, void *data, size_t size)
{
        struct kernel *k = context;
        struct {
                struct nlmsghdr header;
                struct nlmsgerr error;
        } datagram = { { sizeof(datagram), NLMSG_ERROR, 0, 0, 0 }, { 0 } };

        (void)size;
        if (k->answer_count == 0)
                return -EAGAIN;
        k->answer_count--;
        datagram.header.nlmsg_seq = k->sequences[k->answer_count];
        datagram.error = k->answers[k->answer_count];
        memcpy(data, &datagram, sizeof(datagram));
        return sizeof(datagram);
}

static const struct ruleset_options options = { .ports = { 8883 }, .port_count = 1, .log_group = 1 };

struct world {
        struct kernel kernel;
        struct nf_transport transport;
        struct engine *engine;
        struct country_policy policy;
        struct engine_result result;
};

static int set_up(void **state)
{
        struct world *w = calloc(1, sizeof(*w));

        w->transport = (struct nf_transport){ &w->kernel, room, send_datagram, receive_datagram };
        w->policy.rules[COUNTRY_INBOUND].mode = COUNTRY_ALLOW;
        *state = w;
        return engine_new(&w->engine, &w->transport);
}

static int tear_down(void **state)
{
        struct world *w = *state;

        engine_free(w->engine);
        free(w);
        return 0;
}

static int apply(struct world *w)
{
        struct ruleset wanted = { &options, &w->policy, NULL, false };

        w->kernel.transactions = w->kernel.whole = w->kernel.sets_changed = 0;
        return engine_apply(w->engine, &wanted, &w->result);
}

static void exempt(struct world *w, const char *text)
{
        struct network network;

        assert_int_equal(network_parse(&network, text), 0);
        assert_int_equal(country_policy_add_exempt(&w->policy, &network), 0);
}

static void test_first_as_a_whole_then_the_difference(void **state)
{
        struct world *w = *state;

        assert_int_equal(apply(w), 0);
        assert_true(w->result.replaced);
        uint64_t whole = w->result.bytes;
        assert_int_equal(apply(w), 0);
        assert_int_equal(w->kernel.transactions, 0); /* nothing differs: nothing is sent */
        exempt(w, "192.0.2.0/24");
        assert_int_equal(apply(w), 0);
        assert_false(w->result.replaced);
        assert_int_equal(w->kernel.transactions, 1);
        assert_int_equal(w->kernel.whole, 0);
        assert_int_equal(w->kernel.sets_changed, 1);
        assert_int_equal(w->result.counts.added, 1);
        assert_true(w->result.bytes < 200 && w->result.bytes < whole / 10);
}

static void test_another_shape_goes_as_a_whole(void **state)
{
        struct world *w = *state;

        assert_int_equal(apply(w), 0);
        w->policy.rules[COUNTRY_INBOUND].mode = COUNTRY_OFF;
        assert_int_equal(apply(w), 0);
        assert_true(w->result.replaced);
        assert_int_equal(w->kernel.transactions, 1); /* a table is there: no pieces */
        assert_int_equal(w->kernel.whole, 1);
        w->policy.lockdown = true;
        assert_int_equal(apply(w), 0);
        assert_true(w->result.replaced);
}

static void test_distrust_sends_all_of_it(void **state)
{
        struct world *w = *state;

        assert_int_equal(apply(w), 0);
        engine_distrust(w->engine);
        assert_int_equal(apply(w), 0);
        assert_true(w->result.replaced);
}

static void test_refused_change_leaves_what_was(void **state)
{
        struct world *w = *state;

        assert_int_equal(apply(w), 0);
        exempt(w, "192.0.2.0/24");
        w->kernel.refuse = ENOSPC;
        assert_int_equal(apply(w), -ENOSPC);
        assert_true(w->result.failure.index > 0);
        w->kernel.refuse = 0;
        assert_int_equal(apply(w), 0);
        assert_true(w->result.replaced); /* after a refusal the kernel is not believed */
}

static void test_lost_answer_of_a_change_sends_all_of_it(void **state)
{
        struct world *w = *state;

        assert_int_equal(apply(w), 0);
        exempt(w, "192.0.2.0/24");
        w->kernel.lose = 1;
        assert_int_equal(apply(w), 0);
        assert_true(w->result.replaced);
        assert_int_equal(w->kernel.transactions, 2);
}

static void test_lost_answers_of_a_whole_are_tried_once_more(void **state)
{
        struct world *w = *state;

        w->kernel.has_table = true;
        w->kernel.lose = 1;
        assert_int_equal(apply(w), 0);
        assert_int_equal(w->kernel.transactions, 2);
        engine_distrust(w->engine);
        w->kernel.lose = 2;
        assert_int_equal(apply(w), -EIO);
}

static void test_lost_answer_while_building_up(void **state)
{
        struct world *w = *state;

        w->kernel.lose = 1;
        assert_int_equal(apply(w), 0);
        assert_true(w->kernel.transactions >= 2);
        assert_true(w->kernel.whole >= 1);
}

static void test_no_right(void **state)
{
        struct world *w = *state;

        w->kernel.refuse = EPERM;
        assert_int_equal(apply(w), -EPERM);
}

static void test_shape_does_not_depend_on_addresses(void **state)
{
        struct country_policy a = { 0 }, b;
        struct ruleset first = { &options, &a, NULL, false }, second = { &options, &b, NULL, false };
        struct nfbatch *x, *y;

        (void)state;
        a.rules[COUNTRY_INBOUND].mode = COUNTRY_ALLOW;
        b = a;
        country_set_add(&b.rules[COUNTRY_INBOUND].countries, COUNTRY_CODE('F', 'I'));
        assert_int_equal(nfbatch_new(&x), 0);
        assert_int_equal(nfbatch_new(&y), 0);
        assert_int_equal(ruleset_shape(x, &first), 0);
        assert_int_equal(ruleset_shape(y, &second), 0);
        assert_int_equal(x->size, y->size);
        assert_memory_equal(x->data, y->data, x->size);
        second.air_gapped = true;
        assert_int_equal(ruleset_shape(y, &second), 0);
        assert_int_not_equal(x->size, y->size);
        nfbatch_free(x);
        nfbatch_free(y);
}

#define WITH_WORLD(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
        const struct CMUnitTest tests[] = {
                WITH_WORLD(test_first_as_a_whole_then_the_difference),
                WITH_WORLD(test_another_shape_goes_as_a_whole),
                WITH_WORLD(test_distrust_sends_all_of_it),
                WITH_WORLD(test_refused_change_leaves_what_was),
                WITH_WORLD(test_lost_answer_of_a_change_sends_all_of_it),
                WITH_WORLD(test_lost_answers_of_a_whole_are_tried_once_more),
                WITH_WORLD(test_lost_answer_while_building_up),
                WITH_WORLD(test_no_right),
                cmocka_unit_test(test_shape_does_not_depend_on_addresses),
        };
        return cmocka_run_group_tests_name("guard engine", tests, NULL, NULL);
}
