/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Which addresses may reach this host, or be reached from it, by country. Pure: the caller looks the country up.
 * The guard asks for intervals (policy/country_intervals.h), the hub for single addresses; both answer alike.
 *
 * An address is judged in this order, and the first line that fits decides:
 *  1. loopback: allowed
 *  2. administration ports: allowed while lockdown is off; refused if lockdown is on and the port is none of its ports
 *  3. private, link-local and unique local networks (unless judge_local), and listed exempt networks: allowed
 *  4. the rule of the port (inbound only), else of the direction:
 *     off: allowed; no database: refused; unknown country: as the rule says; else by the list.
 *
 * Record (CBOR, deterministic): {0: 1, 1: [rule inbound, rule uplink, rule admin], 2: [* [address bytes, prefix]],
 * 3: [* [port, rule]], 4: lockdown, 5: [* port], 6: judge_local}; rule = [mode, accept unknown, bstr]: country n is
 * bit n % 8 of byte n / 8, zero bytes at the end left out. Networks, port rules and ports ascend without repeats.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/address.h"
#include "policy/country_code.h"
#include "relay/reason.h"
#include "relay/span.h"

#define COUNTRY_EXEMPT_MAX     64
#define COUNTRY_EXEMPT_ALL_MAX (COUNTRY_EXEMPT_MAX + 8) /* with those that always are */
#define COUNTRY_PORT_RULES_MAX 8
#define COUNTRY_PORTS_MAX      16   /* open under lockdown */
#define COUNTRY_RECORD_MAX     4096 /* bytes of an encoded policy */
#define COUNTRY_RULE_TEXT_MAX  2200 /* bytes of a rule in words, with NUL */
#define COUNTRY_ERROR_MAX      256  /* bytes of a sentence about bad words, with NUL */
#define COUNTRY_KEY_MAX        80   /* bytes of a deciding rule's key, with NUL */

enum country_direction {
        COUNTRY_INBOUND = 0, /* to the ports of devices and applications */
        COUNTRY_UPLINK = 1,  /* from the hub to its cloud */
        COUNTRY_ADMIN = 2,   /* to administration ports, if lockdown is on */
        COUNTRY_DIRECTIONS
};

enum country_mode {
        COUNTRY_OFF = 0, /* everything is allowed */
        COUNTRY_ALLOW,   /* these countries and no other; an empty list allows exempt networks only */
        COUNTRY_DENY,    /* every country but these */
};

struct country_rule {
        enum country_mode mode;
        bool accept_unknown; /* addresses whose country the database does not know */
        struct country_set countries;
};

struct country_port_rule {
        uint16_t port; /* not 0 */
        struct country_rule rule;
};

/* What holds for a port of a direction, whatever the address: rule is NULL if the port is open to or closed for all. */
struct country_scope {
        const struct country_rule *rule;
        bool closed;
        uint16_t port; /* of the port rule or closed port; 0: none */
};

/* All zero: off in every direction, no lockdown. */
struct country_policy {
        struct country_rule rules[COUNTRY_DIRECTIONS];
        struct network exempt[COUNTRY_EXEMPT_MAX];
        size_t exempt_count;
        struct country_port_rule port_rules[COUNTRY_PORT_RULES_MAX];
        size_t port_rule_count;
        bool lockdown;
        uint16_t lockdown_ports[COUNTRY_PORTS_MAX]; /* TCP ports for administration (22 ...), not the relay's own */
        size_t lockdown_port_count;
        bool judge_local; /* private, link-local and unique local networks are judged like all others */
};

/* Which line decided. */
enum country_deciding {
        COUNTRY_BY_LOOPBACK,
        COUNTRY_BY_NO_LOCKDOWN,
        COUNTRY_BY_CLOSED_PORT,
        COUNTRY_BY_LOCAL,  /* private, link-local, unique local */
        COUNTRY_BY_EXEMPT, /* listed in the policy */
        COUNTRY_BY_OFF,
        COUNTRY_BY_NO_DATABASE,
        COUNTRY_BY_UNKNOWN,
        COUNTRY_BY_LIST,
};

struct country_answer {
        struct decision decision; /* deny reasons: COUNTRY, UNKNOWN_COUNTRY, NO_COUNTRY_DATABASE, CLOSED_PORT */
        enum country_deciding by;
        enum country_direction direction;
        uint16_t port;          /* of the port rule or closed port that decided; 0: the direction's rule */
        enum country_mode mode; /* of the rule that decided */
        struct network network; /* BY_LOOPBACK, BY_LOCAL, BY_EXEMPT */
        country_code country;   /* as given */
};

