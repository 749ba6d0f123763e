/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Which topics an identity may publish and read, and what the hub accepts from the uplink. Pure.
 */

#include <stdbool.h>
#include <stddef.h>

#include "relay/reason.h"
#include "relay/span.h"
#include "relay/topic.h"

#define ACCESS_FILTERS_MAX 32 /* per role and direction */

/* What a role file gives to a site application; the strings are the owner's. */
struct access_role {
        const char *const *read; /* topic filters */
        size_t read_count;
        const char *const *write;
        size_t write_count;
};

struct access_subject {
        const char *site;
        const char *identity;
        const struct access_role *role; /* NULL: a device */
        bool gate_only;  /* at a stand-alone gate, which takes gate requests of devices and nothing else */
        bool quarantine; /* a device to which only the way of updates is open */
};

/*
 * A device: events/<name>, events1/<name>, state/relay, state/direct, commands/result, updates/status,
 * updates/refused, gate/request below its own prefix. An application: what its write filters match, except a device's
 * topics other than `commands` and `gate/ticket` (both signed), the site-wide topics that carry signed objects or the
 * relay's own word, other sites, and images. Deny reason: TOPIC.
 * A device in quarantine: state/relay, updates/status, updates/refused, gate/request; of the rest QUARANTINED.
 */
struct decision access_publish(const struct access_subject *subject, struct span topic);
/*
 * The same for a will. It is published when its client is gone, so it cannot be what has to be verified first: of a
 * device's topics an application has none. Deny reason: TOPIC.
 */
struct decision access_will(const struct access_subject *subject, struct span topic);
/*
 * A device: filters covered by its own prefix or by relay/state, policy/+, revocations, approvals/#, vendor/+,
 * audit/checkpoint of its site, and named pieces of images (no wildcard). An application: filters covered by one of
 * its read filters. Shared subscriptions ($share/...) are never covered. Deny reason: TOPIC.
 * A device in quarantine: its updates/offer and gate/ticket, relay/state, policy/+, revocations, approvals/#, vendor/+,
 * and images; of the rest QUARANTINED.
 */
struct decision access_subscribe(const struct access_subject *subject, struct span filter);

enum access_uplink {
        ACCESS_UPLINK_REFUSED = 0,
        ACCESS_UPLINK_OFFER,        /* devices/<device>/updates/offer: SUIT envelope */
        ACCESS_UPLINK_COMMAND,      /* devices/<device>/commands */
        ACCESS_UPLINK_APPROVAL,     /* approvals/<manifest digest>/<approver key id>: COSE_Sign1 */
        ACCESS_UPLINK_POLICY,       /* policy/<epoch>: signed set */
        ACCESS_UPLINK_REVOCATION,   /* revocations */
        ACCESS_UPLINK_VENDOR,       /* vendor/<epoch>: signed set */
        ACCESS_UPLINK_IMAGE_BLOCK,  /* images/<digest>/<n> */
        ACCESS_UPLINK_IMAGE_LIST,   /* images/<digest>/l<n> */
        ACCESS_UPLINK_GATE_REQUEST, /* devices/<device>/gate/request: of a device on its direct way */
        ACCESS_UPLINK_REPORT,       /* devices/<device>/updates/refused: of a device on its direct way */
        ACCESS_UPLINK_STATE,        /* devices/<device>/state/direct: of a device on its direct way */
        ACCESS_UPLINK_TICKET, /* devices/<device>/gate/ticket: another gate's answer to what this relay forwarded */
};

/*
 * The kind of a publish that came by the uplink: by its topic, and REFUSED if its payload is empty or larger than its
 * kind may be. parts: the topic taken apart (spans point into topic); may be NULL. Content is checked by the caller.
 */
enum access_uplink access_uplink(const char *site, struct span topic, size_t payload_size, struct topic_parts *parts);
size_t access_uplink_max(enum access_uplink kind); /* largest payload in bytes; 0 for REFUSED */
