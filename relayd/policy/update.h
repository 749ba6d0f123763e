/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* What a device that was offered an update waits for: the column "waits for" of `relayctl updates show`. */

#include <stdbool.h>

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

#define UPDATE_WAIT_TABLE(X)                                             \
        X(NOTHING, "nothing", "it runs the update and confirmed it")     \
        X(DENIED, "denied", "the site's people denied the update")       \
        X(APPROVAL, "approval", "approvers of the site have to approve") \
        X(GATE, "gate", "the gate has to open")                          \
        X(IMAGE, "image", "the relay has to fetch the image")            \
        X(DEVICE, "device", "the device is not here")                    \
        X(ANSWER, "answer", "it has the offer and did not answer yet")   \
        X(APPLICATION, "application", "its application asked to wait")   \
        X(FETCHING, "fetching", "it fetches the image")                  \
        X(TRYING, "trying", "it tries the update")                       \
        X(REFUSED, "refused", "it refused the update; its status has the reason")

enum update_wait {
#define UPDATE_WAIT_ENUM(name, text, explanation) UPDATE_WAIT_##name,
        UPDATE_WAIT_TABLE(UPDATE_WAIT_ENUM)
#undef UPDATE_WAIT_ENUM
                UPDATE_WAIT_COUNT
};

enum update_wait update_wait(const struct update_facts *facts);
const char *update_wait_name(enum update_wait wait);        /* "approval"; static storage */
const char *update_wait_explanation(enum update_wait wait); /* part of a sentence; static storage */
/* May the relay show the offer to this device, once the image is complete? DENIED, or what approval or gate deny with.
 */
struct decision update_may_offer(const struct update_facts *facts);

/* "idle", "refused", ...; UPDATE_STATUS_NONE if it is none of them */
enum update_status update_status_from_name(struct span name);
const char *update_status_name(enum update_status status);
