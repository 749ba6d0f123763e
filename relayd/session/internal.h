/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The session engine's inside, shared by its files.
 */

#include "session/flights.h"
#include "session/session.h"

#define SESSION_ALIAS_BYTES_MAX 8192 /* topics a client may park in its alias table, together */
#define SESSION_METHOD_MAX      64   /* bytes of an authentication method; a longer one is none we know */

enum session_state {
        STATE_NEW,        /* waiting for the hub's yes or no */
        STATE_REFUSED,    /* no; waiting for the CONNECT */
        STATE_ADMITTED,   /* yes; waiting for the CONNECT */
        STATE_CONNECTING, /* waiting for the hub's CONNACK or AUTH */
        STATE_PROVING,    /* waiting for the client's AUTH */
        STATE_OPEN,
        STATE_CLOSED,
};
/* An open session proves itself again: whose AUTH comes next. */
enum session_again { AGAIN_NONE, AGAIN_HUB, AGAIN_CLIENT };

/* Bytes [at, fill) are waiting; no memory is held while there are none. */
struct buffer {
        uint8_t *data;
        size_t size, fill, at;
};

/* an acknowledgement the engine gives the hub in the client's place */
struct session_ack {
        uint8_t type;
        uint16_t packet_id;
};

struct session {
        struct session_limits limits;
        enum session_state state;
        uint8_t version; /* 0: not known yet */
        uint8_t refusal; /* REFUSED: reason for the CONNACK */
        uint8_t close_reason;
        bool close_pending, close_with_will;
        bool expires_at_once;     /* the CONNECT's Session Expiry is 0 */
        bool no_problem_texts;    /* Request Problem Information 0 */
        uint16_t keep_alive_s;    /* in force; 0: none */
        bool keep_alive_replaced; /* by Server Keep Alive */
        uint32_t client_packet_max, client_publishes;
        uint64_t started_ms, last_received_ms;

        struct buffer rx, tx;
        uint8_t *normal;    /* the normalised packet of the last event, if it had to be written anew */
        struct span packet; /* of the next event; size 0: none */
        uint8_t *identity;
        size_t identity_size;
        uint8_t *method; /* of the CONNECT's authentication; NULL: none */
        uint8_t method_size;
        enum session_again again;

        struct flights from_client, to_client;
        struct session_ack *acks;
        size_t ack_count, ack_size;
        uint8_t ack_bytes[8];
        struct span *aliases; /* topic_alias_maximum of them; allocated with the first */
        size_t alias_bytes;
};

/* ---- buffers.c */
struct span buffer_span(const struct buffer *b);
int buffer_append(struct buffer *b, struct span bytes); /* -ENOMEM */
void buffer_drop(struct buffer *b, size_t bytes);       /* from the front */
void buffer_clear(struct buffer *b);
/* Writes a packet for the client in its version. -ENOMEM, -EBADMSG, -EMSGSIZE (the client takes none so large). */
int session_send(struct session *s, const struct mqtt_packet *packet);
int session_send_ack(struct session *s, enum mqtt_type type, uint16_t packet_id, uint8_t reason);
/* Makes a packet the next event, written anew in MQTT 5. -ENOMEM, -EBADMSG, -EMSGSIZE (too large for the hub). */
int session_give(struct session *s, const struct mqtt_packet *packet);

/* ---- session.c */
/* The last event. */
void session_finish(struct session *s, uint8_t reason, bool with_will);
/* The client broke the protocol: tell it in its version, finish. */
void session_fail(struct session *s, uint8_t reason);

/* ---- connect.c */
int session_on_connect(struct session *s, const struct mqtt_packet *packet);
/* What could not be decoded as a CONNECT; level: the protocol level it named, 0 if none. */
void session_on_bad_connect(struct session *s, uint8_t level, uint8_t reason);
int session_on_connack(struct session *s, const struct mqtt_packet *packet);
/* Before the session is open a refusal is a CONNACK. */
int session_refuse_connect(struct session *s, uint8_t reason);

/* ---- authentication.c */
/* The method of the CONNECT. 0, also if the session was refused for it (state CLOSED); -ENOMEM */
int session_take_method(struct session *s, const struct mqtt_props *props);
/* In state PROVING: only AUTH or DISCONNECT may come (section 4.12). */
int session_on_proof(struct session *s, const struct mqtt_packet *packet, struct span whole);
/* AUTH of the client in an open session */
int session_on_auth(struct session *s, const struct mqtt_packet *packet, struct span whole);
/* AUTH of the hub. -EBADMSG: not now, or of another method */
int session_on_hub_auth(struct session *s, const struct mqtt_packet *packet);

/* ---- client.c */
/* Interprets the packet at the start of bytes. RELAY_OK and *consumed, or RELAY_MORE and *consumed = its size or 0. */
int session_interpret(struct session *s, struct span bytes, size_t *consumed);
