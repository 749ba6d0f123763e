/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Questions to the gate, and its tickets. */

#include "app/gate.h"

#include <string.h>

#define AGE_MAX_MS (TICKET_AGE_MAX_S * UINT64_C(1000))

const struct gate_timing gate_timing_default = {
        .spacing_ms = 11000, /* a gate counts ten seconds by its own clock, at its end of the line */
        .patience_ms = 15000,
        .retry_first_ms = 15000,
        .retry_most_ms = 300000,
        .refresh_ms = 24 * 3600 * 1000,
};

struct gate_timing gate_timing_scaled(uint32_t spacing_ms)
{
        const struct gate_timing *usual = &gate_timing_default;

        return (struct gate_timing){
                .spacing_ms = spacing_ms,
                .patience_ms = (uint32_t)((uint64_t)usual->patience_ms * spacing_ms / usual->spacing_ms),
                .retry_first_ms = (uint32_t)((uint64_t)usual->retry_first_ms * spacing_ms / usual->spacing_ms),
                .retry_most_ms = (uint32_t)((uint64_t)usual->retry_most_ms * spacing_ms / usual->spacing_ms),
                .refresh_ms = usual->refresh_ms,
        };
}

void gate_init(struct gate *g, const struct gate_config *config)
{
        memset(g, 0, sizeof(*g));
        g->config = *config;
}

const struct site_gate *gate_of_device(const struct gate *g)
{
        return site_policy_gate(g->config.policy, g->config.device, g->config.class_id);
}

/* A question that is not answered is remembered: its answer may still be under way. */
static void give_up_question(struct gate *g)
{
        if (g->asked)
                g->given_up[g->given_up_count++ % GATE_GIVEN_UP] = g->request;
        g->asked = g->unanswered = false;
}

static void hurry(struct gate_schedule *schedule, uint64_t now_ms)
{
        schedule->pause_ms = 0;
        schedule->paused_ms = now_ms;
}

static void ask_anew(struct gate *g, uint64_t now_ms)
{
        give_up_question(g);
        g->time_wanted = true;
        hurry(&g->verdict, now_ms);
        hurry(&g->clock, now_ms);
}

void gate_trust(struct gate *g, uint64_t approval_epoch, uint64_t time_floor, uint64_t now_ms)
{
        uint64_t unix_s;

        g->approval_epoch = approval_epoch;
        g->time_floor = time_floor;
        g->open = g->behind = false;
        g->standing = REASON_NONE;
        if (gate_time(g, now_ms, &unix_s) && unix_s < time_floor)
                g->has_time = false;
        ask_anew(g, now_ms);
}

void gate_session(struct gate *g, uint64_t now_ms)
{
        ask_anew(g, now_ms);
}

/* ---- pauses */

static void pause(const struct gate *g, struct gate_schedule *schedule, uint64_t now_ms)
{
        const struct gate_timing *timing = &g->config.timing;
        uint64_t longer = schedule->pause_ms == 0 ? timing->retry_first_ms : (uint64_t)schedule->pause_ms * 2;
        uint64_t pause_ms = longer < timing->retry_most_ms ? longer : timing->retry_most_ms;

        schedule->pause_ms = (uint32_t)pause_ms;
        /* the last nonce's first bytes are as good as any for keeping devices apart: up to a quarter more */
        uint64_t spread = (uint64_t)(g->request.nonce[0] << 8 | g->request.nonce[1]) * pause_ms / (4 * 65536);
        schedule->paused_ms = now_ms + pause_ms + spread;
}

static void note_failure(struct gate *g, enum reason reason, uint64_t now_ms)
{
        pause(g, &g->clock, now_ms);
        if (!g->verdict_wanted)
                return;
        g->standing = reason;
        pause(g, &g->verdict, now_ms);
}

void gate_unreached(struct gate *g, uint64_t now_ms)
{
        bool told = g->asked && g->unanswered;

        give_up_question(g);
        if (!told)
                note_failure(g, REASON_NO_GATE_ANSWER, now_ms);
}

