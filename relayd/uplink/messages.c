/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The MQTT session of the uplink: what goes up, what the cloud sends, named topics. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "uplink/internal.h"

static size_t publish_size(const struct mqtt_publish *publish, const struct mqtt_props *props)
{
        size_t size = publish->topic.size + publish->payload.size + 64;

        if (props)
                size += props->user.size + props->content_type.size + props->response_topic.size +
                        props->correlation_data.size + 64;
        return size;
}

int uplink_publish(struct uplink *u, const struct mqtt_publish *publish, const struct mqtt_props *props,
                   uint64_t cookie)
{
        struct mqtt_publish copy = *publish;
        uint16_t id = 0;

        if (u->phase != UPLINK_PHASE_UP)
                return UPLINK_NOT_UP;
        if (publish->qos > 1 || publish_size(publish, props) > UPLINK_PACKET_MAX)
                return UPLINK_RANGE;
        if (inflight_is_full(&u->inflight) || !uplink_has_room(u, publish_size(publish, props))) {
                u->was_busy = true;
                return UPLINK_BUSY;
        }
        copy.dup = false;
        copy.packet_id = 0;
        int r = mqtt_client_publish(&u->client, &copy, props, &id);
        switch (r) {
        case RELAY_OK:
                if (copy.qos > 0)
                        inflight_add(&u->inflight, id, cookie);
                uplink_run_again(u);
                return 0;
        case RELAY_E_SPACE:
                u->was_busy = true;
                return UPLINK_BUSY;
        case RELAY_E_STATE:
                return UPLINK_NOT_UP; /* closed inside; the loop finds out in a moment */
        default:
                return UPLINK_RANGE;
        }
}

void uplink_ack(struct uplink *u, uint64_t token, uint8_t reason)
{
        if (u->phase < UPLINK_PHASE_CONNACK || token >> 16 != u->generation)
                return;
        /* cannot fail for space: RECEIVE_MAXIMUM of them fit into UPLINK_TX_RESERVE */
        (void)mqtt_client_puback(&u->client, (uint16_t)token, reason);
        uplink_run_again(u);
}

/* ---- named topics */

static char *find_watch(struct uplink *u, struct span topic)
{
        for (size_t i = 0; i < UPLINK_WINDOW_MAX; i++)
                if (u->watches[i][0] && span_equal_string(topic, u->watches[i]))
                        return u->watches[i];
        return NULL;
}

static int send_filter(struct uplink *u, struct span topic, bool subscribe)
{
        const struct mqtt_filter filter = { .filter = topic };
        uint8_t encoded[TOPIC_MAX + 8];
        struct writer w;
        uint16_t id = 0;

        writer_init(&w, encoded, sizeof(encoded));
        mqtt_filter_put(&w, &filter, subscribe);
        if (writer_finish(&w) != RELAY_OK)
                return RELAY_E_RANGE;
        uplink_run_again(u);
        return subscribe ? mqtt_client_subscribe(&u->client, writer_span(&w), 1, &id)
                         : mqtt_client_unsubscribe(&u->client, writer_span(&w), 1, &id);
}

int uplink_watch(struct uplink *u, const char *topic)
{
        struct span name = span_of_string(topic);

        if (u->phase != UPLINK_PHASE_UP)
                return UPLINK_NOT_UP;
        if (name.size >= TOPIC_MAX || !topic_name_is_valid(name))
                return -EINVAL;
        if (find_watch(u, name))
                return 0;
        for (size_t i = 0; i < UPLINK_WINDOW_MAX; i++) {
                if (u->watches[i][0])
                        continue;
                if (!uplink_has_room(u, 0) || send_filter(u, name, true) != RELAY_OK)
                        return UPLINK_BUSY;
                snprintf(u->watches[i], TOPIC_MAX, "%s", topic);
                return 0;
        }
        return UPLINK_BUSY;
}

void uplink_unwatch(struct uplink *u, const char *topic)
{
        char *watch = find_watch(u, span_of_string(topic));

        if (!watch)
                return;
        watch[0] = '\0';
        /* if it finds no room, the broker goes on sending that topic, and on_publish() tries again */
        (void)send_filter(u, span_of_string(topic), false);
}

/* ---- what the cloud sends */

