/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The update agent: from an offer to the boot stage's hands. Messages and time in, actions out.
 *
 * An offer is decoded, both vendor signatures are verified, class, sequence and size compared, approvals collected, the
 * application asked. Only then something is fetched: the block list, verified whole before it is kept, then
 * the blocks, each checked against the list before its sector is erased. A cut resumes at the first missing block.
 * Before the boot stage gets it, approvals, application and gate are asked once more.
 * In recovery both slots are spare, and the image that was confirmed last may be fetched again as it is: the boot stage
 * says which, and asks nothing new of it. What is newer passes all checks as ever.
 * A bad offer never displaces a good one; each refusal is told once per change and once per session.
 */

#include "app/gate.h"
#include "port/boot.h"
#include "port/flash.h"
#include "port/journal.h"
#include "relay/approval.h"
#include "relay/image.h"

#define UPDATE_WINDOW       8    /* named topics subscribed at one time */
#define UPDATE_BLOCKS_MAX   128  /* one list piece; larger images are refused */
#define UPDATE_OBJECTS_SIZE 6144 /* bytes of an offer and its approvals together */
#define UPDATE_ERASURES_MAX 3    /* of the slot for one manifest, a day */
#define UPDATE_ERASURES_DAY 12   /* for all of them together, as far as one start lasts */

enum update_state {
        UPDATE_IDLE,
        UPDATE_REFUSED,
        UPDATE_WAITING,
        UPDATE_FETCHING,
        UPDATE_TRYING,
        UPDATE_CONFIRMED,
};
const char *update_state_name(enum update_state state); /* "idle", ... */

struct update_timing {
        uint32_t settle_ms;        /* how long approvals may take to arrive before "not-approved" is said */
        uint32_t block_timeout_ms; /* an asked-for block that did not come is asked for again */
        uint32_t retry_ms;         /* pause after a failed image or try */
};
extern const struct update_timing update_timing_default;

struct update_config {
        const char *device;
        const char *version; /* of the running image */
        uint8_t class_id[CLASS_ID_SIZE];
        /* in force; their content may change, see update_trust() */
        const struct vendor_keys *vendor;
        const struct site_policy *policy;
        struct gate *gate; /* asked for verdicts and time; the caller carries its questions and tickets */
        const struct port_boot *boot;
        struct flash_area manifests[2], images[2]; /* by slot */
        struct flash_area list;                    /* one sector */
        struct flash_area fetch;                   /* two sectors */
        struct update_timing timing;
        /* Does the application agree now? version: of the new image. May say no and later yes. */
        bool (*consent)(void *context, const char *version);
        void *context;
};

/* what is needed of a verified manifest */
struct update_target {
        uint8_t digest[SHA256_SIZE]; /* manifest digest */
        uint64_t sequence;
        uint8_t image_digest[SHA256_SIZE];
        uint8_t list_digest[SHA256_SIZE];
        uint32_t image_size;
        char version[MANIFEST_TEXT_MAX + 1];
        char urgency[SITE_URGENCY_SIZE]; /* "" if longer than any rule can name */
        bool by_rule;                    /* approved by a rule of the site policy, not by people */
        bool windowed;                   /* of its approvals, when it began to be fetched, one had a window */
};

struct update_status {
        enum update_state state;
        enum reason reason;
        uint8_t manifest[SHA256_SIZE];
        char version[MANIFEST_TEXT_MAX + 1];
        unsigned progress; /* percent, in tens */
};

enum update_phase {
        UPDATE_PHASE_NONE,
        UPDATE_PHASE_LIST,
        UPDATE_PHASE_SCAN, /* which blocks are there already? */
        UPDATE_PHASE_BLOCKS,
        UPDATE_PHASE_HASH, /* all are there: is the image whole? */
        UPDATE_PHASE_COMPLETE,
        UPDATE_PHASE_RESET
};
enum update_awaiting { UPDATE_AWAITS_NOTHING, UPDATE_AWAITS_FETCH, UPDATE_AWAITS_STAGE };
enum update_piece_state { UPDATE_PIECE_FREE, UPDATE_PIECE_WANTED, UPDATE_PIECE_ASKED, UPDATE_PIECE_ARRIVED };

