/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Topic names and filters (MQTT 5 section 4.7) and the project's own topic tree:
 *     sites/<site>/devices/<device>/<rest>    sites/<site>/<rest>    images/<digest>/<n>    images/<digest>/l<n>
 */

#include "relay/crypto.h"

#define TOPIC_MAX     256      /* bytes of a topic of ours with its NUL; foreign topics may be longer */
#define IDENTITY_MAX  40       /* characters of a device identity */
#define IDENTITY_SIZE (64 + 1) /* room for any identity (applications too) with its NUL */
#define SITE_MAX      40

/* a device: [a-z0-9-]{1,40}; also the form of a site id */
bool identity_is_device(struct span name);
/* not a device: two or more labels of [a-z0-9-]+ joined by dots, at most 64 bytes ("relay.s1", "vendor.acme") */
bool identity_is_dotted(struct span name);

bool topic_name_is_valid(struct span topic);    /* 1 to 65,535 bytes, UTF-8, no wildcard */
bool topic_filter_is_valid(struct span filter); /* wildcards only as whole levels, # only last */
/* MQTT 5 section 4.7.2: a filter that starts with a wildcard does not match names that start with '$' */
bool topic_matches(struct span filter, struct span topic);
/* every name that inner matches is matched by outer, too */
bool topic_filter_covers(struct span outer, struct span inner);

enum topic_kind {
        TOPIC_FOREIGN = 0, /* none of ours */
        TOPIC_DEVICE,      /* sites/<site>/devices/<device>/<rest> */
        TOPIC_SITE,        /* sites/<site>/<rest>, rest not below devices/ */
        TOPIC_IMAGE_BLOCK, /* images/<digest>/<index> */
        TOPIC_IMAGE_LIST,  /* images/<digest>/l<index> */
};
struct topic_parts {
        enum topic_kind kind;
        struct span site;
        struct span device;
        struct span rest;            /* "events/soil", "policy/3", ... */
        uint8_t digest[SHA256_SIZE]; /* images only: SHA-256 of the image */
        uint32_t index;              /* images only; decimal without leading zeros */
};
/* Takes a topic name apart; TOPIC_FOREIGN for everything that is not exactly of these forms. */
enum topic_kind topic_parse(struct span topic, struct topic_parts *out);

/* Writers: NUL-terminated into out[TOPIC_MAX]; return out. site, device: valid identities (asserted by length). */
char *topic_device(char out[TOPIC_MAX], const char *site, const char *device, const char *rest);
char *topic_site(char out[TOPIC_MAX], const char *site, const char *rest);
char *topic_image_block(char out[TOPIC_MAX], const uint8_t digest[SHA256_SIZE], uint32_t index);
char *topic_image_list(char out[TOPIC_MAX], const uint8_t digest[SHA256_SIZE], uint32_t index);
/* sites/<site>/approvals/<manifest digest>/<approver key id> */
char *topic_approval(char out[TOPIC_MAX], const char *site, const uint8_t manifest_digest[SHA256_SIZE],
                     const uint8_t approver_key_id[8]);
