/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * What devices say that they refused becomes an alert: somebody tried, on this way or another. Nothing else follows
 * from it, so it may also come by the uplink, of a device on its direct way: then it is the cloud's word, told as such
 * and counted apart. Each once an hour (hub/refusals.h).
 */

#include "hub/refusals.h"
#include "relay/span.h"

struct reports_host {
        void *context;
        uint64_t (*now_s)(void *context); /* Unix seconds */
        void (*alert)(void *context, const char *device, enum reason reason, const char *detail);
};
struct reports {
        struct reports_host host;
        struct refusals told, told_by_cloud;
};

/* updates/refused: a policy, vendor key set, revocation, ticket or command. cloud: it came by the uplink. */
void reports_refused(struct reports *reports, const char *device, struct span json, bool cloud);
/* updates/status: an update that a device refused for what it is, not for when. */
void reports_status(struct reports *reports, const char *device, struct span json);
