/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Update agent, second half: fetching, checking, handing over. */

#include "app/update.h"

#include <string.h>

#include "app/update_internal.h"
#include "port/slot.h"

#define JOURNAL_MAGIC UINT32_C(0x66657463) /* "fetc" */
#define JOURNAL_SIZE  (SHA256_SIZE + 8)
#define DAY_MS        (UINT64_C(24) * 3600 * 1000)

/* ---- what is being fetched, across restarts: manifest digest, its erasures, whether the next start erases again */

static int load_journal(struct update *u, uint8_t digest[SHA256_SIZE], bool *again)
{
        uint8_t record[JOURNAL_SIZE] = { 0 };
        struct reader r;

        int result = journal_load(&u->journal, &u->config.fetch, JOURNAL_MAGIC, record, JOURNAL_SIZE);
        if (result < 0 && result != RELAY_E_STATE)
                return result;
        memcpy(digest, record, SHA256_SIZE);
        reader_init(&r, span_of(record + SHA256_SIZE, 8));
        u->erasures = reader_u32(&r);
        *again = reader_u32(&r) != 0;
        return 0;
}

static int store_journal(struct update *u, const uint8_t digest[SHA256_SIZE], bool again)
{
        uint8_t record[JOURNAL_SIZE];
        struct writer w;

        writer_init(&w, record, sizeof(record));
        writer_bytes(&w, span_of(digest, SHA256_SIZE));
        writer_u32(&w, u->erasures);
        writer_u32(&w, again);
        return journal_store(&u->journal, record);
}

static void tell_running(struct update *u, enum update_state state)
{
        struct update_target running = { 0 };

        memcpy(running.digest, u->boot.manifest, SHA256_SIZE);
        (void)span_to_string(span_of_string(u->config.version), running.version, sizeof(running.version));
        update_tell(u, state, REASON_NONE, &running);
}

int update_init(struct update *u, const struct update_config *config, uint64_t now_ms)
{
        uint8_t digest[SHA256_SIZE];
        bool again;

        memset(u, 0, sizeof(*u));
        u->config = *config;
        u->day_ms = now_ms;
        int r = config->boot->status(config->boot->context, &u->boot);
        if (r == 0)
                r = load_journal(u, digest, &again);
        if (r < 0)
                return r;
        if (u->boot.recovery)
                update_tell_idle(u);
        else if (!u->boot.confirmed)
                tell_running(u, UPDATE_TRYING);
        return 0;
}

void update_session(struct update *u, uint64_t now_ms)
{
        u->approvals_asked = false;
        u->settled_ms = now_ms + u->config.timing.settle_ms;
        u->settling = true;
        u->look_again = true;
        u->status_due = u->status.state != UPDATE_IDLE;
        for (unsigned i = 0; i < UPDATE_WINDOW; i++) {
                struct update_piece *piece = &u->window[i];
                if (piece->state == UPDATE_PIECE_ASKED)
                        piece->state = UPDATE_PIECE_WANTED;
                else if (piece->state == UPDATE_PIECE_ARRIVED)
                        piece->state = UPDATE_PIECE_FREE;
        }
}

void update_confirmed(struct update *u)
{
        if (u->boot.confirmed)
                return;
        u->boot.confirmed = true;
        u->boot.floor = u->boot.sequence > u->boot.floor ? u->boot.sequence : u->boot.floor;
        u->look_again = true;
        tell_running(u, UPDATE_CONFIRMED);
}

/* ---- fetching */

static void clear_window(struct update *u)
{
        for (unsigned i = 0; i < UPDATE_WINDOW; i++) {
                struct update_piece *piece = &u->window[i];
                piece->state = UPDATE_PIECE_FREE;
        }
}

/*
 * Counts an erasure of the slot, unless it is the same fetch as before. Each manifest has a budget of its own, and
 * there is one for all: who shows two approved offers by turns does not wear the flash out.
 */
static int charge_erasure(struct update *u, uint64_t now_ms, enum reason *reason)
{
        uint8_t before[SHA256_SIZE];
        bool again;

        *reason = REASON_NONE;
        int r = load_journal(u, before, &again);
        bool same = memcmp(before, u->candidate.digest, SHA256_SIZE) == 0;
        if (r < 0 || (same && !again))
                return r;
        if (now_ms - u->day_ms >= DAY_MS) {
                u->day_ms = now_ms;
                u->erasures = u->erasures_day = 0;
        }
        if ((same && u->erasures >= UPDATE_ERASURES_MAX) || u->erasures_day >= UPDATE_ERASURES_DAY) {
                *reason = REASON_ERASE_BUDGET;
                return 0;
        }
        u->erasures = same ? u->erasures + 1 : 1;
        u->erasures_day++;
        return store_journal(u, u->candidate.digest, false);
}

