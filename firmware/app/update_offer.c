/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Update agent, first half: which offer, whether it may be installed. */

#include "app/update_internal.h"

#include <string.h>

#include "relay/manifest.h"

#define RECHECK_MS 30000 /* how often an approval's window is looked at */

const struct update_timing update_timing_default = { .settle_ms = 2000, .block_timeout_ms = 10000, .retry_ms = 30000 };

const char *update_state_name(enum update_state state)
{
        static const char *const names[] = {
                [UPDATE_IDLE] = "idle",         [UPDATE_REFUSED] = "refused", [UPDATE_WAITING] = "waiting",
                [UPDATE_FETCHING] = "fetching", [UPDATE_TRYING] = "trying",   [UPDATE_CONFIRMED] = "confirmed",
        };
        return names[state];
}

void update_tell(struct update *u, enum update_state state, enum reason reason, const struct update_target *target)
{
        struct update_status next = { .state = state, .reason = reason };

        if (target) {
                memcpy(next.manifest, target->digest, SHA256_SIZE);
                memcpy(next.version, target->version, sizeof(next.version));
                if (state == UPDATE_FETCHING && target->image_size > 0)
                        next.progress = u->blocks_done * 10 / image_block_count(target->image_size) * 10;
                if (state == UPDATE_TRYING || state == UPDATE_CONFIRMED)
                        next.progress = 100;
        }
        if (next.state == u->status.state && next.reason == u->status.reason && next.progress == u->status.progress &&
            memcmp(next.manifest, u->status.manifest, SHA256_SIZE) == 0)
                return;
        u->status = next;
        u->status_due = true;
}

void update_tell_idle(struct update *u)
{
        struct update_target lost = { 0 };

        memcpy(lost.digest, u->boot.confirmed_manifest, SHA256_SIZE);
        if (u->boot.recovery)
                update_tell(u, UPDATE_WAITING, REASON_RECOVERY, &lost);
        else
                update_tell(u, UPDATE_IDLE, REASON_NONE, NULL);
}

/*
 * Recovery: the image that was confirmed is fetched again. Signatures, sequence and approvals were asked when it was
 * tried, under the keys of that time; the journal's digest stands for them, here as at every start.
 */
static bool is_repair(const struct update *u, const uint8_t digest[SHA256_SIZE])
{
        return u->boot.recovery && memcmp(digest, u->boot.confirmed_manifest, SHA256_SIZE) == 0;
}

/* In recovery what runs is no image of a slot. */
static bool is_running(const struct update *u, const uint8_t digest[SHA256_SIZE])
{
        return !u->boot.recovery && memcmp(digest, u->boot.manifest, SHA256_SIZE) == 0;
}

static void take_target(struct update_target *out, const uint8_t digest[SHA256_SIZE],
                        const struct manifest_fields *fields)
{
        memcpy(out->digest, digest, SHA256_SIZE);
        memcpy(out->image_digest, fields->image_digest, SHA256_SIZE);
        memcpy(out->list_digest, fields->block_list_digest, SHA256_SIZE);
        out->sequence = fields->sequence;
        out->image_size = fields->image_size;
        if (!span_to_string(fields->version, out->version, sizeof(out->version)))
                out->version[0] = '\0';
        if (!span_to_string(fields->urgency, out->urgency, sizeof(out->urgency)))
                out->urgency[0] = '\0';
}

/* what can be said of a manifest by itself; *out as far as it is known */
static enum reason judge_offer(const struct update *u, struct span envelope, struct update_target *out)
{
        struct manifest_unverified unverified;
        struct manifest_verified verified;

        enum reason reason = manifest_decode(envelope, &unverified);
        if (reason != REASON_NONE)
                return reason;
        memcpy(out->digest, unverified.digest, SHA256_SIZE);
        bool repair = is_repair(u, out->digest);
        if (!repair)
                reason = manifest_verify(&unverified, u->config.vendor, &verified);
        if (reason != REASON_NONE)
                return reason;
        take_target(out, unverified.digest, &unverified.fields);
        if (memcmp(unverified.fields.class_id, u->config.class_id, CLASS_ID_SIZE) != 0)
                return REASON_WRONG_CLASS;
        if (is_running(u, out->digest))
                return REASON_NONE;
        if (out->sequence <= u->boot.floor && !repair)
                return REASON_OLD_SEQUENCE;
        if (out->image_size == 0 || image_block_count(out->image_size) > UPDATE_BLOCKS_MAX)
                return REASON_TOO_LARGE;
        return REASON_NONE;
}

