/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fail-over: tables of what must happen when. Random schedules of faults are in tests/sim. */
#include "unit.h"

#include "app/failover.h"

static const enum endpoint_kind relay_cloud[] = { ENDPOINT_RELAY, ENDPOINT_CLOUD };

/* a world of endpoints that answer or do not; drives one state machine through simulated time */
struct world {
        struct failover f;
        uint64_t now;
        bool reachable[SITE_ENDPOINTS_MAX];
        bool uplink_down[SITE_ENDPOINTS_MAX];
        uint32_t answer_ms; /* how long a connect takes */
        bool mute;          /* nobody answers a question */
        struct {
                bool connecting, up;
                uint8_t endpoint;
                uint64_t answer_at;
        } links[2];
        unsigned connects[SITE_ENDPOINTS_MAX];
        unsigned moves; /* USE actions */
};

static void begin(struct world *w, const enum endpoint_kind *kinds, size_t count, uint32_t patience_s, uint32_t seed)
{
        memset(w, 0, sizeof(*w));
        w->now = 1000;
        w->answer_ms = 20;
        for (size_t i = 0; i < count; i++)
                w->reachable[i] = true;
        failover_init(&w->f, &failover_timing_default, kinds, count, patience_s, seed, w->now);
}

static void act(struct world *w)
{
        struct failover_action action;
        unsigned guard = 0;

        while ((action = failover_next(&w->f, w->now)).type != FAILOVER_NOTHING) {
                assert_true(++guard < 20);
                assert_true(action.link < 2);
                switch (action.type) {
                case FAILOVER_CONNECT:
                        assert_false(w->links[action.link].connecting || w->links[action.link].up);
                        w->links[action.link].connecting = true;
                        w->links[action.link].endpoint = action.endpoint;
                        w->links[action.link].answer_at = w->now + w->answer_ms;
                        w->connects[action.endpoint]++;
                        break;
                case FAILOVER_ASK:
                        assert_true(w->links[action.link].up);
                        if (w->reachable[w->links[action.link].endpoint] && !w->mute)
                                failover_alive(&w->f, action.link, w->now);
                        break;
                case FAILOVER_CLOSE:
                        w->links[action.link].connecting = w->links[action.link].up = false;
                        break;
                case FAILOVER_USE:
                        assert_true(w->links[action.link].up);
                        assert_int_equal(w->links[action.link].endpoint, action.endpoint);
                        w->moves++;
                        break;
                case FAILOVER_NOTHING:
                        break;
                }
        }
}

/* what the network does at this moment */
static void network(struct world *w)
{
        for (unsigned i = 0; i < 2; i++) {
                uint8_t endpoint = w->links[i].endpoint;
                if (w->links[i].up && !w->reachable[endpoint]) {
                        w->links[i].up = false;
                        failover_down(&w->f, i, w->now);
                }
                if (!w->links[i].connecting || w->now < w->links[i].answer_at)
                        continue;
                w->links[i].connecting = false;
                if (w->reachable[endpoint]) {
                        w->links[i].up = true;
                        failover_up(&w->f, i, w->now);
                        failover_uplink(&w->f, i, w->uplink_down[endpoint], w->now);
                } else {
                        failover_down(&w->f, i, w->now);
                }
        }
}

static void pass(struct world *w, uint64_t ms)
{
        uint64_t end = w->now + ms;

        act(w);
        while (w->now < end) {
                uint64_t next = failover_deadline(&w->f, w->now);
                for (unsigned i = 0; i < 2; i++)
                        if (w->links[i].connecting && w->links[i].answer_at < next)
                                next = w->links[i].answer_at;
                w->now = next < end ? (next > w->now ? next : w->now + 1) : end;
                network(w);
                act(w);
        }
}

static int session(const struct world *w)
{
        return w->f.active == FAILOVER_NONE ? -1 : w->links[w->f.active].endpoint;
}