static void ask_for_list(struct update *u)
{
        u->phase = UPDATE_PHASE_LIST;
        u->window[0] = (struct update_piece){ .state = UPDATE_PIECE_WANTED, .list = true };
        update_tell(u, UPDATE_FETCHING, REASON_NONE, &u->target);
}

int update_fetch(struct update *u, uint64_t now_ms)
{
        struct span spans[SITE_APPROVERS_MAX];
        enum reason reason;
        bool found;

        int r = charge_erasure(u, now_ms, &reason);
        if (r < 0)
                return r;
        if (reason != REASON_NONE) {
                update_tell(u, UPDATE_REFUSED, reason, &u->candidate);
                u->hold_ms = now_ms + u->config.timing.retry_ms;
                u->look_again = true;
                return 0;
        }
        size_t count = update_approval_spans(u, spans);
        r = slot_write(&u->config.manifests[update_spare(u)], span_of(u->objects, u->envelope_size), spans, count);
        if (r < 0)
                return r;
        u->target = u->candidate;
        u->target.windowed = update_has_windows(u);
        clear_window(u);
        u->blocks_done = 0;
        r = update_find_list(u, &found);
        if (r < 0)
                return r;
        if (found) {
                update_begin_scan(u);
                return 0;
        }
        ask_for_list(u);
        return 0;
}

/* ---- messages */

static struct update_piece *find_piece(struct update *u, bool list, uint32_t index)
{
        for (unsigned i = 0; i < UPDATE_WINDOW; i++) {
                struct update_piece *piece = &u->window[i];
                if (piece->state == UPDATE_PIECE_ASKED && piece->list == list && piece->index == index)
                        return piece;
        }
        return NULL;
}

/* The fetch failed as a whole: a new one starts from nothing, after a pause, and counts as an erasure. */
static int give_up(struct update *u, enum reason reason, bool refetch, uint64_t now_ms)
{
        update_tell(u, UPDATE_REFUSED, reason, &u->target);
        u->phase = UPDATE_PHASE_NONE;
        u->hold_ms = now_ms + u->config.timing.retry_ms;
        u->look_again = true;
        if (!refetch)
                return 0;
        int r = slot_invalidate(&u->config.manifests[update_spare(u)]);
        if (r == 0)
                r = flash_area_erase(&u->config.list, 0);
        return r < 0 ? r : store_journal(u, u->target.digest, true);
}

/*
 * Flash that does not take what is written to it is no reason to restart the product, now and each time it is tried
 * again: it is told, and tried again within the budget of erasures.
 */
static int survive(struct update *u, int result, uint64_t now_ms)
{
        if (result != PORT_E_IO || u->phase == UPDATE_PHASE_RESET)
                return result;
        if (u->phase == UPDATE_PHASE_NONE)
                u->target = u->candidate;
        if (give_up(u, REASON_FLASH_FAILED, true, now_ms) < 0)
                (void)store_journal(u, u->target.digest, true);
        return 0;
}

static int take_list(struct update *u, struct update_piece *piece, struct span payload, uint64_t now_ms)
{
        bool kept;

        if (!update_list_fits(u, payload)) {
                update_tell(u, UPDATE_REFUSED, REASON_BLOCK_LIST_DIGEST, &u->target);
                return 0;
        }
        piece->state = UPDATE_PIECE_ARRIVED;
        int r = update_store_list(u, payload, &kept);
        if (r < 0)
                return r;
        if (!kept) /* the flash has another opinion */
                return give_up(u, REASON_BLOCK_LIST_DIGEST, true, now_ms);
        update_begin_scan(u);
        return 0;
}

static int take_block(struct update *u, struct update_piece *piece, struct span payload, uint64_t now_ms)
{
        bool fits, found;

        int r = update_check_block(u, piece->index, payload, &fits);
        if (r < 0)
                return r;
        if (!fits) { /* one of the two is wrong; if it is the list in flash, every block would be */
                update_tell(u, UPDATE_REFUSED, REASON_BLOCK_DIGEST, &u->target);
                r = update_find_list(u, &found);
                return r < 0 || found ? r : give_up(u, REASON_BLOCK_LIST_DIGEST, true, now_ms);
        }
        piece->state = UPDATE_PIECE_ARRIVED;
        r = update_store_block(u, piece->index, payload);
        if (r == 0)
                update_tell(u, UPDATE_FETCHING, REASON_NONE, &u->target);
        return r;
}