static void await_nothing(struct update *u)
{
        u->awaiting = u->ticket = UPDATE_AWAITS_NOTHING;
        gate_stop(u->config.gate);
}

static void drop_candidate(struct update *u)
{
        if (u->awaiting == UPDATE_AWAITS_FETCH)
                await_nothing(u);
        u->has_candidate = false;
        u->approvals_asked = false;
        u->approval_count = 0;
        u->objects_size = u->envelope_size;
}

/* What was fetched stays in the slot. What the boot stage has got is started. */
static void stop_fetch(struct update *u)
{
        if (u->phase == UPDATE_PHASE_RESET)
                return;
        if (u->awaiting == UPDATE_AWAITS_STAGE)
                await_nothing(u);
        u->phase = UPDATE_PHASE_NONE;
        for (unsigned i = 0; i < UPDATE_WINDOW; i++) {
                struct update_piece *piece = &u->window[i];
                piece->state = piece->state == UPDATE_PIECE_ASKED ? UPDATE_PIECE_ARRIVED : piece->state;
                piece->state = piece->state == UPDATE_PIECE_WANTED ? UPDATE_PIECE_FREE : piece->state;
        }
}

/* The vendor took it back, or the gate closed, or the site's people denied it. */
static void offer_taken_back(struct update *u)
{
        enum update_state state = u->status.state;

        drop_candidate(u);
        stop_fetch(u);
        if (state == UPDATE_REFUSED || state == UPDATE_WAITING || state == UPDATE_FETCHING)
                update_tell_idle(u);
}

void update_offer(struct update *u, struct span envelope, uint64_t now_ms)
{
        struct update_target target = { 0 };

        if (envelope.size == 0) {
                offer_taken_back(u);
                return;
        }
        enum reason reason = judge_offer(u, envelope, &target);
        if (reason != REASON_NONE) {
                update_tell(u, UPDATE_REFUSED, reason, &target);
                return;
        }
        if (is_running(u, target.digest)) {
                update_tell(u, u->boot.confirmed ? UPDATE_CONFIRMED : UPDATE_TRYING, REASON_NONE, &target);
                return;
        }
        u->look_again = true;
        if (u->has_candidate && memcmp(target.digest, u->candidate.digest, SHA256_SIZE) == 0) {
                if (u->awaiting != UPDATE_AWAITS_NOTHING)
                        gate_hurry(u->config.gate, now_ms);
                return;
        }
        drop_candidate(u);
        u->has_candidate = true;
        u->candidate = target;
        memcpy(u->objects, envelope.data, envelope.size);
        u->envelope_size = u->objects_size = envelope.size;
        u->settled_ms = now_ms + u->config.timing.settle_ms;
        u->settling = true;
        u->hold_ms = 0;
}

/* ---- approvals: one an approver, the newest that verifies */

static void forget_approval(struct update *u, size_t approver)
{
        for (size_t i = 0; i < u->approval_count; i++) {
                struct update_approval gone = u->approval_list[i];
                if (gone.approver != approver)
                        continue;
                size_t end = gone.offset + gone.size;
                memmove(u->objects + gone.offset, u->objects + end, u->objects_size - end);
                u->objects_size -= gone.size;
                u->approval_count--;
                memmove(&u->approval_list[i], &u->approval_list[i + 1],
                        (u->approval_count - i) * sizeof(u->approval_list[0]));
                for (size_t k = i; k < u->approval_count; k++)
                        u->approval_list[k].offset -= gone.size;
                return;
        }
}

static size_t size_of_approval(const struct update *u, size_t approver)
{
        for (size_t i = 0; i < u->approval_count; i++)
                if (u->approval_list[i].approver == approver)
                        return u->approval_list[i].size;
        return 0;
}

