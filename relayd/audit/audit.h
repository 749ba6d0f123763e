/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The audit log: who did what, as a chain of hashes, so that a changed, missing or moved record shows. Pure: the caller
 * stages records in the store (key: the number, u64 big-endian) or gets them over D-Bus.
 *
 *     record = { 0: 1, 1: number (1, 2, ...), 2: time (Unix seconds), 3: SHA-256 of the previous record (zeros before
 *                the first), 4: actor (tstr), 5: action (tstr), 6: object (tstr), 7: detail (tstr),
 *                ? 8: digest (bstr 32) }
 * Actors: "uid:1000" (a caller on D-Bus), "uplink" (what the cloud sent), "device:<identity>",
 * "application:<identity>" (a site application), "relay" (of itself).
 * Object: an identity, a manifest or image digest in hexadecimal, "gate", "device:<identity>" or "class:<id>"
 * (a setting of the gate), or "epoch 1". Detail: free text, or the name
 * of a reason. A record's hash is SHA-256 of its encoding. What the chain cannot show alone is a cut end: that is what
 * checkpoints outside the relay are for.
 */

#include "relay/crypto.h"
#include "relay/cursor.h"

#define AUDIT_RECORD_MAX 1280 /* bytes of an encoded record; the longest possible one fits */
#define AUDIT_TEXT_MAX   256  /* bytes of actor, object and detail each */
#define AUDIT_KEY_SIZE   8

#define AUDIT_ACTION_TABLE(X)                           \
        X(STARTED, "started")                           \
        X(STOPPED, "stopped")                           \
        X(STORE_CREATED, "store-created")               \
        X(DEVICES_IMPORTED, "devices-imported")         \
        X(DEVICE_PENDING, "device-pending")             \
        X(DEVICE_ADMITTED, "device-admitted")           \
        X(DEVICE_REVOKED, "device-revoked")             \
        X(DEVICE_PROVED, "device-proved")               \
        X(DEVICE_QUARANTINED, "device-quarantined")     \
        X(DEVICE_TRUSTED, "device-trusted")             \
        X(DEVICE_RELEASED, "device-released")           \
        X(DEVICE_CLONED, "device-cloned")               \
        X(DEVICE_ROTATED, "device-rotated")             \
        X(ROTATION_REFUSED, "rotation-refused")         \
        X(IMAGE_KNOWN, "image-known")                   \
        X(IMAGE_FORGOTTEN, "image-forgotten")           \
        X(UPDATE_OFFERED, "update-offered")             \
        X(UPDATE_REFUSED, "update-refused")             \
        X(UPDATE_APPROVED, "update-approved")           \
        X(UPDATE_DENIED, "update-denied")               \
        X(UPDATE_INSTALLED, "update-installed")         \
        X(UPDATE_DROPPED, "update-dropped")             \
        X(APPROVAL_REFUSED, "approval-refused")         \
        X(IMAGE_FETCHED, "image-fetched")               \
        X(GATE_OPENED, "gate-opened")                   \
        X(GATE_CLOSED, "gate-closed")                   \
        X(GATE_WINDOWS, "gate-windows")                 \
        X(GATE_RESET, "gate-reset")                     \
        X(POLICY_ACCEPTED, "policy-accepted")           \
        X(POLICY_REFUSED, "policy-refused")             \
        X(APPROVERS_CHANGED, "approvers-changed")       \
        X(APPROVALS_REVOKED, "approvals-revoked")       \
        X(REVOCATION_REFUSED, "revocation-refused")     \
        X(APPROVAL_DROPPED, "approval-dropped")         \
        X(VENDOR_KEYS_ACCEPTED, "vendor-keys-accepted") \
        X(VENDOR_KEYS_REFUSED, "vendor-keys-refused")   \
        X(COUNTRY_CHANGED, "country-changed")           \
        X(COUNTRY_CONFIRMED, "country-confirmed")       \
        X(COUNTRY_GIVEN_UP, "country-given-up")         \
        X(COUNTRY_DATABASE, "country-database")         \
        X(COUNTRY_REFUSED, "country-refused")           \
        X(FIREWALL_RESTORED, "firewall-restored")       \
        X(UPDATE_IMPORTED, "update-imported")           \
        X(EVENTS_DROPPED, "events-dropped")             \
        X(TICKET_OPEN, "ticket-open")                   \
        X(TICKET_CLOSED, "ticket-closed")               \
        X(COMMAND_ACCEPTED, "command-accepted")         \
        X(COMMAND_REFUSED, "command-refused")           \
        X(COMMAND_ENDED, "command-ended")               \
        X(LOG_BROKEN, "audit-broken")

