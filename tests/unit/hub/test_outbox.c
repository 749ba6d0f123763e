/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The outbox: order, window and reload, refusal and dropping when full, age, restart. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>

#include "hub/outbox.h"

#define TIME UINT64_C(1763800000)

struct bench {
        struct store *store;
        struct outbox *outbox;
        struct outbox_options options;
        uint64_t commit, durable;
};

static int setup(void **state)
{
        static struct bench bench;
        struct store_options store = { .size_max = 16 * 1024 * 1024 };
        char detail[100];

        bench = (struct bench){ 0 };
        assert_int_equal(store_open(&store, &bench.store, detail, sizeof(detail)), 0);
        bench.options = (struct outbox_options){ .store = bench.store, .bytes_max = 1 << 20, .window_count = 8 };
        assert_int_equal(outbox_new(&bench.outbox, &bench.options), 0);
        *state = &bench;
        return 0;
}

static int teardown(void **state)
{
        struct bench *b = *state;

        outbox_free(b->outbox);
        store_free(b->store);
        return 0;
}

static void reopen(struct bench *b)
{
        assert_int_equal(store_sync(b->store), 0);
        outbox_free(b->outbox);
        assert_int_equal(outbox_new(&b->outbox, &b->options), 0);
}

static void turn(struct bench *b)
{
        int error = 0;

        b->commit = store_commit(b->store);
        assert_int_equal(store_sync(b->store), 0);
        b->durable = store_durable(b->store, &error);
        assert_int_equal(error, 0);
}

static int add(struct bench *b, const char *topic, unsigned number, bool retain, uint64_t received)
{
        char payload[20];
        struct message_parts parts = { .qos = 1,
                                       .retain = retain,
                                       .received = received,
                                       .topic = span_of_string(topic),
                                       .payload = { (uint8_t *)payload, 0 } };
        struct message *m;
        int result;

        parts.payload.size = (size_t)snprintf(payload, sizeof(payload), "%04u", number);
        assert_int_equal(message_new(&m, &parts), 0);
        result = outbox_add(b->outbox, m, b->commit + 1, b->durable);
        message_unref(m);
        return result;
}

static int add_event(struct bench *b, unsigned number)
{
        return add(b, "sites/s1/devices/d/events/e", number, false, TIME);
}

/* The next one is this number; gives its key. */
static uint64_t expect(struct bench *b, unsigned number)
{
        struct outbox_entry entry;
        char payload[20];

        snprintf(payload, sizeof(payload), "%04u", number);
        assert_true(outbox_next(b->outbox, b->durable, &entry));
        assert_true(span_equal_string(entry.message->payload, payload));
        outbox_sent(b->outbox);
        return entry.number;
}

static void expect_none(struct bench *b)
{
        struct outbox_entry entry;

        assert_false(outbox_next(b->outbox, b->durable, &entry));
}

static struct outbox_figures figures(const struct bench *b)
{
        struct outbox_figures out;

        outbox_figures(b->outbox, &out);
        return out;
}

static void order_beyond_the_window(void **state)
{
        struct bench *b = *state;

        for (unsigned i = 0; i < 100; i++)
                assert_int_equal(add_event(b, i), 0);
        for (unsigned i = 0; i < 8; i++)
                assert_int_equal(outbox_done(b->outbox, expect(b, i), true), 0);
        expect_none(b); /* the rest is not committed: nothing to read yet */
        turn(b);
        for (unsigned i = 8; i < 100; i++)
                assert_int_equal(outbox_done(b->outbox, expect(b, i), true), 0);
        expect_none(b);
        turn(b);
        assert_int_equal(figures(b).events, 0);
        assert_int_equal(figures(b).bytes, 0);
        assert_int_equal(figures(b).delivered, 100);
        assert_int_equal(add_event(b, 100), 0); /* directly again, without the store */
        expect(b, 100);
}

static void rewind_after_a_cut(void **state)
{
        struct bench *b = *state;
        uint64_t second;

        for (unsigned i = 0; i < 5; i++)
                add_event(b, i);
        expect(b, 0);
        second = expect(b, 1);
        expect(b, 2);
        assert_int_equal(outbox_done(b->outbox, second, true), 0);
        outbox_rewind(b->outbox);
        expect(b, 0);
        expect(b, 2);
        expect(b, 3);
        assert_int_equal(outbox_done(b->outbox, second, true), 0); /* a late answer changes nothing */
        assert_int_equal(figures(b).events, 4);
}

