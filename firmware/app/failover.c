/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fail-over between relay and cloud: a pure state machine. */

#include "app/failover.h"

const struct failover_timing failover_timing_default = {
        .connect_deadline_ms = 5000,
        .second_ms = 1500,
        .retry_first_ms = 500,
        .retry_most_ms = 60000,
        .dwell_ms = 10000,
        .dwell_most_ms = 600000,
        .stable_ms = 120000,
        .spread_most_ms = 60000,
};

/* A relay that cannot reach the cloud ranks behind every endpoint that counts normally. */
#define RANK_UPLINK_DOWN 100u
#define SPREAD_MS        1u /* of a site, for each device: a thousand arrivals a second */
#define FAILURES_MAX     16u

void failover_init(struct failover *f, const struct failover_timing *timing, const enum endpoint_kind *kinds,
                   size_t count, uint32_t patience_s, uint32_t seed, uint64_t now_ms)
{
        *f = (struct failover){
                .timing = *timing,
                .endpoint_count = count < SITE_ENDPOINTS_MAX ? count : SITE_ENDPOINTS_MAX,
                .patience_ms = (uint64_t)patience_s * 1000,
                .active = FAILOVER_NONE,
                .random = seed != 0 ? seed : 1,
        };
        for (size_t i = 0; i < f->endpoint_count; i++)
                f->endpoints[i] = (struct failover_endpoint){ .relay = kinds[i] == ENDPOINT_RELAY,
                                                              .next_try_ms = now_ms,
                                                              .dwell_ms = timing->dwell_ms };
}

void failover_adopt(struct failover *f, unsigned link, unsigned endpoint, uint64_t now_ms)
{
        f->links[link] = (struct failover_link){ FAILOVER_LINK_UP, (uint8_t)endpoint, now_ms, now_ms, 0 };
        f->active = (uint8_t)link;
}

bool failover_has_spare(const struct failover *f)
{
        return f->active != FAILOVER_NONE && !f->leaving && f->links[1 - f->active].state == FAILOVER_LINK_IDLE;
}

void failover_pause(struct failover *f, bool paused)
{
        f->paused = paused;
}

/* xorshift32: the jitter needs spread, not secrecy */
static uint32_t random_below(struct failover *f, uint32_t limit)
{
        f->random ^= f->random << 13;
        f->random ^= f->random >> 17;
        f->random ^= f->random << 5;
        return limit > 0 ? f->random % limit : 0;
}

/* No pause after so many failures in a row is shorter. */
static uint32_t pause_floor(const struct failover *f, unsigned failures)
{
        uint64_t base = f->timing.retry_first_ms, floor = base << failures, most = f->timing.retry_most_ms / 4;

        if (most < base)
                most = base;
        return (uint32_t)(floor < most ? floor : most);
}

/* Decorrelated jitter: between the floor and three times the last pause, capped. */
static void back_off(struct failover *f, uint8_t endpoint, uint64_t now_ms)
{
        struct failover_endpoint *e = &f->endpoints[endpoint];
        uint32_t floor = pause_floor(f, e->failures);
        uint32_t last = e->backoff_ms > floor ? e->backoff_ms : floor;
        uint64_t pause = floor + random_below(f, last * 3 - floor);

        if (pause > f->timing.retry_most_ms)
                pause = f->timing.retry_most_ms - random_below(f, f->timing.retry_most_ms / 4);
        if (e->failures < FAILURES_MAX)
                e->failures++;
        e->backoff_ms = (uint32_t)pause;
        e->next_try_ms = now_ms + pause;
}

static bool patience_is_over(const struct failover *f, size_t endpoint, uint64_t now_ms)
{
        const struct failover_endpoint *e = &f->endpoints[endpoint];
        return e->uplink_down && f->patience_ms > 0 && now_ms - e->down_since_ms >= f->patience_ms;
}

/* smaller is better */
static unsigned rank(const struct failover *f, size_t endpoint, uint64_t now_ms)
{
        return (unsigned)endpoint + (patience_is_over(f, endpoint, now_ms) ? RANK_UPLINK_DOWN : 0);
}