int update_image(struct update *u, const struct topic_parts *parts, struct span payload, uint64_t now_ms)
{
        bool list = parts->kind == TOPIC_IMAGE_LIST;

        if (u->phase != UPDATE_PHASE_LIST && u->phase != UPDATE_PHASE_BLOCKS)
                return 0;
        if (memcmp(parts->digest, u->target.image_digest, SHA256_SIZE) != 0)
                return 0;
        struct update_piece *piece = find_piece(u, list, parts->index);
        if (!piece)
                return 0;
        return survive(u, list ? take_list(u, piece, payload, now_ms) : take_block(u, piece, payload, now_ms), now_ms);
}

/* ---- time */

static void fill_window(struct update *u, uint64_t now_ms)
{
        uint32_t count = image_block_count(u->target.image_size);

        for (unsigned i = 0; i < UPDATE_WINDOW; i++) {
                struct update_piece *piece = &u->window[i];
                if (piece->state == UPDATE_PIECE_ASKED && now_ms - piece->asked_ms >= u->config.timing.block_timeout_ms)
                        piece->state = UPDATE_PIECE_WANTED;
                if (piece->state != UPDATE_PIECE_FREE || u->phase != UPDATE_PHASE_BLOCKS)
                        continue;
                while (u->next_block < count && update_has_block(u, u->next_block))
                        u->next_block++;
                if (u->next_block < count)
                        *piece = (struct update_piece){ .state = UPDATE_PIECE_WANTED, .index = u->next_block++ };
        }
}

static int follow_hash(struct update *u, uint64_t now_ms)
{
        enum update_image_state image;

        int r = update_hash_some(u, &image);
        if (r < 0)
                return r;
        switch (image) {
        case UPDATE_IMAGE_UNKNOWN:
                break;
        case UPDATE_IMAGE_WRONG:
                return give_up(u, REASON_IMAGE_DIGEST, true, now_ms);
        case UPDATE_IMAGE_RIGHT:
                u->phase = UPDATE_PHASE_COMPLETE;
                break;
        }
        return 0;
}

/* The image is complete: application, approvals and gate are asked once more, then the boot stage. */
static int hand_over(struct update *u, uint64_t now_ms)
{
        enum reason refusal;

        if (now_ms < u->hold_ms || u->awaiting != UPDATE_AWAITS_NOTHING)
                return 0;
        if (!u->config.consent(u->config.context, u->target.version)) {
                update_tell(u, UPDATE_WAITING, REASON_APPLICATION_BUSY, &u->target);
                u->hold_ms = now_ms + 1000;
                return 0;
        }
        enum reason reason = update_judge_target(u, now_ms);
        if (reason == REASON_NOT_APPROVED && now_ms < u->settled_ms) {
                u->hold_ms = u->settled_ms;
                return 0;
        }
        if (reason != REASON_NONE)
                return give_up(u, reason, false, now_ms);
        if (!update_ask_gate(u, UPDATE_AWAITS_STAGE, now_ms))
                return 0;
        int r = u->config.boot->stage(u->config.boot->context, &refusal);
        if (r < 0)
                return r;
        if (refusal != REASON_NONE)
                return give_up(u, refusal, refusal == REASON_IMAGE_DIGEST, now_ms);
        u->phase = UPDATE_PHASE_RESET;
        update_tell(u, UPDATE_TRYING, REASON_NONE, &u->target);
        return 0;
}

/* An approval's window may have opened, or there is trusted time now. */
static void look_at_the_clock(struct update *u, uint64_t now_ms)
{
        uint64_t unix_s;
        bool timed = gate_time(u->config.gate, now_ms, &unix_s);

        if (timed != u->timed || (u->recheck_ms > 0 && now_ms >= u->recheck_ms)) {
                u->look_again = true;
                u->recheck_ms = 0;
        }
        u->timed = timed;
}

