/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The device engine: fail-over, two links, sessions, outbox, update agent, gate and commands put together.
 *
 * Site policy and vendor key set are the boot stage's; the engine keeps a copy of what is in force. What is retained at
 * policy/<epoch>, vendor/<epoch> and revocations goes to the boot stage, which alone judges it; an accepted one is in
 * force at once, without a restart. What is refused is told at updates/refused, once an object.
 *
 * To a relay the device proves itself (DICE-1, relay/attest.h) if the board can; one whose challenge names a key that
 * is not pinned gets nothing. A relay that knows no DICE-1 gets a plain CONNECT at once: whether that is enough is its
 * business.
 *
 * It never waits. The caller gives it time by device_run(), whenever a link may have moved and at the latest at
 * device_deadline(), and puts events into it by device_publish() whenever it likes: they wait in flash.
 */

#include "app/command.h"
#include "app/failover.h"
#include "app/gate.h"
#include "app/outbox.h"
#include "app/update.h"
#include "port/boot.h"
#include "port/clock.h"
#include "port/entropy.h"
#include "port/log.h"
#include "port/secret.h"
#include "port/tls.h"
#include "relay/mqttclient.h"

#define DEVICE_RX_SIZE    (SITE_POLICY_MAX + TOPIC_MAX + 64) /* the largest object, with its topic */
#define DEVICE_RX_SMALL   1024                               /* the largest packet for a candidate or from a gate */
#define DEVICE_TX_SIZE    (ATTEST_STATEMENT_MAX + 64)        /* the largest packet sent */
#define DEVICE_PACKET_MIN 2048 /* a broker that takes no packets of this size is no place to go to */
#define DEVICE_WINDOW     16   /* events sent and not acknowledged */
#define DEVICE_REPORTS    4    /* refused objects waiting to be told */
#define DEVICE_REPORTED   8    /* refused objects that were told */

/*
 * An update that somebody carried here, on a stick: its image comes from there, and everything else is as with any
 * other update: the same agent, the same checks, the gate's ticket.
 */
struct device_carrier {
        /* A list piece or block: true and *out (valid until the next call), or false: it has none of this image. */
        bool (*piece)(void *context, const struct topic_parts *piece, struct span *out);
        void *context;
};

struct device_config {
        const char *identity; /* also the MQTT client id */
        const char *version;  /* of the application */
        uint8_t class_id[CLASS_ID_SIZE];
        const struct port_tls *tls;
        const struct port_clock *clock;
        const struct port_boot *boot;
        const struct port_entropy *entropy;
        const struct port_secret *secret; /* for DICE-1; NULL, or without attest: plain CONNECT everywhere */
        const struct port_log *log;       /* may be NULL */
        struct outbox *outbox;            /* mounted; NULL: this device tells no events (recovery) */
        /* initialised, with the device's policy, vendor and gate; NULL: this device takes no updates, no commands */
        struct update *update;
        struct commands *commands;
        const struct device_carrier *carrier; /* may be NULL */
        uint16_t keep_alive_s;
        struct failover_timing timing;
        struct gate_timing gate_timing;
        /* an event was acknowledged by a broker; may be NULL */
        void (*acknowledged)(void *context, uint32_t boot, uint64_t seq);
        void *context;
};

enum device_link_state { DEVICE_LINK_CLOSED = 0, DEVICE_LINK_HANDSHAKE, DEVICE_LINK_OPEN };

struct device_link {
        enum device_link_state state;
        struct site_endpoint endpoint; /* a copy: the policy may change */
        uint64_t opened_ms;
        uint32_t session;
        bool watch_asked; /* relay/state subscribed */
        bool plain;       /* the relay knows no DICE-1 */
        bool proved;      /* a challenge came */
        struct mqtt_client client;
        uint8_t rx[DEVICE_RX_SMALL], tx[DEVICE_TX_SIZE]; /* the session reads into device.rx */
};

struct device_flight {
        uint16_t packet_id; /* 0: free */
        uint32_t boot;
        uint64_t seq;
        struct outbox_place place;
};

struct device_report {
        const char *object; /* NULL: free */
        enum reason reason;
        uint8_t digest[SHA256_SIZE];
        uint64_t due_ms;
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
        struct site_policy policy; /* in force */
        struct vendor_keys vendor;
        struct gate gate;
        struct failover failover;
        const struct site_endpoint *endpoints[SITE_ENDPOINTS_MAX]; /* those of the policy that apply to this device */
        struct device_link links[PORT_LINKS];
        uint8_t rx[DEVICE_RX_SIZE]; /* of the session */
        unsigned active;            /* link of the session, FAILOVER_NONE */
        unsigned gate_link;         /* link to a gate with an address of its own, FAILOVER_NONE */
        bool gate_asked;            /* on that link */
        uint32_t session;
        uint64_t seq;

        /* on the active link */
        bool topics_asked, chain_asked, commands_asked, state_told;
        uint64_t commands_ms;                 /* then commands are subscribed, with or without trusted time */
        uint16_t state_packet, status_packet; /* awaiting PUBACK */
        bool online;                          /* the state was acknowledged: the session works both ways */
        struct outbox_place sent;             /* last record sent */
        struct device_flight flights[DEVICE_WINDOW];
        uint64_t hold_ms; /* the broker asked for a pause */
        bool carried;     /* a piece came from the carrier: there may be more at once */
        bool carrier_bad; /* it gave a piece that does not fit */
        bool resetting;
        bool entropy_silent, entropy_told;
        uint64_t reset_ms;

        bool trust_changed; /* the boot stage accepted something */
        struct device_report reports[DEVICE_REPORTS];
        uint8_t reported[DEVICE_REPORTED][SHA256_SIZE];
        unsigned reported_count; /* ever */
        uint64_t report_ms;      /* none before */
        bool more;               /* a link had more than one round takes */
        struct device_counters counters;
};

/*
 * 0, or an error of the boot stage. A device whose source of random numbers is silent opens no connection, says so
 * (log, and event "entropy" once it can), tries again after the pauses of fail-over, and works on. A device to which no
 * endpoint of the policy applies works without a network. What config points to is borrowed; update and commands may
 * point into *d, which must not move.
 */
int device_init(struct device *d, const struct device_config *config);
/*
 * Puts an event into the outbox; it has key (boot counter, rising seq). name: one or more topic levels.
 * 0: it is in flash; RELAY_E_SPACE: the outbox is full of events to keep; RELAY_E_STATE: there is no outbox; else
 * outbox_put()'s errors.
 */
int device_publish(struct device *d, enum outbox_class class, struct span name, struct span payload);
/* The carrier has something new: an offer and approvals, as if a broker had sent them. */
void device_carry(struct device *d, struct span envelope, const struct span *approvals, size_t count);
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