/* Worth a probe beside the session: better, or better were its uplink not down (it may be back: only it knows). */
static bool worth_probing(const struct failover *f, size_t endpoint, uint64_t now_ms)
{
        uint8_t current = f->links[f->active].endpoint;

        if (endpoint == current)
                return false;
        return rank(f, endpoint, now_ms) < rank(f, current, now_ms) || endpoint < current;
}

/* Due for so long that it goes before better ones, which get their turns sooner. */
static bool is_overdue(const struct failover *f, size_t endpoint, uint64_t now_ms)
{
        return now_ms - f->endpoints[endpoint].next_try_ms >= f->timing.connect_deadline_ms;
}

/* Both are due: does a go before b? */
static bool goes_first(const struct failover *f, size_t a, size_t b, uint64_t now_ms)
{
        bool late = is_overdue(f, a, now_ms), other_late = is_overdue(f, b, now_ms);

        if (late != other_late)
                return late;
        if (late && f->endpoints[a].next_try_ms != f->endpoints[b].next_try_ms)
                return f->endpoints[a].next_try_ms < f->endpoints[b].next_try_ms;
        return rank(f, a, now_ms) < rank(f, b, now_ms);
}

/* the endpoint that is to be tried now beside busy, FAILOVER_NONE if there is none */
static uint8_t choose(const struct failover *f, uint8_t busy, uint64_t now_ms)
{
        uint8_t best = FAILOVER_NONE;

        for (size_t i = 0; i < f->endpoint_count; i++) {
                if (i == busy || f->endpoints[i].next_try_ms > now_ms)
                        continue;
                if (f->active != FAILOVER_NONE && !worth_probing(f, i, now_ms))
                        continue;
                if (best == FAILOVER_NONE || goes_first(f, i, best, now_ms))
                        best = (uint8_t)i;
        }
        return best;
}

static struct failover_action use(struct failover *f, uint8_t link, uint64_t now_ms)
{
        uint8_t old = f->active;

        f->active = link;
        f->links[link].since_ms = now_ms;
        f->leaving = old != FAILOVER_NONE;
        return (struct failover_action){ FAILOVER_USE, link, f->links[link].endpoint };
}

static struct failover_action close_link(struct failover *f, uint8_t link)
{
        f->links[link].state = FAILOVER_LINK_IDLE;
        return (struct failover_action){ FAILOVER_CLOSE, link, f->links[link].endpoint };
}

void failover_up(struct failover *f, unsigned link, uint64_t now_ms)
{
        if (link > 1 || f->links[link].state != FAILOVER_LINK_CONNECTING)
                return;
        f->links[link].state = FAILOVER_LINK_UP;
        f->links[link].since_ms = f->links[link].alive_ms = now_ms;
        f->links[link].asked_ms = 0;
}

void failover_alive(struct failover *f, unsigned link, uint64_t now_ms)
{
        if (link <= 1 && f->links[link].state == FAILOVER_LINK_UP)
                f->links[link].alive_ms = now_ms;
}

void failover_crowd(struct failover *f, uint32_t devices)
{
        uint64_t spread = (uint64_t)devices * SPREAD_MS;

        f->spread_ms = spread < f->timing.spread_most_ms ? (uint32_t)spread : f->timing.spread_most_ms;
}

/* A session that ended: was the endpoint stable, or does it flap? */
static void judge_lost_session(struct failover *f, const struct failover_link *link, uint64_t now_ms)
{
        struct failover_endpoint *e = &f->endpoints[link->endpoint];

        uint64_t longer = (uint64_t)e->dwell_ms * 2;

        if (now_ms - link->since_ms >= f->timing.stable_ms) {
                e->backoff_ms = e->failures = 0;
                e->dwell_ms = f->timing.dwell_ms;
        } else {
                e->dwell_ms = longer < f->timing.dwell_most_ms ? (uint32_t)longer : f->timing.dwell_most_ms;
        }
}

/*
 * The first move: at once, or somewhere in the spread. After a stable session all others are due then, the best first,
 * and so is the one that was lost, if its own pause is over: it may only have been started anew. After a short session
 * the others keep their places: whoever waited for long goes first, however many better ones take sessions and lose
 * them.
 */
