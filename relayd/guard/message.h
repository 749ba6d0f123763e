/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Messages between the hub and relay-guardd, on <runtime>/guard.channel: the hub listens (peer uid: the guard's user),
 * the guard connects (and checks that the other end is the hub's user). The transport is channel/peer.h; each message
 * here is the payload of one CHANNEL_PACKET of session GUARD_SESSION, in either direction, and nothing else is sent.
 *
 * Each message is one deterministic CBOR array: [type, fields in the order below]. Unknown types and wrong lengths are
 * refused: drop the peer.
 *
 * | type        | from  | fields                                                                             |
 * |-------------|-------|------------------------------------------------------------------------------------|
 * | READY       | guard | kernel result, sentence, database date, active token, pending token, seconds left  |
 * | POLICY      | hub   | token, policy (bstr, policy/country.h encoding), confirm seconds (0: at once)      |
 * | CONFIRM     | hub   | token                                                                              |
 * | UPLINK      | hub   | air-gapped (bool)                                                                  |
 * | RELOAD      | hub   | none: read the database file again and apply the difference                        |
 * | COUNT       | hub   | none: answer with COUNTERS                                                         |
 * | APPLIED     | guard | token, result, sentence, microseconds, intervals IPv4, intervals IPv6, bytes sent  |
 * | ROLLED_BACK | guard | token given up, token in force now                                                 |
 * | RESTORED    | guard | how often since the guard started                                                  |
 * | REFUSED     | guard | direction, source address (bstr 4 or 16), port, country (tstr 2), count            |
 * | COUNTERS    | guard | [[name, packets, bytes], ...], [[country, refused packets seen], ...]              |
 * | LINK        | guard | kind, interface (tstr, may be empty), up, default route IPv4, default route IPv6   |
 *
 * Order: the guard sends READY when the channel is up. The hub answers with UPLINK and POLICY (the committed one,
 * confirm 0), then, if one is still pending, POLICY (the pending one, seconds left). The guard answers each POLICY with
 * one APPLIED (after a RELOAD too, with the token in force). A POLICY with confirm seconds is given up for the one
 * before it, with ROLLED_BACK, unless CONFIRM with its token comes in time; the hub's death in between changes nothing.
 * A POLICY that comes while another is pending replaces that one; what a roll-back goes back to stays the last
 * committed. Without a connection the table stays as it is.
 */

#include "relay/cursor.h"

#define GUARD_SESSION       1     /* session number of the packets */
#define GUARD_MESSAGE_MAX   16384 /* bytes of any message */
#define GUARD_POLICY_MAX    8192  /* bytes of an encoded policy */
#define GUARD_SENTENCE_MAX  300
#define GUARD_INTERFACE_MAX 16
#define GUARD_CONFIRM_MAX   3600 /* seconds */
#define GUARD_COUNTERS_MAX  32
#define GUARD_COUNTRIES_MAX 64

enum guard_type {
        GUARD_READY = 1,
        GUARD_POLICY,
        GUARD_CONFIRM,
        GUARD_UPLINK,
        GUARD_RELOAD,
        GUARD_COUNT,
        GUARD_APPLIED,
        GUARD_ROLLED_BACK,
        GUARD_RESTORED,
        GUARD_REFUSED,
        GUARD_COUNTERS,
        GUARD_LINK,
};

/* Results of READY and APPLIED: 0 or a positive errno (EPROTONOSUPPORT: no nf_tables; EPERM: no right to change it;
 * ENOENT: no usable database; EINVAL: the policy is not well-formed; EACCES: lockdown is not configured). The sentence
 * says it for people; empty if the result is 0. After an error the rules before it are still in force. */
struct guard_ready {
        uint32_t result;
        struct span sentence;
        uint64_t database_date;               /* seconds since 1970; 0: no database */
        uint64_t active_token, pending_token; /* 0: none */
        uint32_t seconds_left;                /* until the pending one is given up */
};
struct guard_policy {
        uint64_t token; /* the hub's number of it, never 0 */
        struct span policy;
        uint32_t confirm_seconds;
};
struct guard_applied {
        uint64_t token;
        uint32_t result;
        struct span sentence;
        uint64_t microseconds;           /* building, sending and the kernel's own work */
        uint32_t intervals4, intervals6; /* in all allowed sets */
        uint64_t bytes;                  /* sent to the kernel: only the difference */
};
struct guard_rolled_back {
        uint64_t token, active_token; /* active 0: no policy */
};
struct guard_refused {
        uint8_t direction;   /* enum country_direction: inbound, uplink, admin */
        struct span address; /* of the other end; 4 or 16 bytes */
        uint16_t port;       /* of the relay (inbound, admin) or of the other end (uplink) */
        char country[3];     /* "FI", "??" */
        uint32_t count;      /* refusals this message stands for: rate-limited, so at least 1 */
};
struct guard_counter {
        struct span name; /* "inbound-accepted", "inbound-refused", "uplink-refused", "flood", ... */
        uint64_t packets, bytes;
};
struct guard_country_count {
        char country[3];
        uint64_t refused;
};
struct guard_counters {
        size_t count, country_count;
        struct guard_counter counters[GUARD_COUNTERS_MAX];
        struct guard_country_count countries[GUARD_COUNTRIES_MAX];
};
enum guard_link_kind { GUARD_LINK_INTERFACE = 0, GUARD_LINK_ADDRESS = 1, GUARD_LINK_ROUTE = 2 };
struct guard_link {
        enum guard_link_kind kind;
        struct span interface; /* empty: not about one */
        bool up;               /* link has carrier / address added / route added */
        bool default_route4, default_route6;
};

struct guard_message {
        enum guard_type type;
        union {
                struct guard_ready ready;
                struct guard_policy policy;
                uint64_t confirm; /* token */
                bool air_gapped;  /* UPLINK */
                struct guard_applied applied;
                struct guard_rolled_back rolled_back;
                uint64_t restored;
                struct guard_refused refused;
                struct guard_counters counters;
                struct guard_link link;
        };
};

/* Decodes one whole message; spans point into in. RELAY_OK, or RELAY_E_TRUNCATED / RELAY_E_MALFORMED / RELAY_E_RANGE */
int guard_message_decode(struct span in, struct guard_message *out);
/* Appends one message. RELAY_OK, RELAY_E_SPACE, or RELAY_E_RANGE if a field is outside the limits above. */
int guard_message_encode(struct writer *w, const struct guard_message *message);
