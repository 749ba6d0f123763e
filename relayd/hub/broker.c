/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The broker's frame: start, time, commits, and which packet goes where. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hub/authentication.h"

#define CLOCK_JUMP_S     60
#define SWEEP_MAX        100     /* expired retained messages removed per tick */
#define EXPIRED_ALERT_MS 3600000 /* at most one alert about events that grew too old in this time */

static int load(struct broker *b)
{
        int result = retained_load(&b->retained, b->time);

        if (result == 0)
                result = clients_load(b);
        return result == 0 ? repeats_load(&b->repeats, b->store) : result;
}

int broker_new(struct broker **ret, const struct broker_options *options)
{
        struct broker *b = calloc(1, sizeof(*b));
        int result;

        if (!b)
                return -ENOMEM;
        b->site = options->site;
        b->gate_only = options->gate_only;
        b->store = options->store;
        b->host = options->host;
        broker_time(b, options->now_ms, options->time);
        authentication_init(b);
        result = subscriptions_init(&b->subscriptions);
        if (result == 0)
                result = retained_init(&b->retained, b->store);
        if (result == 0)
                result = load(b);
        if (result < 0) {
                broker_free(b);
                return result;
        }
        b->outbox = options->outbox;
        *ret = b;
        return 0;
}

struct broker *broker_free(struct broker *b)
{
        if (!b)
                return NULL;
        acks_drop(b);
        while (b->proofs.first)
                authentication_drop(b, b->proofs.first->link);
        for (struct table_entry *e = table_next(&b->clients.by_id, NULL); e; e = table_next(&b->clients.by_id, NULL))
                client_release(b, container_of(e, struct client, entry));
        table_release(&b->clients.by_id);
        subscriptions_release(&b->subscriptions);
        retained_release(&b->retained);
        repeats_release(&b->repeats);
        outbox_free(b->outbox);
        free(b->matched);
        free(b);
        return NULL;
}

void broker_time(struct broker *b, uint64_t now_ms, uint64_t time)
{
        b->now_ms = now_ms;
        b->time = time;
}

/* By how much Unix time jumped since the last tick, beside what passed. */
static int64_t clock_jump(struct broker *b)
{
        int64_t jump = (int64_t)(b->time - b->tick_time) - (int64_t)((b->now_ms - b->tick_ms) / 1000);
        bool first = b->tick_ms == 0;

        b->tick_ms = b->now_ms;
        b->tick_time = b->time;
        return first || (jump > -CLOCK_JUMP_S && jump < CLOCK_JUMP_S) ? 0 : jump;
}

/* Said once, and again only after there was room for as much again. */
static void warn_filling(struct broker *b)
{
        enum outbox_level level = outbox_level(b->outbox);

        if (level == OUTBOX_FILLING && b->outbox_told != OUTBOX_FILLING)
                b->host.alert(b->host.context, "", REASON_QUOTA,
                              "three quarters of the outbox are taken; bring the uplink back, or take events out with "
                              "relayctl events export FILE --drop");
        if (level != OUTBOX_BETWEEN)
                b->outbox_told = level;
}

/* Nothing is dropped in silence. */
static void tick_outbox(struct broker *b)
{
        struct outbox_figures figures;

        b->expired += outbox_expire(b->outbox, b->time, b->durable);
        if (b->expired > 0 && b->now_ms >= b->expired_next_ms) {
                b->host.alert(b->host.context, "", REASON_QUOTA,
                              "messages older than [outbox] age_max were dropped before anybody took them");
                b->expired = 0;
                b->expired_next_ms = b->now_ms + EXPIRED_ALERT_MS;
        }
        warn_filling(b);
        outbox_figures(b->outbox, &figures);
        if (figures.dropped_full > b->dropped_told)
                b->host.alert(b->host.context, "", REASON_QUOTA,
                              "the outbox is full: the oldest events are dropped, as [outbox] when_full says");
        b->dropped_told = figures.dropped_full;
        if (figures.failed && !b->error)
                b->error = -EBADMSG;
}

void broker_tick(struct broker *b)
{
        int64_t jump = clock_jump(b);

        if (jump != 0)
                session_shift(b, jump);
        session_tick(b);
        authentication_tick(b);
        retained_sweep(&b->retained, b->time, SWEEP_MAX);
        if (b->outbox)
                tick_outbox(b);
}

int broker_commit(struct broker *b)
{
        int result = repeats_write_changed(&b->repeats);

        if (result == 0)
                result = clients_write_changed(b);
        if (result < 0 && !b->error)
                b->error = result;
        b->commit = store_commit(b->store);
        acks_seal(&b->acks, b->commit);
        authentication_sealed(b);
        /* a turn that staged nothing has nothing to wait for */
        if (b->commit <= b->durable)
                acks_release(b);
        return b->error;
}

/* QoS 2 deliveries may have waited for their commit. */
static void pump_waiting(struct broker *b)
{
        if (!b->waits_for_disk)
                return;
        b->waits_for_disk = false;
        for (struct table_entry *e = table_next(&b->clients.by_id, NULL); e; e = table_next(&b->clients.by_id, e)) {
                struct client *c = container_of(e, struct client, entry);
                if (c->link && c->queue.unsent && c->queue.unsent->qos == 2)
                        client_pump(b, c);
        }
}

int broker_durable(struct broker *b)
{
        int error = 0;
        uint64_t durable = store_durable(b->store, &error);

        if (durable > b->durable) {
                b->durable = durable;
                acks_release(b);
                authentication_durable(b);
                pump_waiting(b);
        }
        return error;
}

/* ---- packets */
void link_unref(struct broker *b, struct link *link)
{
        if (--link->refs == 0)
                b->host.release(b->host.context, link);
}