static void later_is_only_what_was_refused_for_now(void **state)
{
        struct bench *b = *state;
        uint64_t first;

        for (unsigned i = 0; i < 3; i++)
                add_event(b, i);
        first = expect(b, 0);
        expect(b, 1);
        outbox_again(b->outbox, first);
        expect(b, 2);
        expect_none(b);
        outbox_resume(b->outbox);
        assert_int_equal(expect(b, 0), first);
        expect_none(b);
}

static void restart(void **state)
{
        struct bench *b = *state;
        uint64_t number;

        for (unsigned i = 0; i < 20; i++)
                add_event(b, i);
        number = expect(b, 0);
        outbox_done(b->outbox, number, true);
        turn(b);
        reopen(b);
        assert_int_equal(figures(b).events, 19);
        assert_true(expect(b, 1) > number);
        outbox_done(b->outbox, number + 1, true);
        for (unsigned i = 2; i < 20; i++)
                outbox_done(b->outbox, expect(b, i), true);
        assert_int_equal(add_event(b, 20), 0);
        expect(b, 20);
}

static void full_refuses(void **state)
{
        struct bench *b = *state;
        unsigned taken = 0;

        b->options.bytes_max = 1000;
        reopen(b);
        while (add_event(b, taken) == 0)
                taken++;
        assert_in_range(taken, 5, 50);
        turn(b);
        assert_int_equal(add_event(b, 999), -ENOSPC);
        outbox_done(b->outbox, expect(b, 0), true);
        assert_int_equal(add_event(b, 999), 0);
        assert_int_equal(figures(b).dropped_full, 0);
}

/* One device, broken into, floods: the others still get their word through, whatever the rule for a full outbox is. */
static void one_device_leaves_room(void **state)
{
        static const char loud[] = "sites/s1/devices/loud/events/a", quiet[] = "sites/s1/devices/quiet/events/a";
        struct bench *b = *state;
        struct outbox_entry entry;
        unsigned expected = 0;

        for (int drop = 0; drop <= 1; drop++) {
                b->options.bytes_max = 10000;
                b->options.drop_oldest = drop;
                reopen(b);
                assert_int_equal(add(b, quiet, 1, false, TIME), 0);
                for (unsigned i = 0; i < 500; i++) {
                        assert_int_equal(add(b, loud, i, false, TIME), drop || figures(b).bytes < 8700 ? 0 : -EDQUOT);
                        turn(b);
                }
                assert_true(figures(b).bytes <= 10000 - 10000 / 8);
                for (unsigned i = 0; i < 5; i++)
                        assert_int_equal(add(b, quiet, i, false, TIME), 0);
                expected += 6;
                turn(b);
                reopen(b); /* who holds what is known again */
                assert_int_equal(add(b, loud, 1, false, TIME), drop ? 0 : -EDQUOT);
        }
        turn(b);
        while (outbox_next(b->outbox, b->durable, &entry)) {
                expected -= span_equal_string(entry.message->topic, quiet);
                outbox_sent(b->outbox);
                assert_int_equal(outbox_done(b->outbox, entry.number, true), 0);
                turn(b);
        }
        assert_int_equal(expected, 0);
}

static void full_drops_the_oldest_events(void **state)
{
        struct bench *b = *state;
        unsigned taken = 0;

        b->options.bytes_max = 1000;
        b->options.drop_oldest = true;
        reopen(b);
        assert_int_equal(add(b, "sites/s1/devices/d/state/relay", 5000, true, TIME), 0);
        for (; figures(b).dropped_full == 0; taken++)
                assert_int_equal(add_event(b, taken), 0);
        turn(b);
        for (unsigned i = 0; i < 100; i++, taken++) {
                assert_int_equal(add_event(b, taken), 0);
                turn(b);
        }
        assert_true(figures(b).bytes <= 1000);
        assert_int_equal(figures(b).dropped_full + figures(b).events, taken + 1);
        expect(b, 5000); /* the state is still there */
}

static void age(void **state)
{
        struct bench *b = *state;

        b->options.age_max_s = 100;
        reopen(b);
        add(b, "sites/s1/devices/d/events/e", 0, false, TIME - 200);
        add(b, "sites/s1/devices/d/events/e", 1, false, TIME - 50);
        add(b, "sites/s1/devices/d/events/e", 2, false, 100); /* received before the clock was set */
        assert_int_equal(outbox_expire(b->outbox, TIME, b->durable), 1);
        expect(b, 1);
        expect(b, 2);
        assert_int_equal(figures(b).dropped_age, 1);
}

/* ---- export */
struct seen {
        uint64_t numbers[64];
        size_t count, most;
};

static int see(void *context, uint64_t number, const struct message *message)
{
        struct seen *seen = context;

        (void)message;
        if (seen->count == seen->most)
                return 1;
        seen->numbers[seen->count++] = number;
        return 0;
}