static void test_best_endpoint_first(void **state)
{
        struct world w;

        (void)state;
        begin(&w, relay_cloud, 2, 0, 1);
        pass(&w, 100);
        assert_int_equal(session(&w), 0);
        assert_int_equal(w.connects[1], 0);
        pass(&w, 600000);
        assert_int_equal(w.connects[0], 1); /* a working best session is left alone */
        assert_int_equal(w.connects[1], 0);
}

static void test_first_move_at_once(void **state)
{
        struct world w;

        (void)state;
        begin(&w, relay_cloud, 2, 0, 2);
        pass(&w, 5000);
        w.reachable[0] = false;
        network(&w);
        act(&w);
        pass(&w, 21); /* one connect's time */
        assert_int_equal(session(&w), 1);
}

static void test_silent_endpoint_costs_little(void **state)
{
        struct world w;

        (void)state;
        begin(&w, relay_cloud, 2, 0, 3);
        w.reachable[0] = false;
        w.answer_ms = 100000; /* nobody answers, not even with a refusal */
        act(&w);
        pass(&w, failover_timing_default.second_ms);
        w.answer_ms = 20;
        for (unsigned i = 0; i < 2; i++)
                if (w.links[i].connecting && w.links[i].endpoint == 1)
                        w.links[i].answer_at = w.now + 20;
        pass(&w, 30);
        assert_int_equal(session(&w), 1);
        assert_int_equal(w.links[1 - w.f.active].endpoint, 0);
        pass(&w, failover_timing_default.connect_deadline_ms);
        assert_int_equal(w.f.links[1 - w.f.active].state == FAILOVER_LINK_UP, false);
}

static void test_return_only_after_dwell(void **state)
{
        struct world w;

        (void)state;
        begin(&w, relay_cloud, 2, 0, 4);
        w.reachable[0] = false;
        pass(&w, 10000);
        assert_int_equal(session(&w), 1);
        w.reachable[0] = true;
        uint64_t limit = w.now + failover_timing_default.retry_most_ms;
        while (w.f.links[1 - w.f.active].state != FAILOVER_LINK_UP && w.now < limit)
                pass(&w, 50);
        uint64_t up = w.now;
        while (session(&w) == 1 && w.now < limit)
                pass(&w, 50);
        assert_int_equal(session(&w), 0);
        assert_in_range(w.now - up, failover_timing_default.dwell_ms - 100, failover_timing_default.dwell_ms + 100);
        pass(&w, 1);
        assert_false(w.links[1 - w.f.active].up); /* the old session was closed */
}

/* The spare link is somebody else's for a while: no candidate on it; but a session that ends has both links. */
static void test_pause(void **state)
{
        struct world w;

        (void)state;
        begin(&w, relay_cloud, 2, 0, 12);
        assert_false(failover_has_spare(&w.f));
        w.reachable[0] = false;
        pass(&w, 10000);
        assert_int_equal(session(&w), 1);
        while (!failover_has_spare(&w.f))
                pass(&w, 50);
        failover_pause(&w.f, true);
        w.reachable[0] = true;
        unsigned connects = w.connects[0];
        pass(&w, 600000);
        assert_int_equal(session(&w), 1);
        assert_int_equal(w.connects[0], connects);
        assert_true(failover_has_spare(&w.f));
        w.reachable[1] = false;
        pass(&w, 1); /* it is noticed */
        pass(&w, 1000);
        assert_int_equal(session(&w), 0);
        w.reachable[1] = true;
        failover_pause(&w.f, false);
        pass(&w, 1000);
        assert_int_equal(session(&w), 0);
}

/* The policy changed: the session stays, under its new place; a better endpoint is tried beside it. */
static void test_adopted_session(void **state)
{
        static const enum endpoint_kind relay_relay_cloud[] = { ENDPOINT_RELAY, ENDPOINT_RELAY, ENDPOINT_CLOUD };
        struct world w;

        (void)state;
        begin(&w, relay_cloud, 2, 0, 13);
        pass(&w, 1000);
        assert_int_equal(session(&w), 0);
        uint8_t active = w.f.active;
        failover_init(&w.f, &failover_timing_default, relay_relay_cloud, 3, 0, 13, w.now);
        failover_adopt(&w.f, active, 1, w.now);
        w.links[active].endpoint = 1;
        w.reachable[2] = true;
        assert_int_equal(session(&w), 1);
        w.reachable[0] = false;
        pass(&w, 60000);
        assert_int_equal(session(&w), 1);
        assert_int_equal(w.moves, 1);
        w.reachable[0] = true;
        pass(&w, 120000);
        assert_int_equal(session(&w), 0);
        assert_int_equal(w.moves, 2);
        assert_int_equal(w.connects[2], 0);
}