void link_send(struct broker *b, struct link *link, const struct mqtt_packet *packet)
{
        struct writer w;

        writer_init(&w, b->packet, sizeof(b->packet));
        if (mqtt_encode(&w, MQTT_V5, packet) == RELAY_OK)
                b->host.send(b->host.context, link, writer_span(&w));
}

/* By far the most frequent packet of the hub: written by hand. */
void link_send_ack(struct broker *b, struct link *link, enum mqtt_type type, uint16_t packet_id, uint8_t reason)
{
        uint8_t flags = type == MQTT_PUBREL ? 2 : 0;
        uint8_t packet[5] = { (uint8_t)(type << 4 | flags), reason ? 3 : 2, (uint8_t)(packet_id >> 8),
                              (uint8_t)packet_id, reason };

        b->host.send(b->host.context, link, span_of(packet, reason ? 5 : 4));
}

struct access_subject link_subject(const struct broker *b, const struct link *link)
{
        return (struct access_subject){ b->site, link->identity, link->role, b->gate_only, link->quarantined };
}

void broker_close(struct broker *b, struct link *link, uint8_t mqtt_reason, bool with_will)
{
        if (link->closed)
                return;
        link->closed = true;
        authentication_drop(b, link);
        session_detach(b, link, with_will);
        b->host.close(b->host.context, link, mqtt_reason);
        link_unref(b, link);
}

void broker_closed(struct broker *b, struct link *link, bool with_will)
{
        if (link->closed)
                return;
        link->closed = true;
        authentication_drop(b, link);
        session_detach(b, link, with_will);
        link_unref(b, link);
}

void broker_writable(struct broker *b, struct link *link)
{
        if (link->client)
                client_pump(b, link->client);
}

static void release_inbound(struct broker *b, struct link *link, uint16_t packet_id)
{
        bool known = client_inbound_remove(b, link->client, packet_id);

        link_send_ack(b, link, MQTT_PUBCOMP, packet_id, known ? MQTT_SUCCESS : MQTT_PACKET_ID_NOT_FOUND);
}

/* DISCONNECT may change the expiry interval, but not give one to a session that had none (MQTT 5 section 3.14.2.2.2).
 */
static void disconnect(struct broker *b, struct link *link, const struct mqtt_packet *packet)
{
        struct client *c = link->client;

        link->will_dropped = packet->ack.reason != MQTT_DISCONNECT_WITH_WILL;
        if (!(packet->props.present & MQTT_PROP(MQTT_P_SESSION_EXPIRY)) || c->expiry_s == 0)
                return;
        c->expiry_s = packet->props.session_expiry;
        if (c->expiry_s > CLIENT_EXPIRY_MAX_S)
                c->expiry_s = CLIENT_EXPIRY_MAX_S;
        client_mark_changed(b, c);
}

static void dispatch(struct broker *b, struct link *link, const struct mqtt_packet *packet)
{
        switch (packet->type) {
        case MQTT_PUBLISH:
                router_receive(b, link, packet);
                return;
        case MQTT_PUBACK:
        case MQTT_PUBREC:
        case MQTT_PUBCOMP:
                client_acknowledged(b, link->client, packet->type, packet->ack.packet_id, packet->ack.reason);
                return;
        case MQTT_PUBREL:
                release_inbound(b, link, packet->ack.packet_id);
                return;
        case MQTT_SUBSCRIBE:
                session_subscribe(b, link, packet);
                return;
        case MQTT_UNSUBSCRIBE:
                session_unsubscribe(b, link, packet);
                return;
        case MQTT_DISCONNECT:
                disconnect(b, link, packet);
                return;
        case MQTT_AUTH:
                authentication_packet(b, link, packet);
                return;
        case MQTT_PINGREQ: /* answered by the front end */
                return;
        case MQTT_CONNECT:
        case MQTT_CONNACK:
        case MQTT_SUBACK:
        case MQTT_UNSUBACK:
        case MQTT_PINGRESP:
                break;
        }
        broker_close(b, link, MQTT_PROTOCOL_ERROR, true);
}

/* Before CONNACK: a CONNECT, and then nothing but AUTH (MQTT 5 section 4.12). */
static void begin(struct broker *b, struct link *link, const struct mqtt_packet *packet, struct span bytes)
{
        if (packet->type == MQTT_CONNECT && !link->proof)
                session_connect(b, link, packet, bytes);
        else if (packet->type == MQTT_AUTH && link->proof)
                authentication_packet(b, link, packet);
        else
                broker_close(b, link, MQTT_PROTOCOL_ERROR, true);
}

void broker_packet(struct broker *b, struct link *link, struct span bytes)
{
        struct mqtt_packet packet;
        uint8_t reason = MQTT_PROTOCOL_ERROR;
        int version = link->client || link->proof ? MQTT_V5 : 0;
        size_t consumed;
        int result;

        if (link->closed)
                return;
        result = mqtt_decode(bytes, version, BROKER_PACKET_MAX, &packet, &consumed, &reason);
        if (result != RELAY_OK || consumed != bytes.size)
                broker_close(b, link, reason, true);
        else if (link->client)
                dispatch(b, link, &packet);
        else
                begin(b, link, &packet, bytes);
}

void broker_forget_identity(struct broker *b, const char *identity)
{
        authentication_forget(b, identity);
        for (struct table_entry *e = table_next(&b->clients.by_id, NULL), *next; e; e = next) {
                struct client *c = container_of(e, struct client, entry);

                next = table_next(&b->clients.by_id, e);
                if (strcmp(c->identity, identity) != 0)
                        continue;
                c->expiry_s = 0;
                if (c->link)
                        broker_close(b, c->link, MQTT_ADMINISTRATIVE_ACTION, false);
                else
                        client_end(b, c);
        }
}
