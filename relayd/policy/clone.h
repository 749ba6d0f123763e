/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Is there a second device with this one's key and name? Boot counters tell: a device's own only rises, and it is at
 * one place at a time, or probes another one in the same boot. Pure; times are monotonic milliseconds.
 */

#include <stdbool.h>
#include <stdint.h>

enum clone_rule { CLONE_RULE_ALERT = 0, CLONE_RULE_QUARANTINE = 1, CLONE_RULE_REFUSE = 2 };

enum clone_verdict {
        CLONE_NONE = 0,
        CLONE_ALERT,      /* tell it */
        CLONE_QUARANTINE, /* tell it; until a person releases the device, only the way of updates is open to it */
        CLONE_REFUSE,     /* tell it; no session for this one */
        CLONE_WAIT,       /* not proven yet: ask clone_of_silence() later */
};

/* A session at this relay tells its boot counter. */
struct clone_session {
        enum clone_rule rule;
        uint32_t boot;
        uint32_t highest; /* seen at this relay, durable; 0: none yet */
        uint32_t heard;   /* highest one that the cloud told of a live direct session; 0: none */
        /* within one boot a device counts its sessions; 0: this one, or the last one, is not known */
        uint32_t number, last_number;
};
/*
 * An older counter than the highest: what the rule says. The same counter with a session number that was passed: the
 * same. What the cloud told never does more than alert. A new highest counter is the caller's to keep, with NONE.
 */
enum clone_verdict clone_of_session(const struct clone_session *session);

/* The cloud forwards a device's state/direct. */
struct clone_direct {
        bool retained; /* history: it was so at some time */
        bool online;   /* false: a will, or a farewell */
        uint32_t boot, highest;
        /* The cloud answered something that was asked after the highest counter was seen here, so that this message
         * cannot be one of before that was under way. */
        bool settled;
        uint32_t running; /* boot counter of the session that is open here; 0: none */
};
/* NONE, ALERT, or WAIT: a newer boot than that of the session here, which may only not have noticed its end yet. */
enum clone_verdict clone_of_direct(const struct clone_direct *direct);

#define CLONE_GRACE_MS \
        10000 /* how long a packet of a device that restarted since may still be under way in the relay */
/*
 * After WAIT: the session of the older boot is still there. keep_alive_s: its own (0: none): the front end ends a
 * session that was silent for one and a half of it, so one that outlives that is alive. ALERT or WAIT.
 */
enum clone_verdict clone_of_silence(uint64_t heard_ms, uint64_t now_ms, uint16_t keep_alive_s);
/* After WAIT: the session of the older boot sent something. ALERT or WAIT. */
enum clone_verdict clone_of_packet(uint64_t heard_ms, uint64_t now_ms);
