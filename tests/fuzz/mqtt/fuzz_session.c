/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Session engine between a client and a hub of any mind. Input: records of one operation byte (high half: which; low
 * half: argument) and, for bytes of the client or the hub, a size byte and so many bytes. Whatever comes in, the hub is
 * given only well-formed normalised packets, the client is sent only well-formed packets of its version, and CLOSE
 * comes once and last.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "session/session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PACKET_MAX 512

static const struct session_limits limits = { PACKET_MAX, 5, 4, 60, 5000, 1024 };

struct run {
        struct session *s;
        uint64_t now;
        bool closed;
        bool opened;             /* an honest hub answered CONNACK */
        uint8_t answers[16][16]; /* what an honest hub would answer */
        size_t answer_sizes[16], answer_count;
        uint8_t out[65536];
        size_t out_fill;
};

static void require(bool condition)
{
        if (!condition)
                abort();
}

/* An honest hub has one method, "m", and is content with any answer to its question. */
static void plan_proof(struct run *run, const struct mqtt_packet *packet, struct mqtt_packet *p)
{
        bool answered = packet->type == MQTT_AUTH && packet->ack.reason == MQTT_CONTINUE_AUTHENTICATION;
        p->type = answered && !run->opened ? MQTT_CONNACK : MQTT_AUTH;
        p->ack.reason = answered ? MQTT_SUCCESS : MQTT_CONTINUE_AUTHENTICATION;
        p->props.present = MQTT_PROP(MQTT_P_AUTH_METHOD);
        p->props.authentication_method = SPAN_LITERAL("m");
}

static void plan(struct run *run, const struct mqtt_packet *packet)
{
        struct mqtt_packet p = { .type = MQTT_CONNACK };
        static const uint8_t granted[4];
        if (packet->type == MQTT_PUBLISH && packet->publish.qos > 0) {
                p.type = packet->publish.qos == 1 ? MQTT_PUBACK : MQTT_PUBREC;
                p.ack.packet_id = packet->publish.packet_id;
        } else if (packet->type == MQTT_PUBREL || packet->type == MQTT_PUBREC) {
                p.type = packet->type == MQTT_PUBREL ? MQTT_PUBCOMP : MQTT_PUBREL;
                p.ack.packet_id = packet->ack.packet_id;
        } else if (packet->type == MQTT_SUBSCRIBE || packet->type == MQTT_UNSUBSCRIBE) {
                p.type = packet->type == MQTT_SUBSCRIBE ? MQTT_SUBACK : MQTT_UNSUBACK;
                p.suback = (struct mqtt_suback){ packet->subscribe.packet_id, span_of(granted, 1) };
        } else if (packet->props.present & MQTT_PROP(MQTT_P_AUTH_METHOD)) {
                plan_proof(run, packet, &p);
        } else if (packet->type != MQTT_CONNECT) {
                return;
        }
        if (run->answer_count == 16)
                return;
        run->opened |= p.type == MQTT_CONNACK;
        struct writer w;
        writer_init(&w, run->answers[run->answer_count], sizeof(run->answers[0]));
        require(mqtt_encode(&w, MQTT_V5, &p) == RELAY_OK);
        run->answer_sizes[run->answer_count++] = writer_needed(&w);
}

static unsigned take_events(struct run *run)
{
        struct session_event event;
        unsigned count = 0;
        for (; session_next(run->s, &event) == 0; count++) {
                struct mqtt_packet packet;
                size_t consumed;
                uint8_t reason;
                require(!run->closed);
                if (event.type == SESSION_EVENT_CLOSE) {
                        run->closed = true;
                        continue;
                }
                require(event.packet.size <= PACKET_MAX);
                require(mqtt_decode(event.packet, MQTT_V5, SIZE_MAX, &packet, &consumed, &reason) == RELAY_OK);
                require(consumed == event.packet.size);
                require(!(packet.props.present & MQTT_PROP(MQTT_P_TOPIC_ALIAS)));
                if (packet.type == MQTT_CONNECT)
                        require(packet.connect.version == MQTT_V5 && !packet.connect.has_password);
                plan(run, &packet);
        }
        return count;
}