void update_approval(struct update *u, struct span sign1)
{
        struct approval approval;
        size_t approver;

        if (!u->has_candidate || sign1.size == 0 || sign1.size > APPROVAL_MAX)
                return;
        if (approval_check(sign1, u->config.policy, &approval, &approver) != REASON_NONE ||
            memcmp(approval.manifest_digest, u->candidate.digest, SHA256_SIZE) != 0)
                return;
        if (u->objects_size - size_of_approval(u, approver) + sign1.size > sizeof(u->objects))
                return;
        forget_approval(u, approver);
        u->approval_list[u->approval_count++] = (struct update_approval){
                approver, u->objects_size, sign1.size, approval.has_not_before || approval.has_not_after
        };
        memcpy(u->objects + u->objects_size, sign1.data, sign1.size);
        u->objects_size += sign1.size;
        u->look_again = true;
}

size_t update_approval_spans(const struct update *u, struct span out[SITE_APPROVERS_MAX])
{
        for (size_t i = 0; i < u->approval_count; i++)
                out[i] = span_of(u->objects + u->approval_list[i].offset, u->approval_list[i].size);
        return u->approval_count;
}

bool update_has_windows(const struct update *u)
{
        for (size_t i = 0; i < u->approval_count; i++)
                if (u->approval_list[i].windowed)
                        return true;
        return false;
}

static enum reason judge_approvals(const struct update *u, uint64_t now_ms)
{
        const struct site_policy *policy = u->config.policy;
        struct approval_facts facts = { .device = u->config.device, .epoch_floor = u->boot.approval_epoch };
        struct span spans[SITE_APPROVERS_MAX];

        memcpy(facts.class_id, u->config.class_id, CLASS_ID_SIZE);
        if (policy->approval_epoch > facts.epoch_floor)
                facts.epoch_floor = policy->approval_epoch;
        facts.time_trusted = gate_time(u->config.gate, now_ms, &facts.now);
        size_t count = update_approval_spans(u, spans);
        struct decision decision = approval_decide(spans, count, u->candidate.digest, policy, &facts);
        return decision.verdict == VERDICT_ALLOW ? REASON_NONE : decision.reason;
}

/* People's approvals, or else a rule, which k people signed with the policy. */
static enum reason judge_approved(struct update *u, uint64_t now_ms)
{
        enum reason reason = judge_approvals(u, now_ms);

        u->candidate.by_rule = reason != REASON_NONE &&
                               site_policy_rule(u->config.policy, 0, span_of_string(u->candidate.urgency),
                                                u->config.device, u->config.class_id) >= 0;
        return u->candidate.by_rule ? REASON_NONE : reason;
}

/* everything a device demands before it fetches (docs/trust.md) beyond what judge_offer() saw */
static enum reason judge_candidate(struct update *u, uint64_t now_ms)
{
        u->candidate.by_rule = false;
        if (is_repair(u, u->candidate.digest))
                return REASON_NONE;
        if (u->candidate.sequence <= u->boot.floor) /* it rose since the offer came */
                return REASON_OLD_SEQUENCE;
        enum reason reason = judge_approved(u, now_ms);
        if (reason != REASON_NONE)
                return reason;
        if (u->boot.tries >= PORT_BOOT_TRIES_MAX &&
            memcmp(u->boot.tried_manifest, u->candidate.digest, SHA256_SIZE) == 0)
                return REASON_TRIES_EXHAUSTED;
        return REASON_NONE;
}

/* A try that failed before this start is told, and repeated only after a pause. */
static bool just_failed(struct update *u, uint64_t now_ms)
{
        if (u->boot.tried_reason == REASON_NONE ||
            memcmp(u->boot.tried_manifest, u->candidate.digest, SHA256_SIZE) != 0)
                return false;
        update_tell(u, UPDATE_REFUSED, u->boot.tried_reason, &u->candidate);
        u->boot.tried_reason = REASON_NONE;
        u->look_again = true;
        u->hold_ms = now_ms + u->config.timing.retry_ms;
        return true;
}

static bool is_target(const struct update *u)
{
        return u->phase != UPDATE_PHASE_NONE && memcmp(u->target.digest, u->candidate.digest, SHA256_SIZE) == 0;
}

enum reason update_judge_target(struct update *u, uint64_t now_ms)
{
        if (!is_target(u)) { /* its approvals are gone; the boot stage has them in the slot, and judges them */
                bool ticket = u->config.policy->ticket_needed || u->target.by_rule;
                /* but has no clock: where the gate does not look at their windows, nobody would */
                return u->target.windowed && !ticket ? REASON_OUTSIDE_WINDOW : REASON_NONE;
        }
        enum reason reason = judge_candidate(u, now_ms);
        u->target.by_rule = u->candidate.by_rule;
        return reason;
}

