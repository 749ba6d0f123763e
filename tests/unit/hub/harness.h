/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * A broker on a store in memory, with clients that are arrays of packets: what the broker sends to a client is kept
 * and read back one by one. Time stands still unless a test moves it; nothing is durable before harness_turn().
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "hub/broker.h"
#include "hub/views.h"

#define HARNESS_SITE  "s1"
#define HARNESS_TIME  UINT64_C(1763800000)
#define HARNESS_LINKS 96

struct harness;

struct fake {
        struct link link; /* first: the broker's view */
        struct harness *harness;
        bool released, closed_by_hub;
        uint8_t close_reason;
        uint8_t *bytes; /* packets, each with a u32 size before it */
        size_t size, at;
};

struct harness {
        struct store *store;
        struct broker *broker;
        bool air_gapped;
        uint64_t outbox_max;
        bool drop_oldest;
        struct fake *fakes[HARNESS_LINKS];
        size_t fake_count;
        bool writable;
        char alerts[64][VIEW_TEXT_MAX]; /* "identity reason" */
        size_t alert_count;
        size_t published_count, online_count, offline_count;
        const struct access_role *role;                /* what names with a dot may do now; set by harness_setup() */
        const char *image_payload;                     /* NULL: no image piece is here */
        char commanded[IDENTITY_MAX + 1], command[32]; /* device and payload of the last command */
        enum reason command_reason;                    /* answer to the next ones */
        size_t subscribed;
        const char *hand_topic;          /* something is handed over here to who comes online */
        char delivered[32];              /* payload a device acknowledged last */
        bool asks_who;                   /* who comes is asked who it is; set it before harness_open_broker() */
        struct broker_answer answers[4]; /* of the host, one after the other; then it refuses */
        size_t answer_count, answer_at;
        char method[32], proof[32]; /* what the host was shown last */
        bool asked_open;            /* of a session that is open */
};

int harness_setup(void **state); /* *state: struct harness * */
int harness_teardown(void **state);
void harness_open_broker(struct harness *h);
void harness_restart(struct harness *h); /* power cut after the last turn: links vanish, the store stays */
/* commit, durable, acknowledgements */
void harness_turn(struct harness *h);
void harness_advance(struct harness *h, uint64_t seconds); /* also ticks */

/* role: "#" in both directions for names with a dot */
struct fake *fake_new(struct harness *h, const char *identity);
struct fake_connect {
        const char *client_id; /* NULL: the identity */
        bool clean;
        uint32_t expiry;
        uint16_t receive_maximum; /* 0: none */
        const char *will_topic, *will_payload;
        const char *method, *data; /* of enhanced authentication; NULL: none */
        uint32_t will_delay;
        bool will_retain;
};
/* Opens a link, sends CONNECT, expects a CONNACK of success; gives session present. */
struct fake *fake_open(struct harness *h, const char *identity, const struct fake_connect *connect, bool *present);
void fake_send_connect(struct fake *f, const struct fake_connect *connect);
void fake_send(struct fake *f, const struct mqtt_packet *packet);
void fake_publish(struct fake *f, const char *topic, const char *payload, uint8_t qos, uint16_t packet_id, bool retain);
void fake_event(struct fake *f, const char *topic, const char *payload, uint16_t packet_id, const char *boot,
                const char *seq);
void fake_ack(struct fake *f, enum mqtt_type type, uint16_t packet_id);
void fake_auth(struct fake *f, uint8_t reason, const char *method, const char *data); /* NULL: not there */
/* Sends SUBSCRIBE, expects SUBACK; gives its one reason code. options: bits of struct mqtt_filter */
uint8_t fake_subscribe(struct fake *f, struct mqtt_filter filter, uint32_t id);
uint8_t fake_subscribe_to(struct fake *f, const char *filter, uint8_t qos);
/* The next packet the broker sent; false if there is none. */
bool fake_next(struct fake *f, struct mqtt_packet *packet);
void fake_expect(struct fake *f, enum mqtt_type type, struct mqtt_packet *packet);
void fake_expect_publish(struct fake *f, const char *topic, const char *payload, uint8_t qos,
                         struct mqtt_packet *packet);
void fake_expect_ack(struct fake *f, enum mqtt_type type, uint16_t packet_id, uint8_t reason);
void fake_expect_nothing(struct fake *f);
