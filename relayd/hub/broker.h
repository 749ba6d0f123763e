/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The broker proper: sessions, subscriptions, retained messages, the way of a publish. No socket and no clock: packets
 * and time come in, packets and actions go out by the host's callbacks. One struct, whose parts are in files of their
 * own and know each other through it.
 */

#include "channel/message.h"
#include "hub/acks.h"
#include "hub/clients.h"
#include "hub/outbox.h"
#include "hub/repeats.h"
#include "hub/retained.h"
#include "hub/subscriptions.h"
#include "policy/access.h"
#include "policy/quota.h"
#include "store/store.h"

#define BROKER_PACKET_MAX CHANNEL_PACKET_MAX
#define BROKER_ALERT_MS   60000 /* at most one alert about a session's behaviour in this time */
#define BROKER_RETURN_S   30    /* after a start of the relay, wills of sessions that were open then wait so long */

#define BROKER_PROOFS_MAX       1024               /* sessions that prove themselves at a time */
#define BROKER_PROOFS_BYTES_MAX (4u * 1024 * 1024) /* of their CONNECTs, which wait so long */
#define BROKER_PROOFS_IDENTITY  4                  /* of them of one identity */
#define BROKER_PROOF_MS         10000 /* for all of it; and at least so much between two of an open session */
#define BROKER_PROOF_DATA_MAX   4096  /* bytes of authentication data in one packet */

/* What the host says to one step of a session's proof of who it is (MQTT 5 section 4.12). */
enum broker_step {
        BROKER_REFUSED = 0, /* mqtt_reason goes into CONNACK, or DISCONNECT if the session was open */
        BROKER_PROVEN,      /* the session opens, or goes on */
        BROKER_CONTINUE,    /* AUTH 0x18 with data goes out, the client's answer comes by authenticate_more() */
};
struct broker_answer {
        enum broker_step step; /* REFUSED when the host is called */
        uint8_t mqtt_reason;   /* REFUSED; NOT_AUTHORIZED when the host is called */
        struct span data;      /* CONTINUE: valid until the host is called again */
        bool staged;           /* of PROVEN: the host staged what has to be on the disk before the session opens */
};

/* What the hub does for the broker. Callbacks run inside the calls below. */
struct broker_host {
        void *context;
        /* a normalised packet for this session; copied */
        void (*send)(void *context, struct link *link, struct span packet);
        /* the session is over, by the relay's word; the link is not used any more */
        void (*close)(void *context, struct link *link, uint8_t mqtt_reason);
        /* may more go to this session's front end now? If not, broker_writable() is called later. */
        bool (*writable)(void *context, const struct link *link);
        /* the last reference to the link is gone */
        void (*release)(void *context, struct link *link);
        /* a publish that passed the access check, beside its ordinary way */
        void (*published)(void *context, const struct link *link, const struct message *message);
        /* a named image topic: 0 and a malloc'ed payload, or -ENOENT */
        int (*image)(void *context, const struct topic_parts *parts, uint8_t **ret, size_t *ret_size);
        void (*alert)(void *context, const char *identity, enum reason reason, const char *detail);
        /* a session of this identity opened (after CONNACK) or closed */
        void (*online)(void *context, const struct link *link, bool online);
        /* what this application may do now, present or not; NULL: no such application any more, or a device */
        const struct access_role *(*role)(void *context, const char *identity);
        /* an application publishes a command: it goes no other way. REASON_NONE: taken (staged) */
        enum reason (*command)(void *context, const struct link *link, const struct topic_parts *parts,
                               struct span payload);
        /* a device subscribed to something */
        void (*subscribed)(void *context, const struct link *link);
        /* a device acknowledged this message */
        void (*delivered)(void *context, const struct link *link, const struct message *message);
        /*
         * Who is this? Asked before a session opens (method and data are CONNECT's; method empty: a plain CONNECT), and
         * when an open one proves itself again (AUTH 0x19, link->client is set then). The session is not there yet, and
         * nobody's was taken over. NULL: a plain CONNECT will do, and there are no methods (0x8C). The host must not
         * end this link meanwhile.
         */
        void (*authenticate)(void *context, struct link *link, struct span method, struct span data,
                             struct broker_answer *answer);
        /* The answer of the client to what CONTINUE sent; never NULL where authenticate is not. */
        void (*authenticate_more)(void *context, struct link *link, struct span data, struct broker_answer *answer);
};

struct broker_counters {
        uint64_t received;      /* publishes of clients taken */
        uint64_t repeated;      /* events seen before: acknowledged and dropped */
        uint64_t refused_topic; /* not allowed */
        uint64_t refused_full;  /* no room: answered 0x97, or QoS 0 dropped */
        uint64_t dropped_slow;  /* QoS 0 for a client that does not read, or a full queue */
};

struct proof;
/* sessions that prove themselves now (authentication.c) */
struct proofs {
        struct proof *first;
        size_t count, bytes;
        size_t staged; /* of them proven, and waiting for the disk */
        struct quota alerts;
};

