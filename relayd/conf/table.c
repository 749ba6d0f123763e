/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every key of relayd.conf. */

#include "conf/table.h"

#define FIELD(name)     .offset = offsetof(struct conf, name), .size = sizeof(((struct conf *)0)->name)
#define BETWEEN(lo, hi) .min = (lo), .max = (hi)
#define MIB             (UINT64_C(1) << 20)
#define DAY             UINT64_C(86400)

static const char *const unknown_choices[] = {
        [CONF_UNKNOWN_PENDING] = "pending", [CONF_UNKNOWN_REFUSE] = "refuse", NULL
};
static const char *const clone_choices[] = {
        [CLONE_RULE_ALERT] = "alert", [CLONE_RULE_QUARANTINE] = "quarantine", [CLONE_RULE_REFUSE] = "refuse", NULL
};
static const char *const uplink_choices[] = { [CONF_UPLINK_NONE] = "none", [CONF_UPLINK_MQTT] = "mqtt", NULL };
static const char *const full_choices[] = {
        [CONF_FULL_REFUSE] = "refuse", [CONF_FULL_DROP_OLDEST] = "drop-oldest", NULL
};

static const char *const air_gapped_choices[] = {
        [CONF_AIR_GAPPED_NONE] = "none", [CONF_AIR_GAPPED_KEEP] = "keep", NULL
};

static const char *const lockdown_choices[] = {
        [CONF_LOCKDOWN_FORBIDDEN] = "forbidden", [CONF_LOCKDOWN_ALLOWED] = "allowed", NULL
};

const struct conf_section conf_sections[] = {
        { "relay", "The relay itself: its site, its name, its folders." },
        { "listener", "What the front end shows to devices and applications. Addresses and ports are systemd's "
                      "(relay-mqttd.socket) or relay-mqttd's --listen." },
        { "devices", "Who may have a session." },
        { "gate", "Answers to devices that ask whether they may install now." },
        { "uplink", "The way to the cloud. In mode mqtt, host, certificate, key and one of ca and pin are needed." },
        { "store", "The database below the state folder." },
        { "outbox", "Events on their way to the cloud, or to a file." },
        { "country", "The address database behind 'relayctl country'. The rules themselves are kept in the store." },
        { "firewall", "What relay-guardd may be asked for." },
        { "bus", "D-Bus, for relayctl and the approval page." },
};
const size_t conf_sections_size = sizeof(conf_sections) / sizeof(conf_sections[0]);

