/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A broker in memory for tests; see harness.h. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "harness.h"

static const char *const everything[] = { "#" };
static const struct access_role role_everything = { everything, 1, everything, 1 };

static void on_send(void *context, struct link *link, struct span packet)
{
        struct fake *f = (struct fake *)link;
        uint32_t size = (uint32_t)packet.size;

        (void)context;
        assert_false(f->released);
        f->bytes = realloc(f->bytes, f->size + sizeof(size) + size);
        assert_non_null(f->bytes);
        memcpy(f->bytes + f->size, &size, sizeof(size));
        memcpy(f->bytes + f->size + sizeof(size), packet.data, size);
        f->size += sizeof(size) + size;
}

static void on_close(void *context, struct link *link, uint8_t reason)
{
        struct fake *f = (struct fake *)link;

        (void)context;
        f->closed_by_hub = true;
        f->close_reason = reason;
}

static bool on_writable(void *context, const struct link *link)
{
        (void)link;
        return ((struct harness *)context)->writable;
}

static void on_release(void *context, struct link *link)
{
        (void)context;
        ((struct fake *)link)->released = true;
}

static enum reason on_command(void *context, const struct link *link, const struct topic_parts *parts,
                              struct span payload)
{
        struct harness *h = context;

        (void)link;
        span_to_string(parts->device, h->commanded, sizeof(h->commanded));
        span_to_string(payload, h->command, sizeof(h->command));
        return h->command_reason;
}

static void on_subscribed(void *context, const struct link *link)
{
        (void)link;
        ((struct harness *)context)->subscribed++;
}

static void on_delivered(void *context, const struct link *link, const struct message *message)
{
        struct harness *h = context;

        (void)link;
        span_to_string(message->payload, h->delivered, sizeof(h->delivered));
}

static const struct access_role *on_role(void *context, const char *identity)
{
        return strchr(identity, '.') ? ((struct harness *)context)->role : NULL;
}

static void on_published(void *context, const struct link *link, const struct message *message)
{
        (void)link, (void)message;
        ((struct harness *)context)->published_count++;
}

static int on_image(void *context, const struct topic_parts *parts, uint8_t **ret, size_t *ret_size)
{
        const struct harness *h = context;

        (void)parts;
        if (!h->image_payload)
                return -ENOENT;
        *ret = (uint8_t *)strdup(h->image_payload);
        *ret_size = strlen(h->image_payload);
        return 0;
}

static void on_alert(void *context, const char *identity, enum reason reason, const char *detail)
{
        struct harness *h = context;

        (void)detail;
        assert_true(h->alert_count < 64);
        snprintf(h->alerts[h->alert_count++], VIEW_TEXT_MAX, "%s %s", identity, reason_name(reason));
}

static void on_online(void *context, const struct link *link, bool online)
{
        struct harness *h = context;

        if (online && h->hand_topic)
                broker_hand(h->broker, link->identity, h->hand_topic, SPAN_LITERAL("when online"), HARNESS_TIME + 60);
        if (online)
                h->online_count++;
        else
                h->offline_count++;
}

static void answer_next(struct harness *h, struct span proof, struct broker_answer *answer)
{
        span_to_string(proof, h->proof, sizeof(h->proof));
        assert_int_equal(answer->step, BROKER_REFUSED);
        assert_int_equal(answer->mqtt_reason, MQTT_NOT_AUTHORIZED);
        if (h->answer_at < h->answer_count)
                *answer = h->answers[h->answer_at++];
}

static void on_authenticate(void *context, struct link *link, struct span method, struct span data,
                            struct broker_answer *answer)
{
        struct harness *h = context;

        h->asked_open = link->client;
        span_to_string(method, h->method, sizeof(h->method));
        answer_next(h, data, answer);
}

static void on_authenticate_more(void *context, struct link *link, struct span data, struct broker_answer *answer)
{
        struct harness *h = context;

        h->asked_open = link->client;
        answer_next(h, data, answer);
}

void harness_open_broker(struct harness *h)
{
        struct outbox_options outbox = {
                .store = h->store, .bytes_max = h->outbox_max, .drop_oldest = h->drop_oldest, .window_count = 8
        };
        struct broker_options options = {
                .site = HARNESS_SITE,
                .store = h->store,
                .now_ms = 1000,
                .time = HARNESS_TIME,
                .host = { h, on_send, on_close, on_writable, on_release, on_published, on_image, on_alert, on_online,
                          on_role, on_command, on_subscribed, on_delivered },
        };

        if (h->asks_who) {
                options.host.authenticate = on_authenticate;
                options.host.authenticate_more = on_authenticate_more;
        }
        if (!h->air_gapped)
                assert_int_equal(outbox_new(&options.outbox, &outbox), 0);
        assert_int_equal(broker_new(&h->broker, &options), 0);
}

