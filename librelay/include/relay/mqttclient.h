/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * MQTT 5 client engine: bytes and time in, events and bytes out; no fd, no malloc, no clock.
 * Used by the device firmware, the relay's uplink and the tools. It frames, numbers, keeps alive and checks the
 * broker's behaviour; what to send again after a reconnect is the caller's (its outbox knows).
 *
 *     mqtt_client_init(); mqtt_client_connect();
 *     loop: send mqtt_client_output(), then mqtt_client_sent(); on input mqtt_client_input();
 *           while (mqtt_client_next(&c, &event) == RELAY_OK) handle(event);
 *           mqtt_client_tick(now) at the latest at mqtt_client_deadline().
 * An event's spans are valid until the next call of mqtt_client_next(), mqtt_client_input() or mqtt_client_space().
 */

#include "relay/mqtt.h"

enum mqtt_client_state { MQTT_CLIENT_IDLE, MQTT_CLIENT_CONNECTING, MQTT_CLIENT_CONNECTED, MQTT_CLIENT_CLOSED };

enum mqtt_client_event_type {
        MQTT_CLIENT_EVENT_CONNACK, /* packet.ack; a refusing one closes the engine */
        MQTT_CLIENT_EVENT_AUTH, /* before CONNACK: packet.props.authentication_data; answer with mqtt_client_auth() or
                                   mqtt_client_refuse() */
        MQTT_CLIENT_EVENT_PUBLISH, /* packet.publish; QoS 1: answer with mqtt_client_puback(). QoS 2 never comes: we ask
                                      for QoS 1 at most, and refuse it with PUBREC 0x83 */
        MQTT_CLIENT_EVENT_PUBACK,  /* packet.ack, reason >= 0x80: the broker refused that message */
        MQTT_CLIENT_EVENT_SUBACK,  /* packet.suback */
        MQTT_CLIENT_EVENT_UNSUBACK, /* packet.suback */
        MQTT_CLIENT_EVENT_CLOSED,   /* once, last: send what mqtt_client_output() still has, then close. reason: the
                                       broker's DISCONNECT or CONNACK, our protocol error, or 0x8D for a time-out. Not
                                       after mqtt_client_disconnect(). */
};
struct mqtt_client_event {
        enum mqtt_client_event_type type;
        struct mqtt_packet packet;
        uint8_t reason;
        bool by_peer; /* CLOSED only */
};

struct mqtt_client_config {
        struct span client_id;
        bool clean_start;
        uint32_t session_expiry_s;
        uint16_t keep_alive_s;
        uint16_t receive_maximum;     /* inbound QoS 1 in flight that we allow; 0: 65,535 */
        uint32_t maximum_packet_size; /* <= size of the rx buffer, or of the one to come; 0: as large as that */
        size_t rx_size_later;         /* of a buffer that mqtt_client_move() will bring; 0: none will */
        uint32_t connack_timeout_ms;  /* 5,000 by the design */
        bool has_will;
        uint8_t will_qos;
        bool will_retain;
        struct span will_topic, will_payload;
        struct span user_properties; /* encoded, see mqtt_user_put(); may be empty */
        /*
         * Enhanced authentication (section 4.12), without data in the CONNECT; borrowed until the connection ends.
         * Empty: none. A broker that does not know it answers 0x8C.
         */
        struct span authentication_method;
};

#define MQTT_CLIENT_FLIGHTS                                                                      \
        128 /* packets of ours waiting for an answer; publishes leave some places for subscribes \
             */
#define MQTT_CLIENT_PUBLISHES_MAX 112

struct mqtt_client {
        enum mqtt_client_state state;
        uint8_t *rx, *tx;
        size_t rx_size, rx_fill, rx_at, tx_size, tx_fill;
        uint16_t next_packet_id;
        uint16_t keep_alive_s;        /* in force, after Server Keep Alive */
        uint16_t send_maximum;        /* the broker's Receive Maximum */
        uint32_t send_packet_maximum; /* the broker's Maximum Packet Size; 0: none */
        uint8_t maximum_qos;
        bool retain_available;
        uint16_t in_flight;                        /* our QoS 1 publishes without a PUBACK */
        uint16_t flights[MQTT_CLIENT_FLIGHTS];     /* packet ids waiting; 0: free */
        uint8_t flight_types[MQTT_CLIENT_FLIGHTS]; /* the answer each waits for */
        uint16_t receive_maximum, unacknowledged;  /* QoS 1 towards us: allowed, and not answered yet */
        uint32_t packet_maximum;                   /* largest packet taken, once rx is large enough */
        uint32_t connack_timeout_ms;
        struct span authentication_method;
        bool authentication_asked; /* an AUTH came that was not answered */
        uint64_t now_ms, last_sent_ms, last_received_ms, ping_sent_ms, connect_sent_ms;
        bool ping_outstanding, closed_reported;
        uint8_t close_reason;
        bool closed_by_peer;
};

