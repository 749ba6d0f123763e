/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SUBSCRIBE and UNSUBSCRIBE (MQTT 5 sections 3.8 to 3.11), retained messages and image pieces for new subscriptions. */

#include <stdio.h>
#include <stdlib.h>

#include "hub/broker.h"
#include "hub/views.h"

#define FILTERS_MAX 1024 /* of one packet */

static bool is_shared(struct span filter)
{
        struct span share = SPAN_LITERAL("$share/");

        return span_equal(span_slice(filter, 0, share.size), share);
}

static bool has_room(const struct client *c, struct span filter)
{
        return c->subscriptions.count < CLIENT_SUBSCRIPTIONS_MAX &&
               c->subscriptions.bytes + filter.size <= CLIENT_FILTERS_BYTES_MAX;
}

struct retained_delivery {
        struct broker *b;
        struct client *c;
        uint8_t qos;
        uint32_t id;
};

static void deliver_retained(void *context, struct message *m)
{
        const struct retained_delivery *d = context;

        struct client_terms terms = {
                .qos = m->qos < d->qos ? m->qos : d->qos, .retain = true, .ids = &d->id, .id_count = d->id ? 1 : 0
        };

        client_deliver(d->b, d->c, m, &terms);
}

/* An image piece is answered as if it were retained here, whenever it is subscribed to. */
static void deliver_image(const struct retained_delivery *d, struct span filter, const struct topic_parts *parts)
{
        struct message_parts message = { .qos = 1, .retain = true, .received = d->b->time, .topic = filter };
        struct message *m;
        uint8_t *payload;
        size_t size;

        if (d->b->host.image(d->b->host.context, parts, &payload, &size) < 0)
                return;
        message.payload = span_of(payload, size);
        if (message_new(&m, &message) == 0) {
                deliver_retained((void *)d, m);
                message_unref(m);
        }
        free(payload);
}

static void deliver_kept(struct broker *b, struct client *c, const struct mqtt_filter *filter, uint32_t id)
{
        struct retained_delivery delivery = { b, c, filter->qos, id };
        struct topic_parts parts;
        enum topic_kind kind = topic_parse(filter->filter, &parts);

        if (kind == TOPIC_IMAGE_BLOCK || kind == TOPIC_IMAGE_LIST)
                deliver_image(&delivery, filter->filter, &parts);
        else
                retained_match(&b->retained, filter->filter, b->time, deliver_retained, &delivery);
}

static void refused(struct broker *b, struct link *link, struct span filter)
{
        char detail[VIEW_TEXT_MAX];

        b->counters.refused_topic++;
        if (b->now_ms < link->alert_next_ms)
                return;
        link->alert_next_ms = b->now_ms + BROKER_ALERT_MS;
        snprintf(detail, sizeof(detail), "subscription to \"%.*s\" refused",
                 (int)(filter.size > 160 ? 160 : filter.size), (const char *)filter.data);
        b->host.alert(b->host.context, link->identity, REASON_TOPIC, detail);
}

/* The reason code of one filter; existed: the client had this subscription. */
static uint8_t subscribe_one(struct broker *b, struct link *link, const struct mqtt_filter *filter, uint32_t id,
                             bool *existed)
{
        struct access_subject subject = link_subject(b, link);
        struct client *c = link->client;
        struct decision decision;
        int result;

        if (is_shared(filter->filter))
                return MQTT_NO_SHARED_SUBSCRIPTIONS;
        if (!topic_filter_is_valid(filter->filter) || !topic_depth_is_valid(filter->filter))
                return MQTT_BAD_TOPIC_FILTER;
        decision = access_subscribe(&subject, filter->filter);
        if (decision.verdict != VERDICT_ALLOW) {
                if (decision.reason != REASON_QUARANTINED) /* that it is in quarantine was told */
                        refused(b, link, filter->filter);
                return MQTT_NOT_AUTHORIZED;
        }
        if (!has_room(c, filter->filter))
                return MQTT_QUOTA_EXCEEDED;
        result = subscriptions_add(&b->subscriptions, c, &c->subscriptions, filter, id);
        if (result < 0)
                return MQTT_UNSPECIFIED_ERROR;
        *existed = result == SUBSCRIPTION_REPLACED;
        return filter->qos;
}

static void send_suback(struct broker *b, struct link *link, enum mqtt_type type, uint16_t packet_id,
                        struct span reasons)
{
        struct mqtt_packet packet = { .type = type };

        packet.suback.packet_id = packet_id;
        packet.suback.reasons = reasons;
        link_send(b, link, &packet);
}

void session_subscribe(struct broker *b, struct link *link, const struct mqtt_packet *packet)
{
        uint32_t id = packet->props.present & MQTT_PROP(MQTT_P_SUBSCRIPTION_ID) ? packet->props.subscription_id : 0;
        uint8_t reasons[FILTERS_MAX];
        bool existed[FILTERS_MAX];
        struct mqtt_filters it;
        struct mqtt_filter filter;
        size_t count = 0;

        mqtt_filters_init(&it, packet);
        while (count < FILTERS_MAX && mqtt_filters_next(&it, &filter)) {
                existed[count] = false;
                reasons[count] = subscribe_one(b, link, &filter, id, &existed[count]);
                count++;
        }
        if (count != packet->subscribe.count) {
                broker_close(b, link, MQTT_QUOTA_EXCEEDED, true);
                return;
        }
        client_mark_changed(b, link->client);
        send_suback(b, link, MQTT_SUBACK, packet->subscribe.packet_id, span_of(reasons, count));
        mqtt_filters_init(&it, packet);
        for (size_t i = 0; link->client && mqtt_filters_next(&it, &filter); i++)
                if (reasons[i] <= 2 && (filter.retain_handling == 0 || (filter.retain_handling == 1 && !existed[i])))
                        deliver_kept(b, link->client, &filter, id);
        if (link->client && link->is_device)
                b->host.subscribed(b->host.context, link);
}

void session_unsubscribe(struct broker *b, struct link *link, const struct mqtt_packet *packet)
{
        struct client *c = link->client;
        uint8_t reasons[FILTERS_MAX];
        struct mqtt_filters it;
        struct mqtt_filter filter;
        size_t count = 0;

        mqtt_filters_init(&it, packet);
        while (count < FILTERS_MAX && mqtt_filters_next(&it, &filter))
                reasons[count++] = subscriptions_remove(&b->subscriptions, c, &c->subscriptions, filter.filter)
                                           ? MQTT_SUCCESS
                                           : MQTT_NO_SUBSCRIPTION_EXISTED;
        if (count != packet->subscribe.count) {
                broker_close(b, link, MQTT_QUOTA_EXCEEDED, true);
                return;
        }
        client_mark_changed(b, c);
        send_suback(b, link, MQTT_UNSUBACK, packet->subscribe.packet_id, span_of(reasons, count));
}

void broker_recheck(struct broker *b, struct link *link)
{
        struct access_subject subject = link_subject(b, link);
        struct client *c = link->client;
        bool removed = false;

        if (!c)
                return;
        for (struct subscription *s = c->subscriptions.first, *next; s; s = next) {
                next = s->client_next;
                if (access_subscribe(&subject, span_of(s->filter, s->size)).verdict == VERDICT_ALLOW)
                        continue;
                subscriptions_remove_one(&b->subscriptions, &c->subscriptions, s);
                removed = true;
        }
        if (!removed)
                return;
        client_drop_forbidden(b, c, &subject);
        client_mark_changed(b, c);
}