/* What a rule alone says about a country (COUNTRY_UNKNOWN and COUNTRY_NO_DATABASE included). */
struct decision country_rule_decide(const struct country_rule *rule, country_code country);
/*
 * May this address connect to (inbound, admin) or be connected to (uplink)? port: the local TCP port the peer connects
 * to, 0 for uplink or to ask about the direction in general. country: what the database says about the address.
 */
struct country_answer country_policy_decide(const struct country_policy *policy, enum country_direction direction,
                                            uint16_t port, const struct address *address, country_code country);
/*
 * The deciding rule as a short key, for logs, the audit log and tests: "inbound:allow:FI", "inbound:not-allowed:US",
 * "port-8883:deny:RU", "port-8883:not-denied:FI", "uplink:unknown", "uplink:no-database", "inbound:off",
 * "exempt:192.0.2.0/24", "local:10.0.0.0/8", "loopback:127.0.0.0/8", "admin:no-lockdown", "admin:closed-port-23".
 * Returns out.
 */
const char *country_answer_key(const struct country_answer *answer, char out[COUNTRY_KEY_MAX]);
const char *country_direction_name(enum country_direction direction); /* "inbound", "uplink", "admin" */
/* COUNTRY_DIRECTIONS if there is none of this name */
enum country_direction country_direction_from_name(const char *name);
/* The lines 2 and 4 above: which rule holds for a port of a direction. Pointers are into policy. */
struct country_scope country_policy_scope(const struct country_policy *policy, enum country_direction direction,
                                          uint16_t port);
/*
 * Lines 1 and 3: the network that makes the address exempt in this scope, or NULL. Pointers are into policy or static.
 * by: COUNTRY_BY_LOOPBACK, COUNTRY_BY_LOCAL or COUNTRY_BY_EXEMPT, only set if there is one.
 */
const struct network *country_policy_exempt(const struct country_policy *policy, const struct country_scope *scope,
                                            const struct address *address, enum country_deciding *by);
/* All networks of a family that are exempt in this scope, in no order; out: COUNTRY_EXEMPT_ALL_MAX. How many. */
size_t country_policy_exempt_list(const struct country_policy *policy, const struct country_scope *scope,
                                  enum address_family family, const struct network **out);

/*
 * A rule in words: "off", "allow FI SE EU", "deny RU, BY unknown=refuse". Codes, groups and modes in any case,
 * separated by blanks or commas; unknown=accept or unknown=refuse at any place behind the mode, else allow refuses and
 * deny accepts unknown addresses. "EU-WIDE" and "AP-WIDE" are networks registered for the region without a country.
 * "allow" alone is right (nothing but exempt networks); "deny" alone is not. Codes that no country has are refused.
 * 0, or -EINVAL and a sentence in error (COUNTRY_ERROR_MAX bytes; may be NULL) that names the word and the way out.
 */
int country_rule_parse(struct country_rule *ret, const char *text, char *error);
/* The shortest words that parse to the same rule (groups are not found again); returns out. */
const char *country_rule_format(const struct country_rule *rule, char out[COUNTRY_RULE_TEXT_MAX]);

/*
 * Adding keeps the lists sorted. 0; -EEXIST: is there already (a port's rule is replaced); -ENOSPC: the list is full;
 * -EINVAL: not a valid network, port 0.
 */
int country_policy_add_exempt(struct country_policy *policy, const struct network *network);
int country_policy_add_port_rule(struct country_policy *policy, uint16_t port, const struct country_rule *rule);
int country_policy_add_lockdown_port(struct country_policy *policy, uint16_t port);

bool country_policy_is_valid(const struct country_policy *policy);
bool country_policy_equal(const struct country_policy *a, const struct country_policy *b);
/* 0; RELAY_E_SPACE; RELAY_E_RANGE: not a valid policy. *size: bytes written */
int country_policy_encode(const struct country_policy *policy, void *out, size_t out_size, size_t *size);
/* RELAY_OK; RELAY_E_MALFORMED, RELAY_E_RANGE: not such a record, *ret untouched */
int country_policy_decode(struct country_policy *ret, struct span record);