static void plan_move(struct failover *f, const struct failover_link *lost, uint64_t now_ms)
{
        bool was_stable = now_ms - lost->since_ms >= f->timing.stable_ms;

        f->move_ms = now_ms + random_below(f, f->spread_ms);
        judge_lost_session(f, lost, now_ms);
        back_off(f, lost->endpoint, now_ms);
        for (size_t i = 0; i < f->endpoint_count; i++) {
                struct failover_endpoint *e = &f->endpoints[i];
                if (i == lost->endpoint ? e->next_try_ms < f->move_ms : was_stable)
                        e->next_try_ms = f->move_ms;
        }
}

void failover_down(struct failover *f, unsigned link, uint64_t now_ms)
{
        if (link > 1 || f->links[link].state == FAILOVER_LINK_IDLE)
                return;
        struct failover_link *l = &f->links[link];

        if (f->active == link)
                plan_move(f, l, now_ms);
        else if (!f->leaving) /* else it was to be closed anyway */
                back_off(f, l->endpoint, now_ms);
        if (f->active == link)
                f->active = FAILOVER_NONE;
        f->leaving = false;
        l->state = FAILOVER_LINK_IDLE;
}

void failover_uplink(struct failover *f, unsigned link, bool down, uint64_t now_ms)
{
        if (link > 1 || f->links[link].state != FAILOVER_LINK_UP)
                return;
        struct failover_endpoint *e = &f->endpoints[f->links[link].endpoint];

        if (down && !e->uplink_down)
                e->down_since_ms = now_ms;
        e->uplink_down = down;
}

static const struct failover_action nothing = { FAILOVER_NOTHING, 0, 0 };

static struct failover_action give_up(struct failover *f, uint8_t link, uint64_t now_ms)
{
        back_off(f, f->links[link].endpoint, now_ms);
        return close_link(f, link);
}

/* The dwell is over: a sign of life since then is the proof. Until it comes the session stays where it is. */
static struct failover_action ask(struct failover *f, uint8_t link, uint64_t now_ms)
{
        struct failover_link *l = &f->links[link];

        if (l->asked_ms == 0) {
                l->asked_ms = now_ms;
                return (struct failover_action){ FAILOVER_ASK, link, l->endpoint };
        }
        return now_ms - l->asked_ms < f->timing.connect_deadline_ms ? nothing : give_up(f, link, now_ms);
}

/* The session's age from which a worse candidate is kept beside it no more; until then it takes over at once. */
static uint64_t session_proof_ms(const struct failover *f)
{
        uint32_t dwell_ms = f->endpoints[f->links[f->active].endpoint].dwell_ms;
        return dwell_ms < f->timing.stable_ms ? dwell_ms : f->timing.stable_ms;
}

static bool session_is_proven(const struct failover *f, uint64_t now_ms)
{
        return now_ms - f->links[f->active].since_ms >= session_proof_ms(f);
}

/* the candidate is up: has it proven itself, and is it (still) the better one? */
static struct failover_action judge_candidate(struct failover *f, uint8_t link, uint64_t now_ms)
{
        struct failover_link *l = &f->links[link];

        if (f->active == FAILOVER_NONE)
                return use(f, link, now_ms);
        uint64_t dwell_ms = f->endpoints[l->endpoint].dwell_ms, up_ms = now_ms - l->since_ms;
        bool better = rank(f, l->endpoint, now_ms) < rank(f, f->links[f->active].endpoint, now_ms);
        if (!better && up_ms >= f->timing.dwell_ms && session_is_proven(f, now_ms))
                return give_up(f, link, now_ms);
        if (!better || up_ms < dwell_ms)
                return nothing;
        return l->alive_ms - l->since_ms < dwell_ms ? ask(f, link, now_ms) : use(f, link, now_ms);
}

/* a link without the session that is not idle */
static struct failover_action drive_candidate(struct failover *f, uint8_t link, uint64_t now_ms)
{
        struct failover_link *l = &f->links[link];

