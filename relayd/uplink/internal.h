/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * What the two halves of the uplink share: uplink.c is the connection (dial, TLS, time, back-off), messages.c the MQTT
 * session on it.
 */

#include "policy/retry.h"
#include "relay/mqttclient.h"
#include "relay/topic.h"
#include "uplink/inflight.h"
#include "uplink/transport.h"
#include "uplink/uplink.h"

#define UPLINK_TX_SIZE    (256 * 1024)
#define UPLINK_TX_RESERVE (16 * 1024) /* kept free of publishes, so that acknowledgements always find room */
#define UPLINK_READ_SIZE  16384

enum uplink_phase {
        UPLINK_PHASE_STOPPED,
        UPLINK_PHASE_WAITING,
        UPLINK_PHASE_DIALLING,
        UPLINK_PHASE_HANDSHAKE,
        UPLINK_PHASE_CONNACK,
        UPLINK_PHASE_SUBACK,
        UPLINK_PHASE_UP
};

struct dial;
struct tls_context;

struct uplink {
        sd_event *event;
        char *identity, *host;
        uint16_t port, keep_alive_s;
        uint32_t connect_timeout_ms;
        char *filters[UPLINK_FILTERS_MAX];
        size_t filter_count, news_count;
        struct uplink_handler handler;
        struct tls_context *tls;
        struct uplink_transport transport;
        struct retry retry;

        enum uplink_phase phase;
        char error[UPLINK_ERROR_SIZE];
        uint64_t up_ms, phase_deadline_ms;
        struct dial *dial;
        int fd;
        void *link;
        struct mqtt_client client;
        uint8_t *rx, *tx;
        uint16_t subscribe_id;
        uint32_t generation; /* of the connection: makes old tokens harmless */
        struct inflight inflight;
        bool was_busy; /* somebody waits for ready() */
        bool progress; /* bytes went or a PUBACK came since: there may be room */
        bool read_wants_write;
        bool address_in_doubt, way_in_doubt, way_lost; /* looked at in the next turn */
        uint8_t in[UPLINK_READ_SIZE];
        size_t in_fill, in_at;
        char watches[UPLINK_WINDOW_MAX][TOPIC_MAX]; /* "": free */

        sd_event_source *io, *timer, *again;
};

/* Ends this connection, or this try; the next comes after the back-off. Only from the loop. */
void uplink_fail(struct uplink *u, const char *format, ...) __attribute__((format(printf, 2, 3)));
void uplink_run_again(struct uplink *u); /* another turn of this connection soon */
void uplink_enter_up(struct uplink *u);
const char *uplink_phase_text(const struct uplink *u); /* "before CONNACK" */
/* room for so many bytes beside the reserve? */
bool uplink_has_room(const struct uplink *u, size_t size);
/* one event of the engine */
void uplink_dispatch(struct uplink *u, const struct mqtt_client_event *event);
