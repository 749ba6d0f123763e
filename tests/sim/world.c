/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "world.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define NEVER     UINT64_MAX
#define MINUTE_MS 60000u

const char *const property_names[PROPERTIES] = {
        [PROPERTY_CONNECTED] = "a session in bounded time whenever an endpoint answers",
        [PROPERTY_PROVEN] = "a session that works ends only for a proven one",
        [PROPERTY_TRIES] = "bounded tries a minute",
        [PROPERTY_POLICY] = "stays or goes as the policy says",
        [PROPERTY_BEST] = "in quiet times the session is on the best endpoint that answers",
        [PROPERTY_AT_ONCE] = "the first move comes at once",
        [PROPERTY_SLEEP] = "nothing is missed by sleeping",
};

static const struct failover_timing *const timing = &failover_timing_default;

static void say(const struct world *w, const char *format, ...)
{
        va_list arguments;

        if (!w->trace)
                return;
        printf("# %10.3f ", (double)w->now / 1000);
        va_start(arguments, format);
        vprintf(format, arguments);
        va_end(arguments);
        putchar('\n');
}

static void check(struct world *w, enum property property, bool holds, const char *what)
{
        w->checks[property]++;
        if (holds)
                return;
        say(w, "FAILED: %s", what);
        w->failed[property] = true;
        if (w->complaint[0] == '\0')
                snprintf(w->complaint, sizeof(w->complaint), "at %.3f s: %s", (double)w->now / 1000, what);
}

/* ---- what the documents say */

static uint64_t earlier(uint64_t a, uint64_t b)
{
        return a < b ? a : b;
}

static uint64_t later(uint64_t a, uint64_t b)
{
        return a > b ? a : b;
}

/*
 * An endpoint that answers gets its turn: its pause, then, if links are busy, the time to be overdue, then behind at
 * most all others, two at a time; and its answer.
 */
static uint64_t connected_bound(const struct world *w)
{
        uint64_t turns = (w->count + 1) / 2;

        return w->spread_ms + timing->retry_most_ms + timing->second_ms + (turns + 3) * timing->connect_deadline_ms;
}

static unsigned order(const struct world *w, uint8_t endpoint)
{
        const struct place *p = &w->places[endpoint];
        bool over = p->told_down && w->patience_ms > 0 && w->now - p->told_since >= w->patience_ms;

        return endpoint + (over ? SITE_ENDPOINTS_MAX : 0u);
}

/* ---- the network */

static void tell_uplink(struct world *w, unsigned link)
{
        struct line *line = &w->lines[link];
        struct place *p = &w->places[line->endpoint];

        if (p->uplink_down && !p->told_down)
                p->told_since = w->now;
        p->told_down = p->uplink_down;
        line->heard_at = w->now;
        failover_alive(&w->f, link, w->now);
        failover_uplink(&w->f, link, p->uplink_down, w->now);
}

static void lose(struct world *w, unsigned link)
{
        struct line *line = &w->lines[link];
        bool was_session = w->active == link;
        uint8_t endpoint = line->endpoint;

        say(w, "link %u: %s %u is lost", link, was_session ? "session with" : "candidate", endpoint);
        *line = (struct line){ .answer_at = NEVER, .tell_at = NEVER, .lost_at = NEVER };
        if (was_session) {
                bool stable = w->now - w->session_since >= timing->stable_ms;
                w->active = FAILOVER_NONE;
                w->without_since = w->now;
                bool moving = w->lines[1 - link].connecting || w->lines[1 - link].up;
                w->moved_by = stable && !moving && w->count > 1 ? w->now + w->spread_ms + timing->second_ms : NEVER;
                w->moved_from = endpoint;
        }
        failover_down(&w->f, link, w->now);
}

/* when a session that is up will be found out to be lost, given the endpoint's mood from now on */
static uint64_t lost_at(struct world *w, const struct line *line)
{
        const struct place *p = &w->places[line->endpoint];

        switch (p->mood) {
        case MOOD_ANSWERS:
        case MOODS:
                return NEVER;
        case MOOD_REFUSES:
                return w->now;
        case MOOD_SILENT:
                return w->now + random_between(&w->random, 1, (uint32_t)(w->keep_alive_ms * 3 / 2));
        case MOOD_DROPS:
                return later(w->now, line->up_at + p->life_ms);
        }
        return NEVER;
}

