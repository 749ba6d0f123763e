/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Clones, by their boot counters. */

#include "policy/clone.h"

static enum clone_verdict apply(enum clone_rule rule)
{
        switch (rule) {
        case CLONE_RULE_ALERT:
                return CLONE_ALERT;
        case CLONE_RULE_QUARANTINE:
                return CLONE_QUARANTINE;
        case CLONE_RULE_REFUSE:
                break;
        }
        return CLONE_REFUSE;
}

enum clone_verdict clone_of_session(const struct clone_session *s)
{
        if (s->boot < s->highest)
                return apply(s->rule);
        if (s->boot == s->highest && s->number && s->number < s->last_number)
                return apply(s->rule);
        return s->boot < s->heard ? CLONE_ALERT : CLONE_NONE;
}

enum clone_verdict clone_of_direct(const struct clone_direct *d)
{
        if (d->retained || !d->online || d->boot == d->highest)
                return CLONE_NONE;
        if (d->boot < d->highest)
                return d->settled ? CLONE_ALERT : CLONE_NONE;
        return d->running ? CLONE_WAIT : CLONE_NONE;
}

enum clone_verdict clone_of_silence(uint64_t heard_ms, uint64_t now_ms, uint16_t keep_alive_s)
{
        uint64_t silence_ms = (uint64_t)keep_alive_s * 1500 + CLONE_GRACE_MS;

        return keep_alive_s && now_ms - heard_ms > silence_ms ? CLONE_ALERT : CLONE_WAIT;
}

enum clone_verdict clone_of_packet(uint64_t heard_ms, uint64_t now_ms)
{
        return now_ms - heard_ms > CLONE_GRACE_MS ? CLONE_ALERT : CLONE_WAIT;
}
