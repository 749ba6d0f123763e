/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The site's devices: registered ones (from a factory list or admitted by hand), pending ones, revoked ones, and what
 * each told last about itself. STORE_DEVICES, identity:
 *
 *     u8 format (2) | u8 registration | u64 time of it | u8 key type | 64 bytes key | 32 bytes fingerprint |
 *     16 bytes vendor id | 16 bytes class id | u8 size + why (of a revocation) | u8 relay checks (0 or 1)
 *
 * Format 1 has no last byte: a device without a class was admitted by hand there, and nobody vouched that it checks.
 */

#include "hub/table.h"
#include "hub/views.h"
#include "relay/factory.h"
#include "store/store.h"

#define REGISTRY_PENDING_MAX 256
#define REGISTRY_TEXT_SIZE   64 /* of what a device tells about itself */

struct device {
        struct table_entry entry;
        char identity[IDENTITY_MAX + 1];
        enum registration registration;
        uint64_t time; /* Unix seconds of the registration */
        bool pinned;   /* fingerprint is set */
        struct public_key key;
        uint8_t fingerprint[SHA256_SIZE];
        uint8_t vendor_id[VENDOR_ID_SIZE], class_id[CLASS_ID_SIZE];
        char why[VIEW_TEXT_MAX];
        bool relay_checks; /* cannot check updates itself, as the factory list says or nobody said */
        /* since start only */
        uint32_t sessions;
        uint64_t since, boot;
        char peer[REGISTRY_TEXT_SIZE], version[REGISTRY_TEXT_SIZE], update_state[REGISTRY_TEXT_SIZE];
        char image_digest[2 * SHA256_SIZE + 1];
        char update_reason[REGISTRY_TEXT_SIZE];
        uint32_t update_progress;
};

struct registry {
        struct store *store;
        struct table by_identity;
        struct device **sorted; /* ascending by identity */
        size_t count, size, pending;
};

/* Reads the store, which is borrowed. 0, -ENOMEM, -EBADMSG (a record is damaged), or the store's error */
int registry_load(struct registry *registry, struct store *store);
void registry_release(struct registry *registry);
struct device *registry_find(const struct registry *registry, struct span identity); /* the registry's, or NULL */
void registry_view(const struct device *device, struct device_view *out);            /* borrows from the device */

/* Adds what the list holds and the registry does not; a pending device of the list becomes registered. Staged. */
int registry_import(struct registry *registry, struct span list, uint64_t now, uint32_t *added, uint32_t *known,
                    struct refusal *refusal);
/* A device showed a certificate that nobody registered: noted with its key, to be admitted by a person. */
int registry_note_pending(struct registry *registry, const char *identity, const struct public_key *key,
                          const uint8_t fingerprint[SHA256_SIZE], uint64_t now);
/* 0, 1 refused (unknown-device, revoked-device; already registered is done), or the store's error */
int registry_admit(struct registry *registry, const char *identity, uint64_t now, struct refusal *refusal);
int registry_revoke(struct registry *registry, const char *identity, const char *why, uint64_t now,
                    struct refusal *refusal);

/* What a device told: state/relay or updates/status, rest of the topic. Others and bad ones change nothing. True if
 * something changed. */
bool registry_told(struct registry *registry, struct span identity, struct span rest, struct span payload);
