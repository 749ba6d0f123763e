/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The hub's configuration: one table (conf/table.c) holds every key with section, type, range, default and help;
 * parser, error messages, man page and completion come from it. conf_load() reads FILE and FILE.d/ drop-ins in name
 * order.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "policy/clone.h"

enum conf_uplink { CONF_UPLINK_NONE = 0, CONF_UPLINK_MQTT = 1 };
enum conf_air_gapped { CONF_AIR_GAPPED_NONE = 0, CONF_AIR_GAPPED_KEEP = 1 };
enum conf_when_full { CONF_FULL_REFUSE = 0, CONF_FULL_DROP_OLDEST = 1 };
enum conf_lockdown { CONF_LOCKDOWN_FORBIDDEN = 0, CONF_LOCKDOWN_ALLOWED = 1 };
enum conf_unknown { CONF_UNKNOWN_PENDING = 0, CONF_UNKNOWN_REFUSE = 1 };

struct conf {
        /* [relay] */
        char *site;     /* site = s1 */
        char *identity; /* identity = relay.s1 (default relay.<site>) */
        char *state;    /* state = /var/lib/relayd */
        char *runtime;  /* runtime = /run/relayd: channel sockets mqtt.channel, mqtt.sign */
        char *roles;    /* roles = /etc/relayd/roles.d: one file per site application */
        /* [listener] */
        char *certificate; /* certificate = /etc/relayd/relay.crt (PEM) */
        char *key;         /* key = /etc/relayd/keys/relay.key: the relay's TLS key, read by the hub only */
        /* [devices] */
        char *device_ca;           /* ca = FILE or empty: PEM of the factory CAs */
        enum conf_unknown unknown; /* unknown = pending|refuse */
        enum clone_rule clones;    /* clones = alert|quarantine|refuse */
        uint32_t sessions_max;     /* sessions_max = 10000 */
        /* [gate] */
        char *gate_key; /* key = FILE or empty: signs tickets and checkpoints; read by the hub only */
        /* [uplink] */
        enum conf_uplink uplink; /* mode = none|mqtt */
        char *uplink_host;       /* host = cloud.example */
        uint16_t uplink_port;    /* port = 8883 */
        char *uplink_ca;         /* ca = FILE or empty */
        char *uplink_pin;        /* pin = 64 hexadecimal digits or empty; one of ca and pin is needed */
        char *uplink_certificate, *uplink_key;
        uint16_t uplink_keep_alive_s; /* keep_alive = 30 */
        /* [store] */
        uint64_t store_size_max;  /* size_max = 1G */
        uint32_t commit_delay_ms; /* commit_delay = 20 (0 to 20) */
        /* [outbox] */
        uint64_t outbox_bytes_max;       /* bytes_max = 256M */
        uint32_t outbox_age_max_s;       /* age_max = 30d; 0: none */
        enum conf_when_full when_full;   /* when_full = refuse|drop-oldest */
        enum conf_air_gapped air_gapped; /* air_gapped = keep|none */
        /* [country] */
        char *country_database;     /* database = /var/lib/relayd-country/country.db: made by relay-country */
        uint32_t country_age_max_s; /* age_max = 60d; 0: none */
        /* [firewall] */
        enum conf_lockdown lockdown; /* lockdown = forbidden|allowed */
        /* [bus] */
        char *bus_address; /* address = system, or a D-Bus address of a private bus */
};

/*
 * Reads file, then the *.conf of FILE.d in name order: a later file's value replaces an earlier one's; within one file
 * a key may stand once. Lines have at most 197 bytes; ` ;` starts a comment; unknown sections and keys are errors. 0
 * and *ret, -EBADMSG (a broken file, or keys that do not fit together), or another -errno. error: on failure a sentence
 * with file, line, key, what was found and what is allowed.
 */
int conf_load(const char *file, struct conf **ret, char *error, size_t error_size);
struct conf *conf_free(struct conf *conf);

/* The chapter "SECTIONS AND KEYS" of relayd.conf(5), as reStructuredText. */
void conf_help(FILE *out);
