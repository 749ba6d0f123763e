/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The relay's connection to the cloud: one persistent MQTT 5 session over TLS 1.3, driven by sd-event.
 *
 * It connects, reconnects with decorrelated jitter, keeps alive, and has a deadline at every point where the cloud
 * could stall. What has to be sent again after a reconnect is the caller's (the outbox knows): on UPLINK_DOWN every
 * cookie without an answer is forgotten. Callbacks never run inside a call of the functions below but from the loop.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <systemd/sd-event.h>

#include "relay/crypto.h"
#include "relay/mqtt.h"

#define UPLINK_PACKET_MAX     (64 * 1024) /* bytes of the largest packet accepted and sent */
#define UPLINK_WINDOW_MAX     8           /* named subscriptions at a time, uplink_watch() */
#define UPLINK_FILTERS_MAX    16
#define UPLINK_ERROR_SIZE     200
#define UPLINK_HOLD           0xFF /* answer of message(): the PUBACK follows by uplink_ack() */
#define UPLINK_SESSION_EXPIRY (7 * 24 * 3600)

enum uplink_state { UPLINK_DOWN = 0, UPLINK_CONNECTING = 1, UPLINK_UP = 2 };

/* positive answers of uplink_publish(), uplink_watch() */
#define UPLINK_BUSY   1 /* the broker's receive maximum, the buffer or the window is full: again after ready() */
#define UPLINK_NOT_UP 2
#define UPLINK_RANGE  3 /* larger than the cloud takes, or more than it can do (QoS, retain): never again this way */

struct uplink;
struct uplink_transport; /* uplink/transport.h */

struct uplink_message {
        const struct mqtt_publish *publish; /* valid during the call only */
        const struct mqtt_props *props;
        uint64_t token; /* for uplink_ack() */
};

struct uplink_handler {
        void *context;
        /* UP (error: "", or which subscription the cloud refuses), or DOWN with a sentence why: also after each try
         * that failed, as the sentence may be another one. Must not free the uplink. */
        void (*state)(void *context, enum uplink_state state, const char *error);
        /* the cloud answered a publish: MQTT reason code, >= 0x80: refused for good */
        void (*acked)(void *context, uint64_t cookie, uint8_t reason);
        /* room again after UPLINK_BUSY */
        void (*ready)(void *context);
        /* a message: the reason code of its PUBACK (0: taken), or UPLINK_HOLD */
        uint8_t (*message)(void *context, const struct uplink_message *message);
        /* May this address of the cloud be connected to? If not, a sentence why. NULL: every address may. */
        bool (*allowed)(void *context, const struct sockaddr *address, char why[UPLINK_ERROR_SIZE]);
};

struct uplink_options {
        const char *identity; /* client id */
        const char *host;     /* name or literal address */
        uint16_t port;
        const char *certificate_file, *key_file; /* PEM */
        const char *ca_file;                     /* PEM or NULL */
        uint8_t pins[2][SHA256_SIZE];
        size_t pin_count;
        uint16_t keep_alive_s;       /* 0: 30 */
        uint32_t connect_timeout_ms; /* name, TCP, TLS and CONNACK together; 0: 5,000 */
        uint32_t retry_min_ms;       /* 0: 1,000 */
        uint32_t retry_max_ms;       /* 0: 60,000 */
        const char *const *filters;  /* subscribed with QoS 1, without what this connection published, on each
                                        connect; up to UPLINK_FILTERS_MAX */
        size_t filter_count;
        size_t news_count; /* the last so many of them with QoS 0: nothing of it is kept while this relay is away */
        struct uplink_handler handler;
        const struct uplink_transport *transport; /* NULL: TCP and TLS 1.3 */
};

/* Copies what it needs. 0, -EINVAL, -ENOMEM, or what the certificate files bring (-ENOENT, -EBADMSG ...). */
int uplink_new(struct uplink **ret, sd_event *event, const struct uplink_options *options);
struct uplink *uplink_free(struct uplink *uplink); /* closes at once; NULL-safe, returns NULL */
/* Begins to connect at the next turn of the loop. 0 or -errno of the loop. */
int uplink_start(struct uplink *uplink);
/* Says DISCONNECT if it can, closes, stays down. No callback. */
void uplink_stop(struct uplink *uplink);

/* What allowed() answers may have changed: a connection it refuses now ends at the next turn of the loop. */
void uplink_check_address(struct uplink *uplink);
/* Links, addresses or routes of this machine changed: a connection that lost its way ends at the next turn of the loop,
 * and one that waits for its next try tries then. */
void uplink_check_way(struct uplink *uplink);
/* An interface went down or lost its carrier, whether its routes are still there or not. */
void uplink_link_lost(struct uplink *uplink, const char *interface);

enum uplink_state uplink_state(const struct uplink *uplink);

/* QoS 0 or 1; publish->packet_id and dup are ignored. Copies. 0, UPLINK_BUSY, UPLINK_NOT_UP, UPLINK_RANGE, -ENOMEM. */
int uplink_publish(struct uplink *uplink, const struct mqtt_publish *publish, const struct mqtt_props *props,
                   uint64_t cookie);
/* Acknowledges a held message. A token of an earlier connection does nothing: the cloud sends that message again. */
void uplink_ack(struct uplink *uplink, uint64_t token, uint8_t reason);

/*
 * Named topics that are watched for a while (image blocks), QoS 0. UPLINK_WINDOW_MAX of them at a time; they end with
 * the connection. 0, UPLINK_BUSY (window full), UPLINK_NOT_UP, -EINVAL (no plain topic name).
 */
int uplink_watch(struct uplink *uplink, const char *topic);
void uplink_unwatch(struct uplink *uplink, const char *topic); /* unknown topics are ignored */
