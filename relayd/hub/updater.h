/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Everything about updates in one object: anchors, gate, image cache and updates behind one door. The manager makes
 * one, tells it what comes from the cloud and from devices, gives it time and durable commits, and passes the bus's
 * actions on.
 *
 * Actions: 0, 1 (refused, *refusal says why) or negative errno, as in hub/manager.h. They write their audit records.
 */

#include "audit/audit.h"
#include "hub/views.h"
#include "store/store.h"

struct updater;

/* What the hub does for it; callbacks run inside the calls below. int: 0 or negative errno. */
struct updater_host {
        void *context;
        uint64_t (*now_s)(void *context);  /* Unix seconds */
        uint64_t (*now_ms)(void *context); /* monotonic */
        bool (*time_trusted)(void *context);
        /* Is this device registered? class_id: of the registry, all zero if unknown. */
        bool (*device)(void *context, const char *device, uint8_t class_id[CLASS_ID_SIZE], bool *online);
        /* retained, QoS 1, to local subscribers; empty payload: taken back */
        int (*publish_local)(void *context, const char *topic, struct span payload);
        /* retained, QoS 1, through the outbox; nothing on an air-gapped relay */
        int (*publish_cloud)(void *context, const char *topic, struct span payload);
        /* one named topic at the uplink (QoS 0); 0, or anything else if it cannot now: asked again */
        int (*watch)(void *context, const char *topic);
        void (*unwatch)(void *context, const char *topic);
        void (*alert)(void *context, const char *device, enum reason reason,
                      const char *detail); /* device: "" if none */
        /* as in hub/audit_log.h; actor: of audit/audit.h, or the caller of the action */
        void (*audit)(void *context, const char *actor, enum audit_action action, const char *object,
                      const char *detail);
        const struct public_key
                *gate_key; /* of this relay's gate, borrowed; NULL, or one of no kind: it answers for no device */
        bool gate_only;    /* shows no offers, fetches no images */
        /* manifest digest in hexadecimal (changed, new or gone), or NULL: gate, policy or image counters changed */
        void (*changed)(void *context, const char *digest);
        /* an update is approved, or still is: its image may run here */
        void (*approved)(void *context, const struct manifest_verified *manifest);
};

/* Reads the store. 0, -EBADMSG (a record is damaged), -ENOMEM ... */
int updater_new(struct updater **ret, struct store *store, const char *site, const struct updater_host *host);
struct updater *updater_free(struct updater *updater);
/* Once at start, when the registry is loaded: publishes what should be retained, sweeps the image cache. */
void updater_start(struct updater *updater);
/* At the latest at updater_deadline() (monotonic ms), harmless earlier: block time-outs, the gate's end. */
void updater_tick(struct updater *updater);
uint64_t updater_deadline(const struct updater *updater);
/* store_durable() reached this commit */
void updater_durable(struct updater *updater, uint64_t commit);
void updater_uplink(struct updater *updater, bool up);

/*
 * A message of the cloud; access_uplink() allowed it. Takes offers, approvals, policies, vendor keys,
 * revocations and image pieces.
 * REASON_NONE or why it was refused (alerted and audited already).
 */
enum reason updater_from_cloud(struct updater *updater, const struct topic_parts *topic, struct span payload);
/* A device published updates/status, state/relay or state/direct (rest) for itself. Others are
 * ignored. */
void updater_from_device(struct updater *updater, const char *device, struct span rest, struct span payload);
/* came, went, was admitted or revoked */
void updater_device_changed(struct updater *updater, const char *device);
/* A device subscribes to an image topic: 0 and a malloc'ed payload (caller frees), -ENOENT, or the store's error. */
int updater_image(struct updater *updater, const struct topic_parts *topic, uint8_t **ret, size_t *ret_size);

/* What is in force, for tickets and commands: valid until the next call that changes something. NULL: none yet. */
const struct site_policy *updater_policy(const struct updater *updater);
const struct vendor_keys *updater_vendor(const struct updater *updater);
/* The lowest approval epoch that counts. */
uint64_t updater_approval_epoch(const struct updater *updater);
/* The gate's word on this update for this device now: allowed is "open". */
struct decision updater_verdict(struct updater *updater, const char *device, const uint8_t digest[SHA256_SIZE]);

struct updates;
struct updates *updater_updates(struct updater *updater); /* for hub/update_import.h */

/* Fills gate, policy, image_bytes_fetched, image_bytes_served. */
void updater_view(const struct updater *updater, struct manager_view *out);
int updater_walk(struct updater *updater, int (*fn)(void *context, const struct manager_update *update), void *context);
bool updater_find(struct updater *updater, const uint8_t digest[SHA256_SIZE], struct manager_update *out);
bool updater_device_at(struct updater *updater, const uint8_t digest[SHA256_SIZE], size_t index,
                       struct manager_update_device *out);

int updater_import_site_policy(struct updater *updater, const char *caller, struct span signed_set,
                               struct refusal *refusal);
int updater_import_vendor_keys(struct updater *updater, const char *caller, struct span signed_set,
                               struct refusal *refusal);
int updater_revoke(struct updater *updater, const char *caller, struct span signed_set, struct refusal *refusal);
/* As signed; epoch 0: the newest. Empty: there is none. */
struct span updater_site_policy(const struct updater *updater, uint64_t epoch);
struct span updater_vendor_keys(const struct updater *updater, uint64_t epoch);
struct span updater_revocation(const struct updater *updater);
int updater_approve(struct updater *updater, const char *caller, struct span approval, uint32_t *approved,
                    uint32_t *needed, struct refusal *refusal);
int updater_deny(struct updater *updater, const char *caller, const uint8_t digest[SHA256_SIZE], const char *why,
                 struct refusal *refusal);
int updater_open_gate(struct updater *updater, const char *caller, uint64_t until, struct refusal *refusal);
int updater_close_gate(struct updater *updater, const char *caller, struct refusal *refusal);
int updater_set_gate(struct updater *updater, const char *caller, const struct gate_change *change,
                     struct refusal *refusal);
/* Takes the setting of this scope back, so that the wider one decides; 0 also if there is none. */
int updater_reset_gate(struct updater *updater, const char *caller, const char *scope, struct refusal *refusal);
/* In the order site, classes, devices. */
int updater_walk_gate(struct updater *updater, int (*fn)(void *context, const struct gate_change *setting),
                      void *context);