        if (f->active != FAILOVER_NONE && !worth_probing(f, l->endpoint, now_ms) && session_is_proven(f, now_ms))
                return give_up(f, link, now_ms);
        if (l->state == FAILOVER_LINK_UP)
                return judge_candidate(f, link, now_ms);
        return now_ms - l->since_ms < f->timing.connect_deadline_ms ? nothing : give_up(f, link, now_ms);
}

/* may an idle link start another attempt, given what the other link does? */
static bool may_try(const struct failover *f, uint8_t link, uint64_t now_ms)
{
        const struct failover_link *other = &f->links[1 - link];

        if (f->active != FAILOVER_NONE)
                return !f->paused;
        if (now_ms < f->move_ms)
                return false;
        return other->state == FAILOVER_LINK_IDLE || now_ms - other->since_ms >= f->timing.second_ms;
}

static struct failover_action try_endpoint(struct failover *f, uint8_t link, uint64_t now_ms)
{
        const struct failover_link *other = &f->links[1 - link];
        uint8_t busy = other->state == FAILOVER_LINK_IDLE ? FAILOVER_NONE : other->endpoint;
        uint8_t endpoint = may_try(f, link, now_ms) ? choose(f, busy, now_ms) : FAILOVER_NONE;

        if (endpoint == FAILOVER_NONE)
                return nothing;
        f->links[link] = (struct failover_link){ FAILOVER_LINK_CONNECTING, endpoint, now_ms, 0, 0 };
        return (struct failover_action){ FAILOVER_CONNECT, link, endpoint };
}

struct failover_action failover_next(struct failover *f, uint64_t now_ms)
{
        if (f->leaving) {
                f->leaving = false;
                return close_link(f, 1 - f->active);
        }
        for (uint8_t link = 0; link < 2; link++) {
                if (link == f->active || f->links[link].state == FAILOVER_LINK_IDLE)
                        continue;
                struct failover_action action = drive_candidate(f, link, now_ms);
                if (action.type != FAILOVER_NOTHING)
                        return action;
        }
        for (uint8_t link = 0; link < 2; link++) {
                if (link == f->active || f->links[link].state != FAILOVER_LINK_IDLE)
                        continue;
                struct failover_action action = try_endpoint(f, link, now_ms);
                if (action.type != FAILOVER_NOTHING)
                        return action;
        }
        return nothing;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
        return a < b ? a : b;
}

/* only moments still to come: failover_next() has dealt with the others */
static uint64_t upcoming(uint64_t best, uint64_t moment, uint64_t now_ms)
{
        return moment > now_ms ? earlier(best, moment) : best;
}

uint64_t failover_deadline(const struct failover *f, uint64_t now_ms)
{
        uint64_t best = upcoming(f->leaving ? now_ms : UINT64_MAX, f->move_ms, now_ms);

        for (uint8_t link = 0; link < 2; link++) {
                const struct failover_link *l = &f->links[link];
                if (l->state == FAILOVER_LINK_CONNECTING) {
                        best = upcoming(best, l->since_ms + f->timing.second_ms, now_ms);
                        best = upcoming(best, l->since_ms + f->timing.connect_deadline_ms, now_ms);
                } else if (l->state == FAILOVER_LINK_UP) {
                        best = upcoming(best, l->since_ms + f->timing.dwell_ms, now_ms);
                        best = upcoming(best, l->since_ms + f->endpoints[l->endpoint].dwell_ms, now_ms);
                        if (l->asked_ms > 0)
                                best = upcoming(best, l->asked_ms + f->timing.connect_deadline_ms, now_ms);
                }
        }
        if (f->active != FAILOVER_NONE)
                best = upcoming(best, f->links[f->active].since_ms + session_proof_ms(f), now_ms);
        for (size_t i = 0; i < f->endpoint_count; i++) {
                const struct failover_endpoint *e = &f->endpoints[i];
                best = upcoming(best, e->next_try_ms, now_ms);
                if (e->uplink_down && f->patience_ms > 0)
                        best = upcoming(best, e->down_since_ms + f->patience_ms, now_ms);
        }
        return best;
}
