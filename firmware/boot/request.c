/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the application asks of the boot stage, and somebody at the local port. */

#include "boot/boot.h"

#include <string.h>

#include "boot/verify.h"

/* What was confirmed stands in this slot again: no try is due, the next start runs it. */
static int repair(struct boot *b, unsigned slot)
{
        struct boot_record next = b->record;

        next.confirmed_slot = (uint8_t)slot;
        next.trial = BOOT_TRIAL_NONE;
        return boot_store(b, &next);
}

static int stage(struct boot *b, enum attempt attempt, enum boot_trial trial, enum reason *refusal)
{
        struct manifest_verified manifest;
        unsigned slot = boot_spare(b);
        struct flash_area area = layout_image(b->board.flash, slot);

        if (b->record.trial == BOOT_TRIAL_RUNNING) {
                *refusal = REASON_NOT_CONFIRMED;
                return 0;
        }
        if (b->recovery && verify_repair(b, slot) == REASON_NONE) {
                int r = repair(b, slot);
                if (r == 0)
                        *refusal = REASON_NONE;
                return r;
        }
        enum reason reason = verify_new(b, slot, attempt, &manifest);
        if (reason == REASON_NONE)
                reason = verify_written(&area, &manifest.fields);
        if (reason == REASON_NONE) {
                struct boot_record next = b->record;
                boot_note_tried(&next, manifest.digest);
                next.trial = trial;
                int r = boot_store(b, &next);
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
        return boot_store(b, &next);
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
                .recovery = b->recovery,
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

bool boot_has_recovery(const struct boot *b)
{
        static const uint8_t none[SHA256_SIZE];
        return memcmp(b->record.recovery_manifest, none, SHA256_SIZE) != 0;
}

/* ---- keys */

int boot_sign(const struct boot *b, struct span message, uint8_t signature[SIGNATURE_SIZE])
{
        return keys_sign(&b->keys, message, signature);
}

int boot_attest(struct boot *b, const struct attest_challenge *challenge, struct writer *w)
{
        struct attest_statement statement = { .challenge = *challenge, .boot = b->record.boot };
        int r = 0;

        memcpy(statement.device, b->identity, sizeof(statement.device));
        if (b->certificate_count > 0)
                r = identity_read_certificate(b->board.flash, b->identity_area, 0, b->room.read.set,
                                              &statement.device_certificate);
        return r == 0 ? keys_attest(&b->keys, &statement, w, b->room.read.scratch, sizeof(b->room.read.scratch)) : r;
}

int boot_put_chain(struct boot *b, struct writer *w)
{
        int r = 0;

        if (b->keys.leaf_size == 0)
                return 0;
        writer_bytes(w, span_of(b->keys.leaf, b->keys.leaf_size));
        for (size_t i = 0; i < b->certificate_count && r == 0; i++) {
                struct span certificate = SPAN_EMPTY;
                r = identity_read_certificate(b->board.flash, b->identity_area, i, b->room.read.set, &certificate);
                writer_bytes(w, certificate);
        }
        return r < 0 ? r : writer_finish(w);
}

/* ---- by the local port */

int boot_identity_key(const struct boot *b, uint32_t rotations, struct public_key *out)
{
        uint8_t secret[DICE_SECRET_SIZE];

        int r = identity_read_secret(b->board.flash, secret);
        if (r == 0)
                r = keys_identity(secret, rotations, out);
        crypto_wipe(secret, sizeof(secret));
        return r;
}

static int check_certificates(const struct boot *b, const struct span *certificates, size_t count)
{
        uint32_t newest = b->record.rotations + (b->record.rotate ? 1 : 0), number;
        uint8_t secret[DICE_SECRET_SIZE];

        if (count == 0 || count > IDENTITY_CERTIFICATES_MAX || !identity_is_named(certificates[0], b->identity))
                return RELAY_E_RANGE;
        int r = identity_read_secret(b->board.flash, secret);
        if (r == 0)
                r = keys_find(secret, newest, certificates[0], &number);
        crypto_wipe(secret, sizeof(secret));
        return r;
}

int boot_certify(struct boot *b, const struct span *certificates, size_t count)
{
        struct device_identity identity = { .certificate_count = count };
        struct boot_record next = b->record;

        int r = check_certificates(b, certificates, count);
        if (r < 0)
                return r;
        memcpy(identity.name, b->identity, sizeof(identity.name));
        memcpy(identity.class_id, b->class_id, CLASS_ID_SIZE);
        for (size_t i = 0; i < count; i++)
                identity.certificates[i] = certificates[i];
        next.identity_area = (uint8_t)(1u - b->identity_area);
        r = identity_write(b->board.flash, next.identity_area, &identity);
        if (r == 0)
                r = boot_store(b, &next);
        if (r == 0) {
                b->identity_area = next.identity_area;
                b->certificate_count = count;
        }
        return r;
}

int boot_rotate(struct boot *b)
{
        struct boot_record next = b->record;

        if (next.rotations == UINT32_MAX)
                return RELAY_E_RANGE;
        next.rotate = true;
        return boot_store(b, &next);
}
