/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * What the hub shows of itself: plain values, copied or borrowed for the time of one call. They are filled by the
 * modules that own the facts and read by the bus. Field by field what docs/dbus/org.relayd.Relay1.xml describes.
 */

#include <stdbool.h>
#include <stdint.h>

#include "hub/refusal.h"
#include "relay/approval.h"
#include "relay/reason.h"
#include "relay/span.h"
#include "relay/topic.h"

#define VIEW_TEXT_MAX           256 /* bytes of a sentence with its NUL */
#define COUNTRY_OPEN_PORTS_SIZE 100

enum registration { REGISTRATION_PENDING = 0, REGISTRATION_REGISTERED = 1, REGISTRATION_REVOKED = 2 };
const char *registration_name(enum registration registration); /* "pending", "registered", "revoked" */

struct device_view {
        const char *identity;
        enum registration registration;
        bool online;
        uint64_t since;                         /* Unix seconds of the last change of online; 0: never seen */
        const char *peer;                       /* "192.0.2.7:40112", "" if offline */
        const char *version;                    /* from state/relay, "" if never told */
        char image_digest[2 * SHA256_SIZE + 1]; /* hexadecimal; "" if never told */
        uint64_t boot;
        char fingerprint[2 * SHA256_SIZE + 1];  /* hexadecimal; "" if the key is not known */
        const char *trust;                      /* "front-end", "claimed", "attested", "recovery", "unknown-image" */
        const char *attestation;                /* as the factory list says: "none", "claimed", "attested" */
        const char *quarantine;                 /* reason name; "" if it is in none */
        char proved_image[2 * SHA256_SIZE + 1]; /* by DICE-1, hexadecimal; "" if it never proved anything */
        uint64_t proved_sequence, proved_time;  /* of that image; Unix seconds of the proof */
        uint32_t rotation;                      /* number of its identity key's last rotation; 0: none */
        const char *update_checks;              /* "device", "relay": who checks updates; relay: nobody but it */
        const char *update_state;               /* last updates/status: "idle", "fetching", ...; "" if never told */
        uint32_t update_progress;               /* 0 to 100 */
        const char *update_reason;              /* reason name, "none" */
};

/* from where an image is known (hub/known_images.h) */
enum image_source { IMAGE_APPROVED = 0, IMAGE_FACTORY = 1, IMAGE_ADDED = 2 };
const char *image_source_name(enum image_source source); /* "approved", "factory", "added" */
struct image_view {
        char image[2 * SHA256_SIZE + 1];    /* digest, hexadecimal */
        char manifest[2 * SHA256_SIZE + 1]; /* the same; "" if it is known by a factory list */
        enum image_source source;
        uint64_t time, sequence; /* Unix seconds since when; 0 of a factory list */
        const char *version;     /* "" of a factory list */
};

struct manager_update_device {
        const char *device;
        /* "approval", "gate", "image", "offline", "offered", "fetching", "trying", "installed", "superseded", or a
         * reason name */
        const char *waits_for;
};
struct manager_update {
        uint8_t digest[SHA256_SIZE]; /* of the manifest */
        struct span version, urgency, description;
        uint64_t sequence;
        uint8_t image_digest[SHA256_SIZE];
        uint32_t image_size;
        const char *state;                        /* "pending", "approved", "denied", "superseded" */
        uint64_t received;                        /* Unix seconds */
        uint8_t approvals[SITE_APPROVERS_MAX][8]; /* key ids of the approvers that approved */
        uint32_t approval_count, needed;
        uint32_t blocks_cached, blocks;
        struct span envelope;
        const char *why;          /* words of the person who denied it, "" if nobody did */
        char rule[VIEW_TEXT_MAX]; /* the rule of the site policy that covers it, in words; "" if none does */
        uint32_t device_count;    /* see manager_update_device_at() */
        struct span notes;        /* release notes of the file it came in; nobody signed them */
};

struct alert_view {
        uint64_t number; /* 1, 2, ... */
        uint64_t time;   /* Unix seconds */
        const char *device;
        const char *reason; /* reason name */
        const char *detail;
};

