/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sessions: CONNECT, take-over, resumption, expiry, wills (MQTT 5 sections 3.1, 3.2, 3.14, 4.1). */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hub/broker.h"
#include "hub/views.h"

static bool client_equal(const struct table_entry *entry, const void *key)
{
        return span_equal_string(*(const struct span *)key, container_of(entry, const struct client, entry)->id);
}

struct client *client_find(const struct clients *clients, struct span id)
{
        struct table_entry *e = table_find(&clients->by_id, table_hash(id), client_equal, &id);

        return e ? container_of(e, struct client, entry) : NULL;
}

int client_new(struct broker *b, struct client **ret, struct span id, const char *identity)
{
        struct client *c = calloc(1, sizeof(*c));

        if (!c)
                return -ENOMEM;
        if (!span_to_string(id, c->id, sizeof(c->id)) ||
            table_insert(&b->clients.by_id, &c->entry, table_hash(id)) < 0) {
                free(c);
                return -ENOMEM;
        }
        snprintf(c->identity, sizeof(c->identity), "%s", identity);
        c->receive_maximum = UINT16_MAX;
        c->queue.next_number = 1;
        *ret = c;
        return 0;
}

void client_release(struct broker *b, struct client *c)
{
        for (struct delivery *d = c->queue.first, *next; d; d = next) {
                next = d->next;
                message_unref(d->message);
                free(d);
        }
        subscriptions_remove_all(&b->subscriptions, &c->subscriptions);
        table_remove(&b->clients.by_id, &c->entry);
        message_unref(c->will);
        free(c->inbound);
        free(c);
}

void client_end(struct broker *b, struct client *c)
{
        client_forget(b, c);
        client_release(b, c);
}

/* ---- CONNECT */
static bool client_id_fits(const struct link *link, struct span id)
{
        size_t size = strlen(link->identity);

        if (id.size > CLIENT_ID_MAX || id.size < size || memcmp(id.data, link->identity, size) != 0)
                return false;
        if (id.size == size)
                return true;
        return !link->is_device && id.data[size] == '.' && id.size > size + 1 && !memchr(id.data, 0, id.size);
}

/* A stand-alone gate takes the will of a device that speaks to it as to a relay, and forgets it. */
static uint8_t check_will(const struct broker *b, const struct link *link, const struct mqtt_connect *connect)
{
        struct access_subject subject = { .site = b->site, .identity = link->identity, .role = link->role };

        if (!connect->has_will)
                return MQTT_SUCCESS;
        if (!topic_depth_is_valid(connect->will_topic))
                return MQTT_BAD_TOPIC_NAME;
        return access_will(&subject, connect->will_topic).verdict == VERDICT_ALLOW ? MQTT_SUCCESS : MQTT_NOT_AUTHORIZED;
}

/*
 * May this link have the session of this id? An application may call a session by its name, a dot and a suffix, which
 * may be another application's name: whoever's own name says more of the id has the better claim.
 */
static bool may_have(const struct link *link, const struct client *c)
{
        return strlen(c->identity) <= strlen(link->identity);
}

static size_t count_sessions(const struct broker *b, const char *identity)
{
        size_t count = 0;

        for (struct table_entry *e = table_next(&b->clients.by_id, NULL); e; e = table_next(&b->clients.by_id, e))
                count += strcmp(container_of(e, struct client, entry)->identity, identity) == 0;
        return count;
}

/* MQTT's answer to who asks for the session of this id */
static uint8_t check_session(const struct broker *b, const struct link *link, struct span id)
{
        const struct client *c = client_find(&b->clients, id);

        if (c)
                return may_have(link, c) ? MQTT_SUCCESS : MQTT_BAD_CLIENT_ID;
        /* without a suffix there is one session only */
        return id.size == strlen(link->identity) || count_sessions(b, link->identity) < CLIENT_SESSIONS_MAX
                       ? MQTT_SUCCESS
                       : MQTT_QUOTA_EXCEEDED;
}

static struct span id_of(const struct link *link, const struct mqtt_packet *connect)
{
        return connect->connect.client_id.size ? connect->connect.client_id : span_of_string(link->identity);
}

