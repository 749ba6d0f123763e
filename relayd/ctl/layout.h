/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* Where setup puts things, below --root (nothing: the system itself). */

#include "cli/cli.h"
#include "relay/span.h"

#define LAYOUT_HUB_USER "relayd"

enum layout_place {
        LAYOUT_CONF = 0,
        LAYOUT_POLICY,
        LAYOUT_RELAY_KEY,
        LAYOUT_RELAY_CERTIFICATE,
        LAYOUT_GATE_KEY,
        LAYOUT_UPLINK_KEY,
        LAYOUT_UPLINK_CERTIFICATE,
        LAYOUT_UPLINK_CA,
        LAYOUT_DEVICE_CA,
        LAYOUT_ROLES,
        LAYOUT_STATE,
        LAYOUT_RUNTIME,
        LAYOUT_KEYS,
        LAYOUT_SOCKET_FOLDER,
        LAYOUT_SOCKET, /* drop-in of the front end's socket unit */
        LAYOUT_GUARD_FOLDER,
        LAYOUT_GUARD, /* drop-in of the guard's unit */
        LAYOUT_PLACES
};

struct layout {
        char *paths[LAYOUT_PLACES];
        bool system; /* the real one: files the hub reads become the hub's user's */
};
/* CLI_* with message */
int layout_make(struct cli *cli, struct layout *out);
void layout_done(struct layout *layout); /* for _cleanup_ */
/* the folders that hold the places */
int layout_make_folders(struct cli *cli, const struct layout *layout);
/* Copies a file somebody brought. */
int layout_copy(struct cli *cli, const struct layout *layout, enum layout_place place, const char *from, unsigned mode);
/* On the real system: gives what the hub writes or reads secretly to its user. */
int layout_give(struct cli *cli, const struct layout *layout);