/* as long as the session takes input, each turn brings bytes or events forward */
static void client_sends(struct run *run, struct span bytes)
{
        while (bytes.size > 0 && session_takes_input(run->s)) {
                size_t taken = session_input(run->s, bytes, run->now);
                require(taken <= bytes.size);
                require(take_events(run) > 0 || taken > 0 || !session_takes_input(run->s));
                bytes = span_slice(bytes, taken, bytes.size);
        }
        if (!session_takes_input(run->s))
                require(session_input(run->s, bytes, run->now) == 0);
}

static void send(struct run *run, size_t most)
{
        struct span out = span_slice(session_output(run->s), 0, most);
        if (run->out_fill + out.size <= sizeof(run->out) && out.size > 0)
                memcpy(run->out + run->out_fill, out.data, out.size);
        run->out_fill += out.size;
        session_sent(run->s, out.size, run->now);
}

/* the version is told by the CONNACK, whose 3.1.1 form has exactly two bytes */
static void check_output(const struct run *run)
{
        struct span out = span_of(run->out, run->out_fill);
        int version = out.size >= 2 && out.data[1] == 2 ? MQTT_V311 : MQTT_V5;
        while (out.size > 0) {
                struct mqtt_packet packet;
                size_t consumed;
                uint8_t reason;
                require(mqtt_decode(out, version, SIZE_MAX, &packet, &consumed, &reason) == RELAY_OK);
                out = span_slice(out, consumed, out.size);
        }
}

static void honest_answer(struct run *run)
{
        if (run->answer_count == 0)
                return;
        struct span answer = span_of(run->answers[0], run->answer_sizes[0]);
        (void)session_from_hub(run->s, answer, run->now);
        run->answer_count--;
        memmove(run->answers, run->answers + 1, sizeof(run->answers[0]) * run->answer_count);
        memmove(run->answer_sizes, run->answer_sizes + 1, sizeof(run->answer_sizes[0]) * run->answer_count);
}

/* gives how many bytes of rest it used */
static size_t operate(struct run *run, uint8_t operation, struct span rest)
{
        struct span bytes = rest.size ? span_slice(rest, 1, rest.data[0]) : SPAN_EMPTY;
        size_t used = rest.size ? 1 + bytes.size : 0;
        switch (operation >> 4) {
        case 0:
                require(session_admit(run->s, span_of_string("device-1"), run->now) == 0);
                used = 0;
                break;
        case 1:
                session_refuse(run->s, MQTT_NOT_AUTHORIZED);
                used = 0;
                break;
        case 2:
                session_close(run->s, MQTT_SHUTTING_DOWN);
                used = 0;
                break;
        case 3:
                run->now += (operation & 15) * UINT64_C(10000);
                session_tick(run->s, run->now);
                used = 0;
                break;
        case 4:
        case 5:
                send(run, (size_t)(operation & 31) * 8);
                used = 0;
                break;
        case 6:
        case 7:
                honest_answer(run);
                used = 0;
                break;
        case 8:
        case 9:
                (void)session_from_hub(run->s, bytes, run->now);
                break;
        default:
                client_sends(run, bytes);
                break;
        }
        (void)take_events(run);
        return used;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static struct run run;
        struct span all = span_of(data, size);
        memset(&run, 0, sizeof(run));
        require(session_new(&run.s, &limits, 0) == 0);
        for (size_t at = 0; at < size;) {
                uint8_t operation = data[at++];
                at += operate(&run, operation, span_slice(all, at, size));
        }
        send(&run, SIZE_MAX);
        if (run.out_fill <= sizeof(run.out))
                check_output(&run);
        run.s = session_free(run.s);
        return 0;
}