const struct conf_row conf_table[] = {
        { "relay", "site", CONF_SITE, FIELD(site), .help = "Identifier of the site; part of every topic." },
        { "relay", "identity", CONF_IDENTITY, true, FIELD(identity), .fallback = "",
          .help = "Name of this relay. Empty: relay.<site>." },
        { "relay", "state", CONF_PATH, FIELD(state), .fallback = "/var/lib/relayd",
          .help = "Folder of the store and of what the relay learnt." },
        { "relay", "runtime", CONF_PATH, FIELD(runtime), .fallback = "/run/relayd",
          .help = "Folder of the sockets to the front ends." },
        { "relay", "roles", CONF_PATH, FIELD(roles), .fallback = "/etc/relayd/roles.d",
          .help = "Folder with one file per site application: <identity>.conf with [role], fingerprint, read and "
                  "write." },

        { "listener", "certificate", CONF_PATH, FIELD(certificate), .fallback = "/etc/relayd/relay.crt",
          .help = "The relay's TLS certificate (PEM)." },
        { "listener", "key", CONF_PATH, FIELD(key), .fallback = "/etc/relayd/keys/relay.key",
          .help = "Its private key, read by relayd only; front ends ask it for signatures." },

        { "devices", "ca", CONF_PATH, true, FIELD(device_ca), .fallback = "",
          .help = "Factory CAs (PEM). Empty: only pinned keys are believed." },
        { "devices", "unknown", CONF_CHOICE, FIELD(unknown), .choices = unknown_choices, .fallback = "pending",
          .help = "A device that is not registered: note it as pending, to be admitted by relayctl, or refuse it "
                  "without a trace in the registry. It gets no session either way." },
        { "devices", "clones", CONF_CHOICE, FIELD(clones), .choices = clone_choices, .fallback = "alert",
          .help = "A device whose boot counter goes back: somebody copied its secrets, or put its memory back to an "
                  "older state. alert: only told. quarantine: only the way of updates is open to it, until "
                  "'relayctl devices release'. refuse: the one with the older counter gets no session. What the cloud "
                  "tells of devices on their direct way alerts only." },
        { "devices", "sessions_max", CONF_NUMBER, FIELD(sessions_max), BETWEEN(1, 1000000), .fallback = "10000",
          .help = "Sessions at one time." },

        { "gate", "key", CONF_PATH, true, FIELD(gate_key), .fallback = "",
          .help = "Private key (Ed25519) of the gate, which the site policy has to name; nobody but relayd may read "
                  "it. "
                  "It signs tickets and the audit log's checkpoints. Empty: this relay is no gate, and makes no "
                  "checkpoints." },

        { "uplink", "mode", CONF_CHOICE, FIELD(uplink), .choices = uplink_choices, .fallback = "none",
          .help = "none: nothing leaves the site. mqtt: an MQTT 5 broker over TLS 1.3." },
        { "uplink", "host", CONF_TEXT, true, FIELD(uplink_host), .fallback = "",
          .help = "Name or address of the broker." },
        { "uplink", "port", CONF_NUMBER, FIELD(uplink_port), BETWEEN(1, 65535), .fallback = "8883",
          .help = "Its TCP port." },
        { "uplink", "ca", CONF_PATH, true, FIELD(uplink_ca), .fallback = "",
          .help = "CAs that may have issued its certificate (PEM)." },
        { "uplink", "pin", CONF_PIN, true, FIELD(uplink_pin), .fallback = "",
          .help = "SHA-256 of the public key (SubjectPublicKeyInfo) of its certificate. With ca, both have to fit." },
        { "uplink", "certificate", CONF_PATH, true, FIELD(uplink_certificate), .fallback = "",
          .help = "The relay's certificate for the broker (PEM)." },
        { "uplink", "key", CONF_PATH, true, FIELD(uplink_key), .fallback = "", .help = "Its private key." },
        { "uplink", "keep_alive", CONF_DURATION, FIELD(uplink_keep_alive_s), BETWEEN(5, 3600), .fallback = "30s",
          .help = "Silence after which the connection is probed; half as long again and it counts as lost." },

        { "store", "size_max", CONF_SIZE, FIELD(store_size_max), BETWEEN(16 * MIB, 1024 * 1024 * MIB), .fallback = "1G",
          .help = "Space for the database. From 85 % on new events are refused." },
        { "store", "commit_delay", CONF_NUMBER, FIELD(commit_delay_ms), BETWEEN(0, 20), .unit = "ms", .fallback = "20",
          .help = "Shortest time between two commits in a stream of small events. Longer spares SD cards, shorter "
                  "acknowledges sooner." },

        { "outbox", "bytes_max", CONF_SIZE, FIELD(outbox_bytes_max), BETWEEN(1 * MIB, 1024 * 1024 * MIB),
          .fallback = "256M",
          .help = "Space for events while the cloud is away; part of the store. A device that fills more than "
                  "half of it leaves the last eighth to the others." },
        { "outbox", "age_max", CONF_DURATION, FIELD(outbox_age_max_s), BETWEEN(0, 3650 * DAY), .fallback = "30d",
          .help = "Events older than this are dropped and counted. 0: none." },
        { "outbox", "when_full", CONF_CHOICE, FIELD(when_full), .choices = full_choices, .fallback = "refuse",
          .help = "refuse: devices get a reason code and keep their events. drop-oldest: the oldest events make room, "
                  "counted and alerted." },
        { "outbox", "air_gapped", CONF_CHOICE, FIELD(air_gapped), .choices = air_gapped_choices, .fallback = "keep",
          .help = "With [uplink] mode = none. keep: events wait here, under the three rules above, for 'relayctl "
                  "events "
                  "export'; what was acknowledged is not lost. none: events go to local subscribers and are kept for "
                  "nobody else." },

        { "country", "database", CONF_PATH, FIELD(country_database), .fallback = "/var/lib/relayd-country/country.db",
          .help = "Which address belongs to which country, compiled by relay-country. Without it, addresses that a "
                  "rule "
                  "would judge are refused." },
        { "country", "age_max", CONF_DURATION, FIELD(country_age_max_s), BETWEEN(0, 3650 * DAY), .fallback = "60d",
          .help = "Alerts once a day while its data is older than this. An old database stays in use. 0: no alerts." },

        { "firewall", "lockdown", CONF_CHOICE, FIELD(lockdown), .choices = lockdown_choices, .fallback = "forbidden",
          .help = "allowed: 'relayctl lockdown on' may close every port but the relay's and the listed ones. "
                  "relay-guardd "
                  "has an option of its own for this, so that a hub that was taken over cannot close the host." },

        { "bus", "address", CONF_TEXT, FIELD(bus_address), .fallback = "system",
          .help = "system, or the address of a private bus (unix:path=...)." },
};
const size_t conf_table_size = sizeof(conf_table) / sizeof(conf_table[0]);
