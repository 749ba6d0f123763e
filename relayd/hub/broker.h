/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * What the hub's broker offers to the hub's own parts (updates, images, alerts, registry): publishing as the relay,
 * hearing devices and the cloud, answering for topics that are not stored as messages, alerts and audit.
 *
 * Everything runs on the loop's thread. Callbacks may call back into the broker; spans are valid during the call only.
 * Writes are staged and committed once per loop turn. 0 or negative errno: -ENOSPC (store full), -EIO (store failed),
 * -ENOMEM, -EMSGSIZE (payload over BROKER_PAYLOAD_MAX).
 */

#include "hub/views.h"
#include "relay/topic.h"
#include "store/store.h"

#define BROKER_PAYLOAD_MAX 60000 /* bytes: a PUBLISH must fit into one channel message */

struct broker;

struct store *broker_store(struct broker *b);
const char *broker_site(const struct broker *b);
const char *broker_identity(const struct broker *b);
uint64_t broker_time(const struct broker *b);   /* Unix seconds, of this loop turn */
uint64_t broker_now_ms(const struct broker *b); /* monotonic milliseconds, of this loop turn */

/*
 * Publishes to local subscribers as the relay, QoS 1. retain: also kept as the topic's retained message (durable; an
 * empty payload removes it). Nothing goes to the cloud.
 */
int broker_publish(struct broker *b, const char *topic, struct span payload, bool retain);
/* Puts a QoS 1 publish for the cloud into the outbox (durable, ordered). Does nothing on an air-gapped relay. */
int broker_send_up(struct broker *b, const char *topic, struct span payload, bool retain);
/* the payload of a local retained message: 0, or -ENOENT; valid until the next call into the broker */
int broker_retained(struct broker *b, const char *topic, struct span *payload);

/*
 * Interests. From the cloud only what somebody registered for is subscribed to (again after each reconnect) and looked
 * at; nothing of it reaches local subscribers unless that somebody publishes it. From devices: publishes that passed
 * the access check, beside their ordinary way.
 */
enum broker_source { BROKER_FROM_CLOUD, BROKER_FROM_DEVICE };
struct broker_message {
        const char *identity; /* who published; "" from the cloud */
        struct span topic;
        struct topic_parts parts; /* of topic */
        struct span payload;
        bool retain;
};
typedef void (*broker_message_fn)(void *context, const struct broker_message *message);
int broker_interest(struct broker *b, enum broker_source source, const char *filter, broker_message_fn fn,
                    void *context);

/*
 * Named topics of the cloud for a while (image blocks): subscribed to now, forgotten when the uplink goes down; the
 * caller asks again when it is up. What arrives goes to the interest whose filter matches, which then need not be
 * subscribed: register it with broker_hear_named(). -EAGAIN: the uplink is down or its window is full.
 */
int broker_hear_named(struct broker *b, const char *filter, broker_message_fn fn, void *context);
int broker_uplink_subscribe(struct broker *b, const char *const *topics, size_t count);
int broker_uplink_unsubscribe(struct broker *b, const char *const *topics, size_t count);
bool broker_uplink_is_up(const struct broker *b);
/* up: after CONNACK, when publishes and subscriptions can go; called in order of registration */
int broker_on_uplink(struct broker *b, void (*fn)(void *context, bool up), void *context);

/*
 * Answers subscriptions to image topics (named ones only; wildcards are refused by the hub). 0 and a payload, valid
 * until the next call; -ENOENT: not here (now): broker_publish() without retain tells whoever waits when it comes.
 */
typedef int (*broker_answer_fn)(void *context, const struct topic_parts *parts, struct span *payload);
void broker_answer_images(struct broker *b, broker_answer_fn fn, void *context);

/* A device's session opened or closed, or its registration changed. */
int broker_on_device(struct broker *b, void (*fn)(void *context, const char *identity, bool online), void *context);
/* as long as fn returns 0: registered devices in ascending order */
int broker_walk_devices(struct broker *b, int (*fn)(void *context, const struct device_view *device), void *context);

/* device: "" if no device is concerned. Numbered, stored, told on the bus and on sites/<site>/alerts, here and up. */
void broker_alert(struct broker *b, const char *device, enum reason reason, const char *detail);
/* Appends to the audit log; staged with the turn's commit. action: "approve", ...; subject: digest, identity, ... */
int broker_audit(struct broker *b, const char *caller, const char *action, const char *subject, const char *detail);
/* Tells the bus at the end of the turn; key: manifest digest in hexadecimal, or NULL for the manager's properties. */
void broker_update_changed(struct broker *b, const char *key);
