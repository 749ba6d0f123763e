/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The way of a publish: access check, QoS 2 and event repeats, outbox, retained, subscribers, acknowledgement. What
 * cannot be kept is refused before anything of it happened.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hub/broker.h"
#include "hub/views.h"
#include "relay/ticket.h"
#include "util/array.h"

/* ---- subscribers */
struct routing {
        struct broker *b;
        const struct client *from;
        const struct message *m;
};

static bool remember(struct broker *b, struct client *c)
{
        if (array_reserve(b->matched, b->matched_count, b->matched_size) < 0)
                return false;
        b->matched[b->matched_count++] = c;
        return true;
}

/* Overlapping subscriptions: one copy with the highest QoS and all identifiers (MQTT 5 section 3.3.4). */
static void merge(void *context, struct subscription *sub)
{
        const struct routing *routing = context;
        struct broker *b = routing->b;
        struct client *c = sub->client;

        if (sub->no_local && c == routing->from)
                return;
        if (c->match.serial != b->match_serial) {
                if (!remember(b, c)) {
                        b->counters.dropped_slow++;
                        return;
                }
                c->match.serial = b->match_serial;
                c->match.qos = 0;
                c->match.retain = false;
                c->match.id_count = 0;
        }
        if (sub->qos > c->match.qos)
                c->match.qos = sub->qos;
        if (sub->retain_as_published)
                c->match.retain = routing->m->retain;
        if (sub->id && c->match.id_count < MESSAGE_IDS_MAX)
                c->match.ids[c->match.id_count++] = sub->id;
}

static struct client_terms terms_of(const struct client *c, const struct message *m)
{
        return (struct client_terms){ .qos = m->qos < c->match.qos ? m->qos : c->match.qos,
                                      .retain = c->match.retain,
                                      .ids = c->match.ids,
                                      .id_count = c->match.id_count };
}

static void unstage(struct broker *b)
{
        for (size_t i = 0; i < b->matched_count; i++)
                if (b->matched[i]->match.queued)
                        client_unqueue(b, b->matched[i]);
}

/* Finds the subscribers and puts m into the queues of those that must not miss it; nothing is sent yet. */
static int stage(struct broker *b, const struct client *from, struct message *m, bool must_keep)
{
        struct routing routing = { b, from, m };

        b->match_serial++;
        b->matched_count = 0;
        subscriptions_match(&b->subscriptions, m->topic, merge, &routing);
        for (size_t i = 0; i < b->matched_count; i++)
                b->matched[i]->match.queued = false;
        for (size_t i = 0; must_keep && i < b->matched_count; i++) {
                struct client *c = b->matched[i];
                struct client_terms terms = terms_of(c, m);
                int result;

                terms.must_keep = true;
                result = terms.qos > 0 ? client_enqueue(b, c, m, &terms) : CLIENT_DROPPED;
                if (result < 0) {
                        unstage(b);
                        return result;
                }
                c->match.queued = result == 0;
        }
        return 0;
}

/* What stage() found and did not queue is delivered, everything is sent. */
static void send_staged(struct broker *b, struct message *m, bool must_keep)
{
        for (size_t i = 0; i < b->matched_count; i++) {
                struct client *c = b->matched[i];
                struct client_terms terms = terms_of(c, m);

                if (must_keep && terms.qos > 0)
                        client_pump(b, c);
                else
                        client_deliver(b, c, m, &terms);
        }
}

/* ---- keeping */
static int keep_for_cloud(struct broker *b, struct message *m)
{
        int result;

        if (!b->outbox)
                return 0;
        result = outbox_add(b->outbox, m, b->commit + 1, b->durable);
        if (result == 0)
                b->work_for_cloud = true;
        return result;
}

struct share {
        struct span except;
        size_t count, bytes;
};

static void count_share(void *context, struct message *m)
{
        struct share *share = context;

        if (span_equal(m->topic, share->except))
                return;
        share->count++;
        share->bytes += m->stored.size;
}

static bool is_over_share(struct broker *b, const struct client *from, const struct message *m)
{
        struct share share = { m->topic, 0, 0 };
        char own[TOPIC_MAX];

        if (!identity_is_device(span_of_string(from->identity)))
                return b->retained.count >= b->retained.count_max / 4 * 3 ||
                       b->retained.bytes + m->stored.size > b->retained.bytes_max / 4 * 3;
        topic_device(own, b->site, from->identity, "#");
        retained_match(&b->retained, span_of_string(own), b->time, count_share, &share);
        return share.count >= RETAINED_SHARE_COUNT || share.bytes + m->stored.size > RETAINED_SHARE_BYTES;
}