int harness_setup(void **state)
{
        struct harness *h = calloc(1, sizeof(*h));
        struct store_options options = { .path = NULL, .size_max = 8 * 1024 * 1024 };
        char detail[200];

        assert_non_null(h);
        assert_int_equal(store_open(&options, &h->store, detail, sizeof(detail)), 0);
        h->writable = true;
        h->role = &role_everything;
        h->outbox_max = 1024 * 1024;
        harness_open_broker(h);
        *state = h;
        return 0;
}

static void free_fakes(struct harness *h)
{
        for (size_t i = 0; i < h->fake_count; i++) {
                free(h->fakes[i]->bytes);
                free(h->fakes[i]);
        }
        h->fake_count = 0;
}

int harness_teardown(void **state)
{
        struct harness *h = *state;

        broker_free(h->broker);
        store_free(h->store);
        free_fakes(h);
        free(h);
        return 0;
}

void harness_restart(struct harness *h)
{
        broker_free(h->broker);
        free_fakes(h);
        assert_int_equal(store_sync(h->store), 0);
        harness_open_broker(h);
}

void harness_turn(struct harness *h)
{
        assert_int_equal(broker_commit(h->broker), 0);
        assert_int_equal(store_sync(h->store), 0);
        assert_int_equal(broker_durable(h->broker), 0);
}

void harness_advance(struct harness *h, uint64_t seconds)
{
        broker_time(h->broker, h->broker->now_ms + 1000 * seconds, h->broker->time + seconds);
        broker_tick(h->broker);
        harness_turn(h);
}

struct fake *fake_new(struct harness *h, const char *identity)
{
        struct fake *f = calloc(1, sizeof(*f));

        assert_non_null(f);
        assert_true(h->fake_count < HARNESS_LINKS);
        h->fakes[h->fake_count++] = f;
        f->harness = h;
        f->link.refs = 1;
        snprintf(f->link.identity, sizeof(f->link.identity), "%s", identity);
        f->link.is_device = !strchr(identity, '.');
        f->link.role = f->link.is_device ? NULL : &role_everything;
        return f;
}

void fake_send(struct fake *f, const struct mqtt_packet *packet)
{
        uint8_t bytes[BROKER_PACKET_MAX];
        struct writer w;

        writer_init(&w, bytes, sizeof(bytes));
        assert_int_equal(mqtt_encode(&w, MQTT_V5, packet), RELAY_OK);
        broker_packet(f->harness->broker, &f->link, writer_span(&w));
}

static void put_method(struct mqtt_props *props, const char *method, const char *data)
{
        if (method) {
                props->present |= MQTT_PROP(MQTT_P_AUTH_METHOD);
                props->authentication_method = span_of_string(method);
        }
        if (data) {
                props->present |= MQTT_PROP(MQTT_P_AUTH_DATA);
                props->authentication_data = span_of_string(data);
        }
}

void fake_auth(struct fake *f, uint8_t reason, const char *method, const char *data)
{
        struct mqtt_packet packet = { .type = MQTT_AUTH, .ack.reason = reason };

        put_method(&packet.props, method, data);
        fake_send(f, &packet);
}

void fake_send_connect(struct fake *f, const struct fake_connect *connect)
{
        struct mqtt_packet packet = { .type = MQTT_CONNECT };
        struct mqtt_connect *c = &packet.connect;

        c->version = MQTT_V5;
        c->client_id = span_of_string(connect->client_id ? connect->client_id : f->link.identity);
        c->clean_start = connect->clean;
        put_method(&packet.props, connect->method, connect->data);
        if (connect->expiry) {
                packet.props.present |= MQTT_PROP(MQTT_P_SESSION_EXPIRY);
                packet.props.session_expiry = connect->expiry;
        }
        if (connect->receive_maximum) {
                packet.props.present |= MQTT_PROP(MQTT_P_RECEIVE_MAXIMUM);
                packet.props.receive_maximum = connect->receive_maximum;
        }
        if (connect->will_topic) {
                c->has_will = true;
                c->will_qos = 1;
                c->will_retain = connect->will_retain;
                c->will_topic = span_of_string(connect->will_topic);
                c->will_payload = span_of_string(connect->will_payload);
                c->will_props.present = connect->will_delay ? MQTT_PROP(MQTT_P_WILL_DELAY) : 0;
                c->will_props.will_delay = connect->will_delay;
        }
        fake_send(f, &packet);
}

struct fake *fake_open(struct harness *h, const char *identity, const struct fake_connect *connect, bool *present)
{
        struct fake *f = fake_new(h, identity);
        struct mqtt_packet packet;