enum audit_action {
#define AUDIT_ACTION_ENUM(name, text) AUDIT_##name,
        AUDIT_ACTION_TABLE(AUDIT_ACTION_ENUM)
#undef AUDIT_ACTION_ENUM
                AUDIT_ACTION_COUNT
};
const char *audit_action_name(enum audit_action action); /* "gate-opened"; static storage */

#define AUDIT_ACTOR_RELAY       "relay"
#define AUDIT_ACTOR_UPLINK      "uplink"
#define AUDIT_ACTOR_DEVICE      "device:%s"      /* printf format */
#define AUDIT_ACTOR_APPLICATION "application:%s" /* the same */

/* The end of the chain: what the next record continues. Zeros: an empty log. */
struct audit_head {
        uint64_t count; /* number of the last record */
        uint8_t hash[SHA256_SIZE];
};

/* One record. Texts are UTF-8 and borrowed: when decoded, from the encoded bytes. */
struct audit_record {
        uint64_t number, time;
        uint8_t previous[SHA256_SIZE];
        struct span actor, action, object, detail;
        const uint8_t *digest; /* 32 bytes, or NULL */
};

/*
 * Encodes the record after head into out[AUDIT_RECORD_MAX] and moves head on. record's number and previous are ignored.
 * Texts longer than AUDIT_TEXT_MAX are cut; bytes that are not UTF-8 become '?'. key: for STORE_AUDIT.
 * RELAY_OK and *size, or RELAY_E_CRYPTO (head unchanged).
 */
int audit_append(struct audit_head *head, const struct audit_record *record, uint8_t out[AUDIT_RECORD_MAX],
                 size_t *size, uint8_t key[AUDIT_KEY_SIZE]);
/* RELAY_OK, or RELAY_E_MALFORMED, RELAY_E_RANGE, RELAY_E_TRUNCATED */
int audit_decode(struct span encoded, struct audit_record *out);
/* The head after this encoded record, believing it: to go on with a log after a start. */
int audit_head_of(struct span encoded, struct audit_head *out);

enum audit_break {
        AUDIT_INTACT = 0,
        AUDIT_MALFORMED, /* not a record */
        AUDIT_FIRST,     /* does not start with number 1 and zeros as previous hash */
        AUDIT_MISSING,   /* a number is skipped */
        AUDIT_ORDER,     /* a number comes again or too late */
        AUDIT_CHANGED,   /* the previous record is not the one this one was written after */
        AUDIT_SHORTENED, /* fewer records than a checkpoint names, or another record where it points */
        /* only where checkpoints come with the log; number: of records they speak of */
        AUDIT_CHECKPOINT_MALFORMED, /* not a checkpoint, or of another site, or out of place */
        AUDIT_CHECKPOINT_SIGNATURE, /* of no gate key of the site */
        AUDIT_CHECKPOINT_MISSING,   /* one before it, or one that was seen before, is not there */
        AUDIT_REWRITTEN,            /* not the record that the checkpoint was signed for */
};
const char *audit_break_explanation(enum audit_break what); /* part of a sentence; static storage */

/* Verification record by record, in constant memory. */
struct audit_verifier {
        struct audit_head head;       /* of what was intact so far */
        struct audit_head checkpoint; /* what the log has to contain; count 0: none */
        enum audit_break what;
        uint64_t number; /* of the first record that is wrong, or the one that is missing */
};
/* checkpoint: head remembered from an earlier verification, or NULL */
void audit_verify_start(struct audit_verifier *verifier, const struct audit_head *checkpoint);
/*
 * The next record. Returns false once the chain is broken; verifier->what and ->number say where. Whoever goes on after
 * AUDIT_MISSING hears AUDIT_ORDER if the record comes later: it was moved, not removed.
 */
bool audit_verify_next(struct audit_verifier *verifier, struct span encoded);
/* After the last one: true if all of it holds. */
bool audit_verify_end(struct audit_verifier *verifier);
