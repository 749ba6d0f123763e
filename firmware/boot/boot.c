/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The boot stage's decisions. */

#include "boot/boot.h"

#include <string.h>

static int store(struct boot *b, const struct boot_record *record)
{
        int r = record_store(&b->journal, record);
        if (r == 0)
                b->record = *record;
        return r;
}

int boot_provision(const struct port_flash *flash, struct span vendor_set, uint64_t sequence,
                   const uint8_t manifest[SHA256_SIZE])
{
        struct boot_record record = { .floor = sequence }, before;
        struct vendor_keys vendor;
        struct journal journal;

        if (vendor_keys_read(vendor_set, &vendor) != REASON_NONE)
                return RELAY_E_MALFORMED;
        memcpy(record.confirmed_manifest, manifest, SHA256_SIZE);
        memcpy(record.vendor_digest, vendor.digest, SHA256_SIZE);
        int r = trust_write(flash, record.trust_area, vendor_set, SPAN_EMPTY);
        if (r < 0)
                return r;
        r = record_load(&journal, flash, &before);
        if (r < 0 && r != RELAY_E_STATE)
                return r;
        return record_store(&journal, &record);
}

static unsigned spare(const struct boot *b)
{
        return 1u - b->record.confirmed_slot;
}

/* ---- verification */

static enum reason read_manifest(struct boot *b, unsigned slot, struct manifest_unverified *out)
{
        struct flash_area area = layout_manifest(b->board.flash, slot);

        if (slot_read(&area, &b->room.slot) != 0)
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

static enum reason verify_image(struct boot *b, unsigned slot, const uint8_t manifest[SHA256_SIZE],
                                const struct manifest_fields *fields)
{
        struct flash_area area = layout_image(b->board.flash, slot);
        uint8_t digest[SHA256_SIZE];

        if (b->board.load(b->board.context, &area, fields->image_size, digest) != 0)
                return REASON_IMAGE_DIGEST;
        if (memcmp(digest, fields->image_digest, SHA256_SIZE) != 0)
                return REASON_IMAGE_DIGEST;
        b->running = slot;
        b->image.sequence = fields->sequence;
        b->image.size = fields->image_size;
        memcpy(b->image.manifest, manifest, SHA256_SIZE);
        memcpy(b->image.digest, digest, SHA256_SIZE);
        return REASON_NONE;
}

/*
 * The image that was confirmed, or came with the device: the journal names its manifest. Signatures and approvals were
 * checked when it was tried, under the keys of that time. What else the application, or somebody with a flash
 * programmer, put into this slot was never approved.
 */
static enum reason verify_confirmed(struct boot *b, unsigned slot)
{
        struct manifest_unverified manifest;

        enum reason reason = read_manifest(b, slot, &manifest);
        if (reason == REASON_NONE)
                reason = check_fit(b, &manifest.fields);
        if (reason != REASON_NONE)
                return reason;
        if (manifest.fields.sequence < b->record.floor)
                return REASON_OLD_SEQUENCE;
        if (memcmp(manifest.digest, b->record.confirmed_manifest, SHA256_SIZE) != 0)
                return REASON_NOT_CONFIRMED;
        return verify_image(b, slot, manifest.digest, &manifest.fields);
}

/* why a new image is looked at */
enum attempt {
        ATTEMPT_STAGED,   /* the application asked, with a ticket if the policy needs one */
        ATTEMPT_CARRIED,  /* somebody at the local port asked */
        ATTEMPT_FALLBACK, /* the confirmed image is damaged */
};

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

/* Everything, and tries left. In a fallback the sequence may also equal the floor. */
static enum reason verify_new(struct boot *b, enum attempt attempt, struct manifest_verified *manifest)
{
        struct manifest_unverified unverified;

