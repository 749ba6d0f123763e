/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The boot stage's decisions. */

#include "boot/boot.h"

#include <string.h>

#define JOURNAL_MAGIC UINT32_C(0x626f6f74) /* "boot" */
#define RECORD_SIZE   (4 + 4 + 8 + 8 + 2 * SHA256_SIZE)

static void encode_record(const struct boot_record *record, uint8_t out[RECORD_SIZE])
{
        struct writer w;

        writer_init(&w, out, RECORD_SIZE);
        writer_u32(&w, record->boot);
        writer_u8(&w, record->confirmed_slot);
        writer_u8(&w, (uint8_t)record->trial);
        writer_u8(&w, record->tries);
        writer_u8(&w, (uint8_t)record->tried);
        writer_u64(&w, record->floor);
        writer_u64(&w, record->epoch_floor);
        writer_bytes(&w, SPAN_OF(record->tried_manifest));
        writer_bytes(&w, SPAN_OF(record->confirmed_manifest));
}

static int decode_record(const uint8_t in[RECORD_SIZE], struct boot_record *out)
{
        struct reader r;

        reader_init(&r, span_of(in, RECORD_SIZE));
        out->boot = reader_u32(&r);
        out->confirmed_slot = reader_u8(&r);
        uint8_t trial = reader_u8(&r);
        out->tries = reader_u8(&r);
        uint8_t tried = reader_u8(&r);
        out->floor = reader_u64(&r);
        out->epoch_floor = reader_u64(&r);
        memcpy(out->tried_manifest, reader_bytes(&r, SHA256_SIZE).data, SHA256_SIZE);
        memcpy(out->confirmed_manifest, reader_bytes(&r, SHA256_SIZE).data, SHA256_SIZE);
        if (out->confirmed_slot > 1 || trial > BOOT_TRIAL_RUNNING || tried > BOOT_TRIED_REFUSED)
                return RELAY_E_MALFORMED;
        out->trial = (enum boot_trial)trial;
        out->tried = (enum boot_tried)tried;
        return 0;
}

static int store(struct boot *b, const struct boot_record *record)
{
        uint8_t bytes[RECORD_SIZE];

        encode_record(record, bytes);
        int r = journal_store(&b->journal, bytes);
        if (r == 0)
                b->record = *record;
        return r;
}

int boot_provision(const struct port_flash *flash, uint64_t sequence, const uint8_t manifest[SHA256_SIZE])
{
        struct flash_area area = layout_area(flash, LAYOUT_JOURNAL);
        struct boot_record record = { .floor = sequence };
        uint8_t bytes[RECORD_SIZE];
        struct journal journal;

        memcpy(record.confirmed_manifest, manifest, SHA256_SIZE);
        int r = journal_load(&journal, &area, JOURNAL_MAGIC, bytes, RECORD_SIZE);
        if (r < 0 && r != RELAY_E_STATE)
                return r;
        encode_record(&record, bytes);
        return journal_store(&journal, bytes);
}

static unsigned spare(const struct boot *b)
{
        return 1u - b->record.confirmed_slot;
}

/* ---- verification */

/* signatures, class, size: what every image needs, whatever its history */
static enum reason verify_manifest(struct boot *b, unsigned slot, struct manifest_verified *out)
{
        struct flash_area area = layout_manifest(b->board.flash, slot);
        struct manifest_unverified unverified;

        if (slot_read(&area, &b->manifest) != 0)
                return REASON_MALFORMED;
        enum reason reason = manifest_decode(b->manifest.envelope, &unverified);
        if (reason == REASON_NONE)
                reason = manifest_verify(&unverified, &b->vendor, out);
        if (reason != REASON_NONE)
                return reason;
        if (memcmp(out->fields.class_id, b->class_id, CLASS_ID_SIZE) != 0)
                return REASON_WRONG_CLASS;
        if (out->fields.image_size == 0 || out->fields.image_size > LAYOUT_IMAGE_SIZE)
                return REASON_TOO_LARGE;
        return REASON_NONE;
}

static enum reason verify_image(struct boot *b, unsigned slot, const struct manifest_verified *manifest)
{
        struct flash_area area = layout_image(b->board.flash, slot);
        uint8_t digest[SHA256_SIZE];

        if (b->board.load(b->board.context, &area, manifest->fields.image_size, digest) != 0)
                return REASON_IMAGE_DIGEST;
        if (memcmp(digest, manifest->fields.image_digest, SHA256_SIZE) != 0)
                return REASON_IMAGE_DIGEST;
        b->running = slot;
        b->image.sequence = manifest->fields.sequence;
        b->image.size = manifest->fields.image_size;
        memcpy(b->image.manifest, manifest->digest, SHA256_SIZE);
        memcpy(b->image.digest, digest, SHA256_SIZE);
        return REASON_NONE;
}

static enum reason verify_approvals(struct boot *b, const struct manifest_verified *manifest)
{
        /* no trusted time here: approvals with a window count as unmet */
        struct approval_facts facts = { .device = b->identity, .epoch_floor = b->record.epoch_floor };

        memcpy(facts.class_id, b->class_id, CLASS_ID_SIZE);
        struct decision decision = approval_decide(b->manifest.approvals, b->manifest.approval_count, manifest->digest,
                                                   &b->policy, &facts);
        return decision.verdict == VERDICT_ALLOW ? REASON_NONE : decision.reason;
}