static uint8_t check_connect(struct broker *b, const struct link *link, const struct mqtt_packet *packet)
{
        struct span id = id_of(link, packet);
        char detail[VIEW_TEXT_MAX];
        uint8_t reason;

        if (!client_id_fits(link, id)) {
                snprintf(detail, sizeof(detail), "client id \"%.*s\" refused: it must be the certificate's name%s",
                         (int)(id.size > 64 ? 64 : id.size), (const char *)id.data,
                         link->is_device ? "" : ", or that and a dot and a suffix");
                b->host.alert(b->host.context, link->identity, REASON_CLIENT_ID, detail);
                return MQTT_BAD_CLIENT_ID;
        }
        reason = check_session(b, link, id);
        return reason == MQTT_SUCCESS ? check_will(b, link, &packet->connect) : reason;
}

/* One that is quarantined may leave none but of its presence. */
static int take_will(struct broker *b, const struct link *link, struct client *c, const struct mqtt_packet *packet)
{
        const struct mqtt_connect *connect = &packet->connect;
        struct access_subject subject = link_subject(b, link);
        struct mqtt_publish publish = { .qos = connect->will_qos,
                                        .retain = connect->will_retain,
                                        .topic = connect->will_topic,
                                        .payload = connect->will_payload };

        c->will = message_unref(c->will);
        c->will_due = 0;
        c->will_delay_s = 0;
        if (!connect->has_will || b->gate_only ||
            access_will(&subject, connect->will_topic).reason == REASON_QUARANTINED)
                return 0;
        if (connect->will_props.present & MQTT_PROP(MQTT_P_WILL_DELAY))
                c->will_delay_s = connect->will_props.will_delay;
        return message_from_publish(&c->will, &publish, &connect->will_props, b->time);
}

/* Ends the connection that has this session, if there is one. */
static void take_over(struct broker *b, struct client *c)
{
        if (c->link)
                broker_close(b, c->link, MQTT_SESSION_TAKEN_OVER, true);
}

/* The session to go on with: found, or new. A will that waits is sent when the old session ends for good. */
static int find_session(struct broker *b, struct client **ret, struct link *link, struct span id, bool clean,
                        bool *present)
{
        struct client *c = client_find(&b->clients, id);

        if (c)
                take_over(b, c);
        c = client_find(&b->clients, id); /* one without expiry ended with its connection */
        if (c && (clean || strcmp(c->identity, link->identity) != 0)) {
                int result = router_publish_will(b, c);
                if (result < 0)
                        return result;
                client_end(b, c);
                c = NULL;
        }
        *present = c;
        *ret = c;
        return c ? 0 : client_new(b, ret, id, link->identity);
}

static void set_limits(struct client *c, const struct mqtt_props *props)
{
        uint64_t present = props->present;

        c->receive_maximum = present & MQTT_PROP(MQTT_P_RECEIVE_MAXIMUM) ? props->receive_maximum : UINT16_MAX;
        c->packet_maximum = present & MQTT_PROP(MQTT_P_MAXIMUM_PACKET_SIZE) ? props->maximum_packet_size : 0;
        c->expiry_s = present & MQTT_PROP(MQTT_P_SESSION_EXPIRY) ? props->session_expiry : 0;
        if (c->expiry_s > CLIENT_EXPIRY_MAX_S)
                c->expiry_s = CLIENT_EXPIRY_MAX_S;
}

/* The session becomes durable or stops being so; what it held is written or deleted. */
static void set_durable(struct broker *b, struct client *c)
{
        bool durable = c->expiry_s > 0;

        if (c->durable && !durable)
                client_make_volatile(b, c);
        c->durable = durable;
        client_mark_changed(b, c);
}

