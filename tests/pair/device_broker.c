/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "device_broker.h"

#include <stdlib.h>

uint32_t net_random(struct net *net, uint32_t below)
{
        net->random ^= net->random << 13;
        net->random ^= net->random >> 17;
        net->random ^= net->random << 5;
        return below > 0 ? net->random % below : 0;
}

/* ---- the device's side: port/tls.h */

static int port_open(void *context, unsigned link, const struct tls_target *target)
{
        struct net *net = context;
        struct connection *c = &net->connections[link];

        assert_false(c->open);
        assert_true(target->pin_count >= 1);
        memset(c, 0, sizeof(*c));
        c->open = true;
        c->broker = target->port - 1u;
        assert_true(c->broker < BROKERS);
        assert_int_equal(target->pins[0][0], target->port);
        c->refused = !net->reachable[c->broker];
        c->ready_at = net->now + 5 + net_random(net, 30);
        if (net_random(net, 100) < net->cut_percent)
                c->cut_after = 1 + net_random(net, 4000);
        net->connects++;
        net->attempts[c->broker]++;
        return 0;
}

static int port_handshake(void *context, unsigned link)
{
        struct net *net = context;
        struct connection *c = &net->connections[link];

        assert_true(c->open);
        if (net->silent[c->broker])
                return PORT_WANT;
        if (c->refused)
                return PORT_E_REFUSED;
        return net->now < c->ready_at ? PORT_WANT : 0;
}

static bool is_cut(const struct net *net, const struct connection *c)
{
        return !net->reachable[c->broker] || (c->cut_after > 0 && c->bytes >= c->cut_after);
}

static int port_send(void *context, unsigned link, struct span data, size_t *done)
{
        struct net *net = context;
        struct connection *c = &net->connections[link];
        size_t n = 1 + net_random(net, 700); /* partial writes */

        assert_true(c->open);
        if (is_cut(net, c))
                return PORT_E_IO;
        if (n > data.size)
                n = data.size;
        if (c->cut_after > 0 && c->bytes + n > c->cut_after)
                n = c->cut_after - c->bytes;
        if (c->to_broker.fill + n > PIPE_SIZE)
                return PORT_WANT;
        memcpy(c->to_broker.bytes + c->to_broker.fill, data.data, n);
        c->to_broker.fill += n;
        c->bytes += n;
        *done = n;
        return 0;
}

static int port_receive(void *context, unsigned link, void *out, size_t size, size_t *done)
{
        struct net *net = context;
        struct connection *c = &net->connections[link];
        size_t n = 1 + net_random(net, 300);

        assert_true(c->open);
        if (is_cut(net, c))
                return PORT_E_IO;
        if (c->to_device.fill == 0)
                return PORT_WANT;
        if (n > c->to_device.fill)
                n = c->to_device.fill;
        if (n > size)
                n = size;
        memcpy(out, c->to_device.bytes, n);
        c->to_device.fill -= n;
        memmove(c->to_device.bytes, c->to_device.bytes + n, c->to_device.fill);
        c->bytes += n;
        *done = n;
        return 0;
}

static void store_retained(struct net *net, unsigned broker, struct span topic, struct span payload);

static void end_connection(struct net *net, struct connection *c, bool with_will)
{
        if (c->connected && c->has_will && with_will)
                store_retained(net, c->broker, span_of_string(c->will_topic), span_of(c->will, c->will_size));
        c->connected = false;
}

static void port_close(void *context, unsigned link)
{
        struct net *net = context;
        struct connection *c = &net->connections[link];

        net_run(net); /* what was sent before the end arrives */
        if (c->open)
                end_connection(net, c, true);
        c->open = false;
}

void net_init(struct net *net, uint32_t seed)
{
        memset(net, 0, sizeof(*net));
        net->random = seed * 2654435761u + 1;
        net->now = 1000;
        for (unsigned i = 0; i < BROKERS; i++)
                net->reachable[i] = true;
        net->port = (struct port_tls){ port_open, port_handshake, port_send, port_receive, port_close, net };
}

