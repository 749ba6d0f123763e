/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is asked of an image before it may run. */

#include "boot/verify.h"

#include <string.h>

#define PIECE 256u /* bytes that are measured at once */

static enum reason read_manifest(struct boot *b, const struct flash_area *area, struct manifest_unverified *out)
{
        if (slot_read(area, &b->room.slot) != 0)
                return REASON_MALFORMED;
        return manifest_decode(b->room.slot.envelope, out);
}

static enum reason check_fit(const struct boot *b, const struct manifest_fields *fields)
{
        if (memcmp(fields->class_id, b->class_id, CLASS_ID_SIZE) != 0)
                return REASON_WRONG_CLASS;
        if (fields->image_size == 0 || fields->image_size > LAYOUT_IMAGE_SIZE)
                return REASON_TOO_LARGE;
        return REASON_NONE;
}

enum reason load_image(struct boot *b, const struct flash_area *area, const uint8_t manifest[SHA256_SIZE],
                       const struct manifest_fields *fields)
{
        uint8_t digest[SHA256_SIZE];

        if (b->board.load(b->board.context, area, fields->image_size, digest) != 0)
                return REASON_IMAGE_DIGEST;
        if (memcmp(digest, fields->image_digest, SHA256_SIZE) != 0)
                return REASON_IMAGE_DIGEST;
        b->image.sequence = fields->sequence;
        b->image.size = fields->image_size;
        memcpy(b->image.manifest, manifest, SHA256_SIZE);
        memcpy(b->image.digest, digest, SHA256_SIZE);
        return REASON_NONE;
}

/* The digest of what was written, where it was written: what may be executed is loaded and measured at its start. */
enum reason verify_written(const struct flash_area *area, const struct manifest_fields *fields)
{
        uint8_t part[PIECE], digest[SHA256_SIZE];
        struct sha256 hash;

        int r = crypto_sha256_init(&hash);
        for (uint32_t at = 0; at < fields->image_size && r == 0; at += PIECE) {
                uint32_t n = fields->image_size - at < PIECE ? fields->image_size - at : PIECE;
                r = flash_area_read(area, at, part, n);
                if (r == 0)
                        r = crypto_sha256_update(&hash, span_of(part, n));
        }
        if (r == 0)
                r = crypto_sha256_final(&hash, digest);
        return r == 0 && memcmp(digest, fields->image_digest, SHA256_SIZE) == 0 ? REASON_NONE : REASON_IMAGE_DIGEST;
}

/*
 * The image that was confirmed, or came with the device: the journal names its manifest. Signatures and approvals were
 * checked when it was tried, under the keys of that time. What else the application, or somebody with a flash
 * programmer, put into this slot was never approved.
 */
enum reason verify_confirmed(struct boot *b, unsigned slot)
{
        struct flash_area manifests = layout_manifest(b->board.flash, slot);
        struct manifest_unverified manifest;

        enum reason reason = read_manifest(b, &manifests, &manifest);
        if (reason == REASON_NONE)
                reason = check_fit(b, &manifest.fields);
        if (reason != REASON_NONE)
                return reason;
        if (manifest.fields.sequence < b->record.floor)
                return REASON_OLD_SEQUENCE;
        if (memcmp(manifest.digest, b->record.confirmed_manifest, SHA256_SIZE) != 0)
                return REASON_NOT_CONFIRMED;
        struct flash_area area = layout_image(b->board.flash, slot);
        return load_image(b, &area, manifest.digest, &manifest.fields);
}

enum reason verify_recovery(struct boot *b)
{
        struct flash_area manifests = layout_area(b->board.flash, LAYOUT_RECOVERY_MANIFEST),
                          images = layout_area(b->board.flash, LAYOUT_RECOVERY_IMAGE);
        struct manifest_unverified manifest;

        if (!boot_has_recovery(b))
                return REASON_NOT_CONFIRMED;
        enum reason reason = read_manifest(b, &manifests, &manifest);
        if (reason == REASON_NONE)
                reason = check_fit(b, &manifest.fields);
        if (reason != REASON_NONE)
                return reason;
        if (memcmp(manifest.digest, b->record.recovery_manifest, SHA256_SIZE) != 0)
                return REASON_NOT_CONFIRMED;
        return load_image(b, &images, manifest.digest, &manifest.fields);
}

enum reason verify_repair(struct boot *b, unsigned slot)
{
        struct flash_area manifests = layout_manifest(b->board.flash, slot),
                          images = layout_image(b->board.flash, slot);
        struct manifest_unverified manifest;

        enum reason reason = read_manifest(b, &manifests, &manifest);
        if (reason == REASON_NONE)
                reason = check_fit(b, &manifest.fields);
        if (reason == REASON_NONE && (memcmp(manifest.digest, b->record.confirmed_manifest, SHA256_SIZE) != 0 ||
                                      manifest.fields.sequence < b->record.floor))
                reason = REASON_NOT_CONFIRMED;
        return reason == REASON_NONE ? verify_written(&images, &manifest.fields) : reason;
}

static enum reason verify_approvals(struct boot *b, const struct manifest_verified *manifest, enum attempt attempt)
{
        /* The floor of k-signed objects is all that is known of the time here: it shows that a window is over, not that
         * one began. That is the application's to know; at the local port nobody does. */
        struct approval_facts facts = { .device = b->identity,
                                        .epoch_floor = b->record.epoch_floor,
                                        .time_is_floor = attempt != ATTEMPT_CARRIED,
                                        .now = b->record.time_floor };

        memcpy(facts.class_id, b->class_id, CLASS_ID_SIZE);
        struct decision decision = approval_decide(b->room.slot.approvals, b->room.slot.approval_count,
                                                   manifest->digest, &b->policy, &facts);
        if (decision.verdict == VERDICT_ALLOW)
                return attempt == ATTEMPT_CARRIED && b->policy.ticket_needed ? REASON_TICKET_REQUIRED : REASON_NONE;
        /* what a rule approves needs a ticket, and only an application can have asked for one */
        if (attempt == ATTEMPT_STAGED &&
            site_policy_rule(&b->policy, 0, manifest->fields.urgency, b->identity, b->class_id) >= 0)
                return REASON_NONE;
        return decision.reason;
}

enum reason verify_new(struct boot *b, unsigned slot, enum attempt attempt, struct manifest_verified *manifest)
{
        struct flash_area manifests = layout_manifest(b->board.flash, slot);
        struct manifest_unverified unverified;

        enum reason reason = read_manifest(b, &manifests, &unverified);
        if (reason == REASON_NONE)
                reason = manifest_verify(&unverified, &b->vendor, manifest);
        if (reason == REASON_NONE)
                reason = check_fit(b, &manifest->fields);
        if (reason != REASON_NONE)
                return reason;
        uint64_t sequence = manifest->fields.sequence, floor = b->record.floor;
        if (sequence < floor || (sequence == floor && attempt != ATTEMPT_FALLBACK))
                return REASON_OLD_SEQUENCE;
        reason = verify_approvals(b, manifest, attempt);
        if (reason != REASON_NONE)
                return reason;
        if (b->record.tries >= PORT_BOOT_TRIES_MAX &&
            memcmp(manifest->digest, b->record.tried_manifest, SHA256_SIZE) == 0)
                return REASON_TRIES_EXHAUSTED;
        return REASON_NONE;
}
