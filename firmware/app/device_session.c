/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The device engine: what a session sends and receives. */

#include <string.h>

#include "app/device_internal.h"
#include "app/json.h"

#define TX_RESERVE     256                            /* kept free for acknowledgements and pings */
#define BROKER_HOLD_MS 5000                           /* pause after the broker said "too much" */
#define RESULT_SIZE    (6 * COMMANDS_VALUE_MAX + 256) /* if every byte had to be escaped */

static struct mqtt_client *client(struct device *d)
{
        return &d->links[d->active].client;
}

bool device_has_room(const struct device *d, size_t size)
{
        const struct mqtt_client *c = &d->links[d->active].client;
        return c->tx_size - c->tx_fill >= size + TX_RESERVE;
}

void device_begin_session(struct device *d)
{
        d->topics_asked = d->chain_asked = d->commands_asked = d->state_told = d->online = false;
        /* how long commands wait for trusted time: without it they can only be refused. A device that asked just before
         * it started again is not answered at once, so there is room for a second question. */
        d->commands_ms = device_now(d) + UINT64_C(3) * d->config.gate_timing.patience_ms;
        d->state_packet = d->status_packet = 0;
        d->sent = (struct outbox_place){ 0 };
        d->hold_ms = 0;
        memset(d->flights, 0, sizeof(d->flights));
        gate_session(&d->gate, device_now(d));
        if (d->config.update)
                update_session(d->config.update, device_now(d));
}

/* ---- sending */

static int subscribe(struct mqtt_client *c, const char *filter, uint8_t qos)
{
        struct mqtt_filter item = { .filter = span_of_string(filter), .qos = qos };
        uint8_t bytes[TOPIC_MAX + 8];
        struct writer w;

        writer_init(&w, bytes, sizeof(bytes));
        mqtt_filter_put(&w, &item, true);
        return mqtt_client_subscribe(c, writer_span(&w), 1, NULL);
}

bool device_subscribe(struct mqtt_client *c, const char topics[][TOPIC_MAX], size_t count)
{
        uint8_t bytes[5 * (TOPIC_MAX + 3)];
        struct writer w;

        writer_init(&w, bytes, sizeof(bytes));
        for (size_t i = 0; i < count; i++) {
                struct mqtt_filter item = { .filter = span_of_string(topics[i]), .qos = 1 };
                mqtt_filter_put(&w, &item, true);
        }
        return mqtt_client_subscribe(c, writer_span(&w), count, NULL) == RELAY_OK;
}

static int unsubscribe(struct mqtt_client *c, const char *filter)
{
        struct mqtt_filter item = { .filter = span_of_string(filter) };
        uint8_t bytes[TOPIC_MAX + 8];
        struct writer w;

        writer_init(&w, bytes, sizeof(bytes));
        mqtt_filter_put(&w, &item, false);
        return mqtt_client_unsubscribe(c, writer_span(&w), 1, NULL);
}

/* Every session with a relay hears whether its uplink is up; a candidate, too. */
static void watch_relays(struct device *d)
{
        char topic[TOPIC_MAX];

        for (unsigned i = 0; i < PORT_LINKS; i++) {
                struct device_link *link = &d->links[i];
                if (link->state != DEVICE_LINK_OPEN || link->client.state != MQTT_CLIENT_CONNECTED ||
                    link->watch_asked || i == d->gate_link || link->endpoint.kind != ENDPOINT_RELAY)
                        continue;
                topic_site(topic, d->policy.site, "relay/state");
                link->watch_asked = subscribe(&link->client, topic, 1) == RELAY_OK;
        }
}

int device_tell(struct device *d, struct mqtt_client *c, const char *rest, bool retain, struct span payload,
                uint16_t *packet_id)
{
        struct mqtt_publish message = { .qos = 1, .retain = retain, .payload = payload };
        char topic[TOPIC_MAX];

        topic_device(topic, d->policy.site, d->config.identity, rest);
        message.topic = span_of_string(topic);
        return mqtt_client_publish(c, &message, NULL, packet_id);
}

static int publish(struct device *d, const char *rest, bool retain, struct span payload, uint16_t *packet_id)
{
        return device_tell(d, client(d), rest, retain, payload, packet_id);
}

/* Each command expires, so those that wait at the relay are fetched once the time is known. */
static bool is_time_for_commands(const struct device *d)
{
        uint64_t now = device_now(d), unix_s;

        return gate_time(&d->gate, now, &unix_s) || !gate_of_device(&d->gate) || now >= d->commands_ms;
}