void gate_tick(struct gate *g, uint64_t now_ms)
{
        if (g->asked && !g->unanswered && now_ms - g->asked_ms >= g->config.timing.patience_ms) {
                g->unanswered = true;
                note_failure(g, REASON_NO_GATE_ANSWER, now_ms);
        }
        if (g->has_time && !g->time_wanted && now_ms - g->time_at_ms >= g->config.timing.refresh_ms)
                g->time_wanted = true;
}

void gate_hurry(struct gate *g, uint64_t now_ms)
{
        hurry(&g->verdict, now_ms);
}

/* ---- asking */

bool gate_is_waiting(const struct gate *g)
{
        return g->asked && !g->unanswered;
}

static uint64_t not_before(const struct gate_schedule *schedule)
{
        return schedule->spaced_ms > schedule->paused_ms ? schedule->spaced_ms : schedule->paused_ms;
}

static bool verdict_is_due(const struct gate *g, uint64_t now_ms)
{
        return g->verdict_wanted && !g->open && now_ms >= not_before(&g->verdict);
}

bool gate_is_due(const struct gate *g, uint64_t now_ms)
{
        if (gate_is_waiting(g) || !gate_of_device(g))
                return false;
        return verdict_is_due(g, now_ms) || (g->time_wanted && now_ms >= not_before(&g->clock));
}

uint64_t gate_deadline(const struct gate *g, uint64_t now_ms)
{
        uint64_t best = UINT64_MAX;

        if (!gate_of_device(g))
                return best;
        if (gate_is_waiting(g))
                return g->asked_ms + g->config.timing.patience_ms;
        if (g->verdict_wanted && !g->open)
                best = not_before(&g->verdict);
        if (g->time_wanted && not_before(&g->clock) < best)
                best = not_before(&g->clock);
        if (g->has_time && !g->time_wanted && g->time_at_ms + g->config.timing.refresh_ms < best)
                best = g->time_at_ms + g->config.timing.refresh_ms;
        return best < now_ms ? now_ms : best;
}

int gate_ask(struct gate *g, uint8_t out[GATE_REQUEST_MAX], struct span *question, uint64_t now_ms)
{
        struct gate_request request = { .has_digest = verdict_is_due(g, now_ms) };
        struct writer w;

        int r = entropy_check(g->config.entropy);
        if (r == 0)
                r = g->config.entropy->fill(g->config.entropy->context, request.nonce, sizeof(request.nonce));
        if (r < 0) {
                note_failure(g, REASON_NO_ENTROPY, now_ms);
                return r;
        }
        if (request.has_digest)
                memcpy(request.manifest_digest, g->wanted, SHA256_SIZE);
        writer_init(&w, out, GATE_REQUEST_MAX);
        r = gate_request_encode(&w, &request);
        if (r < 0)
                return r;
        give_up_question(g);
        g->asked = true;
        g->asked_ms = now_ms;
        g->request = request;
        (request.has_digest ? &g->verdict : &g->clock)->spaced_ms = now_ms + g->config.timing.spacing_ms;
        *question = writer_span(&w);
        return 0;
}

/* ---- answers */

static enum reason check(const struct gate *g, struct span sign1, const struct gate_request *request,
                         struct ticket *ticket)
{
        struct ticket_facts facts = {
                .device = g->config.device,
                .class_id = g->config.class_id,
                .request = request,
                .approval_epoch = g->approval_epoch,
                .time_floor = g->time_floor,
        };
        return ticket_check(sign1, g->config.policy, &facts, ticket);
}

/* It is signed for our nonce, whatever it says. */
static bool is_an_answer(enum reason reason)
{
        return reason == REASON_NONE || reason == REASON_POLICY_DIFFERS || reason == REASON_REVOKED_EPOCH ||
               reason == REASON_CLOCK_TURNED_BACK;
}

