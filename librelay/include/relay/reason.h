/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Why something was refused: one list for device, relay, D-Bus, relayctl, logs and tests.
 * REASON_NONE (0) stands with an allowing verdict only. The order is not part of any format: what travels is the name.
 */

#define REASON_TABLE(X)                                                                                         \
        X(NONE, "none", "nothing refused")                                                                      \
        /* manifests */                                                                                         \
        X(MALFORMED, "malformed", "the object breaks its format")                                               \
        X(UNSUPPORTED_MANIFEST, "unsupported-manifest", "the manifest uses a SUIT command outside the profile") \
        X(ORGANISATION_SIGNATURE, "organisation-signature", "no valid signature of an organisation key")        \
        X(DEVELOPER_SIGNATURE, "developer-signature", "no valid signature of a developer key")                  \
        X(WRONG_VENDOR, "wrong-vendor", "made for another vendor's devices")                                    \
        X(WRONG_CLASS, "wrong-class", "made for another class of device")                                       \
        X(OLD_SEQUENCE, "old-sequence", "not newer than what runs (or once ran) here")                          \
        X(TOO_LARGE, "too-large", "does not fit")                                                               \
        /* approval and gate */                                                                                 \
        X(NOT_APPROVED, "not-approved", "fewer than k approvers of the site approved this manifest")            \
        X(OUT_OF_SCOPE, "out-of-scope", "the approvals do not cover this device")                               \
        X(OUTSIDE_WINDOW, "outside-window", "now is outside the approvals' time window")                        \
        X(NO_TRUSTED_TIME, "no-trusted-time", "the approvals have a time window and there is no trusted time")  \
        X(REVOKED_EPOCH, "revoked-epoch", "the approval epoch was revoked")                                     \
        X(WRONG_SITE, "wrong-site", "made for another site")                                                    \
        X(NOT_AN_APPROVER, "not-an-approver", "signed by a key that is no approver of the site")                \
        X(BAD_SIGNATURE, "bad-signature", "the signature does not verify")                                      \
        X(ALREADY_APPROVED, "already-approved", "this approver approved this manifest before")                  \
        X(DENIED, "denied", "the site's people denied this update")                                             \
        X(GATE_CLOSED, "gate-closed", "the gate is closed")                                                     \
        X(TICKET_REQUIRED, "ticket-required", "the site policy demands a fresh ticket")                         \
        X(NO_GATE_ANSWER, "no-gate-answer", "no gate answered")                                                 \
        X(WRONG_DEVICE, "wrong-device", "made for another device")                                              \
        X(WRONG_NONCE, "wrong-nonce", "the answer to another question: replayed")                               \
        X(WRONG_DIGEST, "wrong-digest", "made for another manifest")                                            \
        X(POLICY_DIFFERS, "policy-differs", "gate and device hold different site policies")                     \
        X(CLOCK_TURNED_BACK, "clock-turned-back", "the gate's time lies before a signed object")                \
        X(STALE_TICKET, "stale-ticket", "the gate's answer is too old")                                         \
        X(RULE_WAITS, "rule-waits", "a rule of the site policy approves it, but not yet")                       \
        X(OLD_EPOCH, "old-epoch", "the approval epoch is not above the one in force")                           \
        X(APPLICATION_BUSY, "application-busy", "the application asked to wait")                                \
        X(UNKNOWN_UPDATE, "unknown-update", "no update with this digest is known")                              \
        /* commands */                                                                                          \
        X(REPLAYED_COMMAND, "replayed-command", "the counter of the command is not above the last one")         \
        X(EXPIRED_COMMAND, "expired-command", "the command has expired")                                        \
        X(UNKNOWN_COMMAND, "unknown-command", "the device knows no such command")                               \
        X(COMMAND_FAILED, "command-failed", "the device could not do it")                                       \
        /* image */                                                                                             \
        X(BLOCK_LIST_DIGEST, "block-list-digest", "the block list does not match the manifest")                 \
        X(BLOCK_DIGEST, "block-digest", "a block does not match the block list")                                \
        X(IMAGE_DIGEST, "image-digest", "the image does not match the manifest")                                \
        X(TRIES_EXHAUSTED, "tries-exhausted", "tried three times and never confirmed")                          \
        X(FLASH_FAILED, "flash-failed", "the device's flash failed; what held before holds on")                 \
        X(ERASE_BUDGET, "erase-budget", "the slot was erased three times today")                                \
        X(NOT_CONFIRMED, "not-confirmed", "the new image did not confirm in time; went back")                   \
        /* sessions */                                                                                          \
        X(UNKNOWN_DEVICE, "unknown-device", "no such device is registered here")                                \
        X(PENDING_DEVICE, "pending-device", "the device waits to be admitted")                                  \
        X(REVOKED_DEVICE, "revoked-device", "the device was revoked")                                           \
        X(FOREIGN_CERTIFICATE, "foreign-certificate", "the certificate is no registered one")                   \
        X(BAD_IDENTITY, "bad-identity", "the certificate's name is no valid identity")                          \
        X(EXPIRED_CERTIFICATE, "expired-certificate", "the certificate is not valid now")                       \
        X(CLIENT_ID, "client-id", "the client id does not fit the identity")                                    \
        X(TOPIC, "topic", "the identity may not use this topic")                                                \
        X(QUOTA, "quota", "over the quota")                                                                     \
        X(STORE_FULL, "store-full", "the relay's store is full")                                                \
        X(STORE_FAILED, "store-failed", "the relay's store failed")                                             \
        X(NOT_ATTESTED, "not-attested", "the device has to prove itself (DICE-1), and did not")                 \
        X(UNKNOWN_IMAGE, "unknown-image", "the device runs an image that nobody approved or made known here")   \
        X(RECOVERY, "recovery", "the device has no image left to run, and fetches one")                         \
        X(CLONED_DEVICE, "cloned-device", "a second device has this one's key and name")                        \
        X(QUARANTINED, "quarantined", "in quarantine only the way of updates is open")                          \
        X(OLD_ROTATION, "old-rotation", "this rotation of the identity key, or a later one, is in force")       \
        X(IMAGE_IN_USE, "image-in-use", "an approved update brings this image")                                 \
        X(NO_ENTROPY, "no-entropy", "the source of random numbers is silent")                                   \
        X(TOO_MANY_SESSIONS, "too-many-sessions", "the relay serves as many sessions as it may")                \
        /* countries */                                                                                         \
        X(COUNTRY, "country", "the country policy refuses the address's country")                               \
        X(UNKNOWN_COUNTRY, "unknown-country", "the country policy refuses addresses of unknown country")        \
        X(NO_COUNTRY_DATABASE, "no-country-database", "there is no country database to judge by")               \
        X(CLOSED_PORT, "closed-port", "lockdown keeps this port closed")                                        \
        X(LOCK_OUT, "lock-out", "the change would refuse the caller's own address")                             \
        X(NOT_PENDING, "not-pending", "nothing waits to be confirmed")                                          \
        X(NO_CONFIRMATION, "no-confirmation", "not confirmed in time; what was before holds again")             \
        X(OLD_COUNTRY_DATABASE, "old-country-database", "the country database is too old")                      \
        X(FIREWALL_CHANGED, "firewall-changed", "the firewall table was changed by others, and restored")       \
        X(FIREWALL_FAILED, "firewall-failed", "the kernel does not enforce the country policy")                 \
        /* callers */                                                                                           \
        X(NOT_AUTHORISED, "not-authorised", "the caller may not do this")                                       \
        X(POLICY_INVALID, "policy-invalid", "the site policy is not valid")                                     \
        X(VENDOR_KEYS_INVALID, "vendor-keys-invalid", "the vendor key set is not valid")                        \
        X(OLD_POLICY, "old-policy", "a site policy of this epoch or a later one is in force")                   \
        X(POLICY_FORK, "policy-fork", "another site policy than the one of this epoch in force")                \
        X(POLICY_GAP, "policy-gap", "the site policies between the one in force and this one are missing")      \
        X(OLD_VENDOR_KEYS, "old-vendor-keys", "a vendor key set of this epoch or a later one is in force")      \
        X(VENDOR_KEYS_FORK, "vendor-keys-fork", "another vendor key set than the one of this epoch in force")   \
        X(VENDOR_KEYS_GAP, "vendor-keys-gap", "the vendor key sets between are missing")                        \
        X(UNDER_SIGNED, "under-signed", "fewer than k approvers of the policy in force signed it")              \
        X(APPROVERS_CHANGED, "approvers-changed", "the approvers of the site changed")                          \
        X(AUDIT_BROKEN, "audit-broken", "the audit log is not the one that was written")

enum reason {
#define REASON_ENUM(name, text, explanation) REASON_##name,
        REASON_TABLE(REASON_ENUM)
#undef REASON_ENUM
                REASON_COUNT
};

const char *reason_name(enum reason reason);        /* "not-approved"; static storage, never NULL */
const char *reason_explanation(enum reason reason); /* one English sentence part; static storage */
enum reason reason_from_name(const char *name);     /* REASON_COUNT if unknown */

/* An answer to "may this happen?". Deny is zero, so that forgotten code denies. Never mixed with results. */
enum verdict {
        VERDICT_DENY = 0,
        VERDICT_ALLOW = 1,
};

struct decision {
        enum verdict verdict;
        enum reason reason; /* REASON_NONE if allowed */
};
#define DECISION_ALLOW     ((struct decision){ VERDICT_ALLOW, REASON_NONE })
#define DECISION_DENY(why) ((struct decision){ VERDICT_DENY, (why) })
