/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The gate's answers. A device asks (relay/ticket.h) on its session here, or by the cloud on its direct way; this hub
 * answers if the site policy names its gate key for that device. A request that only another gate can answer goes up,
 * and that gate's ticket comes back down and is passed on, if it belongs to a request that went up.
 *
 * No sockets and no clock: the host has them. Bounded whatever comes: one answer of each kind (verdict, time) in 10 s
 * per device, counted apart for what came by the uplink, which has a budget of its own besides, so that a hostile
 * broker takes no answers away from devices at the relay.
 */

#include "audit/audit.h"
#include "hub/gate_key.h"
#include "hub/refusals.h"
#include "hub/table.h"
#include "policy/quota.h"
#include "relay/ticket.h"

#define TICKETS_INTERVAL_MS  10000
#define TICKETS_DEVICES_MAX  10000 /* that asked lately */
#define TICKETS_TOLD_MAX     240 /* closed answers, and all by the uplink, told to the audit log in an hour, each way */
#define TICKETS_UPLINK_RATE  2   /* requests by the uplink in a second */
#define TICKETS_UPLINK_BURST 50

enum tickets_way { TICKETS_LOCAL = 0, TICKETS_UPLINK = 1 };
#define TICKETS_WAYS 2

struct tickets_host {
        void *context;
        uint64_t (*now_s)(void *context);  /* Unix seconds */
        uint64_t (*now_ms)(void *context); /* monotonic */
        bool (*time_trusted)(void *context);
        /* Is this device registered? class_id: of the registry, all zero if unknown. */
        bool (*device)(void *context, const char *device, uint8_t class_id[CLASS_ID_SIZE]);
        const struct site_policy *(*policy)(void *context); /* NULL: none yet */
        uint64_t (*approval_epoch)(void *context);
        struct decision (*verdict)(void *context, const char *device, const uint8_t digest[SHA256_SIZE]);
        /* a ticket to this device, on its session here or through the uplink; not retained */
        void (*answer)(void *context, enum tickets_way way, const char *device, struct span ticket);
        /* a request of a device that is here, on to the cloud; false: there is no way now */
        bool (*forward)(void *context, const char *device, struct span request);
        void (*alert)(void *context, const char *device, enum reason reason, const char *detail);
        void (*audit)(void *context, const char *actor, enum audit_action action, const char *object,
                      const char *detail);
};

enum tickets_result {
        TICKETS_ANSWERED = 0,
        TICKETS_FORWARDED,
        TICKETS_NOT_OURS, /* another gate's, and not to be forwarded */
        TICKETS_REFUSED,  /* malformed, of an unknown device */
        TICKETS_QUOTA,    /* too many */
        TICKETS_FAILED,   /* could not be signed */
};

struct tickets {
        const char *site;
        const struct gate_key *key; /* borrowed */
        struct tickets_host host;
        struct table devices;
        struct quota uplink;
        uint64_t swept_ms, told_since_ms[TICKETS_WAYS];
        uint32_t told[TICKETS_WAYS];
        struct refusals malformed;
        uint64_t answered, over_quota; /* counters */
};

void tickets_init(struct tickets *tickets, const char *site, const struct gate_key *key,
                  const struct tickets_host *host);
void tickets_release(struct tickets *tickets);
/* device published this at gate/request. */
enum tickets_result tickets_request(struct tickets *tickets, enum tickets_way way, const char *device,
                                    struct span request);
/*
 * The cloud sent this at the device's gate/ticket: passed on to the device if it answers what went up from here.
 * Its signature is the device's to check. True: passed on.
 */
bool tickets_pass(struct tickets *tickets, const char *device, struct span ticket);