static void test_candidate_that_dies_changes_nothing(void **state)
{
        struct world w;

        (void)state;
        begin(&w, relay_cloud, 2, 0, 5);
        w.reachable[0] = false;
        pass(&w, 10000);
        for (unsigned i = 0; i < 50; i++) { /* up for less than the dwell, again and again */
                w.reachable[0] = true;
                pass(&w, failover_timing_default.dwell_ms / 2);
                w.reachable[0] = false;
                pass(&w, 1000);
                assert_int_equal(session(&w), 1);
        }
        assert_int_equal(w.moves, 1);
}

/* A candidate that went silent within its dwell is none: being open is no proof. */
static void test_candidate_must_answer_at_last(void **state)
{
        struct world w;

        (void)state;
        begin(&w, relay_cloud, 2, 0, 14);
        w.reachable[0] = false;
        pass(&w, 10000);
        assert_int_equal(session(&w), 1);
        w.reachable[0] = w.mute = true;
        unsigned tries = w.connects[0];
        pass(&w, 200000);
        assert_int_equal(session(&w), 1);
        assert_int_equal(w.moves, 1);
        assert_true(w.connects[0] > tries + 1); /* it is given up, and tried again */
        w.mute = false;
        pass(&w, 120000);
        assert_int_equal(session(&w), 0);
}

/* The relay said how many it serves: their first moves spread over 1 ms each, and the relay may be back by then. */
static void test_first_moves_spread(void **state)
{
        unsigned late = 0, moved = 0;

        (void)state;
        for (uint32_t seed = 1; seed <= 200; seed++) {
                struct world w;
                begin(&w, relay_cloud, 2, 0, seed * 2654435761u);
                failover_crowd(&w.f, 4000);
                pass(&w, 200000);
                w.reachable[0] = false;
                network(&w);
                pass(&w, 2000);
                late += session(&w) < 0;
                pass(&w, 2021);
                assert_int_equal(session(&w), 1);
                moved += w.connects[1] == 1;
        }
        assert_in_range(late, 60, 140);
        assert_int_equal(moved, 200);
}

static void test_spread_has_a_limit(void **state)
{
        struct world w;

        (void)state;
        begin(&w, relay_cloud, 2, 0, 15);
        failover_crowd(&w.f, UINT32_MAX);
        pass(&w, 200000);
        w.reachable[0] = false;
        network(&w);
        pass(&w, failover_timing_default.spread_most_ms + 21);
        assert_int_equal(session(&w), 1);
}

/* Whoever was due for long gets his turn, however many better ones stay silent. */
static void test_nobody_is_forgotten(void **state)
{
        static const enum endpoint_kind six[SITE_ENDPOINTS_MAX] = { ENDPOINT_RELAY, ENDPOINT_RELAY, ENDPOINT_RELAY,
                                                                    ENDPOINT_RELAY, ENDPOINT_CLOUD, ENDPOINT_CLOUD };
        struct world w;

        (void)state;
        begin(&w, six, SITE_ENDPOINTS_MAX, 0, 16);
        w.answer_ms = 1000000; /* all are silent */
        pass(&w, UINT64_C(4) * failover_timing_default.connect_deadline_ms);
        for (size_t i = 0; i < SITE_ENDPOINTS_MAX; i++)
                assert_true(w.connects[i] > 0);
}