static void ask_for_commands(struct device *d)
{
        char topic[1][TOPIC_MAX];

        if (d->commands_asked || !d->config.commands || !is_time_for_commands(d) || !device_has_room(d, sizeof(topic)))
                return;
        topic_device(topic[0], d->policy.site, d->config.identity, "commands");
        d->commands_asked = device_subscribe(client(d), topic, 1);
}

static void send_greeting(struct device *d)
{
        struct device_link *link = &d->links[d->active];
        char topics[2][TOPIC_MAX];
        uint8_t json[256];

        if (!d->topics_asked && device_has_room(d, sizeof(topics))) {
                topic_device(topics[0], d->policy.site, d->config.identity, "updates/offer");
                topic_device(topics[1], d->policy.site, d->config.identity, "gate/ticket");
                d->topics_asked = device_subscribe(client(d), topics, 2);
        }
        if (d->topics_asked && !d->state_told && device_has_room(d, sizeof(json) + TOPIC_MAX)) {
                struct span state = device_state_json(d, true, link->session, json, sizeof(json));
                d->state_told = publish(d, device_state_rest(link), true, state, &d->state_packet) == RELAY_OK;
        }
}

static int send_record(struct device *d, const struct outbox_record *record, uint16_t *packet_id)
{
        struct mqtt_publish message = { .qos = 1, .payload = span_of(record->payload, record->payload_size) };
        char rest[8 + OUTBOX_NAME_MAX] = "events/", topic[TOPIC_MAX];
        uint8_t user[64], digits[20];
        struct mqtt_props props = { .present = MQTT_PROP(MQTT_P_USER) };
        struct writer w, number;

        memcpy(rest + 7, record->name, record->name_size);
        topic_device(topic, d->policy.site, d->config.identity, rest);
        message.topic = span_of_string(topic);

        writer_init(&w, user, sizeof(user));
        writer_init(&number, digits, sizeof(digits));
        json_digits(&number, record->seq);
        mqtt_user_put(&w, SPAN_LITERAL("seq"), writer_span(&number));
        writer_init(&number, digits, sizeof(digits));
        json_digits(&number, record->boot);
        mqtt_user_put(&w, SPAN_LITERAL("boot"), writer_span(&number));
        props.user = writer_span(&w);
        return mqtt_client_publish(client(d), &message, &props, packet_id);
}

static struct device_flight *free_flight(struct device *d)
{
        for (unsigned i = 0; i < DEVICE_WINDOW; i++)
                if (d->flights[i].packet_id == 0)
                        return &d->flights[i];
        return NULL;
}

static int send_events(struct device *d)
{
        struct device_flight *flight;
        struct outbox_record record;
        uint16_t packet_id;

        if (!d->config.outbox || d->hold_ms > device_now(d))
                return 0;
        while ((flight = free_flight(d)) && device_has_room(d, TOPIC_MAX + OUTBOX_PAYLOAD_MAX + 64)) {
                int r = outbox_next(d->config.outbox, d->sent, &record);
                if (r != 0)
                        return r == RELAY_MORE ? 0 : r;
                r = send_record(d, &record, &packet_id);
                if (r != RELAY_OK)
                        return 0;
                d->sent = record.place;
                *flight = (struct device_flight){ packet_id, record.boot, record.seq, record.place };
        }
        return 0;
}

static int tell_status(struct device *d, const struct update_status *status)
{
        uint8_t json[512];
        struct writer w;

        writer_init(&w, json, sizeof(json));
        json_open(&w);
        json_string(&w, "state", span_of_string(update_state_name(status->state)));
        json_hex(&w, "manifest", SPAN_OF(status->manifest));
        json_string(&w, "version", span_of_string(status->version));
        json_uint(&w, "progress", status->progress);
        json_string(&w, "reason", span_of_string(reason_name(status->reason)));
        json_close(&w);
        if (status->state == UPDATE_REFUSED)
                device_log(d, PORT_LOG_WARNING, "update refused: ", reason_name(status->reason));
        else
                device_log(d, PORT_LOG_INFO, "update: ", update_state_name(status->state));
        return publish(d, "updates/status", false, writer_span(&w), &d->status_packet);
}

void device_carry(struct device *d, struct span envelope, const struct span *approvals, size_t count)
{
        if (!d->config.update)
                return;
        d->carrier_bad = false;
        update_offer(d->config.update, envelope, device_now(d));
        for (size_t i = 0; i < count; i++)
                update_approval(d->config.update, approvals[i]);
}

