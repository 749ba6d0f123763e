/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Brokers in memory for the device engine: port/tls.h on one side, a minimal MQTT 5 broker on the other. Lossy on
 * request: connections end after a random number of bytes, answers are late, publishes are refused for a while.
 */
#include "../unit/librelay/unit.h"

#include "port/tls.h"
#include "relay/attest.h"
#include "relay/mqtt.h"
#include "relay/sitepolicy.h"
#include "relay/topic.h"

#define BROKERS      3 /* the last one is where only gates are asked */
#define EVENTS_MAX   4000
#define RETAINED_MAX 16
#define TOLD_MAX     64
#define FILTERS_MAX  24
#define PIPE_SIZE    65536

struct received {
        uint32_t boot;
        uint64_t seq;
        uint8_t name[40], payload[40];
        size_t name_size, payload_size;
        unsigned times;
};

struct retained {
        char topic[TOPIC_MAX];
        uint8_t payload[SITE_POLICY_MAX];
        size_t size;
};

/* what the device published beside events and state */
struct told {
        unsigned broker;
        char rest[32]; /* below the device's prefix */
        char payload[512];
        size_t size;
};

struct pipe {
        uint8_t bytes[PIPE_SIZE];
        size_t fill;
};

struct connection {
        bool open, refused;
        unsigned broker;
        bool greeted;    /* CONNECT came */
        bool challenged; /* DICE-1: the statement is awaited */
        bool connected;  /* CONNACK was sent */
        char filters[FILTERS_MAX][TOPIC_MAX];
        size_t filter_count;
        uint64_t ready_at; /* handshake takes until then */
        size_t cut_after;  /* bytes either way until the line is cut; 0: never */
        size_t bytes;
        struct pipe to_broker, to_device;
        uint32_t boot; /* of the last event on it */
        uint64_t seq;
        bool has_will;
        char will_topic[TOPIC_MAX];
        uint8_t will[512];
        size_t will_size;
};

struct net {
        uint64_t now;
        uint32_t random;
        bool reachable[BROKERS], silent[BROKERS];
        unsigned refuse_percent; /* of publishes, with "quota exceeded" */
        unsigned cut_percent;    /* of connections */
        struct connection connections[PORT_LINKS];
        bool knows_attest[BROKERS];                  /* DICE-1; else 0x8C */
        unsigned plain[BROKERS], challenges, proofs; /* CONNECTs without a method, ... */
        uint8_t statement[ATTEST_STATEMENT_MAX];
        size_t statement_size;
        struct received events[EVENTS_MAX];
        size_t event_count;
        bool out_of_order;
        struct retained retained[BROKERS][RETAINED_MAX];
        struct told told[TOLD_MAX];
        size_t told_count;
        unsigned connects, sessions[BROKERS], attempts[BROKERS];
        /* a question to the gate came; may be NULL */
        void (*on_question)(struct net *net, unsigned broker, struct span question);
        /* looks at what the device sent before the broker does; true: answered already. May be NULL */
        bool (*on_packet)(struct net *net, struct connection *c, const struct mqtt_packet *p);
        struct port_tls port;
};

void net_init(struct net *net, uint32_t seed);
uint32_t net_random(struct net *net, uint32_t below);
/* the broker looks at what arrived, and answers */
void net_run(struct net *net);
/* the line or the broker goes: wills are published */
void net_cut(struct net *net, unsigned broker);
/* a retained message at a broker; sent to subscribed sessions, too */
void net_retain(struct net *net, unsigned broker, const char *topic, struct span payload);
/* what a broker says, as a packet or as any bytes */
void net_answer(struct connection *c, const struct mqtt_packet *packet);
void net_bytes(struct connection *c, struct span bytes);
/* AUTH with this method and data, and CONNACK with this method (NULL: none) */
void net_auth(struct connection *c, uint8_t reason, const char *method, struct span data);
void net_connack(struct connection *c, uint8_t reason, const char *method);
/* the challenge this broker should send */
struct span net_challenge(struct net *net, unsigned broker, uint8_t out[ATTEST_CHALLENGE_MAX]);
/* a message that is not retained; true if a session had subscribed to it */
bool net_send(struct net *net, unsigned broker, const char *topic, struct span payload);
/* has a session there subscribed to exactly this? */
bool net_is_subscribed(const struct net *net, unsigned broker, const char *topic);
/* how often the device told this below its prefix; the last one, NULL: never */
unsigned net_count_told(const struct net *net, const char *rest);
const struct told *net_told(const struct net *net, const char *rest);
const struct retained *net_find(const struct net *net, unsigned broker, const char *topic);
const struct received *net_event(const struct net *net, uint32_t boot, uint64_t seq);
