/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* What the files of the device engine share. */

#include "app/device.h"

uint64_t device_now(const struct device *d);
void device_log(const struct device *d, enum port_log_level level, const char *text, const char *detail);
/* {"online":..} into out; returns what was written */
struct span device_state_json(const struct device *d, bool online, uint32_t session, uint8_t *out, size_t size);
const char *device_state_rest(const struct device_link *link); /* "state/relay" or "state/direct" */
/* the earlier one */
uint64_t device_earlier(uint64_t a, uint64_t b);

/* device.c: links */
/* Is the source of random numbers alive? Else nothing is opened, and it is said so. */
bool device_has_entropy(struct device *d);
void device_open_link(struct device *d, unsigned number, const struct site_endpoint *endpoint);
/* Leaves it properly: the broker publishes the will, so the retained state says that this way is over. */
void device_leave_link(struct device *d, unsigned number);
/* The endpoints of the policy that apply to this device; returns how many. */
size_t device_choose_endpoints(struct device *d, enum endpoint_kind kinds[SITE_ENDPOINTS_MAX]);

/* device_attest.c: DICE-1 */
/* Does this device prove itself to whoever is on this link? */
bool device_may_attest(const struct device *d, unsigned number);
/* A challenge came: answers it, or ends the connection. */
void device_prove(struct device *d, unsigned number, struct span data);

/* device_session.c: the session's own traffic */
void device_begin_session(struct device *d);
/* Queues whatever the session should send now: subscriptions, state, events, update traffic. */
int device_send(struct device *d);
int device_take_message(struct device *d, unsigned link, const struct mqtt_publish *message);
/* of the session */
int device_take_puback(struct device *d, uint16_t packet_id, uint8_t reason);
/* Is there room for a message of so many bytes on the session? */
bool device_has_room(const struct device *d, size_t size);
/* SUBSCRIBE with QoS 1; topics: count of them. false: try again later */
bool device_subscribe(struct mqtt_client *c, const char topics[][TOPIC_MAX], size_t count);
/* A message below the device's own prefix, QoS 1; packet_id may be NULL. */
int device_tell(struct device *d, struct mqtt_client *c, const char *rest, bool retain, struct span payload,
                uint16_t *packet_id);

/* device_trust.c: site policies, vendor key sets, revocations */
int device_load_trust(struct device *d);
/* Subscribes to the next epochs. */
void device_follow_chain(struct device *d);
/* A message at policy/<n>, vendor/<n> or revocations; others are ignored. */
int device_take_object(struct device *d, struct span rest, struct span payload);
/* What was accepted comes into force: endpoints, gate, update agent. */
int device_apply_trust(struct device *d);
/* Tells a refused object at updates/refused, once. object: as it stands there; patience_ms: it may still be accepted.
 */
void device_report(struct device *d, const char *object, enum reason reason, struct span bytes, uint32_t patience_ms);
void device_send_reports(struct device *d);
uint64_t device_reports_deadline(const struct device *d);

/* device_gate.c: questions and tickets */
void device_init_gate(struct device *d);
void device_send_question(struct device *d); /* on the session */
void device_drive_gate(struct device *d);    /* on a link of its own */
void device_gate_link_closed(struct device *d);
void device_take_ticket(struct device *d, struct span sign1);
uint64_t device_gate_deadline(const struct device *d);