static void answer(struct world *w, unsigned link)
{
        struct line *line = &w->lines[link];
        const struct place *p = &w->places[line->endpoint];

        line->answer_at = NEVER;
        if (p->mood == MOOD_SILENT)
                return;
        if (p->mood == MOOD_REFUSES) {
                lose(w, link);
                return;
        }
        say(w, "link %u: %u answers", link, line->endpoint);
        line->connecting = false;
        line->up = true;
        line->up_at = line->heard_at = w->now;
        line->tell_at = p->relay ? w->now + p->latency_ms / 4 : NEVER;
        line->lost_at = lost_at(w, line);
        failover_up(&w->f, link, w->now);
}

static uint64_t next_of_network(const struct world *w)
{
        uint64_t next = NEVER;

        for (unsigned i = 0; i < 2; i++)
                next = earlier(next, earlier(w->lines[i].answer_at, earlier(w->lines[i].tell_at, w->lines[i].lost_at)));
        return next;
}

static void run_network(struct world *w)
{
        for (unsigned i = 0; i < 2; i++) {
                struct line *line = &w->lines[i];
                if (line->answer_at <= w->now)
                        answer(w, i);
                if (line->tell_at <= w->now) {
                        line->tell_at = NEVER;
                        if (w->places[line->endpoint].mood != MOOD_SILENT)
                                tell_uplink(w, i);
                }
                if (line->lost_at <= w->now)
                        lose(w, i);
        }
}

/* ---- what the machine does, judged */

static void judge_try(struct world *w, uint8_t endpoint)
{
        struct place *p = &w->places[endpoint];
        unsigned place = p->try_count % FAILOVER_TRIES_A_MINUTE;
        bool few = p->try_count < FAILOVER_TRIES_A_MINUTE || w->now - p->tries[place] >= MINUTE_MS;

        check(w, PROPERTY_TRIES, few, "one try too many within a minute");
        p->tries[place] = w->now;
        p->try_count++;
        if (w->active != FAILOVER_NONE)
                check(w, PROPERTY_POLICY, !w->paused, "a candidate while paused");
}

static void connect_link(struct world *w, const struct failover_action *action)
{
        struct line *line = &w->lines[action->link];

        check(w, PROPERTY_PROVEN, !line->connecting && !line->up, "a link that is in use is opened");
        judge_try(w, action->endpoint);
        say(w, "link %u: connect to %u", action->link, action->endpoint);
        *line = (struct line){ .connecting = true,
                               .endpoint = action->endpoint,
                               .answer_at = w->now + w->places[action->endpoint].latency_ms,
                               .tell_at = NEVER,
                               .lost_at = NEVER };
        w->connects++;
        if (action->endpoint != w->moved_from)
                w->moved_by = NEVER;
}

static void use_link(struct world *w, const struct failover_action *action)
{
        const struct line *line = &w->lines[action->link];

        say(w, "link %u: session with %u", action->link, action->endpoint);
        check(w, PROPERTY_PROVEN, line->up && line->endpoint == action->endpoint, "a session on a link that is not up");
        if (w->active != FAILOVER_NONE) {
                const struct line *old = &w->lines[w->active];
                check(w, PROPERTY_PROVEN, line->heard_at - line->up_at >= timing->dwell_ms,
                      "a session is given up for a candidate that did not answer for the dwell");
                check(w, PROPERTY_POLICY, order(w, line->endpoint) < order(w, old->endpoint),
                      "a session moves to an endpoint that is not better");
        }
        w->active = action->link;
        w->session_since = w->now;
        w->moved_by = NEVER;
        w->moves++;
}

static void close_line(struct world *w, const struct failover_action *action)
{
        say(w, "link %u: closed", action->link);
        check(w, PROPERTY_PROVEN, action->link != w->active, "the session's link is closed");
        w->lines[action->link] = (struct line){ .answer_at = NEVER, .tell_at = NEVER, .lost_at = NEVER };
}