int update_tick(struct update *u, uint64_t now_ms)
{
        int r = 0;

        if (u->settling && now_ms >= u->settled_ms) {
                u->settling = false;
                u->look_again = true;
        }
        look_at_the_clock(u, now_ms);
        if (u->awaiting == UPDATE_AWAITS_FETCH && update_follow_gate(u, now_ms))
                u->look_again = true;
        if (u->awaiting == UPDATE_AWAITS_STAGE)
                (void)update_follow_gate(u, now_ms);
        if (u->look_again)
                r = update_consider(u, now_ms);
        if (r == 0 && u->phase == UPDATE_PHASE_SCAN)
                r = update_scan_some(u);
        if (r == 0 && u->phase == UPDATE_PHASE_BLOCKS && u->blocks_done == image_block_count(u->target.image_size))
                r = update_begin_hash(u);
        if (r == 0 && u->phase == UPDATE_PHASE_HASH)
                r = follow_hash(u, now_ms);
        if (r == 0 && u->phase == UPDATE_PHASE_COMPLETE)
                r = hand_over(u, now_ms);
        if (r == 0 && (u->phase == UPDATE_PHASE_LIST || u->phase == UPDATE_PHASE_BLOCKS))
                fill_window(u, now_ms);
        u->ticket = UPDATE_AWAITS_NOTHING; /* what could not use it at once asks again */
        return survive(u, r, now_ms);
}

uint64_t update_deadline(const struct update *u, uint64_t now_ms)
{
        uint64_t best = UINT64_MAX;
        bool waits = u->has_candidate || u->phase == UPDATE_PHASE_COMPLETE;

        if (u->phase == UPDATE_PHASE_SCAN || u->phase == UPDATE_PHASE_HASH)
                return now_ms;
        if (u->has_candidate && u->settling && u->settled_ms > now_ms)
                best = u->settled_ms;
        if (waits && u->hold_ms > now_ms && u->hold_ms < best)
                best = u->hold_ms;
        if (u->recheck_ms > now_ms && u->recheck_ms < best)
                best = u->recheck_ms;
        for (unsigned i = 0; i < UPDATE_WINDOW; i++) {
                const struct update_piece *piece = &u->window[i];
                uint64_t late = piece->asked_ms + u->config.timing.block_timeout_ms;
                if (piece->state == UPDATE_PIECE_ASKED && late < best)
                        best = late;
        }
        return best;
}

/* ---- actions */

static bool piece_action(const struct update *u, unsigned i, struct update_action *action)
{
        const struct update_piece *piece = &u->window[i];

        if (piece->state != UPDATE_PIECE_WANTED && piece->state != UPDATE_PIECE_ARRIVED)
                return false;
        action->type = piece->state == UPDATE_PIECE_WANTED ? UPDATE_SUBSCRIBE : UPDATE_UNSUBSCRIBE;
        action->piece = i;
        if (piece->list)
                topic_image_list(action->topic, u->target.image_digest, piece->index);
        else
                topic_image_block(action->topic, u->target.image_digest, piece->index);
        return true;
}

static void approvals_filter(const struct update *u, char out[TOPIC_MAX])
{
        char hex[2 * SHA256_SIZE + 1], rest[16 + sizeof(hex)] = "approvals/";

        (void)span_to_hex(SPAN_OF(u->candidate.digest), hex, sizeof(hex));
        memcpy(rest + 10, hex, 2 * SHA256_SIZE);
        memcpy(rest + 10 + 2 * SHA256_SIZE, "/+", 3);
        topic_site(out, u->config.policy->site, rest);
}

bool update_next(const struct update *u, struct update_action *action)
{
        *action = (struct update_action){ UPDATE_NOTHING };
        if (u->has_candidate && !u->approvals_asked) {
                action->type = UPDATE_SUBSCRIBE;
                action->piece = UPDATE_WINDOW;
                approvals_filter(u, action->topic);
                return true;
        }
        if (u->status_due) {
                action->type = UPDATE_TELL;
                action->status = u->status;
                return true;
        }
        for (unsigned i = 0; i < UPDATE_WINDOW; i++)
                if (piece_action(u, i, action))
                        return true;
        if (u->phase == UPDATE_PHASE_RESET)
                action->type = UPDATE_RESET;
        return action->type != UPDATE_NOTHING;
}

void update_done(struct update *u, const struct update_action *action, uint64_t now_ms)
{
        switch (action->type) {
        case UPDATE_SUBSCRIBE:
                if (action->piece == UPDATE_WINDOW) {
                        u->approvals_asked = true;
                        break;
                }
                u->window[action->piece].state = UPDATE_PIECE_ASKED;
                u->window[action->piece].asked_ms = now_ms;
                break;
        case UPDATE_UNSUBSCRIBE:
                u->window[action->piece].state = UPDATE_PIECE_FREE;
                break;
        case UPDATE_TELL:
                u->status_due = false;
                break;
        case UPDATE_NOTHING:
        case UPDATE_RESET:
                break;
        }
}
