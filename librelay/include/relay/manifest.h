/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Update manifest: a SUIT envelope (SUIT manifest specification, tag 107) in one fixed profile, docs/trust.md.
 *
 * What is read is a manifest_unverified; only manifest_verify() makes a manifest_verified of it, and code that
 * acts on an update takes the latter. Spans point into the envelope, which must outlive both.
 *
 * Profile: one component ["app"]; shared sequence: override-parameters {vendor-id, class-id, image-digest, image-size,
 * private parameter -256: block list digest (bstr 32)}, condition-vendor-identifier, condition-class-identifier;
 * install: override-parameters {uri}, fetch, condition-image-match; validate: condition-image-match; text in "en" with
 * version (component-version), urgency (private text label -256), and if not empty update-description. The uri is
 * "images/<image digest>". Version and urgency are words of [A-Za-z0-9.+_~-]; a description has no control characters
 * and no direction overrides, so all three can be shown to people as they are.
 */

#include "relay/cose.h"
#include "relay/reason.h"
#include "relay/scope.h"
#include "relay/vendor.h"

#define MANIFEST_MAX            4096 /* bytes of an envelope */
#define MANIFEST_TEXT_MAX       200  /* bytes of version, urgency, description each */
#define MANIFEST_SIGNATURES_MAX 4

struct manifest_fields {
        uint64_t sequence;
        uint8_t vendor_id[VENDOR_ID_SIZE];
        uint8_t class_id[CLASS_ID_SIZE];
        uint8_t image_digest[SHA256_SIZE];
        uint32_t image_size; /* bytes */
        uint8_t block_list_digest[SHA256_SIZE];
        struct span version;     /* "1.1.0" */
        struct span urgency;     /* "security", "routine", ... */
        struct span description; /* what changes, for people; may be empty */
};

struct manifest_unverified {
        struct span envelope;
        struct span manifest;        /* content of the bstr-wrapped SUIT_Manifest */
        uint8_t digest[SHA256_SIZE]; /* manifest digest: SHA-256 of the bstr-wrapped SUIT_Manifest; equals the
                                        SUIT_Digest */
        struct span suit_digest;     /* encoded SUIT_Digest, what is signed */
        struct span signatures[MANIFEST_SIGNATURES_MAX];
        size_t signature_count;
        struct manifest_fields fields;
};

struct manifest_verified {
        struct span envelope;
        uint8_t digest[SHA256_SIZE];
        struct manifest_fields fields;
};

/*
 * REASON_NONE; REASON_MALFORMED (no deterministic CBOR, not SUIT), REASON_UNSUPPORTED_MANIFEST (outside the profile),
 * REASON_TOO_LARGE (envelope, or an image that is empty or above IMAGE_SIZE_MAX). The digest is recomputed and compared
 */
enum reason manifest_decode(struct span envelope, struct manifest_unverified *out);
/* true if one of the signatures is this key's over this manifest (whose role the key fills is not looked at) */
bool manifest_signed_by(const struct manifest_unverified *in, const struct public_key *key);

/*
 * Both vendor signatures, by different keys, under this vendor key set; and the vendor id.
 * REASON_NONE, REASON_ORGANISATION_SIGNATURE, REASON_DEVELOPER_SIGNATURE, REASON_WRONG_VENDOR.
 */
enum reason manifest_verify(const struct manifest_unverified *in, const struct vendor_keys *keys,
                            struct manifest_verified *out);

/*
 * Envelope without signatures (authentication holds the digest only). RELAY_E_RANGE for fields outside the profile
 * (empty version or urgency, a foreign character, image size), else the writer's errors.
 */
int manifest_encode(struct writer *w, const struct manifest_fields *fields);
/*
 * Writes a copy of the envelope with one more signature (a person adds his own to what another signed).
 * RELAY_E_MALFORMED or RELAY_E_UNSUPPORTED for the envelope, RELAY_E_SPACE if it has MANIFEST_SIGNATURES_MAX already,
 * RELAY_E_STATE if this key has signed it, what signer->sign returns.
 */
int manifest_add_signature(struct writer *w, struct span envelope, const struct signer *signer);

/* UUIDv5 (RFC 9562) as SUIT recommends: vendor id of a DNS name, class id of a name below a vendor id.
 * Names of up to 256 bytes, else RELAY_E_SPACE. */
int manifest_vendor_id(const char *domain, uint8_t out[VENDOR_ID_SIZE]);
int manifest_class_id(const uint8_t vendor_id[VENDOR_ID_SIZE], const char *name, uint8_t out[CLASS_ID_SIZE]);
