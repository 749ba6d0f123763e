/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The gate's client: which question is due, and what of an answer is to be believed. Pure: tickets and time in,
 * questions out. A nonce lives in RAM only, for one question; its making is what a ticket's age counts from, on our own
 * uptime. Trusted time comes from tickets of this boot only, and a later ticket may correct it.
 *
 *  - One question is open at a time. A gate answers one of a kind (time, verdict) in ten seconds, so they keep their
 *    distance.
 *  - Without an answer, or with a closed one, the same is asked again after a growing pause, each time with a new
 * nonce.
 *  - An open verdict serves once, for its manifest, while the ticket is not older than TICKET_AGE_MAX_S.
 */

#include "port/entropy.h"
#include "relay/ticket.h"

#define GATE_GIVEN_UP 4 /* unanswered questions remembered, so that a late answer does not look like an attack */

struct gate_timing {                            /* all in milliseconds */
        uint32_t spacing_ms;                    /* between the making of two questions of a kind */
        uint32_t patience_ms;                   /* after this long without an answer there is none */
        uint32_t retry_first_ms, retry_most_ms; /* pause after no answer or a closed gate; doubles */
        uint32_t refresh_ms;                    /* trusted time older than this is asked for again */
};
extern const struct gate_timing gate_timing_default;
/* the default's pauses in proportion, for a gate that answers one question in spacing_ms (above zero) */
struct gate_timing gate_timing_scaled(uint32_t spacing_ms);

struct gate_config {
        const char *device;
        const uint8_t *class_id;          /* CLASS_ID_SIZE bytes */
        const struct site_policy *policy; /* in force; its content may change, see gate_trust() */
        const struct port_entropy *entropy;
        struct gate_timing timing;
};

/* when a question of a kind may be asked */
struct gate_schedule {
        uint64_t spaced_ms; /* not before: one was made lately */
        uint64_t paused_ms; /* not before: it was of no use lately */
        uint32_t pause_ms;  /* the last pause */
};

struct gate {
        struct gate_config config;
        uint64_t approval_epoch, time_floor;

        struct gate_schedule verdict, clock;
        bool time_wanted;
        bool verdict_wanted;
        uint8_t wanted[SHA256_SIZE]; /* manifest digest */
        enum reason standing;        /* why there is no open verdict for it; NONE: not known yet */

        bool asked;      /* request is open: it may be answered, unless a new one is made */
        bool unanswered; /* patience is over */
        uint64_t asked_ms;
        struct gate_request request;
        struct gate_request given_up[GATE_GIVEN_UP];
        size_t given_up_count; /* ever */

        bool open; /* an unused open verdict for wanted, from a question made at open_ms */
        uint64_t open_ms;
        bool behind; /* the gate holds another policy or epoch */

        bool has_time;
        uint64_t time, time_at_ms; /* Unix seconds at this uptime */
};

enum gate_answer { GATE_PENDING = 0, GATE_OPEN, GATE_NO };

/* config is copied, what it points to is borrowed. Until gate_trust() no gate exists. */
void gate_init(struct gate *g, const struct gate_config *config);
/*
 * What is in force changed (or is known for the first time): verdicts of before are void, time below the floor too, and
 * everything is asked anew. approval_epoch: the device's floor; time_floor: Unix seconds.
 */
void gate_trust(struct gate *g, uint64_t approval_epoch, uint64_t time_floor, uint64_t now_ms);
/* The gate that answers for this device by the policy in force; NULL: none. */
const struct site_gate *gate_of_device(const struct gate *g);

/* A session begins: the time is asked, what was asked before is lost, pauses begin anew. */
void gate_session(struct gate *g, uint64_t now_ms);
/* The gate was not reached, or the way to it was lost: counts as no answer. */
void gate_unreached(struct gate *g, uint64_t now_ms);
/* Time passes. */
void gate_tick(struct gate *g, uint64_t now_ms);
/* When gate_tick() or gate_is_due() have something to say at the latest, if nothing else happens; UINT64_MAX: never. */
uint64_t gate_deadline(const struct gate *g, uint64_t now_ms);

/* Is there a question to be asked now? */
bool gate_is_due(const struct gate *g, uint64_t now_ms);
/* A question was asked, and may still be answered in time. */
bool gate_is_waiting(const struct gate *g);
/*
 * Makes the question that is due, with a new nonce: publish it at once, at gate/request. *question lies in out.
 * 0, or the error of the entropy: no question was made, and the next one is due after a pause.
 */
int gate_ask(struct gate *g, uint8_t out[GATE_REQUEST_MAX], struct span *question, uint64_t now_ms);
/*
 * A message came at gate/ticket. REASON_NONE: believed (or the late answer to a question that was given up: nothing
 * changed). Else it was not believed: the reasons of ticket_check(), and STALE_TICKET.
 */
enum reason gate_ticket(struct gate *g, struct span sign1, uint64_t now_ms);

/*
 * May this manifest be installed now? GATE_OPEN: yes, and this uses the verdict up; GATE_NO: *reason says why not;
 * GATE_PENDING: asked, or about to be. Call it again when something came, and at gate_deadline(); it keeps asking until
 * the verdict is open, or gate_stop().
 */
enum gate_answer gate_may_install(struct gate *g, const uint8_t manifest[SHA256_SIZE], uint64_t now_ms,
                                  enum reason *reason);
/* Nobody waits for a verdict any more. */
void gate_stop(struct gate *g);
/* Somebody thinks that the verdict changed (the same offer came again): the pause is over. */
void gate_hurry(struct gate *g, uint64_t now_ms);
/* A believed ticket showed that the gate holds another policy or epoch; once. */
bool gate_take_behind(struct gate *g);

/* true and *unix_s if there is trusted time */
bool gate_time(const struct gate *g, uint64_t now_ms, uint64_t *unix_s);