        fake_send_connect(f, connect);
        fake_expect(f, MQTT_CONNACK, &packet);
        assert_int_equal(packet.ack.reason, MQTT_SUCCESS);
        if (present)
                *present = packet.ack.session_present;
        return f;
}

void fake_publish(struct fake *f, const char *topic, const char *payload, uint8_t qos, uint16_t packet_id, bool retain)
{
        struct mqtt_packet packet = { .type = MQTT_PUBLISH };

        packet.publish = (struct mqtt_publish){ .qos = qos,
                                                .packet_id = packet_id,
                                                .retain = retain,
                                                .topic = span_of_string(topic),
                                                .payload = span_of_string(payload) };
        fake_send(f, &packet);
}

void fake_event(struct fake *f, const char *topic, const char *payload, uint16_t packet_id, const char *boot,
                const char *seq)
{
        struct mqtt_packet packet = { .type = MQTT_PUBLISH };
        uint8_t user[100];
        struct writer w;

        writer_init(&w, user, sizeof(user));
        mqtt_user_put(&w, SPAN_LITERAL("seq"), span_of_string(seq));
        mqtt_user_put(&w, SPAN_LITERAL("boot"), span_of_string(boot));
        packet.props.present = MQTT_PROP(MQTT_P_USER);
        packet.props.user = writer_span(&w);
        packet.publish = (struct mqtt_publish){
                .qos = 1, .packet_id = packet_id, .topic = span_of_string(topic), .payload = span_of_string(payload)
        };
        fake_send(f, &packet);
}

void fake_ack(struct fake *f, enum mqtt_type type, uint16_t packet_id)
{
        struct mqtt_packet packet = { .type = type };

        packet.ack.packet_id = packet_id;
        fake_send(f, &packet);
}

uint8_t fake_subscribe(struct fake *f, struct mqtt_filter filter, uint32_t id)
{
        struct mqtt_packet packet = { .type = MQTT_SUBSCRIBE };
        uint8_t bytes[1000];
        struct writer w;

        writer_init(&w, bytes, sizeof(bytes));
        mqtt_filter_put(&w, &filter, true);
        packet.subscribe = (struct mqtt_subscribe){ 77, writer_span(&w), 1 };
        packet.props.present = id ? MQTT_PROP(MQTT_P_SUBSCRIPTION_ID) : 0;
        packet.props.subscription_id = id;
        fake_send(f, &packet);
        fake_expect(f, MQTT_SUBACK, &packet);
        assert_int_equal(packet.suback.packet_id, 77);
        assert_int_equal(packet.suback.reasons.size, 1);
        return packet.suback.reasons.data[0];
}

uint8_t fake_subscribe_to(struct fake *f, const char *filter, uint8_t qos)
{
        return fake_subscribe(f, (struct mqtt_filter){ .filter = span_of_string(filter), .qos = qos }, 0);
}

bool fake_next(struct fake *f, struct mqtt_packet *packet)
{
        uint32_t size;
        size_t consumed;
        uint8_t reason;

        if (f->at == f->size)
                return false;
        memcpy(&size, f->bytes + f->at, sizeof(size));
        assert_int_equal(mqtt_decode(span_of(f->bytes + f->at + sizeof(size), size), MQTT_V5, BROKER_PACKET_MAX, packet,
                                     &consumed, &reason),
                         RELAY_OK);
        assert_int_equal(consumed, size);
        f->at += sizeof(size) + size;
        return true;
}

void fake_expect(struct fake *f, enum mqtt_type type, struct mqtt_packet *packet)
{
        assert_true(fake_next(f, packet));
        assert_string_equal(mqtt_type_string(packet->type), mqtt_type_string(type));
}

void fake_expect_publish(struct fake *f, const char *topic, const char *payload, uint8_t qos,
                         struct mqtt_packet *packet)
{
        struct mqtt_packet own;

        if (!packet)
                packet = &own;
        fake_expect(f, MQTT_PUBLISH, packet);
        assert_true(span_equal_string(packet->publish.topic, topic));
        assert_true(span_equal_string(packet->publish.payload, payload));
        assert_int_equal(packet->publish.qos, qos);
}

void fake_expect_ack(struct fake *f, enum mqtt_type type, uint16_t packet_id, uint8_t reason)
{
        struct mqtt_packet packet;

        fake_expect(f, type, &packet);
        assert_int_equal(packet.ack.packet_id, packet_id);
        assert_int_equal(packet.ack.reason, reason);
}

void fake_expect_nothing(struct fake *f)
{
        struct mqtt_packet packet;

        if (fake_next(f, &packet))
                fail_msg("unexpected %s", mqtt_type_string(packet.type));
}
