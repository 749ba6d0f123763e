/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Updates: what the vendor offers, who approved it, which device may see it.
 *
 * An offer is believed only with both vendor signatures. One update per manifest digest; k approvals make it approved;
 * its image is then fetched; when approved, complete and the gate open, the offer is published retained to each device
 * it was made to. Everything is kept in STORE_UPDATES and STORE_APPROVALS. A bad offer never displaces a good one.
 */

#include <stdbool.h>
#include <stdint.h>

#include "audit/audit.h"
#include "hub/anchors.h"
#include "hub/gate.h"
#include "hub/images.h"
#include "hub/update_record.h"
#include "hub/views.h"
#include "relay/approval.h"
#include "relay/manifest.h"

#define UPDATES_MAX         256  /* known at a time; the oldest unapproved superseded (then denied) one makes room */
#define UPDATES_DEVICES_MAX 4096 /* devices one update is offered to */

struct updates;

/* What the hub does for it. Callbacks run inside the calls below. */
struct updates_host {
        void *context;
        uint64_t (*now)(void *context); /* Unix seconds */
        bool (*time_trusted)(void *context);
        /* Is this device registered? *class_id of the registry (all zero: unknown); *online */
        bool (*device)(void *context, const char *device, uint8_t class_id[CLASS_ID_SIZE], bool *online);
        /* retained, to local subscribers; empty payload: taken back */
        int (*publish_local)(void *context, const char *topic, struct span payload);
        /* retained, to the cloud by way of the outbox */
        int (*publish_cloud)(void *context, const char *topic, struct span payload);
        void (*alert)(void *context, const char *device, enum reason reason, const char *detail);
        /* as in hub/audit_log.h */
        void (*audit)(void *context, const char *actor, enum audit_action action, const char *object,
                      const char *detail);
        /* a property of this update changed, it appeared, or it is gone */
        void (*changed)(void *context, const uint8_t digest[SHA256_SIZE]);
        uint64_t (*now_ms)(void *context); /* monotonic */
        /* this update is approved, or still is: its image may run here */
        void (*approved)(void *context, const struct manifest_verified *manifest);
};

struct updates_options {
        const char *site;
        struct store *store;     /* the caller commits */
        struct anchors *anchors; /* borrowed, like the two below */
        struct gate *gate;
        struct images *images;
        const struct public_key *gate_key; /* borrowed; NULL: this relay answers for no device */
        bool gate_only;                    /* shows no offers, fetches no images */
        struct updates_host host;
};

/* Loads what the store holds and wants its images. 0, -EBADMSG (damaged records: the store said so), -ENOMEM ... */
int updates_new(struct updates **ret, const struct updates_options *options);
struct updates *updates_free(struct updates *updates);
/* Do the gate's settings here count for any device? Not where tickets are needed and only other keys give them. */
bool updates_gate_answers(const struct updates *updates);
/* Publishes locally what should be retained (approvals, answers, offers) and takes back what should not. */
void updates_publish(struct updates *updates);
/*
 * Site policy, vendor key set or revoked epoch changed: drops updates and approvals whose signers do not count any
 * more, decides about all others anew, looks again at what waited. Returns how many approvals were dropped.
 */
size_t updates_anchors_changed(struct updates *updates);

/* An offer from the uplink for this device. REASON_NONE: known now. Otherwise refused, and alerted about. */
enum reason updates_offer(struct updates *updates, const char *device, struct span envelope);

enum updates_source { UPDATES_FROM_BUS, UPDATES_FROM_UPLINK };
/*
 * One COSE_Sign1. REASON_NONE: stored (*approved of *needed approvers now), also in place of what the same approver
 * said before: anything else from the bus, what says more from the uplink. ALREADY_APPROVED, UNKNOWN_UPDATE (from the
 * uplink it may come before its offer: kept for a while), DENIED, REVOKED_EPOCH, MALFORMED, WRONG_SITE,
 * NOT_AN_APPROVER, BAD_SIGNATURE, POLICY_INVALID (no site policy yet), STORE_FULL. approved, needed: may be NULL.
 */
enum reason updates_approve(struct updates *updates, struct span sign1, enum updates_source source, uint32_t *approved,
                            uint32_t *needed);
/* REASON_NONE or UNKNOWN_UPDATE. Offers to devices are taken back. */
enum reason updates_deny(struct updates *updates, const uint8_t digest[SHA256_SIZE], const char *why);
/* updates/status of a device (JSON of the wire) */
void updates_status(struct updates *updates, const char *device, struct span json);
/* state/relay or state/direct of a device says which image runs */
void updates_running(struct updates *updates, const char *device, const uint8_t image[SHA256_SIZE]);
/* came, went, was admitted or revoked */
void updates_device_changed(struct updates *updates, const char *device);
/* opened, closed, or its time is over */
void updates_gate_changed(struct updates *updates);
/* image_host.complete and .progress of images.h go here */
void updates_image_changed(struct updates *updates, const uint8_t image[SHA256_SIZE], bool complete);
/* Time windows of approvals begin and end: at the latest at updates_deadline() (monotonic ms), harmless earlier. */
void updates_tick(struct updates *updates);
uint64_t updates_deadline(const struct updates *updates);
/* Publishes approvals and answers to the cloud again: a cloud that lost its data has them back. */
void updates_publish_up(struct updates *updates);

/* The gate's word on this update for this device now; UNKNOWN_UPDATE for what is not pending or approved here. */
struct decision updates_verdict(struct updates *updates, const char *device, const uint8_t digest[SHA256_SIZE]);

/* ---- for the bus; what they give is valid until the next change */
size_t updates_count(const struct updates *updates);
void updates_at(const struct updates *updates, size_t index, struct manager_update *out); /* index < updates_count() */
bool updates_find(const struct updates *updates, const uint8_t digest[SHA256_SIZE], struct manager_update *out);
/* Device number index of an update and what it waits for; false beyond the end. */
bool updates_device_at(const struct updates *updates, const uint8_t digest[SHA256_SIZE], size_t index,
                       struct manager_update_device *out);