/* ---- the brokers */

void net_answer(struct connection *c, const struct mqtt_packet *packet)
{
        struct writer w;

        writer_init(&w, c->to_device.bytes + c->to_device.fill, PIPE_SIZE - c->to_device.fill);
        assert_int_equal(mqtt_encode(&w, MQTT_V5, packet), RELAY_OK);
        c->to_device.fill += writer_needed(&w);
}

void net_bytes(struct connection *c, struct span bytes)
{
        assert_true(bytes.size <= PIPE_SIZE - c->to_device.fill);
        memcpy(c->to_device.bytes + c->to_device.fill, bytes.data, bytes.size);
        c->to_device.fill += bytes.size;
}

static void send_publish(struct connection *c, struct span topic, struct span payload, bool retain)
{
        struct mqtt_packet p = { .type = MQTT_PUBLISH };

        p.publish.topic = topic;
        p.publish.payload = payload;
        p.publish.retain = retain;
        net_answer(c, &p);
}

static void store_retained(struct net *net, unsigned broker, struct span topic, struct span payload)
{
        struct retained *free_one = NULL;

        assert_true(topic.size < TOPIC_MAX && payload.size <= sizeof(free_one->payload));
        for (unsigned i = 0; i < RETAINED_MAX; i++) {
                struct retained *r = &net->retained[broker][i];
                if (span_equal_string(topic, r->topic) || (!free_one && r->topic[0] == '\0'))
                        free_one = r;
                if (span_equal_string(topic, r->topic))
                        break;
        }
        assert_non_null(free_one);
        assert_true(span_to_string(topic, free_one->topic, sizeof(free_one->topic)));
        memcpy(free_one->payload, payload.data, payload.size);
        free_one->size = payload.size;
}

const struct retained *net_find(const struct net *net, unsigned broker, const char *topic)
{
        for (unsigned i = 0; i < RETAINED_MAX; i++)
                if (strcmp(net->retained[broker][i].topic, topic) == 0)
                        return &net->retained[broker][i];
        return NULL;
}

static bool is_subscribed(const struct connection *c, struct span topic)
{
        for (size_t i = 0; i < c->filter_count; i++)
                if (topic_matches(span_of_string(c->filters[i]), topic))
                        return true;
        return false;
}

static bool send_to_subscribers(struct net *net, unsigned broker, struct span topic, struct span payload)
{
        bool sent = false;

        for (unsigned i = 0; i < PORT_LINKS; i++) {
                struct connection *c = &net->connections[i];
                if (c->open && c->connected && c->broker == broker && is_subscribed(c, topic)) {
                        send_publish(c, topic, payload, false);
                        sent = true;
                }
        }
        return sent;
}

bool net_send(struct net *net, unsigned broker, const char *topic, struct span payload)
{
        return send_to_subscribers(net, broker, span_of_string(topic), payload);
}

void net_retain(struct net *net, unsigned broker, const char *topic, struct span payload)
{
        store_retained(net, broker, span_of_string(topic), payload);
        (void)send_to_subscribers(net, broker, span_of_string(topic), payload);
}

bool net_is_subscribed(const struct net *net, unsigned broker, const char *topic)
{
        for (unsigned i = 0; i < PORT_LINKS; i++) {
                const struct connection *c = &net->connections[i];
                if (c->open && c->connected && c->broker == broker && is_subscribed(c, span_of_string(topic)))
                        return true;
        }
        return false;
}

unsigned net_count_told(const struct net *net, const char *rest)
{
        unsigned count = 0;

        for (size_t i = 0; i < net->told_count; i++)
                count += strcmp(net->told[i].rest, rest) == 0;
        return count;
}

const struct told *net_told(const struct net *net, const char *rest)
{
        const struct told *last = NULL;

        for (size_t i = 0; i < net->told_count; i++)
                if (strcmp(net->told[i].rest, rest) == 0)
                        last = &net->told[i];
        return last;
}