/*
 * The image that was confirmed, or came with the device. Its approvals were checked when it was tried; what else the
 * application, or somebody with a flash programmer, put into this slot was never approved.
 */
static enum reason verify_confirmed(struct boot *b, unsigned slot)
{
        struct manifest_verified manifest;

        enum reason reason = verify_manifest(b, slot, &manifest);
        if (reason != REASON_NONE)
                return reason;
        if (manifest.fields.sequence < b->record.floor)
                return REASON_OLD_SEQUENCE;
        if (memcmp(manifest.digest, b->record.confirmed_manifest, SHA256_SIZE) != 0)
                return REASON_NOT_CONFIRMED;
        return verify_image(b, slot, &manifest);
}

/* A new image: everything, and tries left. at_floor: its sequence may also equal the floor. */
static enum reason verify_new(struct boot *b, bool at_floor, struct manifest_verified *manifest)
{
        enum reason reason = verify_manifest(b, spare(b), manifest);

        if (reason != REASON_NONE)
                return reason;
        if (manifest->fields.sequence < b->record.floor || (manifest->fields.sequence == b->record.floor && !at_floor))
                return REASON_OLD_SEQUENCE;
        reason = verify_approvals(b, manifest);
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

static int load_state(struct boot *b)
{
        struct flash_area area = layout_area(b->board.flash, LAYOUT_JOURNAL);
        uint8_t bytes[RECORD_SIZE];

        int r = journal_load(&b->journal, &area, JOURNAL_MAGIC, bytes, RECORD_SIZE);
        if (r == 0)
                r = decode_record(bytes, &b->record);
        if (r == 0)
                r = trust_read_name(b->board.flash, b->identity, b->class_id, b->scratch, sizeof(b->scratch));
        return r;
}

/* Tries the spare slot: the try is in the journal before the image runs. */
static int try_spare(struct boot *b, struct boot_record *next, bool at_floor, struct boot_outcome *out)
{
        struct manifest_verified manifest;
        unsigned slot = spare(b);

        enum reason reason = verify_new(b, at_floor, &manifest);
        if (reason == REASON_NONE)
                reason = verify_image(b, slot, &manifest);
        out->reasons[slot] = reason;
        if (reason != REASON_NONE) {
                next->trial = BOOT_TRIAL_NONE;
                next->tried = BOOT_TRIED_REFUSED;
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

int boot_start(struct boot *b, const struct boot_board *board, struct boot_outcome *out)
{
        int answer = BOOT_RECOVERY;

        *out = (struct boot_outcome){ 0 };
        memset(b, 0, sizeof(*b));
        b->board = *board;
        int r = load_state(b);
        if (r < 0)
                return r;
        enum reason trust = trust_read_objects(board->flash, &b->vendor, &b->policy, b->scratch, sizeof(b->scratch));

        struct boot_record next = b->record;
        next.boot++;
        if (trust != REASON_NONE) {
                out->reasons[0] = out->reasons[1] = trust;
        } else {
                if (next.trial == BOOT_TRIAL_STAGED)
                        answer = try_spare(b, &next, false, out);
                else if (next.trial == BOOT_TRIAL_RUNNING)
                        next.tried = BOOT_TRIED_NOT_CONFIRMED;
                if (answer != BOOT_RUN) {
                        next.trial = BOOT_TRIAL_NONE;
                        answer = run_confirmed(b, out);
                }
                if (answer != BOOT_RUN && out->reasons[spare(b)] == REASON_NONE)
                        answer = try_spare(b, &next, true, out);
        }
        r = store(b, &next);
        return r < 0 ? r : answer;
}

/* ---- requests of the application */

int boot_stage(struct boot *b, enum reason *refusal)
{
        struct boot_image running = b->image;
        struct manifest_verified manifest;
        unsigned slot = b->running;

        if (b->record.trial == BOOT_TRIAL_RUNNING) {
                *refusal = REASON_NOT_CONFIRMED;
                return 0;
        }
        enum reason reason = verify_new(b, false, &manifest);
        if (reason == REASON_NONE)
                reason = verify_image(b, spare(b), &manifest);
        b->running = slot;
        b->image = running;
        if (reason == REASON_NONE) {
                struct boot_record next = b->record;
                note_tried(&next, manifest.digest);
                next.trial = BOOT_TRIAL_STAGED;
                int r = store(b, &next);
                if (r < 0)
                        return r;
        }
        *refusal = reason;
        return 0;
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

void boot_status(const struct boot *b, struct port_boot_status *out)
{
        static const enum reason reasons[] = {
                [BOOT_TRIED_NOTHING] = REASON_NONE,
                [BOOT_TRIED_NOT_CONFIRMED] = REASON_NOT_CONFIRMED,
                [BOOT_TRIED_REFUSED] = REASON_IMAGE_DIGEST,
        };

        *out = (struct port_boot_status){
                .boot = b->record.boot,
                .slot = (uint8_t)b->running,
                .confirmed = b->record.trial != BOOT_TRIAL_RUNNING,
                .floor = b->record.floor,
                .sequence = b->image.sequence,
                .tries = b->record.tries,
                .tried_reason = reasons[b->record.tried],
        };
        memcpy(out->manifest, b->image.manifest, SHA256_SIZE);
        memcpy(out->image, b->image.digest, SHA256_SIZE);
        memcpy(out->tried_manifest, b->record.tried_manifest, SHA256_SIZE);
}
