/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a start decides. */

#include "boot/boot.h"

#include <string.h>

#include "boot/verify.h"

/* Twice, so that no single bit that falls over later takes the device back to what held before. */
int boot_store(struct boot *b, const struct boot_record *record)
{
        if (record_store(&b->journal, record) < 0)
                return PORT_E_IO;
        b->record = *record;
        (void)record_store(&b->journal, record);
        return 0;
}

static int write_identity(const struct port_flash *flash, const struct boot_factory *factory)
{
        int r = identity_write_secret(flash, factory->secret);

        for (unsigned area = 0; area < 2 && r == 0; area++)
                r = identity_write(flash, area, &factory->identity);
        return r;
}

int boot_provision(const struct port_flash *flash, const struct boot_factory *factory)
{
        struct boot_record record = { .floor = factory->sequence }, before;
        struct vendor_keys vendor;
        struct journal journal;

        if (vendor_keys_read(factory->vendor_set, &vendor) != REASON_NONE)
                return RELAY_E_MALFORMED;
        memcpy(record.confirmed_manifest, factory->manifest, SHA256_SIZE);
        memcpy(record.vendor_digest, vendor.digest, SHA256_SIZE);
        if (factory->recovery)
                memcpy(record.recovery_manifest, factory->recovery, SHA256_SIZE);
        int r = write_identity(flash, factory);
        for (unsigned area = 0; area < 2 && r == 0; area++)
                r = trust_write(flash, area, factory->vendor_set, SPAN_EMPTY);
        if (r < 0)
                return r;
        r = record_load(&journal, flash, &before);
        if (r < 0 && r != RELAY_E_STATE)
                return r;
        return record_store(&journal, &record);
}

unsigned boot_spare(const struct boot *b)
{
        return 1u - b->record.confirmed_slot;
}

void boot_note_tried(struct boot_record *record, const uint8_t manifest[SHA256_SIZE])
{
        if (memcmp(record->tried_manifest, manifest, SHA256_SIZE) == 0)
                return;
        memcpy(record->tried_manifest, manifest, SHA256_SIZE);
        record->tries = 0;
        record->tried = BOOT_TRIED_NOTHING;
}

/* ---- one start */

/* Both areas say the same of name and class, so a damaged one is no reason to stop. */
static int open_identity(struct boot *b)
{
        struct device_identity identity;

        b->identity_area = b->record.identity_area;
        int r = identity_read(b->board.flash, b->identity_area, &identity);
        if (r < 0) {
                b->identity_area = 1u - b->identity_area;
                r = identity_read(b->board.flash, b->identity_area, &identity);
        }
        if (r < 0)
                return r;
        memcpy(b->identity, identity.name, sizeof(b->identity));
        memcpy(b->class_id, identity.class_id, CLASS_ID_SIZE);
        b->certificate_count = identity.certificate_count;
        return 0;
}

/* Either area will do, if it holds what the journal names: older trust does not. */
static enum reason open_trust(struct boot *b)
{
        const uint8_t *policy_digest = b->record.claimed ? b->record.policy_digest : NULL;
        enum reason first = REASON_NONE;

        for (unsigned i = 0; i < 2; i++) {
                b->trust_area = i == 0 ? b->record.trust_area : 1u - b->record.trust_area;
                enum reason reason = trust_read(b->board.flash, b->trust_area, b->record.vendor_digest, policy_digest,
                                                &b->vendor, &b->policy, b->room.read.set, b->room.read.scratch);
                if (reason == REASON_NONE)
                        return REASON_NONE;
                first = i == 0 ? reason : first;
        }
        return first;
}

int boot_open(struct boot *b, const struct boot_board *board, enum reason *trust)
{
        memset(b, 0, sizeof(*b));
        b->board = *board;
        int r = record_load(&b->journal, board->flash, &b->record);
        if (r == 0)
                r = open_identity(b);
        if (r == 0)
                *trust = open_trust(b);
        return r;
}

/* Tries the spare slot: the try is in the journal before the image runs. */
static int try_spare(struct boot *b, struct boot_record *next, enum attempt attempt, struct boot_outcome *out)
{
        struct manifest_verified manifest;
        unsigned slot = boot_spare(b);
        struct flash_area area = layout_image(b->board.flash, slot);

        enum reason reason = verify_new(b, slot, attempt, &manifest);
        if (reason == REASON_NONE)
                reason = load_image(b, &area, manifest.digest, &manifest.fields);
        out->reasons[slot] = reason;
        if (reason != REASON_NONE) {
                /* in a fallback nobody had asked for this image */
                if (attempt != ATTEMPT_FALLBACK) {
                        next->tried = BOOT_TRIED_REFUSED;
                        b->refused = reason;
                }
                return BOOT_STUCK;
        }
        boot_note_tried(next, manifest.digest);
        next->tries++;
        next->tried = BOOT_TRIED_NOTHING;
        next->trial = BOOT_TRIAL_RUNNING;
        b->running = out->slot = slot;
        out->trying = true;
        return BOOT_RUN;
}