static bool is_late(const struct gate *g, struct span sign1)
{
        size_t count = g->given_up_count < GATE_GIVEN_UP ? g->given_up_count : GATE_GIVEN_UP;
        struct ticket ticket;

        for (size_t i = 0; i < count; i++)
                if (is_an_answer(check(g, sign1, &g->given_up[i], &ticket)))
                        return true;
        return false;
}

static void take_time(struct gate *g, const struct ticket *ticket, uint64_t now_ms)
{
        if (!ticket->has_time) {
                pause(g, &g->clock, now_ms); /* a gate without a clock may get one */
                return;
        }
        g->has_time = true;
        g->time = ticket->time;
        g->time_at_ms = g->asked_ms;
        g->time_wanted = false;
        hurry(&g->clock, now_ms);
}

static bool answers_wish(const struct gate *g)
{
        return g->verdict_wanted && g->request.has_digest &&
               memcmp(g->request.manifest_digest, g->wanted, SHA256_SIZE) == 0;
}

static void take_verdict(struct gate *g, struct decision decision, uint64_t now_ms)
{
        if (!answers_wish(g))
                return;
        g->open = decision.verdict == VERDICT_ALLOW;
        g->open_ms = g->asked_ms;
        g->standing = decision.reason;
        if (g->open)
                hurry(&g->verdict, now_ms);
        else
                pause(g, &g->verdict, now_ms);
}

enum reason gate_ticket(struct gate *g, struct span sign1, uint64_t now_ms)
{
        struct ticket ticket;

        enum reason reason = g->asked ? check(g, sign1, &g->request, &ticket) : REASON_WRONG_NONCE;
        if (reason == REASON_WRONG_NONCE && is_late(g, sign1))
                return REASON_NONE;
        if (!is_an_answer(reason))
                return reason; /* it takes nothing away: the answer may still come */
        g->asked = g->unanswered = false;
        if (now_ms - g->asked_ms > AGE_MAX_MS)
                reason = REASON_STALE_TICKET;
        if (reason == REASON_NONE) {
                take_time(g, &ticket, now_ms);
                take_verdict(g, ticket.decision, now_ms);
                return REASON_NONE;
        }
        g->behind = reason == REASON_POLICY_DIFFERS || reason == REASON_REVOKED_EPOCH;
        take_verdict(g, DECISION_DENY(reason), now_ms);
        pause(g, &g->clock, now_ms);
        return reason;
}

enum gate_answer gate_may_install(struct gate *g, const uint8_t manifest[SHA256_SIZE], uint64_t now_ms,
                                  enum reason *reason)
{
        if (!g->verdict_wanted || memcmp(g->wanted, manifest, SHA256_SIZE) != 0) {
                g->verdict_wanted = true;
                memcpy(g->wanted, manifest, SHA256_SIZE);
                g->open = false;
                g->standing = REASON_NONE;
                gate_hurry(g, now_ms);
        }
        if (!gate_of_device(g)) {
                *reason = REASON_NO_GATE_ANSWER;
                return GATE_NO;
        }
        if (g->open) {
                g->open = false;
                if (now_ms - g->open_ms <= AGE_MAX_MS) {
                        gate_stop(g);
                        return GATE_OPEN;
                }
        }
        *reason = g->standing;
        return g->standing == REASON_NONE ? GATE_PENDING : GATE_NO;
}

void gate_stop(struct gate *g)
{
        g->verdict_wanted = g->open = false;
}

bool gate_take_behind(struct gate *g)
{
        bool behind = g->behind;

        g->behind = false;
        return behind;
}

bool gate_time(const struct gate *g, uint64_t now_ms, uint64_t *unix_s)
{
        uint64_t since = (now_ms - g->time_at_ms) / 1000;

        if (!g->has_time || g->time > UINT64_MAX - since)
                return false;
        *unix_s = g->time + since;
        return true;
}
