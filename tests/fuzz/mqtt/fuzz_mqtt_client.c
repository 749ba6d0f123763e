/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Client engine against a broker of any mind. Input: records of one operation byte, and for the broker's bytes a size
 * byte and so many bytes. Whatever comes in, what goes out is well-formed MQTT 5, and CLOSED comes once and last.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "relay/mqttclient.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct run {
        struct mqtt_client c;
        uint8_t rx[512], tx[512], out[65536];
        size_t out_fill;
        uint64_t now;
        unsigned unanswered;
        bool closed;
};

static void require(bool condition)
{
        if (!condition)
                abort();
}

static void check_output(struct run *run)
{
        struct span out = span_of(run->out, run->out_fill);
        struct mqtt_packet packet;
        size_t consumed;
        uint8_t reason;
        while (out.size > 0) {
                int result = mqtt_decode(out, MQTT_V5, SIZE_MAX, &packet, &consumed, &reason);
                require(result >= 0);
                if (result == RELAY_MORE)
                        return;
                out = span_slice(out, consumed, out.size);
        }
}

static void send(struct run *run, size_t most)
{
        struct span out = span_slice(mqtt_client_output(&run->c), 0, most);
        if (run->out_fill + out.size <= sizeof(run->out) && out.size > 0)
                memcpy(run->out + run->out_fill, out.data, out.size);
        run->out_fill += out.size;
        mqtt_client_sent(&run->c, out.size, run->now);
}

static void take_events(struct run *run)
{
        struct mqtt_client_event event;
        while (mqtt_client_next(&run->c, &event) == RELAY_OK) {
                require(!run->closed);
                run->closed = event.type == MQTT_CLIENT_EVENT_CLOSED;
                if (event.type == MQTT_CLIENT_EVENT_PUBLISH && event.packet.publish.qos == 1) {
                        if (mqtt_client_puback(&run->c, event.packet.publish.packet_id, 0) != RELAY_OK)
                                run->unanswered++;
                }
                if (event.type == MQTT_CLIENT_EVENT_AUTH) {
                        require(run->c.authentication_method.size > 0 && run->c.state == MQTT_CLIENT_CONNECTING);
                        if (run->now == 0) /* a caller may refuse, or wait */
                                (void)mqtt_client_auth(&run->c, event.packet.props.authentication_data);
                        else
                                mqtt_client_refuse(&run->c, MQTT_NOT_AUTHORIZED);
                }
                if (event.type == MQTT_CLIENT_EVENT_CONNACK && event.reason == MQTT_SUCCESS)
                        require(span_equal(event.packet.props.authentication_method, run->c.authentication_method));
                require(run->c.in_flight <= MQTT_CLIENT_PUBLISHES_MAX);
        }
}

static void operate(struct run *run, uint8_t operation)
{
        static const uint8_t filter[] = { 0, 1, 'a', 1 };
        struct mqtt_publish publish = { .qos = operation & 1, .topic = SPAN_LITERAL("t"), .payload = SPAN_OF(filter) };
        switch (operation % 5) {
        case 0:
                (void)mqtt_client_publish(&run->c, &publish, NULL, NULL);
                break;
        case 1:
                (void)mqtt_client_subscribe(&run->c, SPAN_OF(filter), 1, NULL);
                break;
        case 2:
                (void)mqtt_client_unsubscribe(&run->c, span_of(filter, 3), 1, NULL);
                break;
        case 3:
                run->now += 1000 * (uint64_t)operation;
                mqtt_client_tick(&run->c, run->now);
                break;
        case 4:
                send(run, operation);
                break;
        }
        take_events(run);
}

static void broker_sends(struct run *run, struct span bytes)
{
        while (bytes.size > 0 && !run->closed) {
                size_t taken = mqtt_client_input(&run->c, bytes, run->now);
                take_events(run);
                bytes = span_slice(bytes, taken, bytes.size);
                require(taken > 0 || run->closed);
        }
}

static void run_one(const uint8_t *data, size_t size, struct span method)
{
        static struct run run;
        struct mqtt_client_config config = { .client_id = SPAN_LITERAL("d"),
                                             .keep_alive_s = 30,
                                             .receive_maximum = 3,
                                             .connack_timeout_ms = 5000,
                                             .authentication_method = method };
        size_t at = 0;
        memset(&run, 0, sizeof(run));
        mqtt_client_init(&run.c, run.rx, sizeof(run.rx), run.tx, sizeof(run.tx), 0);
        require(mqtt_client_connect(&run.c, &config, 0) == RELAY_OK);
        while (at < size) {
                uint8_t operation = data[at++];
                if (operation < 0x80) {
                        operate(&run, operation);
                        continue;
                }
                struct span bytes = span_slice(span_of(data, size), at, operation & 0x7F);
                at += bytes.size;
                broker_sends(&run, bytes);
        }
        send(&run, SIZE_MAX);
        if (run.out_fill <= sizeof(run.out))
                check_output(&run);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        run_one(data, size, SPAN_EMPTY);
        run_one(data, size, SPAN_LITERAL("DICE-1"));
        return 0;
}