static void ask(struct world *w, const struct failover_action *action)
{
        struct line *line = &w->lines[action->link];
        enum mood mood = w->places[line->endpoint].mood;

        if (mood != MOOD_ANSWERS && mood != MOOD_DROPS)
                return;
        line->heard_at = w->now;
        failover_alive(&w->f, action->link, w->now);
}

static void act(struct world *w)
{
        struct failover_action action;
        unsigned steps = 0;

        while ((action = failover_next(&w->f, w->now)).type != FAILOVER_NOTHING && ++steps < 20) {
                switch (action.type) {
                case FAILOVER_CONNECT:
                        connect_link(w, &action);
                        break;
                case FAILOVER_ASK:
                        ask(w, &action);
                        break;
                case FAILOVER_CLOSE:
                        close_line(w, &action);
                        break;
                case FAILOVER_USE:
                        use_link(w, &action);
                        break;
                case FAILOVER_NOTHING:
                        break;
                }
        }
        check(w, PROPERTY_SLEEP, steps < 20, "the machine never comes to rest");
}

static void judge_moment(struct world *w)
{
        if (w->moved_by != NEVER)
                check(w, PROPERTY_AT_ONCE, w->now <= w->moved_by, "the first move comes late");
        if (w->active != FAILOVER_NONE)
                return;
        for (size_t i = 0; i < w->count && w->moves == 0 && w->now > w->first_round_by; i++)
                check(w, PROPERTY_CONNECTED, w->places[i].try_count > 0, "an endpoint did not get its first turn");
        for (size_t i = 0; i < w->count; i++)
                if (w->places[i].mood == MOOD_ANSWERS)
                        check(w, PROPERTY_CONNECTED,
                              w->now - later(w->places[i].good_since, w->without_since) <= connected_bound(w),
                              "no session although an endpoint answers");
}

/* Whoever wakes early finds nothing to do. */
static void judge_sleep(struct world *w, uint64_t next)
{
        struct failover copy = w->f;

        if (next <= w->now + 1 || next == NEVER)
                return;
        uint64_t span = earlier(next - w->now - 1, UINT32_MAX - 1);
        uint64_t early = w->now + 1 + random_below(&w->random, (uint32_t)span);
        check(w, PROPERTY_SLEEP, failover_next(&copy, early).type == FAILOVER_NOTHING, "work before the deadline");
}

void world_pass(struct world *w, uint64_t ms)
{
        uint64_t end = w->now + ms;

        act(w);
        while (w->now < end) {
                uint64_t wake = later(failover_deadline(&w->f, w->now), w->now);
                uint64_t next = earlier(earlier(wake, next_of_network(w)), end);
                judge_sleep(w, next);
                /* a deadline that stays in the past would stop the clock */
                w->now = next > w->now ? next : w->now + 1;
                run_network(w);
                act(w);
                judge_moment(w);
        }
}

/* ---- faults */

void world_set_mood(struct world *w, uint8_t endpoint, enum mood mood)
{
        struct place *p = &w->places[endpoint];

        if (mood == MOOD_ANSWERS && p->mood != MOOD_ANSWERS)
                p->good_since = w->now;
        p->mood = mood;
        p->life_ms = random_between(&w->random, 100, 30000);
        for (unsigned i = 0; i < 2; i++)
                if (w->lines[i].up && w->lines[i].endpoint == endpoint)
                        w->lines[i].lost_at = lost_at(w, &w->lines[i]);
        run_network(w);
}

static void change_uplink(struct world *w, uint8_t endpoint)
{
        struct place *p = &w->places[endpoint];

        p->uplink_down = !p->uplink_down;
        for (unsigned i = 0; i < 2; i++)
                if (w->lines[i].up && w->lines[i].endpoint == endpoint && p->relay && p->mood != MOOD_SILENT)
                        tell_uplink(w, i);
}