static void send_connack(struct broker *b, struct link *link, const struct mqtt_packet *connect, uint8_t reason,
                         bool present)
{
        struct mqtt_packet packet = { .type = MQTT_CONNACK };

        packet.ack.reason = reason;
        packet.ack.session_present = present;
        if (reason == MQTT_SUCCESS) {
                const struct client *c = link->client;
                packet.props.present = MQTT_PROP(MQTT_P_SHARED_AVAILABLE);
                if (connect->connect.client_id.size == 0) {
                        packet.props.present |= MQTT_PROP(MQTT_P_ASSIGNED_CLIENT_ID);
                        packet.props.assigned_client_id = span_of_string(c->id);
                }
                if (connect->props.present & MQTT_PROP(MQTT_P_SESSION_EXPIRY) &&
                    connect->props.session_expiry != c->expiry_s) {
                        packet.props.present |= MQTT_PROP(MQTT_P_SESSION_EXPIRY);
                        packet.props.session_expiry = c->expiry_s;
                }
                if (*link->method) {
                        packet.props.present |= MQTT_PROP(MQTT_P_AUTH_METHOD);
                        packet.props.authentication_method = span_of_string(link->method);
                }
        }
        link_send(b, link, &packet);
}

void session_refuse(struct broker *b, struct link *link, const struct mqtt_packet *connect, uint8_t reason)
{
        send_connack(b, link, connect, reason, false);
        broker_close(b, link, reason, false);
}

/* Only what costs nothing and changes nothing: who it is is not known yet. */
void session_connect(struct broker *b, struct link *link, const struct mqtt_packet *packet, struct span bytes)
{
        uint8_t reason = check_connect(b, link, packet);

        if (reason == MQTT_SUCCESS)
                authentication_begin(b, link, packet, bytes);
        else
                session_refuse(b, link, packet, reason);
}

void session_open(struct broker *b, struct link *link, const struct mqtt_packet *packet)
{
        struct span id = id_of(link, packet);
        struct client *c;
        bool present;
        uint8_t reason = check_connect(b, link, packet);

        if (reason == MQTT_SUCCESS && (find_session(b, &c, link, id, packet->connect.clean_start, &present) < 0 ||
                                       take_will(b, link, c, packet) < 0))
                reason = MQTT_SERVER_BUSY;
        if (reason != MQTT_SUCCESS) {
                session_refuse(b, link, packet, reason);
                return;
        }
        c->link = link;
        link->keep_alive_s = packet->connect.keep_alive_s;
        c->expires = 0;
        link->client = c;
        set_limits(c, &packet->props);
        set_durable(b, c);
        b->clients.online++;
        if (present)
                broker_recheck(b, link); /* the role may have changed meanwhile */
        send_connack(b, link, packet, MQTT_SUCCESS, present);
        /* first what waits; what the host has for it comes behind, and once */
        client_redeliver(b, c);
        b->host.online(b->host.context, link, true);
}

/* ---- the end of a connection */
void session_detach(struct broker *b, struct link *link, bool with_will)
{
        struct client *c = link->client;

        link->client = NULL;
        if (!c)
                return;
        c->link = NULL;
        b->clients.online--;
        b->host.online(b->host.context, link, false);
        if (!with_will || link->will_dropped)
                c->will = message_unref(c->will);
        if (c->will && (c->will_delay_s == 0 || c->expiry_s == 0) && router_publish_will(b, c) < 0)
                b->counters.refused_full++;
        if (c->expiry_s == 0) {
                client_end(b, c);
                return;
        }
        c->expires = b->time + c->expiry_s;
        c->will_due = c->will ? b->time + c->will_delay_s : 0;
        client_mark_changed(b, c);
}

void session_shift(struct broker *b, int64_t seconds)
{
        for (struct table_entry *e = table_next(&b->clients.by_id, NULL); e; e = table_next(&b->clients.by_id, e)) {
                struct client *c = container_of(e, struct client, entry);
                if (c->link)
                        continue;
                c->expires += (uint64_t)seconds;
                if (c->will_due)
                        c->will_due += (uint64_t)seconds;
                client_mark_changed(b, c);
        }
}

static void tick_absent(struct broker *b, struct client *c)
{
        bool over = c->expires <= b->time;

        if (c->will && (over || (c->will_due && c->will_due <= b->time)) && router_publish_will(b, c) < 0)
                b->counters.refused_full++;
        if (over)
                client_end(b, c);
        else
                client_expire_queue(b, c);
}

void session_tick(struct broker *b)
{
        for (struct table_entry *e = table_next(&b->clients.by_id, NULL), *next; e; e = next) {
                struct client *c = container_of(e, struct client, entry);

                next = table_next(&b->clients.by_id, e);
                if (!c->link)
                        tick_absent(b, c);
        }
}
