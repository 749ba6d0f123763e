/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The queue towards one client: in order, within its receive maximum, QoS 1 and 2 state (MQTT 5
 * sections 4.3, 4.4, 4.6). */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hub/broker.h"

/* Numbers of one queue span less than 65,535, so ids in flight are unique. */
#define NUMBER_SPAN_MAX 65000

static uint16_t packet_id_of(uint64_t number)
{
        return (uint16_t)((number - 1) % 65535 + 1);
}

static void unlink_delivery(struct delivery_queue *q, struct delivery *d)
{
        if (d->previous)
                d->previous->next = d->next;
        else
                q->first = d->next;
        if (d->next)
                d->next->previous = d->previous;
        else
                q->last = d->previous;
        if (q->unsent == d)
                q->unsent = d->next;
        if (d->state != DELIVERY_QUEUED)
                q->in_flight--;
        q->count--;
        q->bytes -= d->size;
}

static void remove_delivery(struct broker *b, struct client *c, struct delivery *d)
{
        int result = 0;

        unlink_delivery(&c->queue, d);
        if (d->stored)
                result = client_forget_delivery(b, c, d->number);
        if (result < 0 && !b->error)
                b->error = result;
        message_unref(d->message);
        free(d);
}

void client_clear_queue(struct broker *b, struct client *c)
{
        while (c->queue.first)
                remove_delivery(b, c, c->queue.first);
}

/* false: too large for this client, and to be treated as if it had been delivered (MQTT 5 section 3.1.2.11.4) */
static bool send_publish(struct broker *b, struct client *c, const struct message *m,
                         const struct message_delivery *delivery)
{
        struct writer w;

        writer_init(&w, b->packet, sizeof(b->packet));
        message_write_publish(&w, m, delivery, b->time);
        if (writer_finish(&w) != RELAY_OK || (c->packet_maximum && w.at > c->packet_maximum))
                return false;
        b->host.send(b->host.context, c->link, writer_span(&w));
        return true;
}

static bool fits(const struct client *c, const struct message *m)
{
        return message_packet_size(m) <= BROKER_PACKET_MAX &&
               (!c->packet_maximum || message_packet_size(m) <= c->packet_maximum + MESSAGE_PACKET_EXTRA);
}

static void send_released(struct broker *b, struct client *c, const struct delivery *d)
{
        link_send_ack(b, c->link, MQTT_PUBREL, packet_id_of(d->number), MQTT_SUCCESS);
}

static bool send_delivery(struct broker *b, struct client *c, const struct delivery *d)
{
        struct message_delivery delivery = {
                .qos = d->qos,
                .dup = d->dup,
                .retain = d->retain,
                .packet_id = packet_id_of(d->number),
                .ids = d->ids,
                .id_count = d->id_count,
        };

        return send_publish(b, c, d->message, &delivery);
}

/* Exactly once: the client must not see a message that a power cut could make the relay forget. */
static bool must_wait(struct broker *b, const struct delivery *d)
{
        bool waits = d->qos == 2 && d->commit > b->durable;

        b->waits_for_disk |= waits;
        return waits;
}

void client_pump(struct broker *b, struct client *c)
{
        struct delivery_queue *q = &c->queue;

        while (c->link && q->unsent && q->in_flight < c->receive_maximum) {
                struct delivery *d = q->unsent;

                if (!d->dup && d->message && message_is_expired(d->message, b->time)) {
                        remove_delivery(b, c, d);
                        continue;
                }
                if (must_wait(b, d) || !b->host.writable(b->host.context, c->link))
                        return;
                if (d->message && (!fits(c, d->message) || !send_delivery(b, c, d))) {
                        b->counters.dropped_slow++;
                        remove_delivery(b, c, d);
                        continue;
                }
                q->unsent = d->next;
                q->in_flight++;
                d->state = d->message ? DELIVERY_SENT : DELIVERY_RELEASED;
                if (!d->message)
                        send_released(b, c, d);
        }
}

void client_redeliver(struct broker *b, struct client *c)
{
        struct delivery_queue *q = &c->queue;

        for (struct delivery *d = q->first; d; d = d->next) {
                if (d->state == DELIVERY_SENT)
                        d->dup = true;
                d->state = DELIVERY_QUEUED;
        }
        q->in_flight = 0;
        q->unsent = q->first;
        client_pump(b, c);
}

void client_expire_queue(struct broker *b, struct client *c)
{
        for (struct delivery *d = c->queue.unsent, *next; d; d = next) {
                next = d->next;
                if (!d->dup && d->message && message_is_expired(d->message, b->time))
                        remove_delivery(b, c, d);
        }
}

void client_drop_forbidden(struct broker *b, struct client *c, const struct access_subject *subject)
{
        for (struct delivery *d = c->queue.first, *next; d; d = next) {
                next = d->next;
                if (d->message && access_subscribe(subject, d->message->topic).verdict != VERDICT_ALLOW)
                        remove_delivery(b, c, d);
        }
}

/* Who does not fetch his messages must not take the store from those whose events have to go up. */
static bool hoards(const struct broker *b, const struct client *c)
{
        return c->durable && c->queue.count >= CLIENT_QUEUE_SURE && store_is_half_full(b->store);
}

