/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Everything about updates in one object on top of the broker: anchors, gate, image cache, updates. The manager makes
 * one, gives it time and durable commits, and passes the bus's actions on. It registers its own interests: offers,
 * approvals and images from the cloud; updates/status and state of devices; sessions; the uplink.
 *
 * Actions: 0, 1 (refused, *refusal says why) or negative errno, as in hub/manager.h. They write their audit records.
 */

#include "hub/broker.h"
#include "hub/views.h"

struct updater;

/* Reads the store. 0, -EBADMSG (a record is damaged), -ENOMEM ... */
int updater_new(struct updater **ret, struct broker *broker);
struct updater *updater_free(struct updater *updater);
/* Once at start, when everybody has registered: publishes what should be retained, sweeps the image cache. */
void updater_start(struct updater *updater);
/* At the latest at updater_deadline() (monotonic ms), harmless earlier: block time-outs, the gate's end. */
void updater_tick(struct updater *updater);
uint64_t updater_deadline(const struct updater *updater);
/* store_durable() reached this commit */
void updater_durable(struct updater *updater, uint64_t commit);

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
struct span updater_site_policy(const struct updater *updater);
struct span updater_vendor_keys(const struct updater *updater);
int updater_approve(struct updater *updater, const char *caller, struct span approval, uint32_t *approved,
                    uint32_t *needed, struct refusal *refusal);
int updater_deny(struct updater *updater, const char *caller, const uint8_t digest[SHA256_SIZE], const char *why,
                 struct refusal *refusal);
int updater_open_gate(struct updater *updater, const char *caller, uint64_t until, struct refusal *refusal);
int updater_close_gate(struct updater *updater, const char *caller, struct refusal *refusal);

static inline void updater_freep(struct updater **updater)
{
        *updater = updater_free(*updater);
}