enum uplink_view_state { UPLINK_VIEW_NONE = 0, UPLINK_VIEW_DOWN = 1, UPLINK_VIEW_UP = 2 };
const char *uplink_view_name(enum uplink_view_state state); /* "none", "down", "up" */

struct gate_view {
        bool open;
        uint64_t until; /* Unix seconds, 0: without end */
        bool answers;   /* false: tickets are needed, and the site policy names only gates with other keys */
};
/* One setting of the gate, as it is asked for and shown. */
struct gate_change {
        const char *scope;          /* "site", "class:<32 hexadecimal digits>", "device:<identity>" */
        const char *state;          /* "open", "closed", "windows" */
        uint64_t until;             /* of "open": Unix seconds, 0: without end */
        const char *const *windows; /* of "windows": "Sun 02:00-04:00" (util/week.h) */
        size_t window_count;
};
struct policy_view {
        uint64_t epoch; /* 0: no site policy yet */
        uint8_t digest[SHA256_SIZE];
        uint32_t threshold;
        uint64_t approval_epoch; /* approvals of an older one are revoked */
};

enum country_enforced { COUNTRY_ENFORCED_OFF = 0, COUNTRY_ENFORCED_HUB = 1, COUNTRY_ENFORCED_KERNEL = 2 };
const char *country_enforced_name(enum country_enforced enforced); /* "off", "hub", "kernel" */

struct country_view {
        enum country_enforced enforced;
        const char *guard;       /* "absent", "applying", "in-force", "failed" */
        const char *guard_error; /* a sentence, or "" */
        uint64_t pending_until;  /* Unix seconds; 0: nothing is on trial */
        const char *database;    /* source's name, or "" */
        uint64_t database_date;  /* of its data, Unix seconds; 0: not known */
        const char *database_error;
        uint32_t intervals4, intervals6; /* in the kernel */
        uint64_t load_microseconds;      /* the kernel's last change, as the guard measured it */
        uint64_t refused;                /* connections refused by kernel and hub since the start */
        uint64_t restored;               /* times somebody removed the table */
        bool lockdown;
        char open_ports[COUNTRY_OPEN_PORTS_SIZE]; /* under lockdown, beside the relay's own: "22 8006" */
};
/* What the policy says of one address, and why. */
struct country_test_view {
        bool allowed;
        char country[4];    /* "FI", "??", "--" */
        const char *name;   /* "Finland", "" */
        const char *reason; /* reason name */
        char rule[80];      /* key of the deciding rule */
        char sentence[VIEW_TEXT_MAX];
};
/* A device's event that waits for the cloud or an export. */
struct event_view {
        uint64_t number, time;         /* of the outbox; Unix seconds when the relay took it */
        char device[IDENTITY_MAX + 1]; /* who sent it */
        struct span name, payload;
        bool keyed; /* boot and seq are known: not of a foreign device */
        uint32_t boot;
        uint64_t seq;
};
/* What became of a command. */
struct command_end_view {
        const char *device;
        uint8_t key_id[KEY_ID_SIZE]; /* of who signed it */
        uint64_t counter;
        /* of the device: "done", "refused", "failed"; of the relay: "delivered" (to a device that cannot say more),
         * "expired" */
        const char *result;
        const char *reason; /* reason name */
        struct span value;  /* what the device gave with it */
};
struct country_change {
        const char *name, *value; /* hub/country_settings.h */
};
/* Who asks for a change, and from where: a change that would refuse one of these addresses asks first. */
struct country_caller {
        const char *caller;       /* for the audit log */
        const char *addresses[2]; /* NULL or "": none */
        uint16_t port;            /* of this host that the caller is connected to; 0: not known */
        bool force;               /* was asked */
};

struct manager_view {
        const char *version, *site, *identity;
        enum uplink_view_state uplink;
        uint64_t uplink_since;
        const char *uplink_error; /* "" if there is none */
        struct gate_view gate;
        struct policy_view policy;
        uint32_t sessions;
        uint64_t outbox_events, outbox_bytes;
        uint64_t store_used, store_max;
        uint64_t events_received, events_forwarded, events_repeated;
        uint64_t image_bytes_fetched, image_bytes_served;
        struct country_view country;
};
