/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * MQTT session engine, server side of one connection: bytes and time in, events and bytes out; no fd, no clock.
 *
 * It frames, checks the protocol (order, packet ids in flight, receive maximum, topic aliases, keep-alive, sizes) and
 * translates between the client's version and the normalised MQTT 5 packets of the channel (channel/message.h).
 * What a client may do is the hub's decision, and so are sessions, subscriptions, queues and packet ids towards the
 * client. Input before session_admit(), and between CONNECT (or the AUTH that answers the hub's) and the hub's word, is
 * kept, not interpreted.
 *
 * Normalised, towards the hub: CONNECT (version 5; user name = identity, no password; 3.1.1 clean session 0 = Session
 * Expiry 0xFFFFFFFF), AUTH, PUBLISH (no alias), PUBACK, PUBREC, PUBREL, PUBCOMP, SUBSCRIBE (no shared one),
 * UNSUBSCRIBE, and DISCONNECT only if it changes the Session Expiry (CLOSE follows). From the hub: CONNACK, AUTH,
 * PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP, SUBACK, UNSUBACK, DISCONNECT. Pings, keep-alive and limits are the engine's
 * own.
 *
 * Enhanced authentication (MQTT 5 section 4.12) is between client and hub; the engine lets through what may come when:
 * methods and data it does not judge, and how long the client may take is the hub's to say.
 *
 *     on readable: while (bytes are left && session_takes_input()) { session_input(); while (session_next() == 0) ... }
 *                  keep what was not taken, and read no more until session_takes_input() says so
 */

#include <stddef.h>
#include <stdint.h>

#include "relay/mqtt.h"

struct session_limits {
        uint32_t packet_max;          /* bytes of the largest packet accepted, as sent and normalised; announced */
        uint16_t receive_maximum;     /* unacknowledged QoS 1 and 2 publishes of the client */
        uint16_t topic_alias_maximum; /* 0 to 32 */
        uint16_t keep_alive_max_s;   /* a larger (or no) keep-alive is replaced by it: Server Keep Alive; 0: as asked. A
                                        3.1.1 client cannot be told, and has what it asked for */
        uint32_t connect_timeout_ms; /* from session_new() to a whole CONNECT */
        uint32_t output_max;         /* bytes waiting for the client before session_output_full() */
};

enum session_event_type {
        SESSION_EVENT_PACKET, /* packet: for the hub, as it is */
        SESSION_EVENT_CLOSE,  /* last event: send what session_output() still has, then close the connection */
};
struct session_event {
        enum session_event_type type;
        struct span packet;  /* valid until the next call with this session */
        uint8_t mqtt_reason; /* CLOSE */
        bool with_will;      /* CLOSE: no DISCONNECT with reason 0 came */
};

struct session;

int session_new(struct session **ret, const struct session_limits *limits, uint64_t now_ms); /* -ENOMEM */
struct session *session_free(struct session *s); /* NULL-safe, returns NULL */

/*
 * The hub believes the certificate. identity is copied. Kept input is interpreted by the session_next() calls that
 * should follow. -ENOMEM.
 */
int session_admit(struct session *s, struct span identity, uint64_t now_ms);
/* The hub does not: wait for the CONNECT (to know the version), answer CONNACK with this reason, close. Then
 * session_next(), as above. */
void session_refuse(struct session *s, uint8_t mqtt_reason);
/* The relay ends the session: DISCONNECT with the reason (MQTT 5), then the CLOSE event. */
void session_close(struct session *s, uint8_t mqtt_reason);

/*
 * Takes bytes from the connection; gives how many were taken. Fewer than size: take all events, then offer the rest
 * again if session_takes_input(). An event's packet may lie in bytes itself. Offering counts as a sign of life.
 */
size_t session_input(struct session *s, struct span bytes, uint64_t now_ms);
/*
 * false: no input can be taken even after all events were: the output is full, or too much is kept while the hub has
 * not answered OPEN or CONNECT. Changes with session_sent(), session_from_hub(), session_admit(), session_refuse().
 */
bool session_takes_input(const struct session *s);
/* 0 and an event, or 1 if there is none now. */
int session_next(struct session *s, struct session_event *event);
/*
 * A normalised packet of the hub for the client; events may follow. A PUBLISH larger than the client takes is dropped
 * and acknowledged to the hub; one of QoS 0 is dropped while the output is full. A 3.1.1 client cannot be told that its
 * publish was refused: such a PUBACK or PUBREC ends the session. -EBADMSG if it is no packet, or none that may come
 * now; -ENOMEM.
 */
int session_from_hub(struct session *s, struct span packet, uint64_t now_ms);
/* Bytes to send, then how many went. */
struct span session_output(const struct session *s);
void session_sent(struct session *s, size_t bytes, uint64_t now_ms);
bool session_output_full(const struct session *s);
/* Keep-alive (1.5 times the interval, MQTT 5 section 3.1.2.10) and connect time-out */
void session_tick(struct session *s, uint64_t now_ms);
uint64_t session_deadline(const struct session *s); /* UINT64_MAX: none */