struct broker {
        const char *site;
        bool gate_only;
        struct store *store;
        struct outbox *outbox; /* NULL: nothing is kept for a cloud or an export */
        struct broker_host host;
        struct clients clients;
        struct subscriptions subscriptions;
        struct retained retained;
        struct repeats repeats;
        struct acks acks;
        struct proofs proofs;
        struct broker_counters counters;
        uint64_t now_ms, time;       /* monotonic ms; Unix seconds */
        uint64_t tick_ms, tick_time; /* of the last tick: to see the clock jump */
        uint64_t commit, durable;    /* last commit handed over, last durable one */
        bool waits_for_disk;         /* a QoS 2 delivery of some client does */
        uint64_t dropped_told, expired, expired_next_ms;
        enum outbox_level outbox_told;
        uint64_t match_serial;
        struct client **matched; /* of the publish that is being routed */
        size_t matched_count, matched_size;
        int error;           /* first failure of the store that must end the hub */
        bool work_for_cloud; /* the outbox got something */
        uint8_t packet[BROKER_PACKET_MAX];
};

struct broker_options {
        const char *site;
        bool gate_only; /* devices may publish gate requests and nothing else; their wills are dropped */
        struct store *store;
        struct outbox *outbox; /* may be NULL; owned by the broker from now on */
        struct broker_host host;
        uint64_t now_ms, time;
};
/* Reads sessions, retained messages and windows from the store. */
int broker_new(struct broker **ret, const struct broker_options *options);
struct broker *broker_free(struct broker *b); /* nothing is sent, no wills */

void broker_time(struct broker *b, uint64_t now_ms, uint64_t time);
/* Expiry of sessions and messages, wills that are due; once a second. */
void broker_tick(struct broker *b);
/* Hands what was staged to the store; once per loop turn. */
int broker_commit(struct broker *b);
/* Takes what is durable from the store and sends what waited for it. 0, or what stopped the store. */
int broker_durable(struct broker *b);

/* A packet of a session; after CONNECT was refused, or a protocol error, the link is closed by host.close(). */
void broker_packet(struct broker *b, struct link *link, struct span packet);
/* The front end says the session is over. */
void broker_closed(struct broker *b, struct link *link, bool with_will);
/* The relay ends a session: revoked, role taken away, shutting down. */
void broker_close(struct broker *b, struct link *link, uint8_t mqtt_reason, bool with_will);
/* There is room again towards the front end of this session. */
void broker_writable(struct broker *b, struct link *link);
/* Checks all subscriptions of the link's client again, removes what is not allowed any more. */
void broker_recheck(struct broker *b, struct link *link);
/* Ends all sessions of an identity that is not to come again. */
void broker_forget_identity(struct broker *b, const char *identity);

/* Publishes to local subscribers as the relay, QoS 1. retain: kept, an empty payload removes it. */
int broker_publish(struct broker *b, const char *topic, struct span payload, bool retain);
/* A publish for the cloud through the outbox; nothing on an air-gapped relay. */
int broker_send_up(struct broker *b, const char *topic, struct span payload, bool retain);
/* Both not retained, and worth nothing after this time: nobody who comes later gets it. */
int broker_publish_brief(struct broker *b, const char *topic, struct span payload, uint32_t seconds);
int broker_send_up_brief(struct broker *b, const char *topic, struct span payload, uint32_t seconds);
/*
 * Hands a message to one device, if it has a session that is subscribed to the topic: 0 with QoS 1 (also if it waits in
 * the session's queue already), BROKER_ABSENT, BROKER_UNSURE: with QoS 0. expires: Unix seconds.
 */
#define BROKER_ABSENT 1
#define BROKER_UNSURE 2
int broker_hand(struct broker *b, const char *device, const char *topic, struct span payload, uint64_t expires);

/* ---- between the broker's files */
void link_unref(struct broker *b, struct link *link);
void link_send(struct broker *b, struct link *link, const struct mqtt_packet *packet);
void link_send_ack(struct broker *b, struct link *link, enum mqtt_type type, uint16_t packet_id, uint8_t reason);
struct access_subject link_subject(const struct broker *b, const struct link *link);
/* session.c */
void session_connect(struct broker *b, struct link *link, const struct mqtt_packet *packet, struct span bytes);
/* The host knows who it is: the session is found or made, others give way, CONNACK. Checks once more whether it may. */
void session_open(struct broker *b, struct link *link, const struct mqtt_packet *connect);
void session_refuse(struct broker *b, struct link *link, const struct mqtt_packet *connect, uint8_t reason);
void session_detach(struct broker *b, struct link *link, bool with_will);
void session_tick(struct broker *b);
void session_shift(struct broker *b, int64_t seconds); /* the clock was set: absent sessions keep their time left */
/* authentication.c */
void authentication_init(struct broker *b);
/* CONNECT passed its checks: session_open() or session_refuse() follow, now or when it has proven itself. */
void authentication_begin(struct broker *b, struct link *link, const struct mqtt_packet *connect, struct span bytes);
void authentication_packet(struct broker *b, struct link *link, const struct mqtt_packet *auth);
void authentication_drop(struct broker *b, struct link *link);      /* what it was about to prove does not matter now */
void authentication_forget(struct broker *b, const char *identity); /* what it proved counts no more */
void authentication_tick(struct broker *b);
void authentication_sealed(struct broker *b);  /* what is proven and staged is part of this commit */
void authentication_durable(struct broker *b); /* opens what was waiting for the disk */
/* subscribe.c */
void session_subscribe(struct broker *b, struct link *link, const struct mqtt_packet *packet);
void session_unsubscribe(struct broker *b, struct link *link, const struct mqtt_packet *packet);
/* router.c */
void router_receive(struct broker *b, struct link *link, const struct mqtt_packet *packet);
int router_publish_will(struct broker *b, struct client *c);