/*
 * Is there room to retain it? One device, broken into, must not take all of it from the others, nor an application
 * what devices' states, offers and approvals need.
 */
static int check_retained(struct broker *b, const struct client *from, const struct message *m)
{
        if (from && m->payload.size > 0 && is_over_share(b, from, m))
                return -EDQUOT;
        return retained_check(&b->retained, m);
}

/* Stages all that has to survive; then shows it to whoever is interested. goes_up: to the cloud, too. */
static int route(struct broker *b, const struct link *link, const struct client *from, struct message *m, bool goes_up)
{
        bool must_keep = link != NULL; /* somebody waits for an acknowledgement */
        int result = m->retain ? check_retained(b, from, m) : 0;

        if (result == 0)
                result = stage(b, from, m, must_keep);
        if (result < 0)
                return result;
        if (goes_up)
                result = keep_for_cloud(b, m);
        if (result == 0 && m->retain)
                result = retained_set(&b->retained, m);
        if (result < 0) {
                unstage(b);
                return result;
        }
        send_staged(b, m, must_keep);
        if (link)
                b->host.published(b->host.context, link, m);
        return 0;
}

static bool goes_up(bool is_device, const struct topic_parts *parts)
{
        /* a gate request goes up only if the gate is not here; then the host sends it */
        return is_device && parts->kind == TOPIC_DEVICE && !span_equal_string(parts->rest, "state/direct") &&
               !span_equal_string(parts->rest, "gate/request");
}

/* The role may have changed since CONNECT. */
static bool will_is_allowed(struct broker *b, const struct client *c, const struct message *will)
{
        bool is_device = identity_is_device(span_of_string(c->identity));
        struct access_subject subject = { b->site, c->identity, b->host.role(b->host.context, c->identity),
                                          b->gate_only };

        return (is_device || subject.role) && access_will(&subject, will->topic).verdict == VERDICT_ALLOW;
}

int router_publish_will(struct broker *b, struct client *c)
{
        struct message *m = c->will;
        struct topic_parts parts;
        int result = 0;

        if (!m)
                return 0;
        c->will = NULL;
        c->will_due = 0;
        client_mark_changed(b, c);
        topic_parse(m->topic, &parts);
        if (will_is_allowed(b, c, m))
                result = route(b, NULL, c, m, goes_up(identity_is_device(span_of_string(c->identity)), &parts));
        else
                b->counters.refused_topic++;
        /* whoever is here has to know, also when the outbox is full */
        if (result == -ENOSPC || result == -EDQUOT)
                result = route(b, NULL, c, m, false);
        message_unref(m);
        return result;
}

/* ---- publishes of clients */
static void acknowledge(struct broker *b, struct link *link, const struct mqtt_publish *publish, uint8_t reason)
{
        uint8_t type = publish->qos == 2 ? MQTT_PUBREC : MQTT_PUBACK;

        if (publish->qos > 0 && acks_push(b, link, type, publish->packet_id, reason) < 0)
                broker_close(b, link, MQTT_SERVER_BUSY, true);
}

/* In quarantine a device keeps its events (0x97 is "later"); the rest it may try again when it is out of it. */
static void refuse_quarantined(struct broker *b, struct link *link, const struct mqtt_publish *publish,
                               const struct topic_parts *parts)
{
        struct span events = SPAN_LITERAL("events");
        bool is_event = span_equal(span_slice(parts->rest, 0, events.size), events);

        b->counters.refused_topic++;
        acknowledge(b, link, publish, is_event ? MQTT_QUOTA_EXCEEDED : MQTT_NOT_AUTHORIZED);
}

static void refuse_topic(struct broker *b, struct link *link, const struct mqtt_publish *publish)
{
        struct span topic = span_slice(publish->topic, 0, 160);
        char detail[VIEW_TEXT_MAX];

        b->counters.refused_topic++;
        acknowledge(b, link, publish, MQTT_NOT_AUTHORIZED);
        /* a device may not know that this is a gate and no relay */
        if (b->gate_only || b->now_ms < link->alert_next_ms)
                return;
        link->alert_next_ms = b->now_ms + BROKER_ALERT_MS;
        snprintf(detail, sizeof(detail), "publish to \"%.*s\" refused", (int)topic.size, (const char *)topic.data);
        b->host.alert(b->host.context, link->identity, REASON_TOPIC, detail);
}

