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