        enum reason reason = read_manifest(b, spare(b), &unverified);
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

static void note_tried(struct boot_record *record, const uint8_t manifest[SHA256_SIZE])
{
        if (memcmp(record->tried_manifest, manifest, SHA256_SIZE) == 0)
                return;
        memcpy(record->tried_manifest, manifest, SHA256_SIZE);
        record->tries = 0;
        record->tried = BOOT_TRIED_NOTHING;
}

/* ---- one start */

int boot_open(struct boot *b, const struct boot_board *board, enum reason *trust)
{
        memset(b, 0, sizeof(*b));
        b->board = *board;
        int r = record_load(&b->journal, board->flash, &b->record);
        if (r == 0)
                r = trust_read_name(board->flash, b->identity, b->class_id, b->room.read.set, sizeof(b->room.read.set));
        if (r == 0)
                *trust = trust_read(board->flash, b->record.trust_area, b->record.vendor_digest,
                                    b->record.claimed ? b->record.policy_digest : NULL, &b->vendor, &b->policy,
                                    b->room.read.set, b->room.read.scratch);
        return r;
}

/* Tries the spare slot: the try is in the journal before the image runs. */
static int try_spare(struct boot *b, struct boot_record *next, enum attempt attempt, struct boot_outcome *out)
{
        struct manifest_verified manifest;
        unsigned slot = spare(b);

        enum reason reason = verify_new(b, attempt, &manifest);
        if (reason == REASON_NONE)
                reason = verify_image(b, slot, manifest.digest, &manifest.fields);
        out->reasons[slot] = reason;
        if (reason != REASON_NONE) {
                next->trial = BOOT_TRIAL_NONE;
                next->tried = BOOT_TRIED_REFUSED;
                b->refused = reason;
                return BOOT_RECOVERY;
        }
        note_tried(next, manifest.digest);
        next->tries++;
        next->tried = BOOT_TRIED_NOTHING;
        next->trial = BOOT_TRIAL_RUNNING;
        out->slot = slot;
        out->trying = true;
        return BOOT_RUN;
}

static int run_confirmed(struct boot *b, struct boot_outcome *out)
{
        unsigned slot = b->record.confirmed_slot;

        out->slot = slot;
        out->reasons[slot] = verify_confirmed(b, slot);
        return out->reasons[slot] == REASON_NONE ? BOOT_RUN : BOOT_RECOVERY;
}

static int decide(struct boot *b, struct boot_record *next, struct boot_outcome *out)
{
        enum attempt attempt = next->trial == BOOT_TRIAL_CARRIED ? ATTEMPT_CARRIED : ATTEMPT_STAGED;
        bool staged = next->trial == BOOT_TRIAL_CARRIED || (next->trial == BOOT_TRIAL_STAGED && !b->board.power_on);
        int answer = BOOT_RECOVERY;

        if (next->trial == BOOT_TRIAL_RUNNING)
                next->tried = BOOT_TRIED_NOT_CONFIRMED;
        next->trial = BOOT_TRIAL_NONE;
        if (staged)
                answer = try_spare(b, next, attempt, out);
        if (answer != BOOT_RUN)
                answer = run_confirmed(b, out);
        if (answer != BOOT_RUN && !staged)
                answer = try_spare(b, next, ATTEMPT_FALLBACK, out);
        return answer;
}

int boot_start(struct boot *b, const struct boot_board *board, struct boot_outcome *out)
{
        enum reason trust;

        *out = (struct boot_outcome){ 0 };
        int r = boot_open(b, board, &trust);
        if (r < 0)
                return r;

        struct boot_record next = b->record;
        int answer = BOOT_RECOVERY;
        next.boot++;
        if (trust != REASON_NONE)
                out->reasons[0] = out->reasons[1] = trust;
        else if (!b->record.claimed)
                answer = BOOT_UNCLAIMED;
        else
                answer = decide(b, &next, out);
        r = store(b, &next);
        return r < 0 ? r : answer;
}

/* ---- requests of the application */

static int stage(struct boot *b, enum attempt attempt, enum boot_trial trial, enum reason *refusal)
{
        struct boot_image running = b->image;
        struct manifest_verified manifest;
        unsigned slot = b->running;

        if (b->record.trial == BOOT_TRIAL_RUNNING) {
                *refusal = REASON_NOT_CONFIRMED;
                return 0;
        }
        enum reason reason = verify_new(b, attempt, &manifest);
        if (reason == REASON_NONE)
                reason = verify_image(b, spare(b), manifest.digest, &manifest.fields);
        b->running = slot;
        b->image = running;
        if (reason == REASON_NONE) {
                struct boot_record next = b->record;
                note_tried(&next, manifest.digest);
                next.trial = trial;
                int r = store(b, &next);
                if (r < 0)
                        return r;
        }
        *refusal = reason;
        return 0;
}

int boot_stage(struct boot *b, enum reason *refusal)
{
        return stage(b, ATTEMPT_STAGED, BOOT_TRIAL_STAGED, refusal);
}

int boot_carry(struct boot *b, enum reason *refusal)
{
        return stage(b, ATTEMPT_CARRIED, BOOT_TRIAL_CARRIED, refusal);
}

int boot_confirm(struct boot *b)
{
        struct boot_record next = b->record;

        if (next.trial != BOOT_TRIAL_RUNNING)
                return 0;
        next.confirmed_slot = (uint8_t)b->running;
        memcpy(next.confirmed_manifest, b->image.manifest, SHA256_SIZE);
        next.trial = BOOT_TRIAL_NONE;
        next.tries = 0;
        next.tried = BOOT_TRIED_NOTHING;
        memset(next.tried_manifest, 0, SHA256_SIZE);
        if (b->image.sequence > next.floor)
                next.floor = b->image.sequence;
        return store(b, &next);
}

static enum reason tried_reason(const struct boot *b)
{
        switch (b->record.tried) {
        case BOOT_TRIED_NOTHING:
                return REASON_NONE;
        case BOOT_TRIED_NOT_CONFIRMED:
                return REASON_NOT_CONFIRMED;
        case BOOT_TRIED_REFUSED:
                /* reasons have no numbers that could be kept: at a later start the likeliest one stands for all */
                return b->refused != REASON_NONE ? b->refused : REASON_IMAGE_DIGEST;
        }
        return REASON_NONE;
}

void boot_status(const struct boot *b, struct port_boot_status *out)
{
        *out = (struct port_boot_status){
                .boot = b->record.boot,
                .slot = (uint8_t)b->running,
                .confirmed = b->record.trial != BOOT_TRIAL_RUNNING,
                .floor = b->record.floor,
                .sequence = b->image.sequence,
                .tries = b->record.tries,
                .tried_reason = tried_reason(b),
                .policy_epoch = b->policy.epoch,
                .vendor_epoch = b->vendor.epoch,
                .approval_epoch = b->record.epoch_floor,
                .time_floor = b->record.time_floor,
        };
        memcpy(out->manifest, b->image.manifest, SHA256_SIZE);
        memcpy(out->image, b->image.digest, SHA256_SIZE);
        memcpy(out->confirmed_manifest, b->record.confirmed_manifest, SHA256_SIZE);
        memcpy(out->tried_manifest, b->record.tried_manifest, SHA256_SIZE);
}
