/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The boot stage's record, byte by byte. */

#include "boot/record.h"

#include <string.h>

#include "boot/layout.h"
#include "relay/cursor.h"

#define MAGIC       UINT32_C(0x626f6f74) /* "boot" */
#define RECORD_SIZE (4 + 6 + 3 * 8 + 5 * SHA256_SIZE + 2 + 4)

static void encode(const struct boot_record *record, uint8_t out[RECORD_SIZE])
{
        struct writer w;

        writer_init(&w, out, RECORD_SIZE);
        writer_u32(&w, record->boot);
        writer_u8(&w, record->confirmed_slot);
        writer_u8(&w, (uint8_t)record->trial);
        writer_u8(&w, record->tries);
        writer_u8(&w, (uint8_t)record->tried);
        writer_u8(&w, record->trust_area);
        writer_u8(&w, record->claimed);
        writer_u64(&w, record->floor);
        writer_u64(&w, record->epoch_floor);
        writer_u64(&w, record->time_floor);
        writer_bytes(&w, SPAN_OF(record->tried_manifest));
        writer_bytes(&w, SPAN_OF(record->confirmed_manifest));
        writer_bytes(&w, SPAN_OF(record->vendor_digest));
        writer_bytes(&w, SPAN_OF(record->policy_digest));
        writer_bytes(&w, SPAN_OF(record->recovery_manifest));
        writer_u8(&w, record->identity_area);
        writer_u8(&w, record->rotate);
        writer_u32(&w, record->rotations);
}

static void get_digest(struct reader *r, uint8_t out[SHA256_SIZE])
{
        memcpy(out, reader_bytes(r, SHA256_SIZE).data, SHA256_SIZE);
}

static int decode(const uint8_t in[RECORD_SIZE], struct boot_record *out)
{
        struct boot_record record = { 0 };
        struct reader r;

        reader_init(&r, span_of(in, RECORD_SIZE));
        record.boot = reader_u32(&r);
        record.confirmed_slot = reader_u8(&r);
        uint8_t trial = reader_u8(&r);
        record.tries = reader_u8(&r);
        uint8_t tried = reader_u8(&r);
        record.trust_area = reader_u8(&r);
        uint8_t claimed = reader_u8(&r);
        record.floor = reader_u64(&r);
        record.epoch_floor = reader_u64(&r);
        record.time_floor = reader_u64(&r);
        get_digest(&r, record.tried_manifest);
        get_digest(&r, record.confirmed_manifest);
        get_digest(&r, record.vendor_digest);
        get_digest(&r, record.policy_digest);
        get_digest(&r, record.recovery_manifest);
        record.identity_area = reader_u8(&r);
        uint8_t rotate = reader_u8(&r);
        record.rotations = reader_u32(&r);
        if (record.confirmed_slot > 1 || trial > BOOT_TRIAL_CARRIED || tried > BOOT_TRIED_REFUSED ||
            record.trust_area > 1 || claimed > 1 || record.identity_area > 1 || rotate > 1)
                return RELAY_E_MALFORMED;
        record.trial = (enum boot_trial)trial;
        record.tried = (enum boot_tried)tried;
        record.claimed = claimed == 1;
        record.rotate = rotate == 1;
        *out = record;
        return 0;
}

int record_load(struct journal *journal, const struct port_flash *flash, struct boot_record *out)
{
        struct flash_area area = layout_area(flash, LAYOUT_JOURNAL);
        uint8_t bytes[RECORD_SIZE];

        int r = journal_load(journal, &area, MAGIC, bytes, RECORD_SIZE);
        return r < 0 ? r : decode(bytes, out);
}

int record_store(struct journal *journal, const struct boot_record *record)
{
        uint8_t bytes[RECORD_SIZE];

        encode(record, bytes);
        return journal_store(journal, bytes);
}