static void refuse_error(struct broker *b, struct link *link, const struct mqtt_publish *publish, int error)
{
        bool full = error == -ENOSPC || error == -E2BIG || error == -EDQUOT;

        b->counters.refused_full++;
        acknowledge(b, link, publish, full ? MQTT_QUOTA_EXCEEDED : MQTT_UNSPECIFIED_ERROR);
        if (error == -EDQUOT && b->now_ms >= link->alert_next_ms) {
                link->alert_next_ms = b->now_ms + BROKER_ALERT_MS;
                b->host.alert(b->host.context, link->identity, REASON_QUOTA,
                              "publishes are refused: this client has more than its share of the outbox or of the "
                              "retained messages");
        }
        if (error == -ENOSPC)
                b->host.alert(b->host.context, "", REASON_STORE_FULL,
                              "publishes are refused: outbox or store is full; bring the uplink back, or raise "
                              "[outbox] bytes_max or [store] size_max");
}

/* A QoS 2 packet id that is known: the client sends again because our PUBREC got lost (MQTT 5 section 4.3.3). */
static bool is_known(const struct link *link, const struct mqtt_publish *publish)
{
        return publish->qos == 2 && client_inbound_has(link->client, publish->packet_id);
}

struct event_key {
        bool there;
        uint32_t boot;
        uint64_t seq;
};

static int store_publish(struct broker *b, struct link *link, const struct mqtt_packet *packet,
                         const struct topic_parts *parts, const struct event_key *event)
{
        struct client *c = link->client;
        struct message *m;
        int result = message_from_publish(&m, &packet->publish, &packet->props, b->time);

        if (result < 0)
                return result;
        if (packet->publish.qos == 2)
                result = client_inbound_add(b, c, packet->publish.packet_id);
        if (result == 0) {
                result = route(b, link, c, m, goes_up(link->is_device, parts));
                if (result < 0 && packet->publish.qos == 2)
                        client_inbound_remove(b, c, packet->publish.packet_id);
        }
        if (result == 0 && event->there)
                result = repeats_mark(&b->repeats, parts->device, event->boot, event->seq);
        message_unref(m);
        return result;
}

static uint8_t code_of(enum reason reason)
{
        if (reason == REASON_NONE)
                return MQTT_SUCCESS;
        return reason == REASON_QUOTA || reason == REASON_STORE_FULL || reason == REASON_STORE_FAILED
                       ? MQTT_QUOTA_EXCEEDED
                       : MQTT_NOT_AUTHORIZED;
}

/* A command of an application: whoever verifies it hands it to the device. */
static void receive_command(struct broker *b, struct link *link, const struct mqtt_publish *publish,
                            const struct topic_parts *parts)
{
        uint8_t code;

        if (publish->qos == 2 && client_inbound_add(b, link->client, publish->packet_id) < 0) {
                acknowledge(b, link, publish, MQTT_QUOTA_EXCEEDED);
                return;
        }
        code = code_of(b->host.command(b->host.context, link, parts, publish->payload));
        if (code != MQTT_SUCCESS && publish->qos == 2)
                client_inbound_remove(b, link->client, publish->packet_id);
        acknowledge(b, link, publish, code);
}

/* An application may pass a gate's tickets on, and nothing else in their name. */
static bool is_no_ticket(const struct link *link, const struct mqtt_publish *publish, const struct topic_parts *parts)
{
        return !link->is_device && parts->kind == TOPIC_DEVICE && span_equal_string(parts->rest, "gate/ticket") &&
               (publish->retain || publish->payload.size > TICKET_MAX);
}

