/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The device engine with a source of random numbers that fails, or gives always the same: no connection, and no harm.
 */
#include "device_world.h"

static enum { WORKS, FAILS, STUCK } source;
static unsigned lines, draws;

static int fill(void *context, void *out, size_t size)
{
        draws++;
        if (source == FAILS)
                return PORT_E_IO;
        if (source == WORKS)
                return gate_lab_fill(context, out, size);
        for (size_t i = 0; i < size; i++)
                ((uint8_t *)out)[i] = (uint8_t)i;
        return 0;
}

static const struct port_entropy bad_entropy = { .fill = fill };

static void count_line(void *context, enum port_log_level level, const char *text)
{
        (void)context;
        lines += level == PORT_LOG_ERROR && strstr(text, "random") != NULL;
}

static const struct port_log counting_log = { .line = count_line };

static void begin_without_entropy(int which, uint32_t seed)
{
        source = which;
        lines = 0;
        entropy = &bad_entropy;
        begin(seed);
        device.config.log = &counting_log;
}

/* {"reason":"no-entropy"} as the cloud or relay got it */
static unsigned count_told(void)
{
        unsigned count = 0;

        for (size_t i = 0; i < net.event_count; i++)
                count += span_equal_string(span_of(net.events[i].payload, net.events[i].payload_size),
                                           "{\"reason\":\"no-entropy\"}");
        return count;
}

static void test_a_silent_source_means_no_connection(void **state)
{
        static const int kinds[] = { FAILS, STUCK };

        (void)state;
        for (size_t i = 0; i < ROWS(kinds); i++) {
                begin_without_entropy(kinds[i], 1 + (uint32_t)i);
                pass(120000, true); /* events are put into flash all the while */
                assert_int_equal(net.connects, 0);
                assert_int_equal(lines, 1); /* not once a try */
                assert_true(device.seq > 1000);

                source = WORKS; /* tried again soon enough, and nothing is lost; the alarm is told once */
                pass(70000, false);
                assert_int_equal(session(), 0);
                pass(60000, false);
                assert_int_equal(outbox.pending, 0);
                assert_int_equal(count_told(), 1);
                assert_false(net.out_of_order);
        }
}

static void test_a_source_that_dies_takes_no_session_away(void **state)
{
        (void)state;
        begin_without_entropy(WORKS, 3);
        pass(5000, true);
        assert_int_equal(session(), 0);
        source = FAILS;
        pass(60000, true);
        assert_int_equal(session(), 0);
        assert_true(device_is_online(&device));
        unsigned before = net.connects;
        net_cut(&net, 0);
        pass(30000, true);
        assert_int_equal(session(), -1); /* the cloud is there, but its keys could be guessed */
        assert_int_equal(net.connects, before);
        assert_int_equal(lines, 1);
        source = WORKS;
        pass(70000, true);
        assert_int_equal(session(), 1);
        pass(2000, false);
        assert_all_arrived();
}

static unsigned questions;

static void on_question(struct net *from, unsigned broker, struct span question)
{
        (void)from;
        (void)broker;
        (void)question;
        questions++;
}

/* A nonce somebody can guess lets an old ticket through. */
static void test_no_question_to_the_gate_without_entropy(void **state)
{
        (void)state;
        begin_without_entropy(WORKS, 4);
        net.on_question = on_question;
        questions = 0;
        pass(10, false);
        source = STUCK; /* the link is being opened, and nothing was asked yet */
        while (session() < 0)
                pass(10, false);
        draws = 0;
        pass(200000, false);
        assert_int_equal(questions, 0);
        assert_true(draws < 50); /* after pauses */
        source = WORKS;
        pass(310000, false);
        assert_true(questions > 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_teardown(test_a_silent_source_means_no_connection, assert_slept),
                cmocka_unit_test_teardown(test_a_source_that_dies_takes_no_session_away, assert_slept),
                cmocka_unit_test_teardown(test_no_question_to_the_gate_without_entropy, assert_slept),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
