/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The device engine: fail-over, two links, sessions, outbox and update agent put together.
 *
 * It never waits. The caller gives it time by device_run(), whenever a link may have moved and at the latest at
 * device_deadline(), and puts events into it by device_publish() whenever it likes: they wait in flash.
 */

#include "app/failover.h"
#include "app/outbox.h"
#include "app/update.h"
#include "port/boot.h"
#include "port/clock.h"
#include "port/entropy.h"
#include "port/log.h"
#include "port/tls.h"
#include "relay/mqttclient.h"

#define DEVICE_RX_SIZE 4608 /* a block or an envelope, with its topic */
#define DEVICE_TX_SIZE 3072
#define DEVICE_WINDOW  16 /* events sent and not acknowledged */

struct device_config {
        const char *identity; /* also the MQTT client id */
        const char *version;  /* of the application */
        const struct site_policy *policy;
        const struct port_tls *tls;
        const struct port_clock *clock;
        const struct port_boot *boot;
        const struct port_entropy *entropy;
        const struct port_log *log; /* may be NULL */
        struct outbox *outbox;      /* mounted */
        struct update *update;      /* initialised; NULL: this device takes no updates */
        uint16_t keep_alive_s;
        struct failover_timing timing;
        /* an event was acknowledged by a broker; may be NULL */
        void (*acknowledged)(void *context, uint32_t boot, uint64_t seq);
        void *context;
};

enum device_link_state { DEVICE_LINK_CLOSED = 0, DEVICE_LINK_HANDSHAKE, DEVICE_LINK_OPEN };

struct device_link {
        enum device_link_state state;
        const struct site_endpoint *endpoint;
        uint32_t session;
        bool watch_asked; /* relay/state subscribed */
        struct mqtt_client client;
        uint8_t rx[DEVICE_RX_SIZE], tx[DEVICE_TX_SIZE];
};

struct device_flight {
        uint16_t packet_id; /* 0: free */
        uint32_t boot;
        uint64_t seq;
        struct outbox_place place;
};

struct device_counters {
        uint64_t published;    /* put into the outbox */
        uint64_t acknowledged; /* by a broker */
        uint64_t refused;      /* a broker will not have them, ever: given up, and said so in the log */
        uint64_t connects;     /* attempts */
};

struct device {
        struct device_config config;
        struct port_boot_status boot;
        struct failover failover;
        const struct site_endpoint *endpoints[SITE_ENDPOINTS_MAX]; /* those that apply to this device */
        struct device_link links[PORT_LINKS];
        unsigned active; /* link of the session, FAILOVER_NONE */
        uint32_t session;
        uint64_t seq;

        /* on the active link */
        bool topics_asked, state_told;
        uint16_t state_packet, status_packet; /* awaiting PUBACK */
        bool online;                          /* the state was acknowledged: the session works both ways */
        struct outbox_place sent;             /* last record sent */
        struct device_flight flights[DEVICE_WINDOW];
        uint64_t hold_ms; /* the broker asked for a pause */
        bool resetting;
        uint64_t reset_ms;
        struct device_counters counters;
        uint8_t input[2048];
};

/* 0, or an error of the boot stage or entropy; RELAY_E_STATE if no endpoint of the policy applies to this device. */
int device_init(struct device *d, const struct device_config *config);
/*
 * Puts an event into the outbox; it has key (boot counter, rising seq). name: one or more topic levels.
 * 0: it is in flash; RELAY_E_SPACE: the outbox is full of events to keep; else outbox_put()'s errors.
 */
int device_publish(struct device *d, enum outbox_class class, struct span name, struct span payload);
/* Does everything that can be done now. 0, or an error of flash or boot stage: the device should be reset. */
int device_run(struct device *d);
/* milliseconds of port_clock; may be in the past */
uint64_t device_deadline(const struct device *d);
/* A broker acknowledged this device's presence, and the session lives. */
bool device_is_online(const struct device *d);
/* what the session runs on; NULL without one */
const struct site_endpoint *device_endpoint(const struct device *d);
/* Tells the update agent and the boot stage that the running image works. */
int device_confirm(struct device *d);