static bool subscribe_all(struct uplink *u)
{
        uint8_t encoded[UPLINK_FILTERS_MAX * (TOPIC_MAX + 4)];
        struct writer w;

        writer_init(&w, encoded, sizeof(encoded));
        for (size_t i = 0; i < u->filter_count; i++) {
                const struct mqtt_filter filter = { .filter = span_of_string(u->filters[i]),
                                                    .qos = i < u->filter_count - u->news_count ? 1 : 0,
                                                    .no_local = true };
                mqtt_filter_put(&w, &filter, true);
        }
        return mqtt_client_subscribe(&u->client, writer_span(&w), u->filter_count, &u->subscribe_id) == RELAY_OK;
}

static void on_connack(struct uplink *u, const struct mqtt_ack *ack)
{
        if (ack->reason != 0) {
                uplink_fail(u, "the cloud refuses the session of %s: %s (0x%02x); check its user and access list",
                            u->identity, mqtt_reason_string(ack->reason), ack->reason);
                return;
        }
        u->error[0] = '\0';
        u->phase = UPLINK_PHASE_SUBACK;
        if (u->filter_count == 0)
                uplink_enter_up(u);
        else if (!subscribe_all(u))
                uplink_fail(u, "the subscriptions do not fit into what the cloud accepts");
}

/* A refused subscription is told but does not end the session: telemetry still goes up. */
static void on_suback(struct uplink *u, const struct mqtt_suback *suback)
{
        if (u->phase != UPLINK_PHASE_SUBACK || suback->packet_id != u->subscribe_id)
                return;
        for (size_t i = 0; i < suback->reasons.size && i < u->filter_count; i++)
                if (suback->reasons.data[i] >= 0x80 && u->error[0] == '\0')
                        snprintf(u->error, sizeof(u->error),
                                 "the cloud refuses the subscription to %s: %s; "
                                 "check its access list",
                                 u->filters[i], mqtt_reason_string(suback->reasons.data[i]));
        uplink_enter_up(u);
}

static bool is_expected(struct uplink *u, struct span topic)
{
        if (find_watch(u, topic))
                return true;
        for (size_t i = 0; i < u->filter_count; i++)
                if (topic_matches(span_of_string(u->filters[i]), topic))
                        return true;
        return false;
}

static void on_publish(struct uplink *u, const struct mqtt_packet *packet)
{
        const struct mqtt_publish *publish = &packet->publish;
        struct uplink_message message = { publish, &packet->props, (uint64_t)u->generation << 16 | publish->packet_id };
        uint8_t answer = MQTT_SUCCESS;

        if (is_expected(u, publish->topic))
                answer = u->handler.message(u->handler.context, &message);
        else if (uplink_has_room(u, 0)) /* a subscription an earlier process left in the persistent session */
                (void)send_filter(u, publish->topic, false);
        if (publish->qos > 0 && answer != UPLINK_HOLD)
                uplink_ack(u, message.token, answer);
}

static void on_puback(struct uplink *u, const struct mqtt_ack *ack)
{
        uint64_t cookie = 0;

        if (!inflight_take(&u->inflight, ack->packet_id, &cookie)) {
                uplink_fail(u, "the cloud acknowledged message %u, which was never sent", ack->packet_id);
                return;
        }
        u->progress = true;
        u->handler.acked(u->handler.context, cookie, ack->reason);
}

static void on_closed(struct uplink *u, const struct mqtt_client_event *event)
{
        if (event->by_peer)
                uplink_fail(u, "the cloud ended the session %s: %s (0x%02x)", uplink_phase_text(u),
                            mqtt_reason_string(event->reason), event->reason);
        else if (event->reason == MQTT_KEEP_ALIVE_TIMEOUT)
                uplink_fail(u, "the cloud does not answer any more");
        else
                uplink_fail(u, "the cloud broke the protocol %s: %s (0x%02x)", uplink_phase_text(u),
                            mqtt_reason_string(event->reason), event->reason);
}

void uplink_dispatch(struct uplink *u, const struct mqtt_client_event *event)
{
        switch (event->type) {
        case MQTT_CLIENT_EVENT_CONNACK:
                on_connack(u, &event->packet.ack);
                break;
        case MQTT_CLIENT_EVENT_PUBLISH:
                on_publish(u, &event->packet);
                break;
        case MQTT_CLIENT_EVENT_PUBACK:
                on_puback(u, &event->packet.ack);
                break;
        case MQTT_CLIENT_EVENT_SUBACK:
                on_suback(u, &event->packet.suback);
                break;
        case MQTT_CLIENT_EVENT_AUTH: /* we ask for none, so none comes */
        case MQTT_CLIENT_EVENT_UNSUBACK:
                break;
        case MQTT_CLIENT_EVENT_CLOSED:
                on_closed(u, event);
                break;
        }
}