static void test_flapping_lengthens_dwell(void **state)
{
        struct world w;

        (void)state;
        begin(&w, relay_cloud, 2, 0, 6);
        for (unsigned i = 0; i < 6; i++) {
                w.reachable[0] = false;
                pass(&w, 5000);
                w.reachable[0] = true;
                uint64_t limit = w.now + 2 * failover_timing_default.dwell_most_ms;
                while (session(&w) != 0 && w.now < limit)
                        pass(&w, 100);
                assert_int_equal(session(&w), 0);
                pass(&w, 2000); /* and lost again soon */
        }
        w.reachable[0] = false;
        pass(&w, 1000);
        assert_true(w.f.endpoints[0].dwell_ms >= 16 * failover_timing_default.dwell_ms);
        /* a long quiet time forgives */
        w.reachable[0] = true;
        pass(&w, 4 * failover_timing_default.dwell_most_ms);
        assert_int_equal(session(&w), 0);
        w.reachable[0] = false;
        pass(&w, 1000);
        assert_int_equal(w.f.endpoints[0].dwell_ms, failover_timing_default.dwell_ms);
}

struct patience_row {
        const char *name;
        uint32_t patience_s, wait_s;
        bool uplink_down;
        int expected;
};

static void test_patience_with_uplink_down(void **state)
{
        static const struct patience_row rows[] = {
                { "uplink up: stay", 60, 600, false, 0 },
                { "down, patience not over: stay", 60, 50, true, 0 },
                { "down for longer: go direct", 60, 90, true, 1 },
                { "endless patience: stay and let it store", 0, 100000, true, 0 },
        };

        (void)state;
        for (size_t i = 0; i < ROWS(rows); i++) {
                struct world w;
                begin(&w, relay_cloud, 2, rows[i].patience_s, 7);
                pass(&w, 1000);
                w.uplink_down[0] = rows[i].uplink_down;
                failover_uplink(&w.f, w.f.active, rows[i].uplink_down, w.now);
                pass(&w, rows[i].wait_s * UINT64_C(1000));
                if (session(&w) != rows[i].expected)
                        fail_msg("%s: session on %d", rows[i].name, session(&w));
                /* when the relay says its uplink is back, the device returns */
                w.uplink_down[0] = false;
                if (rows[i].expected == 0)
                        failover_uplink(&w.f, w.f.active, false, w.now);
                pass(&w, 300000);
                assert_int_equal(session(&w), 0);
        }
}

static void test_patience_needs_a_proven_cloud(void **state)
{
        struct world w;

        (void)state;
        begin(&w, relay_cloud, 2, 10, 8);
        pass(&w, 1000);
        w.reachable[1] = false;
        failover_uplink(&w.f, w.f.active, true, w.now);
        pass(&w, 600000);
        assert_int_equal(session(&w), 0); /* the relay works; the cloud does not answer */
        assert_int_equal(w.moves, 1);
}

/* Attempts at an endpoint that is away stay rare. */
static void test_attempts_are_bounded(void **state)
{
        struct world w;

        (void)state;
        begin(&w, relay_cloud, 2, 0, 9);
        w.reachable[0] = w.reachable[1] = false;
        pass(&w, 24 * UINT64_C(3600000));
        assert_in_range(w.connects[0], 1000, 4000); /* a cap of 60 s: about 1,900 a day */
        assert_in_range(w.connects[1], 1000, 4000);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_best_endpoint_first),
                cmocka_unit_test(test_first_move_at_once),
                cmocka_unit_test(test_silent_endpoint_costs_little),
                cmocka_unit_test(test_return_only_after_dwell),
                cmocka_unit_test(test_pause),
                cmocka_unit_test(test_adopted_session),
                cmocka_unit_test(test_candidate_that_dies_changes_nothing),
                cmocka_unit_test(test_candidate_must_answer_at_last),
                cmocka_unit_test(test_first_moves_spread),
                cmocka_unit_test(test_spread_has_a_limit),
                cmocka_unit_test(test_nobody_is_forgotten),
                cmocka_unit_test(test_flapping_lengthens_dwell),
                cmocka_unit_test(test_patience_with_uplink_down),
                cmocka_unit_test(test_patience_needs_a_proven_cloud),
                cmocka_unit_test(test_attempts_are_bounded),
        };
        return cmocka_run_group_tests_name("failover", tests, NULL, NULL);
}
