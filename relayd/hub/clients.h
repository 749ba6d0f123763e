/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * MQTT sessions by client id (MQTT 5 section 4.1): subscriptions, the queue towards the client with its in-flight
 * window, QoS 2 packet ids from the client, will. A session with an expiry interval is durable: its record, queue and
 * ids are in the store.
 *
 * Queue numbers ascend; the packet id towards the client is made of the number, so that a redelivery after a restart
 * of the relay carries the same id without a write per packet sent.
 */

#include "hub/message.h"
#include "hub/subscriptions.h"
#include "hub/table.h"
#include "policy/access.h"
#include "relay/topic.h"

#define CLIENT_ID_MAX            128   /* bytes; the store's keys are bounded */
#define CLIENT_QUEUE_COUNT_MAX   10000 /* messages waiting for one client */
#define CLIENT_QUEUE_BYTES_MAX   (16u * 1024 * 1024)
#define CLIENT_QUEUE_SURE        16 /* so many wait for one client also when the store is more than half full */
#define CLIENT_SUBSCRIPTIONS_MAX 1000
#define CLIENT_SESSIONS_MAX      100          /* of one application, by client ids with a suffix */
#define CLIENT_FILTERS_BYTES_MAX (48u * 1024) /* all filters of one client together: the record must fit a value */
#define CLIENT_EXPIRY_MAX_S      (30u * 24 * 3600)
#define CLIENT_INBOUND_MAX       1024 /* QoS 2 packet ids between PUBLISH and PUBREL */
#define LINK_METHOD_MAX          15   /* bytes of an authentication method that any host knows */

struct broker;
struct client;
struct proof;

/* An admitted session of a front end; embedded in the front end's own record. */
struct link {
        char identity[IDENTITY_SIZE];
        bool is_device;
        const struct access_role *role; /* NULL: a device; kept up to date by the owner */
        struct client *client;          /* NULL before CONNECT and after the end */
        uint32_t refs;                  /* one of the front end's, one per acknowledgement that waits for the disk */
        bool closed;
        bool will_dropped;                /* DISCONNECT 0x00 came */
        uint16_t keep_alive_s;            /* of its CONNECT; 0: none */
        bool quarantined;                 /* only the way of updates is open; kept up to date by the owner */
        uint64_t alert_next_ms;           /* no alert about it before */
        char method[LINK_METHOD_MAX + 1]; /* of its CONNECT; "": none */
        struct proof *proof;              /* in progress (authentication.c) */
        uint64_t proof_next_ms;           /* no other one before */
};

enum delivery_state { DELIVERY_QUEUED, DELIVERY_SENT, DELIVERY_RELEASED /* PUBREC came, PUBREL sent */ };
struct delivery {
        struct delivery *next, *previous;
        struct message *message; /* NULL once RELEASED */
        uint64_t number, commit; /* commit: the one that makes it durable; 0: durable or not to be */
        uint32_t size;
        enum delivery_state state;
        uint8_t qos;
        bool dup, retain, stored;
        uint8_t id_count;
        uint32_t ids[];
};
struct delivery_queue {
        struct delivery *first, *last, *unsent;
        uint32_t count, in_flight;
        size_t bytes;
        uint64_t next_number;
};

struct client {
        struct table_entry entry;
        char id[CLIENT_ID_MAX + 1];
        char identity[IDENTITY_SIZE];
        struct link *link; /* NULL: absent */
        uint32_t expiry_s; /* 0: ends with the connection; UINT32_MAX: never (bounded by the hub) */
        uint64_t expires;  /* Unix seconds while absent */
        bool durable;      /* expiry_s > 0: in the store */
        bool changed;      /* its record has to be written with this turn's commit */
        struct client *changed_next;
        uint64_t alert_next_ms; /* no alert about its queue before */
        uint16_t receive_maximum;
        uint32_t packet_maximum; /* 0: none */
        struct subscription_list subscriptions;
        struct delivery_queue queue;
        uint16_t *inbound; /* QoS 2 packet ids */
        uint32_t inbound_count;
        struct message *will;
        uint32_t will_delay_s;
        uint64_t will_due; /* Unix seconds; 0: not started */
        struct {
                uint64_t serial; /* of the publish that is being matched */
                uint8_t qos;
                bool retain;
                bool queued; /* client_unqueue() may take it back */
                uint8_t id_count;
                uint32_t ids[MESSAGE_IDS_MAX];
        } match;
};
struct clients {
        struct table by_id;
        struct client *changed;
        uint32_t online;
};

struct client *client_find(const struct clients *clients, struct span id); /* the broker's, or NULL */
/* A session without subscriptions, known under its id from now on; *ret is the broker's. id: at most CLIENT_ID_MAX
 * bytes. 0, -ENOMEM */
int client_new(struct broker *b, struct client **ret, struct span id, const char *identity);
/* Ends the session: subscriptions, queue, store records. Does not send the will. */
void client_end(struct broker *b, struct client *c);
void client_release(struct broker *b, struct client *c); /* memory only, at shut-down */

/* ---- queue towards the client (queue.c) */
struct client_terms {
        uint8_t qos;
        bool retain;
        bool must_keep; /* for a durable session: in the store or not at all, not in memory only */
        const uint32_t *ids;
        size_t id_count;
};
/* Delivers or queues m; QoS 0 only goes to a client that is there. Full: dropped and counted. */
void client_deliver(struct broker *b, struct client *c, struct message *m, const struct client_terms *terms);
/*
 * Only queues m (QoS 1 or 2): 0, CLIENT_DROPPED (the queue is full; counted and told), or with must_keep what kept the
 * store from taking it. client_unqueue() takes the newest one back as long as client_pump() was not called.
 */
#define CLIENT_DROPPED 1
int client_enqueue(struct broker *b, struct client *c, struct message *m, const struct client_terms *terms);
void client_unqueue(struct broker *b, struct client *c);
/* Sends what the in-flight window allows. */
void client_pump(struct broker *b, struct client *c);
/* After a reconnect: everything unacknowledged again, in order. */
void client_redeliver(struct broker *b, struct client *c);
/* Drops queued messages whose time is over. */
void client_expire_queue(struct broker *b, struct client *c);
/* Drops what waits and may not be read any more. */
void client_drop_forbidden(struct broker *b, struct client *c, const struct access_subject *subject);
void client_clear_queue(struct broker *b, struct client *c);
/* PUBACK, PUBREC, PUBCOMP of the client */
void client_acknowledged(struct broker *b, struct client *c, enum mqtt_type type, uint16_t packet_id, uint8_t reason);

/* QoS 2 from the client: packet ids between PUBLISH and PUBREL. add: 0, -ENOSPC (CLIENT_INBOUND_MAX), -ENOMEM, or
 * the store's error */
bool client_inbound_has(const struct client *c, uint16_t packet_id);
int client_inbound_add(struct broker *b, struct client *c, uint16_t packet_id);
bool client_inbound_remove(struct broker *b, struct client *c, uint16_t packet_id);

/* ---- the store's side (client_store.c) */
void client_mark_changed(struct broker *b, struct client *c);
int clients_write_changed(struct broker *b); /* before the commit */
int clients_load(struct broker *b);
int client_store_delivery(struct broker *b, struct client *c, const struct delivery *d);
int client_forget_delivery(struct broker *b, struct client *c, uint64_t number);
void client_forget(struct broker *b, struct client *c); /* all records of the session, and its queue */
/* The session goes on without the store: its records are deleted. */
void client_make_volatile(struct broker *b, struct client *c);