void world_fault(struct world *w)
{
        static const char *const moods[MOODS] = { "answers", "refuses", "is silent", "drops sessions" };
        uint8_t endpoint = (uint8_t)random_below(&w->random, (uint32_t)w->count);
        uint32_t what = random_below(&w->random, 100);

        if (what < 15 && w->places[endpoint].relay) {
                change_uplink(w, endpoint);
                say(w, "endpoint %u: uplink %s", endpoint, w->places[endpoint].uplink_down ? "down" : "up");
        } else if (what < 20) {
                w->paused = !w->paused;
                failover_pause(&w->f, w->paused);
                say(w, "%s", w->paused ? "paused" : "not paused");
        } else {
                bool good = random_percent(&w->random, 45);
                enum mood mood = good ? MOOD_ANSWERS : 1 + random_below(&w->random, MOODS - 1);
                say(w, "endpoint %u: %s", endpoint, moods[mood]);
                world_set_mood(w, endpoint, mood);
        }
}

void world_begin(struct world *w, uint64_t seed, bool trace)
{
        enum endpoint_kind kinds[SITE_ENDPOINTS_MAX];

        memset(w, 0, sizeof(*w));
        w->random.state = seed;
        w->trace = trace;
        w->now = 1000;
        w->active = FAILOVER_NONE;
        w->without_since = w->now;
        w->moved_by = NEVER;
        w->moved_from = FAILOVER_NONE;
        w->count = random_between(&w->random, 1, SITE_ENDPOINTS_MAX);
        uint32_t relays = random_between(&w->random, 0, (uint32_t)w->count);
        uint32_t patience_s = random_percent(&w->random, 40) ? 0 : random_between(&w->random, 1, 120);
        w->patience_ms = UINT64_C(1000) * patience_s;
        w->keep_alive_ms = random_between(&w->random, 2000, 60000);
        w->first_round_by = w->now + ((w->count + 1) / 2 + 2) * timing->connect_deadline_ms;
        bool bad = random_percent(&w->random, 25);
        for (size_t i = 0; i < w->count; i++) {
                struct place *p = &w->places[i];
                p->mood = bad ? random_below(&w->random, MOODS) : MOOD_ANSWERS;
                p->relay = i < relays;
                p->good_since = w->now;
                p->latency_ms = random_between(&w->random, 5, random_percent(&w->random, 10) ? 4900 : 300);
                kinds[i] = p->relay ? ENDPOINT_RELAY : ENDPOINT_CLOUD;
        }
        for (unsigned i = 0; i < 2; i++)
                w->lines[i] = (struct line){ .answer_at = NEVER, .tell_at = NEVER, .lost_at = NEVER };
        failover_init(&w->f, timing, kinds, w->count, patience_s, (uint32_t)random_next(&w->random), w->now);
        if (random_percent(&w->random, 30)) {
                w->spread_ms = random_between(&w->random, 64, 20000);
                failover_crowd(&w->f, (uint32_t)w->spread_ms);
        }
        say(w, "%u endpoints, %u relays, patience %u s, spread %u ms", (unsigned)w->count, relays, patience_s,
            (unsigned)w->spread_ms);
}

/* Flapping before may have lengthened each endpoint's dwell to its most, and the way may lead over all of them. */
static uint64_t settling_time(const struct world *w)
{
        uint64_t move = timing->dwell_most_ms + timing->retry_most_ms + 4 * timing->connect_deadline_ms;

        return connected_bound(w) + w->keep_alive_ms * 3 / 2 + w->patience_ms + w->count * move;
}

void world_settle(struct world *w)
{
        uint8_t best = FAILOVER_NONE;

        w->paused = false;
        failover_pause(&w->f, false);
        world_pass(w, settling_time(w));
        for (uint8_t i = 0; i < w->count; i++)
                if (w->places[i].mood == MOOD_ANSWERS && (best == FAILOVER_NONE || order(w, i) < order(w, best)))
                        best = i;
        if (best == FAILOVER_NONE)
                return;
        check(w, PROPERTY_BEST, w->active != FAILOVER_NONE && w->lines[w->active].endpoint == best,
              "the session is not on the best endpoint that answers");
}