static void note_told(struct net *net, unsigned broker, struct span rest, struct span payload)
{
        if (net->told_count == TOLD_MAX) /* the oldest is forgotten */
                memmove(&net->told[0], &net->told[1], --net->told_count * sizeof(net->told[0]));
        struct told *told = &net->told[net->told_count++];

        assert_true(payload.size < sizeof(told->payload));
        told->broker = broker;
        assert_true(span_to_string(rest, told->rest, sizeof(told->rest)));
        memcpy(told->payload, payload.data, payload.size);
        told->payload[payload.size] = '\0';
        told->size = payload.size;
}

const struct received *net_event(const struct net *net, uint32_t boot, uint64_t seq)
{
        for (size_t i = 0; i < net->event_count; i++)
                if (net->events[i].boot == boot && net->events[i].seq == seq)
                        return &net->events[i];
        return NULL;
}

static uint64_t number(const struct mqtt_packet *p, const char *name)
{
        char text[24];
        struct span value;

        assert_true(mqtt_user_find(&p->props, name, &value));
        assert_true(span_to_string(value, text, sizeof(text)));
        return strtoull(text, NULL, 10);
}

static bool is_behind(uint32_t boot, uint64_t seq, uint32_t last_boot, uint64_t last_seq)
{
        return boot < last_boot || (boot == last_boot && seq <= last_seq);
}

static void take_event(struct net *net, struct connection *c, const struct mqtt_packet *p, struct span name)
{
        uint32_t boot = (uint32_t)number(p, "boot");
        uint64_t seq = number(p, "seq");
        /* on one connection keys rise, repeats of other connections' included, unless a refusal made it begin again */
        net->out_of_order = net->out_of_order || (net->refuse_percent == 0 && is_behind(boot, seq, c->boot, c->seq));
        c->boot = boot;
        c->seq = seq;
        struct received *known = (struct received *)net_event(net, boot, seq);

        if (known) { /* a repeat: the same key means the same event */
                assert_true(span_equal(p->publish.payload, span_of(known->payload, known->payload_size)));
                known->times++;
                return;
        }
        assert_true(net->event_count < EVENTS_MAX && p->publish.payload.size <= sizeof(known->payload));
        if (net->event_count > 0) {
                const struct received *last = &net->events[net->event_count - 1];
                net->out_of_order = net->out_of_order || is_behind(boot, seq, last->boot, last->seq);
        }
        known = &net->events[net->event_count++];
        *known = (struct received){ .boot = boot, .seq = seq, .payload_size = p->publish.payload.size, .times = 1 };
        memcpy(known->payload, p->publish.payload.data, p->publish.payload.size);
        assert_true(name.size <= sizeof(known->name));
        memcpy(known->name, name.data, name.size);
        known->name_size = name.size;
}

static void on_publish(struct net *net, struct connection *c, const struct mqtt_packet *p)
{
        struct mqtt_packet ack = { .type = MQTT_PUBACK, .ack = { .packet_id = p->publish.packet_id } };
        struct topic_parts parts;

        assert_int_equal(p->publish.qos, 1);
        assert_int_equal(topic_parse(p->publish.topic, &parts), TOPIC_DEVICE);
        assert_true(span_equal_string(parts.device, "device-1"));
        bool event = parts.rest.size > 7 && memcmp(parts.rest.data, "events/", 7) == 0;
        if (event && net_random(net, 100) < net->refuse_percent)
                ack.ack.reason = MQTT_QUOTA_EXCEEDED;
        else if (event)
                take_event(net, c, p, span_slice(parts.rest, 7, parts.rest.size));
        else if (p->publish.retain)
                store_retained(net, c->broker, p->publish.topic, p->publish.payload);
        else
                note_told(net, c->broker, parts.rest, p->publish.payload);
        net_answer(c, &ack);
        if (span_equal_string(parts.rest, "gate/request") && net->on_question)
                net->on_question(net, c->broker, p->publish.payload);
}

