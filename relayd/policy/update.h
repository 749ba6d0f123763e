/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Updates as the relay judges them: what a device that was offered one waits for (the column "waits for" of `relayctl
 * updates show`), whether a rule of the site policy covers it, which of two approvals of one person says more, and what
 * the vendor is told.
 */

#include <stdbool.h>

#include "relay/approval.h"
#include "relay/reason.h"
#include "relay/span.h"

/* last word of the device about this manifest: "state" of its updates/status */
enum update_status {
        UPDATE_STATUS_NONE = 0, /* nothing, or about another manifest */
        UPDATE_STATUS_IDLE,
        UPDATE_STATUS_REFUSED,
        UPDATE_STATUS_WAITING,
        UPDATE_STATUS_FETCHING,
        UPDATE_STATUS_TRYING,
        UPDATE_STATUS_CONFIRMED,
};

struct update_facts {
        struct decision approval; /* approval_decide() for this device */
        bool denied;              /* the site's people said no */
        struct decision gate;     /* gate_decide() */
        bool image_complete;      /* every block is in the relay's cache */
        bool device_online;
        enum update_status status;
};

enum update_wait {
        UPDATE_WAIT_NOTHING, /* "installed": it runs the update and confirmed it */
        UPDATE_WAIT_DENIED,  /* the site's people denied the update */
        UPDATE_WAIT_APPROVAL,
        UPDATE_WAIT_GATE,
        UPDATE_WAIT_IMAGE,       /* the relay has to fetch it */
        UPDATE_WAIT_DEVICE,      /* "offline" */
        UPDATE_WAIT_ANSWER,      /* "offered": it did not answer yet */
        UPDATE_WAIT_APPLICATION, /* "application-busy": its application asked to wait */
        UPDATE_WAIT_FETCHING,
        UPDATE_WAIT_TRYING,
        UPDATE_WAIT_REFUSED, /* its status has the reason */
        UPDATE_WAIT_COUNT
};

enum update_wait update_wait(const struct update_facts *facts);
const char *update_wait_name(enum update_wait wait); /* the word on D-Bus: "approval"; static storage */

/* "idle", "refused", ...; UPDATE_STATUS_NONE if it is none of them */
enum update_status update_status_from_name(struct span name);
const char *update_status_name(enum update_status status);

/* ---- rules: standing approvals of the site policy */

struct rule_facts {
        struct span urgency;
        const char *device;
        const uint8_t *class_id;
        bool is_gate; /* false: another gate answers for this device, and it alone judges wait and windows */
        bool time_known;
        uint64_t now;      /* Unix seconds */
        uint64_t received; /* when the update was offered first; 0: not known, so no wait is over */
        bool minute_known;
        unsigned minute; /* of the week, in the policy's time zone */
};
/*
 * Does a rule approve the update for this device now? *rule: place of the one that does, or of the first that covers it
 * (-1: none). Deny: NOT_APPROVED (none covers it), RULE_WAITS, NO_TRUSTED_TIME.
 */
struct decision rule_decide(const struct site_policy *policy, const struct rule_facts *facts, int *rule);

/* Does next say all that before says and more? Then it may replace it, whoever brought it. */
bool approval_widens(const struct approval *next, const struct approval *before);

/* ---- the site's answer, sites/<site>/updates/<manifest digest>: JSON for the vendor */

struct update_answer {
        const char *state, *reason; /* names */
        const char *detail;         /* words of the person who denied it; "" if nobody did */
        struct span urgency;
        uint64_t since; /* Unix seconds of the first offer */
        uint32_t approved, needed;
};
#define UPDATE_ANSWER_MAX 1024
/* Writes the NUL-terminated object into out, cutting detail after 250 bytes; returns its size. */
size_t update_answer_json(const struct update_answer *answer, char out[UPDATE_ANSWER_MAX]);
