/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* What the files of the device engine share. */

#include "app/device.h"

uint64_t device_now(const struct device *d);
void device_log(const struct device *d, enum port_log_level level, const char *text, const char *detail);
/* {"online":..} into out; returns what was written */
struct span device_state_json(const struct device *d, bool online, uint32_t session, uint8_t *out, size_t size);
const char *device_state_rest(const struct device_link *link); /* "state/relay" or "state/direct" */

/* device_session.c: the session's own traffic */
void device_begin_session(struct device *d);
/* Queues whatever the session should send now: subscriptions, state, events, update traffic. */
int device_send(struct device *d);
int device_receive(struct device *d, unsigned link, const struct mqtt_client_event *event);