/* ---- the gate */

static const struct update_target *awaited(const struct update *u)
{
        return u->awaiting == UPDATE_AWAITS_STAGE ? &u->target : &u->candidate;
}

bool update_follow_gate(struct update *u, uint64_t now_ms)
{
        const struct update_target *target = awaited(u);
        enum reason reason;

        switch (gate_may_install(u->config.gate, target->digest, now_ms, &reason)) {
        case GATE_PENDING:
                return false;
        case GATE_OPEN:
                u->ticket = u->awaiting;
                u->awaiting = UPDATE_AWAITS_NOTHING;
                return true;
        case GATE_NO:
                break;
        }
        /* that these two end is not the gate's to wait for: the device must catch up first */
        bool behind = reason == REASON_POLICY_DIFFERS || reason == REASON_REVOKED_EPOCH;
        update_tell(u, behind ? UPDATE_REFUSED : UPDATE_WAITING, reason, target);
        return false;
}

bool update_ask_gate(struct update *u, enum update_awaiting what, uint64_t now_ms)
{
        bool needed = u->config.policy->ticket_needed;

        u->awaiting = what;
        needed = (needed || awaited(u)->by_rule) && !is_repair(u, awaited(u)->digest);
        if (needed && u->ticket != what && !update_follow_gate(u, now_ms))
                return false;
        await_nothing(u); /* a ticket serves once */
        return true;
}

/* ---- deciding */

static bool may_pass(enum reason reason)
{
        return reason == REASON_OUTSIDE_WINDOW || reason == REASON_NO_TRUSTED_TIME;
}

static void refuse_candidate(struct update *u, enum reason reason, uint64_t now_ms)
{
        if (u->awaiting == UPDATE_AWAITS_FETCH)
                await_nothing(u);
        u->recheck_ms = may_pass(reason) ? now_ms + RECHECK_MS : 0;
        update_tell(u, UPDATE_REFUSED, reason, &u->candidate);
}

void update_trust(struct update *u, const struct port_boot_status *status, uint64_t now_ms)
{
        struct update_target target = { 0 };

        u->boot.approval_epoch = status->approval_epoch;
        u->look_again = true;
        if (u->awaiting != UPDATE_AWAITS_NOTHING)
                await_nothing(u);
        if (!u->has_candidate)
                return;
        enum reason reason = judge_offer(u, span_of(u->objects, u->envelope_size), &target);
        bool fetching = is_target(u);
        drop_candidate(u); /* approvals are kept by their place in the policy, and will come again */
        if (reason != REASON_NONE) {
                if (fetching)
                        stop_fetch(u);
                update_tell(u, UPDATE_REFUSED, reason, &target);
                return;
        }
        u->has_candidate = true;
        u->candidate = target;
        u->settled_ms = now_ms + u->config.timing.settle_ms;
        u->settling = true;
}

int update_consider(struct update *u, uint64_t now_ms)
{
        /* on trial, the other slot holds what the boot stage goes back to: nothing is fetched over it */
        if (!u->boot.confirmed)
                return 0;
        if (!u->has_candidate || is_target(u) || u->phase == UPDATE_PHASE_RESET || now_ms < u->hold_ms)
                return 0;
        u->look_again = false;
        enum reason reason = judge_candidate(u, now_ms);
        if (reason == REASON_NOT_APPROVED && now_ms < u->settled_ms)
                return 0;
        if (reason == REASON_NONE && u->phase != UPDATE_PHASE_NONE && u->candidate.sequence <= u->target.sequence)
                reason = REASON_OLD_SEQUENCE;
        if (reason != REASON_NONE) {
                refuse_candidate(u, reason, now_ms);
                return 0;
        }
        if (just_failed(u, now_ms))
                return 0;
        if (!u->config.consent(u->config.context, u->candidate.version)) {
                update_tell(u, UPDATE_WAITING, REASON_APPLICATION_BUSY, &u->candidate);
                u->hold_ms = now_ms + 1000;
                u->look_again = true;
                return 0;
        }
        return update_ask_gate(u, UPDATE_AWAITS_FETCH, now_ms) ? update_fetch(u, now_ms) : 0;
}
