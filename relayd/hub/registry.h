/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The site's devices: registered ones (from a factory list or admitted by hand), pending ones, revoked ones, and what
 * each told last about itself. STORE_DEVICES, identity:
 *
 *     u8 format (3) | u8 registration | u64 time of it | u8 key type | 64 bytes key | 32 bytes fingerprint |
 *     16 bytes vendor id | 16 bytes class id | u8 size + why (of a revocation) | u8 relay checks (0 or 1) |
 *     u8 attestation (0 to 2) | u8 proved (0 or 1) | u8 trust
 *     (0 front-end, 1 claimed, 2 attested, 3 recovery, 4 unknown-image) | u8 size + quarantine (name of a reason) |
 *     u32 highest boot | u32 last rotation |
 *     32 bytes fingerprint before it | u8 evidence (0 or 1), then if 1:
 *     32 bytes image | 32 bytes manifest | u8 mode | u64 sequence | u64 time
 *
 * Format 2 ends behind the relay checks. Format 1 has not even these: a device without a class was admitted by hand
 * there, and nobody vouched that it checks.
 */

#include "hub/table.h"
#include "hub/views.h"
#include "policy/appraise.h"
#include "relay/factory.h"
#include "store/store.h"

#define REGISTRY_PENDING_MAX 256
#define REGISTRY_TEXT_SIZE   64 /* of what a device tells about itself */

/* What a device proved to run, and when it did (Unix seconds). */
struct device_evidence {
        bool there;
        uint8_t image[SHA256_SIZE], manifest[SHA256_SIZE];
        enum dice_mode mode;
        uint64_t sequence, time;
};

/* What tells a clone, beside the durable highest boot; since start only. */
struct device_boots {
        uint32_t running;  /* of the session that is open here; 0: none, or not told yet */
        uint32_t number;   /* last session number of that boot; 0: not told yet */
        uint32_t heard;    /* highest one of a live direct session, told by the cloud; 0: none above the durable one */
        uint64_t heard_ms; /* monotonic, of that */
        bool waits;        /* the session here is of an older boot, and may only not have noticed its end yet */
        uint64_t since;    /* number of the outbox when the durable highest boot rose */
        uint16_t keep_alive_s;  /* of the session here */
        uint64_t opened_ms;     /* monotonic, when it opened */
        uint64_t alert_next_ms; /* no alert about it before */
        uint64_t commit;        /* of the store, which has the last change by a session (or a later one has) */
        uint8_t end;            /* MQTT reason code with which its session ends with this turn; 0: it does not */
};

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
        bool relay_checks;              /* cannot check updates itself, as the factory list says or nobody said */
        enum factory_attestation level; /* as the factory list says */
        bool proved;                    /* by DICE-1, once: from then on it always has to */
        enum attestation_trust trust;   /* of the last session */
        enum reason quarantine;         /* REASON_NONE, UNKNOWN_IMAGE, RECOVERY, CLONED_DEVICE */
        uint32_t boot_highest;          /* 0: none seen */
        uint32_t rotation;              /* number of the last one */
        uint8_t previous[SHA256_SIZE];  /* fingerprint of the identity key before it; zeros: none */
        struct device_evidence evidence;
        /* since start only */
        uint32_t sessions;
        uint64_t since, boot;
        char peer[REGISTRY_TEXT_SIZE], version[REGISTRY_TEXT_SIZE], update_state[REGISTRY_TEXT_SIZE];
        char image_digest[2 * SHA256_SIZE + 1];
        char update_reason[REGISTRY_TEXT_SIZE];
        uint32_t update_progress;
        struct device_boots boots;
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
/* Does it have to prove itself by DICE-1? Because the list says so, or because it once did. */
bool device_must_prove(const struct device *device);
struct device *registry_find(const struct registry *registry, struct span identity); /* the registry's, or NULL */
void registry_view(const struct device *device, struct device_view *out);            /* borrows from the device */

/*
 * Adds what the list holds and the registry does not; a pending device of the list becomes registered, and of one that
 * is known by the same key the attestation rises to what the list says. Staged.
 */
int registry_import(struct registry *registry, struct span list, uint64_t now, uint32_t *added, uint32_t *known,
                    struct refusal *refusal);
/* A device showed a certificate that nobody registered: noted with its key, to be admitted by a person. */
int registry_note_pending(struct registry *registry, const char *identity, const struct public_key *key,
                          const uint8_t fingerprint[SHA256_SIZE], uint64_t now);
/* 0, 1 refused (unknown-device, revoked-device; already registered is done), or the store's error */
int registry_admit(struct registry *registry, const char *identity, uint64_t now, struct refusal *refusal);
int registry_revoke(struct registry *registry, const char *identity, const char *why, uint64_t now,
                    struct refusal *refusal);

/* Writes the device as *to has it, then believes it (identity and place stay). Staged; 0 or the store's error. */
int registry_change(struct registry *registry, struct device *device, const struct device *to);

/* What a device told: state/relay or updates/status, rest of the topic. Others and bad ones change nothing. True if
 * something changed. */
bool registry_told(struct registry *registry, struct span identity, struct span rest, struct span payload);

/* ---- registry_record.c */
#define DEVICE_RECORD_MAX 768
void device_record_encode(struct writer *w, const struct device *device);
int device_record_write(struct store *store, const struct device *device);      /* staged; 0 or the store's error */
int device_record_read(struct span key, struct span value, struct device *out); /* 0 or -EBADMSG */