static void on_subscribe(struct net *net, struct connection *c, const struct mqtt_packet *p)
{
        static const uint8_t granted[8] = { 1, 1, 1, 1, 1, 1, 1, 1 };
        struct mqtt_packet ack = { .type = MQTT_SUBACK };
        struct mqtt_filters filters;
        struct mqtt_filter filter;
        char text[TOPIC_MAX];

        assert_true(p->subscribe.count <= sizeof(granted));
        ack.suback.packet_id = p->subscribe.packet_id;
        ack.suback.reasons = span_of(granted, p->subscribe.count);
        net_answer(c, &ack);
        mqtt_filters_init(&filters, p);
        while (mqtt_filters_next(&filters, &filter)) {
                assert_true(span_to_string(filter.filter, text, sizeof(text)));
                if (!is_subscribed(c, filter.filter)) {
                        assert_true(c->filter_count < FILTERS_MAX);
                        strcpy(c->filters[c->filter_count++], text);
                }
                const struct retained *r = net_find(net, c->broker, text);
                if (r)
                        send_publish(c, span_of_string(r->topic), span_of(r->payload, r->size), true);
        }
}

void net_auth(struct connection *c, uint8_t reason, const char *method, struct span data)
{
        struct mqtt_packet p = { .type = MQTT_AUTH, .ack = { .reason = reason } };

        p.props.present = MQTT_PROP(MQTT_P_AUTH_DATA) | (method ? MQTT_PROP(MQTT_P_AUTH_METHOD) : 0);
        p.props.authentication_method = span_of_string(method);
        p.props.authentication_data = data;
        net_answer(c, &p);
}

void net_connack(struct connection *c, uint8_t reason, const char *method)
{
        struct mqtt_packet ack = { .type = MQTT_CONNACK, .ack = { .reason = reason } };

        if (method) {
                ack.props.present = MQTT_PROP(MQTT_P_AUTH_METHOD);
                ack.props.authentication_method = span_of_string(method);
        }
        net_answer(c, &ack);
}

struct span net_challenge(struct net *net, unsigned broker, uint8_t out[ATTEST_CHALLENGE_MAX])
{
        struct attest_challenge challenge;
        struct writer w;

        for (size_t i = 0; i < sizeof(challenge.nonce); i++)
                challenge.nonce[i] = (uint8_t)net_random(net, 256);
        memset(challenge.relay, (int)(broker + 1), SHA256_SIZE);
        writer_init(&w, out, ATTEST_CHALLENGE_MAX);
        assert_int_equal(attest_challenge_encode(&w, &challenge), RELAY_OK);
        return writer_span(&w);
}

static void accept_session(struct net *net, struct connection *c, const char *method)
{
        c->connected = true;
        net->sessions[c->broker]++;
        net_connack(c, MQTT_SUCCESS, method);
}

static void challenge(struct net *net, struct connection *c)
{
        uint8_t bytes[ATTEST_CHALLENGE_MAX];

        if (!net->knows_attest[c->broker]) {
                net_connack(c, MQTT_BAD_AUTH_METHOD, NULL);
                return;
        }
        c->challenged = true;
        net->challenges++;
        net_auth(c, MQTT_CONTINUE_AUTHENTICATION, ATTEST_METHOD, net_challenge(net, c->broker, bytes));
}

static void on_connect(struct net *net, struct connection *c, const struct mqtt_packet *p)
{
        assert_true(span_equal_string(p->connect.client_id, "device-1"));
        c->has_will = p->connect.has_will;
        if (c->has_will) {
                assert_true(p->connect.will_retain);
                assert_true(span_to_string(p->connect.will_topic, c->will_topic, sizeof(c->will_topic)));
                memcpy(c->will, p->connect.will_payload.data, p->connect.will_payload.size);
                c->will_size = p->connect.will_payload.size;
        }
        if (p->props.present & MQTT_PROP(MQTT_P_AUTH_METHOD)) {
                assert_true(span_equal_string(p->props.authentication_method, ATTEST_METHOD));
                challenge(net, c);
                return;
        }
        net->plain[c->broker]++;
        accept_session(net, c, NULL);
}

