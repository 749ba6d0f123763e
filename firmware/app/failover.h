/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Which endpoint a device uses (docs/firmware.md, "Fail-over"). Pure: events and time in, actions out, no socket, no
 * clock.
 *
 * Endpoints stand in order of preference. The caller has two links; on one the session lives, on the other a
 * candidate is tried. Rules:
 *  - Without a session the best endpoint that is due is tried, a second one beside it if the first stays silent. One
 *    that was due for long goes first, so that none is forgotten behind better ones that stay silent.
 *  - The first move after a loss is made at once, or, on a site of many devices, at a random moment of a spread that
 * the relay's own word of their number gives: 1 ms a device. Further tries of an endpoint follow after decorrelated
 *    jitter above a floor that doubles, so there is a bound: FAILOVER_TRIES_A_MINUTE.
 *  - With a session on a worse endpoint the better ones are probed from time to time; the session moves only after the
 *    candidate was up for a dwell time and then answered a question. An endpoint whose sessions end soon gets a longer
 *    dwell (flapping), and a worse candidate is kept beside its session for as long.
 *  - A relay whose uplink is down for longer than the site's patience counts as worse than the clouds, until it says
 *    that its uplink is back.
 *  - A session that works is never given up for a candidate that did not prove itself.
 */

#include "relay/result.h"
#include "relay/sitepolicy.h"

#define FAILOVER_NONE           0xffu
#define FAILOVER_TRIES_A_MINUTE 9 /* of one endpoint at most, with the default timing */

struct failover_timing {              /* all in milliseconds */
        uint32_t connect_deadline_ms; /* connect + TLS + CONNACK */
        uint32_t second_ms;      /* without a session: silent this long, and a second endpoint is tried beside it */
        uint32_t retry_first_ms; /* base of the decorrelated jitter */
        uint32_t retry_most_ms;  /* its cap */
        uint32_t dwell_ms;       /* how long a better endpoint must answer before the session moves */
        uint32_t dwell_most_ms;
        uint32_t stable_ms;      /* a session that lived this long forgives earlier failures and flapping */
        uint32_t spread_most_ms; /* of the first move, whatever a relay says of its devices */
};
extern const struct failover_timing failover_timing_default;

enum failover_link_state { FAILOVER_LINK_IDLE = 0, FAILOVER_LINK_CONNECTING, FAILOVER_LINK_UP };

struct failover_endpoint {
        bool relay;             /* tells us about its uplink */
        bool uplink_down;       /* as it last said */
        uint64_t down_since_ms; /* our time when it first said so */
        uint64_t next_try_ms;
        uint32_t backoff_ms; /* last pause; 0: none yet */
        uint8_t failures;    /* in a row */
        uint32_t dwell_ms;   /* now in force */
};

struct failover_link {
        enum failover_link_state state;
        uint8_t endpoint;
        uint64_t since_ms; /* of this state */
        uint64_t alive_ms; /* last sign of life */
        uint64_t asked_ms; /* 0: not asked yet whether it lives */
};

struct failover {
        struct failover_timing timing;
        struct failover_endpoint endpoints[SITE_ENDPOINTS_MAX];
        size_t endpoint_count;
        uint64_t patience_ms; /* 0: for ever */
        uint32_t spread_ms;   /* of the first move after a loss */
        uint64_t move_ms;     /* no try before, without a session */
        struct failover_link links[2];
        uint8_t active;  /* link of the session, or FAILOVER_NONE */
        bool leaving;    /* the session moved; the other link is to be closed */
        bool paused;     /* no candidate is tried beside a session */
        uint32_t random; /* state of the jitter's generator */
};

enum failover_action_type {
        FAILOVER_NOTHING = 0,
        FAILOVER_CONNECT, /* open link to endpoint; answer with failover_up() or failover_down() */
        FAILOVER_ASK,     /* does the other side of link still answer? Send a ping; failover_alive() is the answer */
        FAILOVER_CLOSE,   /* close link at once; no answer expected */
        FAILOVER_USE,     /* the session is on link now (a CLOSE of the other one follows, if it lives) */
};
struct failover_action {
        enum failover_action_type type;
        uint8_t link;     /* 0 or 1 */
        uint8_t endpoint; /* index as given to failover_init() */
};

/* kinds: in order of preference, 1 to SITE_ENDPOINTS_MAX; patience_s: of the site policy; seed: anything random */
void failover_init(struct failover *f, const struct failover_timing *timing, const enum endpoint_kind *kinds,
                   size_t count, uint32_t patience_s, uint32_t seed, uint64_t now_ms);
/*
 * The policy changed, and this session goes on under the new one: after failover_init(), with every other link closed.
 * endpoint: its index now.
 */
void failover_adopt(struct failover *f, unsigned link, unsigned endpoint, uint64_t now_ms);
/* Beside a session, is the other link free for something else? */
bool failover_has_spare(const struct failover *f);
/* Paused, no candidate is tried while the session lives, and the spare link is the caller's. */
void failover_pause(struct failover *f, bool paused);
/* A CONNACK came on this link. */
void failover_up(struct failover *f, unsigned link, uint64_t now_ms);
/* The link is closed: not reached, refused, timed out, lost. */
void failover_down(struct failover *f, unsigned link, uint64_t now_ms);
/* Something came from the other side of this link. */
void failover_alive(struct failover *f, unsigned link, uint64_t now_ms);
/* A relay says how many devices it serves. */
void failover_crowd(struct failover *f, uint32_t devices);
/* The relay on this link says its uplink is up or down. */
void failover_uplink(struct failover *f, unsigned link, bool down, uint64_t now_ms);
/* What to do now; call until FAILOVER_NOTHING. */
struct failover_action failover_next(struct failover *f, uint64_t now_ms);
/* When failover_next() has something to say at the latest, if no event comes; UINT64_MAX: never. */
uint64_t failover_deadline(const struct failover *f, uint64_t now_ms);
