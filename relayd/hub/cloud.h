/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The hub's side of the uplink: feeds it from the outbox, judges what comes, acknowledges it once it is durable.
 */

#include <systemd/sd-event.h>

#include "conf/conf.h"
#include "hub/broker.h"
#include "uplink/uplink.h"

#define CLOUD_PAUSE_MS 5000 /* after the cloud said it cannot take more now */

struct cloud;

struct cloud_host {
        void *context;
        /* of a kind that access_uplink() allows, never REFUSED; again: the cloud says that it may have come before.
         * REASON_NONE: taken (staged) */
        enum reason (*message)(void *context, enum access_uplink kind, const struct topic_parts *parts,
                               struct span payload, bool again);
        void (*state)(void *context, bool up, const char *error);
        void (*alert)(void *context, const char *device, enum reason reason, const char *detail);
        void (*before)(void *context); /* ahead of each event: time may have passed */
        /* as in struct uplink_handler */
        bool (*allowed)(void *context, const struct sockaddr *address, char why[UPLINK_ERROR_SIZE]);
};
/* With a broker of a stand-alone gate, it subscribes to what a gate has to know, and takes nothing else. */
int cloud_new(struct cloud **ret, sd_event *event, const struct conf *conf, struct broker *broker,
              const struct cloud_host *host, const struct uplink_transport *transport);
struct cloud *cloud_free(struct cloud *cloud);
int cloud_start(struct cloud *cloud);
void cloud_stop(struct cloud *cloud);    /* DISCONNECT */
void cloud_commit(struct cloud *cloud);  /* what came this turn is in the broker's last commit */
void cloud_durable(struct cloud *cloud); /* acknowledges what the disk has now */
void cloud_tick(struct cloud *cloud);
/*
 * Did the cloud, on this connection, acknowledge a message of the outbox with a higher number? Then what it sends now
 * was not under way before that message was given out.
 */
bool cloud_answered_after(const struct cloud *cloud, uint64_t number);
struct uplink *cloud_uplink(struct cloud *cloud);