/* mqtt_client_connect() forgets all of an older connection. RELAY_E_SPACE: tx cannot hold the CONNECT. */
/* Buffers stay the caller's; tx must hold the largest packet sent, rx the largest accepted. */
void mqtt_client_init(struct mqtt_client *c, uint8_t *rx, size_t rx_size, uint8_t *tx, size_t tx_size, uint64_t now_ms);
int mqtt_client_connect(struct mqtt_client *c, const struct mqtt_client_config *config, uint64_t now_ms);

/*
 * Queues a PUBLISH of QoS 0 or 1. QoS 1: *packet_id is assigned (or, if dup, taken from publish->packet_id: do these
 * before new ones). props and packet_id may be NULL.
 * RELAY_E_SPACE: tx is full, or the broker's Receive Maximum or MQTT_CLIENT_PUBLISHES_MAX is reached: try after output
 * or PUBACK. RELAY_E_RANGE: more than the broker accepts (size, QoS, retain) or QoS 2. RELAY_E_STATE: not connected, or
 * the packet id of a dup is in use.
 */
int mqtt_client_publish(struct mqtt_client *c, const struct mqtt_publish *publish, const struct mqtt_props *props,
                        uint16_t *packet_id);
/* RELAY_E_SPACE: tx is full, try after output. RELAY_E_STATE: not connected, or nothing is left to acknowledge. */
int mqtt_client_puback(struct mqtt_client *c, uint16_t packet_id, uint8_t reason);
/* filters: encoded by mqtt_filter_put() */
int mqtt_client_subscribe(struct mqtt_client *c, struct span filters, size_t count, uint16_t *packet_id);
int mqtt_client_unsubscribe(struct mqtt_client *c, struct span filters, size_t count, uint16_t *packet_id);
/*
 * Answers an AUTH event with AUTH 0x18 of the same method. RELAY_E_SPACE: tx cannot hold it. RELAY_E_STATE: nothing was
 * asked.
 */
int mqtt_client_auth(struct mqtt_client *c, struct span data);
/* The caller does not like what the broker did: ends the engine, a CLOSED event with this reason follows. */
void mqtt_client_refuse(struct mqtt_client *c, uint8_t reason);
/* Queues DISCONNECT; output it, then close. reason 0x00 drops the will, 0x04 keeps it. */
int mqtt_client_disconnect(struct mqtt_client *c, uint8_t reason);

/* Takes as much of bytes as fits, gives the number taken; call mqtt_client_next() and offer the rest again. */
size_t mqtt_client_input(struct mqtt_client *c, struct span bytes, uint64_t now_ms);
/*
 * The same for who reads into the engine's own buffer: how much is free there, and where (nothing that was not taken by
 * mqtt_client_next() moves out of it; more is free after that). Then how much was put there.
 */
size_t mqtt_client_space(struct mqtt_client *c, uint8_t **at);
void mqtt_client_received(struct mqtt_client *c, size_t size, uint64_t now_ms);
/* Another rx buffer from now on; what is unread goes along. RELAY_E_SPACE: it does not fit. */
int mqtt_client_move(struct mqtt_client *c, uint8_t *rx, size_t rx_size);
int mqtt_client_next(struct mqtt_client *c, struct mqtt_client_event *event); /* RELAY_OK or RELAY_MORE */
struct span mqtt_client_output(const struct mqtt_client *c);
void mqtt_client_sent(struct mqtt_client *c, size_t bytes, uint64_t now_ms);
/* Asks the broker for a sign of life, unless it is being asked already: the next input is one. */
void mqtt_client_ping(struct mqtt_client *c);
/* Keep-alive and time-outs; may queue a PINGREQ or a CLOSED event. */
void mqtt_client_tick(struct mqtt_client *c, uint64_t now_ms);
uint64_t mqtt_client_deadline(const struct mqtt_client *c); /* UINT64_MAX: none */