static bool queue_is_full(const struct broker *b, const struct client *c, const struct message *m)
{
        const struct delivery_queue *q = &c->queue;

        return hoards(b, c) || q->count >= CLIENT_QUEUE_COUNT_MAX ||
               q->bytes + m->stored.size > CLIENT_QUEUE_BYTES_MAX ||
               (q->first && q->next_number - q->first->number >= NUMBER_SPAN_MAX);
}

static void append(struct delivery_queue *q, struct delivery *d)
{
        d->previous = q->last;
        if (q->last)
                q->last->next = d;
        else
                q->first = d;
        q->last = d;
        if (!q->unsent)
                q->unsent = d;
        q->count++;
        q->bytes += d->size;
}

static void drop(struct broker *b, struct client *c, const char *why)
{
        b->counters.dropped_slow++;
        if (b->now_ms < c->alert_next_ms)
                return;
        c->alert_next_ms = b->now_ms + BROKER_ALERT_MS;
        b->host.alert(b->host.context, c->identity, REASON_QUOTA, why);
}

static void deliver_now(struct broker *b, struct client *c, const struct message *m, bool retain, const uint32_t *ids,
                        size_t id_count)
{
        struct message_delivery delivery = { .retain = retain, .ids = ids, .id_count = id_count };

        if (!c->link)
                return;
        if (!fits(c, m) || !b->host.writable(b->host.context, c->link) || !send_publish(b, c, m, &delivery))
                b->counters.dropped_slow++;
}

/* Image pieces are answered anew after a restart, and would be written for nothing. */
static bool is_kept(const struct client *c, const struct message *m)
{
        struct span images = SPAN_LITERAL("images/");

        return c->durable && !span_equal(span_slice(m->topic, 0, images.size), images);
}

int client_enqueue(struct broker *b, struct client *c, struct message *m, const struct client_terms *terms)
{
        const uint32_t *ids = terms->ids;
        size_t id_count = terms->id_count;
        struct delivery *d;
        int result;

        if (queue_is_full(b, c, m)) {
                drop(b, c, "messages for this client are dropped: its queue is full, it does not fetch them");
                return CLIENT_DROPPED;
        }
        d = calloc(1, sizeof(*d) + id_count * sizeof(*ids));
        if (!d)
                return -ENOMEM;
        *d = (struct delivery){ .message = message_ref(m),
                                .number = c->queue.next_number++,
                                .qos = terms->qos,
                                .retain = terms->retain,
                                .size = (uint32_t)m->stored.size,
                                .id_count = (uint8_t)id_count };
        if (id_count > 0)
                memcpy(d->ids, ids, id_count * sizeof(*ids));
        if (is_kept(c, m)) {
                result = client_store_delivery(b, c, d);
                if (result < 0 && terms->must_keep) {
                        message_unref(d->message);
                        free(d);
                        return result;
                }
                d->stored = result == 0;
                d->commit = d->stored ? b->commit + 1 : 0;
                if (!d->stored)
                        drop(b, c, "a message is kept in memory only: the store takes no more");
        }
        append(&c->queue, d);
        return 0;
}

void client_unqueue(struct broker *b, struct client *c)
{
        remove_delivery(b, c, c->queue.last);
}

void client_deliver(struct broker *b, struct client *c, struct message *m, const struct client_terms *terms)
{
        if (terms->qos == 0) {
                deliver_now(b, c, m, terms->retain, terms->ids, terms->id_count);
                return;
        }
        if (client_enqueue(b, c, m, terms) == -ENOMEM)
                drop(b, c, "messages for this client are dropped: no memory");
        client_pump(b, c);
}

static struct delivery *find_in_flight(const struct client *c, uint16_t packet_id)
{
        for (struct delivery *d = c->queue.first; d && d != c->queue.unsent; d = d->next)
                if (packet_id_of(d->number) == packet_id)
                        return d;
        return NULL;
}

static void received(struct broker *b, struct client *c, struct delivery *d, uint16_t packet_id, uint8_t reason)
{
        if (!d || d->qos != 2) {
                link_send_ack(b, c->link, MQTT_PUBREL, packet_id, MQTT_PACKET_ID_NOT_FOUND);
                return;
        }
        if (reason >= 0x80) {
                remove_delivery(b, c, d);
                return;
        }
        d->state = DELIVERY_RELEASED;
        d->message = message_unref(d->message);
        if (d->stored && client_store_delivery(b, c, d) < 0)
                b->counters.dropped_slow++;
        send_released(b, c, d);
}

void client_acknowledged(struct broker *b, struct client *c, enum mqtt_type type, uint16_t packet_id, uint8_t reason)
{
        struct delivery *d = find_in_flight(c, packet_id);

        if (type == MQTT_PUBREC)
                received(b, c, d, packet_id, reason);
        else if (d &&
                 ((type == MQTT_PUBACK && d->qos == 1) || (type == MQTT_PUBCOMP && d->state == DELIVERY_RELEASED))) {
                struct message *m = d->message && c->link && c->link->is_device ? message_ref(d->message) : NULL;

                remove_delivery(b, c, d);
                if (m)
                        b->host.delivered(b->host.context, c->link, m);
                message_unref(m);
        }
        if (c->link)
                client_pump(b, c);
}

bool client_inbound_has(const struct client *c, uint16_t packet_id)
{
        for (uint32_t i = 0; i < c->inbound_count; i++)
                if (c->inbound[i] == packet_id)
                        return true;
        return false;
}
