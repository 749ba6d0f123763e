/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * What front.c (the hub's side) and connection.c, dialogue.c (the clients' side) know of each other.
 */

#include "front/front.h"
#include "front/watch.h"

#define CREDIT_UNLIMITED UINT32_MAX
#define READ_SIZE        (64 * 1024)

struct connection;

enum list {
        LIST_DIRTY,   /* have output, or events: looked after at the end of the turn */
        LIST_BLOCKED, /* have input that the hub does not take now */
        LIST_COUNT,
};

enum watched {
        WATCHED_HANDSHAKES,
        WATCHED_SESSIONS,
        WATCHED_COUNT,
};

struct front {
        sd_event *event;
        struct tls_context *tls;
        struct sign_client *signer;
        struct session_limits limits;
        char *channel_path;

        struct channel_peer *hub; /* NULL: not connected */
        bool hub_ready, announced;
        uint32_t hub_retry_ms;
        uint32_t credit; /* PACKETs the hub takes of all sessions */
        sd_event_source *retry;

        struct acceptor *acceptors;
        size_t acceptor_count;

        /* connections by slot; a session number is slot + 1 in its low bits and the slot's use count above */
        struct connection **slots;
        uint32_t *uses, *free_slots;
        uint32_t slot_count, free_count;

        struct watch watches[WATCHED_COUNT];
        struct connection *lists[LIST_COUNT]; /* first of each */
        sd_event_source *end_of_turn;
        struct log_rate refused_rate, hub_rate, accept_rate;
        uint8_t read_buffer[READ_SIZE];
};

/* front.c */
bool front_hub_takes(const struct front *front);
/* Sends to the hub; false: the channel is broken, and closes by itself soon. */
bool front_send(struct front *front, const struct channel_message *message);
void front_wake(struct front *front);                                          /* run the end-of-turn work */
uint32_t front_claim_slot(struct front *front, struct connection *connection); /* session number, 0: full */
void front_release_slot(struct front *front, uint32_t session);

/* connection.c, dialogue.c */
int connection_new(struct front *front, int fd, const char *peer);     /* takes fd in any case */
void connection_ready(struct connection *connection, uint32_t events); /* of its socket; may destroy it */
void connection_message(struct connection *connection, const struct channel_message *message);
/* The hub is gone, or we stop: DISCONNECT with this reason as far as the socket takes it, then free. */
void connection_end(struct connection *connection, uint8_t mqtt_reason);
void connection_settle(struct connection *connection);  /* end of turn: events to the hub, output to the client */
void connection_unblock(struct connection *connection); /* the hub takes packets again */