void router_receive(struct broker *b, struct link *link, const struct mqtt_packet *packet)
{
        const struct mqtt_publish *publish = &packet->publish;
        struct access_subject subject = link_subject(b, link);
        struct decision decision = access_publish(&subject, publish->topic);
        struct event_key event = { 0 };
        struct topic_parts parts;
        int result;

        topic_parse(publish->topic, &parts);
        if (decision.reason == REASON_QUARANTINED && topic_depth_is_valid(publish->topic)) {
                refuse_quarantined(b, link, publish, &parts);
                return;
        }
        if (!topic_depth_is_valid(publish->topic) || decision.verdict != VERDICT_ALLOW ||
            is_no_ticket(link, publish, &parts)) {
                refuse_topic(b, link, publish);
                return;
        }
        if (is_known(link, publish)) {
                acknowledge(b, link, publish, MQTT_SUCCESS);
                return;
        }
        b->counters.received++;
        if (!link->is_device && parts.kind == TOPIC_DEVICE && span_equal_string(parts.rest, "commands")) {
                receive_command(b, link, publish, &parts);
                return;
        }
        if (link->is_device)
                event.there = repeats_key(packet, &parts, &event.boot, &event.seq);
        if (event.there && repeats_seen(&b->repeats, parts.device, event.boot, event.seq)) {
                b->counters.repeated++;
                result = publish->qos == 2 ? client_inbound_add(b, link->client, publish->packet_id) : 0;
        } else {
                result = store_publish(b, link, packet, &parts, &event);
        }
        if (result == 0)
                acknowledge(b, link, publish, MQTT_SUCCESS);
        else
                refuse_error(b, link, publish, result);
}

/* ---- the relay's own */
/* expires: Unix seconds, 0: never */
static int own_message(struct broker *b, struct message **ret, const char *topic, struct span payload, bool retain,
                       uint64_t expires)
{
        struct message_parts parts = { .qos = 1,
                                       .retain = retain,
                                       .received = b->time,
                                       .expires = expires,
                                       .topic = span_of_string(topic),
                                       .payload = payload };

        return message_new(ret, &parts);
}

static int publish(struct broker *b, const char *topic, struct span payload, bool retain, uint64_t expires)
{
        struct message *m;
        int result = own_message(b, &m, topic, payload, retain, expires);

        if (result < 0)
                return result;
        result = route(b, NULL, NULL, m, false);
        message_unref(m);
        return result;
}

int broker_publish(struct broker *b, const char *topic, struct span payload, bool retain)
{
        return publish(b, topic, payload, retain, 0);
}

int broker_publish_brief(struct broker *b, const char *topic, struct span payload, uint32_t seconds)
{
        return publish(b, topic, payload, false, b->time + seconds);
}

static int send_up(struct broker *b, const char *topic, struct span payload, bool retain, uint64_t expires)
{
        struct message *m;
        int result;

        if (!b->outbox)
                return 0;
        result = own_message(b, &m, topic, payload, retain, expires);
        if (result < 0)
                return result;
        result = keep_for_cloud(b, m);
        message_unref(m);
        return result;
}

int broker_send_up(struct broker *b, const char *topic, struct span payload, bool retain)
{
        return send_up(b, topic, payload, retain, 0);
}

int broker_send_up_brief(struct broker *b, const char *topic, struct span payload, uint32_t seconds)
{
        return send_up(b, topic, payload, false, b->time + seconds);
}

/* ---- to one device */
static bool find_subscription(const struct client *c, struct span topic, struct client_terms *terms)
{
        bool found = false;

        for (const struct subscription *s = c->subscriptions.first; s; s = s->client_next) {
                if (!topic_matches(span_of(s->filter, s->size), topic))
                        continue;
                found = true;
                if (s->qos > terms->qos)
                        terms->qos = s->qos > 1 ? 1 : s->qos;
        }
        return found;
}

static bool is_queued(const struct client *c, struct span topic, struct span payload)
{
        for (const struct delivery *d = c->queue.first; d; d = d->next)
                if (d->message && span_equal(d->message->topic, topic) && span_equal(d->message->payload, payload))
                        return true;
        return false;
}

int broker_hand(struct broker *b, const char *device, const char *topic, struct span payload, uint64_t expires)
{
        struct client *c = client_find(&b->clients, span_of_string(device));
        struct client_terms terms = { 0 };
        struct message *m;
        int result;

        if (!c || !c->link || !find_subscription(c, span_of_string(topic), &terms))
                return BROKER_ABSENT;
        if (is_queued(c, span_of_string(topic), payload))
                return 0;
        result = own_message(b, &m, topic, payload, false, expires);
        if (result < 0)
                return result;
        client_deliver(b, c, m, &terms);
        message_unref(m);
        return terms.qos == 0 ? BROKER_UNSURE : 0;
}
