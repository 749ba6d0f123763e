/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * One device's fail-over in simulated time, before endpoints that answer, refuse, stay silent or drop sessions. The
 * world sees to it that time passes, and judges each of the machine's actions by what really happened (properties).
 */

#include <stdbool.h>

#include "app/failover.h"
#include "random.h"

enum property {
        PROPERTY_CONNECTED, /* a session, in bounded time, whenever an endpoint answers */
        PROPERTY_PROVEN,    /* a session that works ends only for one that was up and answering for the dwell */
        PROPERTY_TRIES,     /* never more than FAILOVER_TRIES_A_MINUTE of one endpoint */
        PROPERTY_POLICY,    /* stays or goes as the order of endpoints and the patience say */
        PROPERTY_BEST,      /* when all is quiet the session ends up on the best endpoint that answers */
        PROPERTY_AT_ONCE,   /* after the loss of a stable session the first move is made within the spread */
        PROPERTY_SLEEP,     /* nothing is missed by sleeping until the deadline */
        PROPERTIES,
};
extern const char *const property_names[PROPERTIES];

enum mood { MOOD_ANSWERS, MOOD_REFUSES, MOOD_SILENT, MOOD_DROPS, MOODS };

struct place { /* an endpoint as it is */
        enum mood mood;
        bool relay, uplink_down;
        uint32_t latency_ms; /* of an answer */
        uint32_t life_ms;    /* of a session, if it drops them */
        uint64_t good_since; /* it has been answering */
        bool told_down;      /* what the device heard of its uplink */
        uint64_t told_since;
        uint64_t tries[FAILOVER_TRIES_A_MINUTE]; /* the last ones, a ring */
        unsigned try_count;
};

struct line { /* a link as it is */
        bool connecting, up;
        uint8_t endpoint;
        uint64_t answer_at, tell_at, lost_at; /* UINT64_MAX: never */
        uint64_t up_at, heard_at;             /* heard_at: last byte from the other side */
};

struct world {
        struct failover f;
        struct random random;
        uint64_t now;
        struct place places[SITE_ENDPOINTS_MAX];
        struct line lines[2];
        size_t count;
        uint64_t patience_ms, spread_ms, keep_alive_ms;
        unsigned active; /* as the machine said by FAILOVER_USE, FAILOVER_NONE */
        bool paused;
        uint64_t session_since, without_since;
        uint64_t moved_by; /* another endpoint must have been tried by then; UINT64_MAX: none expected */
        uint8_t moved_from;
        uint64_t first_round_by; /* by then everyone was tried once, if there never was a session */
        bool trace;
        uint64_t checks[PROPERTIES];
        bool failed[PROPERTIES];
        char complaint[160]; /* the first failure; empty: none */
        unsigned moves, connects;
};

/* A site of the seed's making. */
void world_begin(struct world *w, uint64_t seed, bool trace);
/* Something happens to an endpoint, its uplink, or the spare link. */
void world_fault(struct world *w);
void world_set_mood(struct world *w, uint8_t endpoint, enum mood mood);
void world_pass(struct world *w, uint64_t ms);
/* After the last fault: time for everything to settle, then where the session must be. */
void world_settle(struct world *w);
