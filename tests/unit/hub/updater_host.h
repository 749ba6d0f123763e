/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * A hub for the tests of updates: an updater on a store in memory, and a host that remembers what was asked of it.
 * Devices are device-1 to device-3; the image is IMAGE_SIZE bytes.
 */
#include "../librelay/objects.h"
#include "hub/updater.h"
#include "relay/revocation.h"
#include "relay/image.h"

#define HOST_SITE   "site-1"
#define IMAGE_SIZE  (5 * IMAGE_BLOCK_SIZE + 100)
#define HOST_TOPICS 400
#define HOST_ALERTS 300

struct host_topic {
        char topic[TOPIC_MAX];
        uint8_t payload[MANIFEST_MAX + 4096];
        size_t size; /* 0: taken back */
        unsigned times;
};
struct host {
        struct store *store;
        struct updater *updater;
        uint64_t now_s, now_ms;
        bool time_trusted;
        bool registered[4], online[4]; /* by the device's number */
        uint8_t class_id[CLASS_ID_SIZE];
        struct host_topic local[HOST_TOPICS], cloud[HOST_TOPICS];
        size_t local_count, cloud_count;
        struct {
                char device[IDENTITY_MAX + 1];
                enum reason reason;
                char detail[VIEW_TEXT_MAX];
        } alerts[HOST_ALERTS];
        size_t alert_count, changes;
        unsigned audits[AUDIT_ACTION_COUNT]; /* records of each kind */
        char watched[8][TOPIC_MAX];          /* "": free */
        bool refuse_watches;
        unsigned approved; /* calls: an update that is approved is told at each look at it */
        uint8_t approved_image[SHA256_SIZE];
        struct public_key gate_key; /* KEY_NONE: it has none */
        uint8_t image[IMAGE_SIZE];
        uint8_t list[6 * SHA256_SIZE];
};

/* The direct successor of what this set holds, to be changed and signed by the test. */
struct site_policy next_policy(const struct site_policy *policy, struct span set);
struct vendor_keys next_vendor(const struct vendor_keys *keys, struct span set);
struct span host_vendor_set(uint8_t *out, size_t size, const struct vendor_keys *keys, const enum who *signers,
                            size_t count);
struct span host_revocation(uint8_t *out, size_t size, uint64_t epoch, const enum who *signers, size_t count);

/* policy/<epoch>, vendor/<epoch> or revocations of the cloud */
enum reason host_from_cloud(struct host *h, const char *rest, struct span payload);
/* the newest alert of this reason, or NULL */
const char *host_alert(struct host *h, enum reason reason);

struct host *host_new(void);
void host_free(struct host *h);
/* the same store under a new updater, as after a restart */
void host_restart(struct host *h);
/* set-up and teardown of a test: anchors imported, the uplink up */
int host_setup(void **state);
int host_teardown(void **state);
#define HOST_ROW(name) cmocka_unit_test_setup_teardown(name, host_setup, host_teardown)
/* Sequence 7 is offered to device-1 and device-2, approved, its image fetched, the gate open: both see the offer. */
void host_show_offer(struct host *h);
void host_import(struct host *h); /* vendor keys and a policy of 2 of 3 approvers */
void host_commit(struct host *h); /* makes everything durable and tells it */

struct manifest_fields host_fields(struct host *h, uint64_t sequence);
struct span host_manifest(struct host *h, uint64_t sequence, uint8_t out[MANIFEST_MAX]); /* with both signatures */
void host_digest(struct span envelope, uint8_t digest[SHA256_SIZE]);
enum reason host_offer(struct host *h, const char *device, struct span envelope);
/* an approval by the bus: 0, or the refusal's reason */
enum reason host_approve(struct host *h, struct span envelope, enum who approver);
enum reason host_approve_as(struct host *h, const struct approval *approval, enum who approver);
enum reason host_approve_from_cloud(struct host *h, const struct approval *approval, enum who approver);
void host_status(struct host *h, const char *device, const char *state, struct span envelope, const char *reason);
void host_open_gate(struct host *h, uint64_t until);
void host_close_gate(struct host *h);
/* answers every watched topic truly until none is left */
void host_serve_image(struct host *h);
void host_image_message(struct host *h, const char *topic, struct span payload);
struct span host_image_payload(struct host *h, const char *topic);

/* payload retained on the device's own offer topic; empty: none */
struct span host_shown(struct host *h, const char *device);
struct span host_topic_of(const struct host_topic *topics, size_t count, const char *topic);
const char *host_waits(struct host *h, struct span envelope, const char *device);
const char *host_state(struct host *h, struct span envelope);