struct update_piece {
        enum update_piece_state state;
        bool list;
        uint32_t index;
        uint64_t asked_ms;
};

struct update_approval {
        size_t approver; /* place in the policy */
        size_t offset, size;
        bool windowed; /* counts from or until some time */
};

struct update {
        struct update_config config;
        struct journal journal;
        struct port_boot_status boot;

        /* the offer looked at */
        bool has_candidate;
        bool approvals_asked;
        bool look_again; /* something changed since the last decision */
        bool settling;
        uint64_t settled_ms;           /* from then on missing approvals are a refusal */
        uint64_t hold_ms;              /* nothing is tried before */
        uint64_t recheck_ms;           /* then an approval's window may have opened; 0: nothing to wait for */
        bool timed;                    /* there was trusted time when we last looked */
        enum update_awaiting awaiting; /* the gate's verdict */
        enum update_awaiting ticket;   /* for what it opened, a moment ago */
        struct update_target candidate;
        size_t envelope_size; /* at the beginning of objects; approvals follow */
        size_t approval_count, objects_size;
        struct update_approval approval_list[SITE_APPROVERS_MAX];
        uint8_t objects[UPDATE_OBJECTS_SIZE];

        /* the image being fetched */
        enum update_phase phase;
        struct update_target target;
        struct update_piece window[UPDATE_WINDOW];
        uint32_t next_block; /* not looked at before */
        uint32_t blocks_done;
        uint8_t done[UPDATE_BLOCKS_MAX / 8];
        uint32_t looked_at; /* blocks, of SCAN or HASH */
        struct sha256 hash; /* of HASH */

        uint32_t erasures;     /* for the manifest in the journal, since day_ms */
        uint32_t erasures_day; /* for all manifests; begins anew with each start, so that no device is shut out for good
                                */
        uint64_t day_ms;
        struct update_status status;
        bool status_due;
};

enum update_action_type { UPDATE_NOTHING = 0, UPDATE_SUBSCRIBE, UPDATE_UNSUBSCRIBE, UPDATE_TELL, UPDATE_RESET };
struct update_action {
        enum update_action_type type;
        char topic[TOPIC_MAX];       /* SUBSCRIBE, UNSUBSCRIBE */
        unsigned piece;              /* the window's entry, UPDATE_WINDOW: the approvals */
        struct update_status status; /* TELL: publish it at updates/status */
};

/* 0 or an error of flash or boot stage. config is copied; what it points to stays the caller's. */
int update_init(struct update *u, const struct update_config *config, uint64_t now_ms);
/* A session begins on some way: subscriptions are made anew, the standing refusal is told again. */
void update_session(struct update *u, uint64_t now_ms);
void update_offer(struct update *u, struct span envelope, uint64_t now_ms);
void update_approval(struct update *u, struct span sign1);
/* A message below images/<digest>/; flash errors come back. */
int update_image(struct update *u, const struct topic_parts *parts, struct span payload, uint64_t now_ms);
/* Site policy, vendor key set or approval epoch changed: what was judged is judged anew. */
void update_trust(struct update *u, const struct port_boot_status *status, uint64_t now_ms);
/* The application confirmed the running image. */
void update_confirmed(struct update *u);
/* Time passes: decides, starts, finishes. 0 or a flash or boot error. */
int update_tick(struct update *u, uint64_t now_ms);
uint64_t update_deadline(const struct update *u, uint64_t now_ms);
/* What to do next on the session; once done, update_done(), and ask again. */
bool update_next(const struct update *u, struct update_action *action);
void update_done(struct update *u, const struct update_action *action, uint64_t now_ms);