/* What is carried need not be asked for. true: done; *r: of flash. A carrier that gives something wrong is asked no
 * more. */
static bool take_carried(struct device *d, const struct update_action *action, int *r)
{
        struct update *u = d->config.update;
        struct topic_parts parts;
        struct span payload;

        if (!d->config.carrier || d->carrier_bad || action->piece >= UPDATE_WINDOW)
                return false;
        (void)topic_parse(span_of_string(action->topic), &parts);
        if (!d->config.carrier->piece(d->config.carrier->context, &parts, &payload))
                return false;
        update_done(u, action, device_now(d));
        if (action->type == UPDATE_SUBSCRIBE)
                *r = update_image(u, &parts, payload, device_now(d));
        d->carrier_bad = action->type == UPDATE_SUBSCRIBE && u->window[action->piece].state == UPDATE_PIECE_ASKED;
        d->carried = true;
        return true;
}

static int send_updates(struct device *d)
{
        struct update *u = d->config.update;
        struct update_action action;
        int r = RELAY_OK, failure = 0;

        d->carried = false;
        while (r == RELAY_OK && failure == 0 && device_has_room(d, 512 + TOPIC_MAX) && update_next(u, &action)) {
                if (action.type != UPDATE_TELL && action.type != UPDATE_RESET && take_carried(d, &action, &failure))
                        continue;
                switch (action.type) {
                case UPDATE_SUBSCRIBE:
                        r = subscribe(client(d), action.topic, action.piece == UPDATE_WINDOW ? 1 : 0);
                        break;
                case UPDATE_UNSUBSCRIBE:
                        r = unsubscribe(client(d), action.topic);
                        break;
                case UPDATE_TELL:
                        r = tell_status(d, &action.status);
                        break;
                case UPDATE_RESET:
                        d->resetting = true;
                        return 0;
                case UPDATE_NOTHING:
                        return 0;
                }
                if (r == RELAY_OK)
                        update_done(u, &action, device_now(d));
        }
        return failure;
}

static void send_results(struct device *d)
{
        struct commands *commands = d->config.commands;
        uint8_t json[RESULT_SIZE];
        struct writer w;

        for (;;) {
                writer_init(&w, json, sizeof(json));
                if (!commands || !device_has_room(d, RESULT_SIZE + TOPIC_MAX) || !commands_next(commands, &w) ||
                    publish(d, "commands/result", false, writer_span(&w), NULL) != RELAY_OK)
                        return;
                commands_told(commands);
        }
}

int device_send(struct device *d)
{
        if (client(d)->state != MQTT_CLIENT_CONNECTED)
                return 0;
        send_greeting(d);
        watch_relays(d);
        device_follow_chain(d);
        device_send_question(d);
        ask_for_commands(d);
        send_results(d);
        device_send_reports(d);
        int r = d->config.update ? send_updates(d) : 0;
        return r < 0 ? r : send_events(d);
}

/* ---- receiving */

/* reasons that may pass: the broker is busy, or over a quota for now */
static bool is_temporary(uint8_t reason)
{
        switch (reason) {
        case MQTT_UNSPECIFIED_ERROR:
        case MQTT_IMPLEMENTATION_ERROR:
        case MQTT_SERVER_UNAVAILABLE:
        case MQTT_SERVER_BUSY:
        case MQTT_RATE_TOO_HIGH:
        case MQTT_QUOTA_EXCEEDED:
                return true;
        }
        return false;
}

static int finish_flight(struct device *d, struct device_flight *flight, uint8_t reason)
{
        struct device_flight done = *flight;

        flight->packet_id = 0;
        if (reason >= 0x80 && is_temporary(reason)) {
                d->hold_ms = device_now(d) + BROKER_HOLD_MS;
                d->sent = (struct outbox_place){ 0 }; /* again from the oldest, in order */
                return 0;
        }
        if (reason >= 0x80) {
                device_log(d, PORT_LOG_ERROR, "event refused by the broker: ", mqtt_reason_string(reason));
                d->counters.refused++;
        } else {
                d->counters.acknowledged++;
        }
        int r = outbox_acknowledge(d->config.outbox, done.place);
        if (r == 0 && reason < 0x80 && d->config.acknowledged)
                d->config.acknowledged(d->config.context, done.boot, done.seq);
        return r;
}