static int run_confirmed(struct boot *b, struct boot_outcome *out)
{
        unsigned slot = b->record.confirmed_slot;

        b->running = out->slot = slot;
        out->reasons[slot] = verify_confirmed(b, slot);
        return out->reasons[slot] == REASON_NONE ? BOOT_RUN : BOOT_STUCK;
}

/* Both slots are spare then; the one that is not the confirmed one is filled, so that the journal need not change until
 * it is. */
static int run_recovery(struct boot *b, struct boot_outcome *out)
{
        b->running = out->slot = boot_spare(b);
        out->recovery = verify_recovery(b);
        b->recovery = out->recovery == REASON_NONE;
        return b->recovery ? BOOT_RECOVERY : BOOT_STUCK;
}

static int decide(struct boot *b, struct boot_record *next, struct boot_outcome *out)
{
        enum attempt attempt = next->trial == BOOT_TRIAL_CARRIED ? ATTEMPT_CARRIED : ATTEMPT_STAGED;
        bool staged = next->trial == BOOT_TRIAL_CARRIED || (next->trial == BOOT_TRIAL_STAGED && !b->board.power_on);
        int answer = BOOT_STUCK;

        if (next->trial == BOOT_TRIAL_RUNNING)
                next->tried = BOOT_TRIED_NOT_CONFIRMED;
        next->trial = BOOT_TRIAL_NONE;
        if (staged)
                answer = try_spare(b, next, attempt, out);
        if (answer != BOOT_RUN)
                answer = run_confirmed(b, out);
        if (answer != BOOT_RUN && !staged)
                answer = try_spare(b, next, ATTEMPT_FALLBACK, out);
        return answer == BOOT_RUN ? BOOT_RUN : run_recovery(b, out);
}

/*
 * The journal cannot be written any more. The confirmed image needs nothing of it and runs on, but without keys: under
 * a boot counter that was used before, its events would be taken for those of then. Nothing is tried.
 */
static int run_unrecorded(struct boot *b, int answer, struct boot_outcome *out)
{
        out->keys = PORT_E_IO;
        if (answer == BOOT_RUN && !out->trying)
                return BOOT_RUN;
        out->trying = false;
        return answer == BOOT_UNCLAIMED || answer == BOOT_STUCK ? answer : run_confirmed(b, out);
}

/* The secret is in memory in here only. */
static int derive(struct boot *b)
{
        struct dice_measurement measurement = { .sequence = b->image.sequence,
                                                .mode = b->recovery ? DICE_MODE_RECOVERY : DICE_MODE_NORMAL };
        struct keys_facts facts = { .name = b->identity,
                                    .rotations = b->record.rotations,
                                    .measurement = &measurement };
        uint8_t secret[DICE_SECRET_SIZE];
        int r = 0;

        memcpy(measurement.image, b->image.digest, SHA256_SIZE);
        memcpy(measurement.manifest, b->image.manifest, SHA256_SIZE);
        memcpy(measurement.class_id, b->class_id, CLASS_ID_SIZE);
        memcpy(measurement.vendor, b->vendor.digest, SHA256_SIZE);
        if (b->certificate_count > 0)
                r = identity_read_certificate(b->board.flash, b->identity_area, 0, b->room.read.set,
                                              &facts.device_certificate);
        if (r == 0)
                r = identity_read_secret(b->board.flash, secret);
        if (r == 0)
                r = keys_derive(&b->keys, secret, &facts);
        crypto_wipe(secret, sizeof(secret));
        return r == 0 && b->certificate_count == 0 ? RELAY_E_STATE : r;
}

int boot_start(struct boot *b, const struct boot_board *board, struct boot_outcome *out)
{
        enum reason trust;

        *out = (struct boot_outcome){ 0 };
        int r = boot_open(b, board, &trust);
        if (r < 0)
                return r;

        struct boot_record next = b->record;
        int answer = BOOT_STUCK;
        next.boot++;
        if (trust != REASON_NONE)
                out->reasons[0] = out->reasons[1] = trust;
        else if (!b->record.claimed)
                answer = BOOT_UNCLAIMED;
        else
                answer = decide(b, &next, out);
        if (next.rotate && next.rotations < UINT32_MAX)
                next.rotations++;
        next.rotate = false;
        r = boot_store(b, &next);
        if (r < 0)
                answer = run_unrecorded(b, answer, out);
        else if (answer == BOOT_RUN || answer == BOOT_RECOVERY)
                out->keys = derive(b);
        r = board->lock ? board->lock(board->context) : 0;
        return r < 0 ? r : answer;
}