static void on_auth(struct net *net, struct connection *c, const struct mqtt_packet *p)
{
        assert_true(c->challenged && !c->connected);
        assert_int_equal(p->ack.reason, MQTT_CONTINUE_AUTHENTICATION);
        assert_true(span_equal_string(p->props.authentication_method, ATTEST_METHOD));
        assert_in_range(p->props.authentication_data.size, 1, sizeof(net->statement));
        memcpy(net->statement, p->props.authentication_data.data, p->props.authentication_data.size);
        net->statement_size = p->props.authentication_data.size;
        net->proofs++;
        accept_session(net, c, ATTEST_METHOD);
}

static void on_unsubscribe(struct connection *c, const struct mqtt_packet *p)
{
        static const uint8_t done[8];
        struct mqtt_packet ack = { .type = MQTT_UNSUBACK };
        struct mqtt_filters filters;
        struct mqtt_filter filter;

        assert_true(p->subscribe.count <= sizeof(done));
        ack.suback.packet_id = p->subscribe.packet_id;
        ack.suback.reasons = span_of(done, p->subscribe.count);
        net_answer(c, &ack);
        mqtt_filters_init(&filters, p);
        while (mqtt_filters_next(&filters, &filter))
                for (size_t i = 0; i < c->filter_count; i++)
                        if (span_equal_string(filter.filter, c->filters[i]))
                                memmove(c->filters[i], c->filters[--c->filter_count], TOPIC_MAX);
}

static void on_packet(struct net *net, struct connection *c, const struct mqtt_packet *p)
{
        struct mqtt_packet pong = { .type = MQTT_PINGRESP };

        if (net->on_packet && net->on_packet(net, c, p))
                return;
        if (p->type == MQTT_CONNECT)
                on_connect(net, c, p);
        else if (p->type == MQTT_PUBLISH)
                on_publish(net, c, p);
        else if (p->type == MQTT_SUBSCRIBE)
                on_subscribe(net, c, p);
        else if (p->type == MQTT_UNSUBSCRIBE)
                on_unsubscribe(c, p);
        else if (p->type == MQTT_PINGREQ)
                net_answer(c, &pong);
        else if (p->type == MQTT_DISCONNECT)
                end_connection(net, c, p->ack.reason == MQTT_DISCONNECT_WITH_WILL);
        else if (p->type == MQTT_AUTH)
                on_auth(net, c, p);
        else
                assert_int_equal(p->type, MQTT_PUBACK);
}

static void run_connection(struct net *net, struct connection *c)
{
        struct mqtt_packet p;
        size_t consumed;
        uint8_t reason;

        for (;;) {
                struct span in = span_of(c->to_broker.bytes, c->to_broker.fill);
                int version = c->greeted ? MQTT_V5 : 0;
                int r = mqtt_decode(in, version, 10000, &p, &consumed, &reason);
                if (r == RELAY_MORE)
                        return;
                assert_int_equal(r, RELAY_OK);
                c->greeted = true;
                on_packet(net, c, &p);
                c->to_broker.fill -= consumed;
                memmove(c->to_broker.bytes, c->to_broker.bytes + consumed, c->to_broker.fill);
        }
}

void net_run(struct net *net)
{
        for (unsigned i = 0; i < PORT_LINKS; i++) {
                struct connection *c = &net->connections[i];
                if (!c->open || !net->reachable[c->broker] || net->silent[c->broker])
                        continue;
                if (net_random(net, 4) > 0)
                        run_connection(net, c);
        }
}

void net_cut(struct net *net, unsigned broker)
{
        net->reachable[broker] = false;
        for (unsigned i = 0; i < PORT_LINKS; i++)
                if (net->connections[i].open && net->connections[i].broker == broker)
                        end_connection(net, &net->connections[i], true);
}