static struct seen walk(const struct bench *b, uint64_t from, size_t most)
{
        struct seen seen = { .most = most };

        assert_in_range(outbox_walk(b->outbox, from, see, &seen), 0, 1);
        return seen;
}

static void exports_what_is_durable(void **state)
{
        struct bench *b = *state;
        struct seen seen;

        for (unsigned i = 0; i < 20; i++)
                add_event(b, i);
        assert_int_equal(walk(b, 0, 64).count, 0); /* power may go now: nobody was promised these yet */
        turn(b);
        seen = walk(b, 0, 5);
        assert_int_equal(seen.count, 5);
        seen = walk(b, seen.numbers[4] + 1, 64);
        assert_int_equal(seen.count, 15);
        assert_int_equal(figures(b).events, 20); /* looking takes nothing away */
}

static void drops_up_to_a_number(void **state)
{
        struct bench *b = *state;
        struct seen seen;

        for (unsigned i = 0; i < 200; i++)
                add_event(b, i);
        turn(b);
        seen = walk(b, 0, 64);
        assert_int_equal(outbox_drop(b->outbox, seen.numbers[9], 1000), 10);
        assert_int_equal(outbox_drop(b->outbox, seen.numbers[9], 1000), 0); /* staged, and still to be seen */
        turn(b);
        assert_int_equal(outbox_drop(b->outbox, seen.numbers[9], 1000), 0);
        assert_int_equal(walk(b, 0, 1).numbers[0], seen.numbers[10]);
        assert_int_equal(outbox_drop(b->outbox, UINT64_MAX, 100), 100); /* beyond the window in memory */
        turn(b);
        assert_int_equal(figures(b).events, 90);
        assert_int_equal(outbox_drop(b->outbox, UINT64_MAX, 1000), 90);
        turn(b);
        assert_int_equal(figures(b).events, 0);
        assert_int_equal(figures(b).bytes, 0);
        assert_int_equal(figures(b).exported, 200);
        add_event(b, 200);
        turn(b);
        expect(b, 200);
        expect_none(b);
}

static void numbers_never_come_again(void **state)
{
        struct bench *b = *state;
        uint64_t last;

        for (unsigned i = 0; i < 3; i++)
                add_event(b, i);
        turn(b);
        last = walk(b, 0, 64).numbers[2];
        outbox_drop(b->outbox, last, 10);
        reopen(b); /* empty: nothing in it says where the numbers were */
        add_event(b, 3);
        turn(b);
        assert_int_equal(walk(b, 0, 64).numbers[0], last + 1);
        /* an uplink for a while, which empties it, too */
        reopen(b);
        outbox_done(b->outbox, expect(b, 3), true);
        reopen(b);
        add_event(b, 4);
        turn(b);
        assert_true(walk(b, 0, 64).numbers[0] > last + 1);
}

static void air_gapped_keeps_events_only(void **state)
{
        struct bench *b = *state;

        b->options.events_only = true;
        reopen(b);
        assert_int_equal(add(b, "sites/s1/devices/d/state/relay", 1, true, TIME), 0);
        assert_int_equal(add(b, "sites/s1/alerts", 2, false, TIME), 0);
        assert_int_equal(figures(b).events, 0);
        assert_int_equal(add(b, "sites/s1/devices/d/events1/e", 3, false, TIME), 0);
        assert_int_equal(add_event(b, 4), 0);
        assert_int_equal(figures(b).events, 2);
}

static void says_how_full_it_is(void **state)
{
        struct bench *b = *state;
        unsigned i = 0;

        b->options.bytes_max = 4000;
        reopen(b);
        assert_int_equal(outbox_level(b->outbox), OUTBOX_ROOMY);
        while (figures(b).bytes < 2500)
                add_event(b, i++);
        assert_int_equal(outbox_level(b->outbox), OUTBOX_BETWEEN);
        while (figures(b).bytes < 3000)
                add_event(b, i++);
        assert_int_equal(outbox_level(b->outbox), OUTBOX_FILLING);
}

#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
        const struct CMUnitTest tests[] = {
                test(order_beyond_the_window),
                test(rewind_after_a_cut),
                test(later_is_only_what_was_refused_for_now),
                test(restart),
                test(full_refuses),
                test(full_drops_the_oldest_events),
                test(one_device_leaves_room),
                test(age),
                test(exports_what_is_durable),
                test(drops_up_to_a_number),
                test(numbers_never_come_again),
                test(air_gapped_keeps_events_only),
                test(says_how_full_it_is),
        };
        return cmocka_run_group_tests_name("outbox", tests, NULL, NULL);
}