int device_take_puback(struct device *d, uint16_t packet_id, uint8_t reason)
{
        if (packet_id == d->state_packet) {
                d->state_packet = 0;
                d->online = reason < 0x80;
                return 0;
        }
        if (packet_id == d->status_packet) {
                d->status_packet = 0;
                return 0;
        }
        for (unsigned i = 0; i < DEVICE_WINDOW; i++)
                if (d->flights[i].packet_id == packet_id)
                        return finish_flight(d, &d->flights[i], reason);
        return 0;
}

static bool span_contains(struct span where, struct span what)
{
        for (size_t i = 0; i + what.size <= where.size; i++)
                if (memcmp(where.data + i, what.data, what.size) == 0)
                        return true;
        return false;
}

static bool starts_with(struct span text, struct span prefix)
{
        return text.size >= prefix.size && memcmp(text.data, prefix.data, prefix.size) == 0;
}

/* the decimal number that follows key, 0 if there is none; one that is too large counts as very large */
static uint32_t number_after(struct span text, struct span key)
{
        uint32_t number = 0;

        for (size_t at = 0; at + key.size <= text.size; at++) {
                if (memcmp(text.data + at, key.data, key.size) != 0)
                        continue;
                for (at += key.size; at < text.size && text.data[at] >= '0' && text.data[at] <= '9'; at++)
                        number = number < UINT32_MAX / 10 ? number * 10 + (text.data[at] - '0') : UINT32_MAX / 10;
                return number;
        }
        return 0;
}

static void on_relay_state(struct device *d, unsigned link, struct span payload)
{
        bool down = span_contains(payload, SPAN_LITERAL("\"uplink\":\"down\""));

        if (d->links[link].endpoint.kind != ENDPOINT_RELAY)
                return;
        failover_uplink(&d->failover, link, down, device_now(d));
        failover_crowd(&d->failover, number_after(payload, SPAN_LITERAL("\"devices\":")));
}

static int on_command(struct device *d, struct span sign1)
{
        uint64_t unix_s = 0;
        bool timed = gate_time(&d->gate, device_now(d), &unix_s);
        enum reason refusal;

        if (!d->config.commands || sign1.size == 0)
                return 0;
        int r = commands_take(d->config.commands, sign1, timed, unix_s, &refusal);
        if (r < 0 || refusal == REASON_NONE)
                return r;
        device_log(d, PORT_LOG_WARNING, "command refused: ", reason_name(refusal));
        device_report(d, "command", refusal, sign1, 0);
        return 0;
}

static int on_device_message(struct device *d, const struct topic_parts *parts, struct span payload)
{
        if (!span_equal_string(parts->device, d->config.identity))
                return 0;
        if (span_equal_string(parts->rest, "commands"))
                return on_command(d, payload);
        if (span_equal_string(parts->rest, "gate/ticket"))
                device_take_ticket(d, payload);
        if (span_equal_string(parts->rest, "updates/offer") && d->config.update)
                update_offer(d->config.update, payload, device_now(d));
        return 0;
}

static int on_message(struct device *d, unsigned link, const struct mqtt_publish *message)
{
        struct topic_parts parts;
        enum topic_kind kind = topic_parse(message->topic, &parts);

        if ((kind == TOPIC_DEVICE || kind == TOPIC_SITE) && !span_equal_string(parts.site, d->policy.site))
                return 0;
        if (kind == TOPIC_SITE && span_equal_string(parts.rest, "relay/state"))
                on_relay_state(d, link, message->payload);
        if (kind == TOPIC_DEVICE && link == d->gate_link && span_equal_string(parts.device, d->config.identity) &&
            span_equal_string(parts.rest, "gate/ticket"))
                device_take_ticket(d, message->payload);
        if (link != d->active)
                return 0;
        if (kind == TOPIC_DEVICE)
                return on_device_message(d, &parts, message->payload);
        if (kind == TOPIC_SITE) {
                int r = device_take_object(d, parts.rest, message->payload);
                if (r < 0)
                        return r;
        }
        if (!d->config.update)
                return 0;
        if (kind == TOPIC_SITE && starts_with(parts.rest, SPAN_LITERAL("approvals/")))
                update_approval(d->config.update, message->payload);
        if (kind == TOPIC_IMAGE_BLOCK || kind == TOPIC_IMAGE_LIST)
                return update_image(d->config.update, &parts, message->payload, device_now(d));
        return 0;
}

int device_take_message(struct device *d, unsigned link, const struct mqtt_publish *message)
{
        int r = on_message(d, link, message);

        if (message->qos == 1)
                (void)mqtt_client_puback(&d->links[link].client, message->packet_id, MQTT_SUCCESS);
        return r;
}
