/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the boot stage reads: signed objects that the application hands over, a slot that the application wrote, and its
 * own areas after somebody had a flash programmer. First byte of input: which of them; the rest: its bytes.
 */
#include <stdlib.h>

#include "../../unit/firmware/made.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct made_device device;
static struct made_image first, second;
static uint8_t made_flash[sizeof(device.memory)];
static struct boot started; /* as it is after a start: verifying the same signatures each time would be slow */

/* nothing is executed that was not made by the vendor for this device */
static int start(void)
{
        struct boot_outcome outcome;

        int answer = made_start(&device, &outcome);
        if (answer == BOOT_RUN && memcmp(device.executed, first.digest, SHA256_SIZE) != 0 &&
            memcmp(device.executed, second.digest, SHA256_SIZE) != 0)
                abort();
        return answer;
}

static void make(void)
{
        made_image(&first, 1, 10);
        made_image(&second, 2, 11);
        made_device(&device, &first);
        if (made_write(&device, 1, &second, 2) != 0)
                abort();
        memcpy(made_flash, device.memory, sizeof(made_flash));
        if (start() != BOOT_RUN)
                abort();
        started = device.boot;
        memcpy(device.memory, made_flash, sizeof(made_flash));
        made_power(&device, 0);
}

/* what is refused changes nothing, and what is accepted rises */
static void accept(enum port_boot_object object, struct span set)
{
        struct port_boot_status before, after;
        enum reason refusal = REASON_COUNT;

        boot_status(&device.boot, &before);
        uint32_t operations = (uint32_t)*device.ram.operations;
        if (boot_accept(&device.boot, object, set, &refusal) != 0)
                abort();
        boot_status(&device.boot, &after);
        bool changed = *device.ram.operations != operations;
        bool risen = after.policy_epoch == before.policy_epoch + 1 || after.vendor_epoch == before.vendor_epoch + 1 ||
                     after.approval_epoch > before.approval_epoch;
        if ((refusal == REASON_NONE) != changed || risen != changed || (changed && start() != BOOT_RUN))
                abort();
}

static void accept_policy(struct span in)
{
        accept(PORT_BOOT_POLICY, in);
}

static void accept_vendor(struct span in)
{
        accept(PORT_BOOT_VENDOR, in);
}

static void accept_revocation(struct span in)
{
        accept(PORT_BOOT_REVOCATION, in);
}

/* u16 size and bytes for the envelope and each approval */
static void stage_slot(struct span in)
{
        struct flash_area area = layout_manifest(&device.flash, 1);
        struct span parts[BUNDLE_PARTS_MAX];
        enum reason refusal = REASON_COUNT;
        struct reader r;
        size_t count = 0;

        reader_init(&r, in);
        for (; count < BUNDLE_PARTS_MAX && reader_left(&r) > 0; count++)
                parts[count] = reader_bytes(&r, reader_u16(&r));
        if (count == 0 || slot_write(&area, parts[0], parts + 1, count - 1) != 0)
                return;
        if (boot_stage(&device.boot, &refusal) != 0)
                abort();
        bool staged = device.boot.record.trial == BOOT_TRIAL_STAGED;
        if ((refusal == REASON_NONE) != staged || (staged && start() != BOOT_RUN))
                abort();
}

static void overlay(enum layout_area where, struct span in)
{
        struct flash_area area = layout_area(&device.flash, where);
        struct span part = span_slice(in, 0, flash_area_size(&area));

        if (part.size > 0)
                memcpy(device.memory + area.first * LAYOUT_SECTOR_SIZE, part.data, part.size);
        (void)start();
}

static void rewrite_journal(struct span in)
{
        overlay(LAYOUT_JOURNAL, in);
}

static void rewrite_identity(struct span in)
{
        overlay(LAYOUT_IDENTITY, in);
}

static void rewrite_trust(struct span in)
{
        overlay(LAYOUT_TRUST_SPARE, in);
}

static void rewrite_confirmed(struct span in)
{
        overlay(LAYOUT_MANIFEST_A, in);
}

static void restore(enum layout_area which)
{
        struct flash_area area = layout_area(&device.flash, which);
        size_t start_at = (size_t)area.first * LAYOUT_SECTOR_SIZE;

        memcpy(device.memory + start_at, made_flash + start_at, flash_area_size(&area));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static void (*const attacks[])(struct span in) = {
                accept_policy,   accept_vendor,    accept_revocation, stage_slot,
                rewrite_journal, rewrite_identity, rewrite_trust,     rewrite_confirmed,
        };

        if (made_flash[0] == 0)
                make();
        if (size == 0)
                return 0;
        /* what is written below, and no more: this runs often */
        for (enum layout_area area = LAYOUT_JOURNAL; area < LAYOUT_AREAS; area++)
                if (area != LAYOUT_RECOVERY_IMAGE && area != LAYOUT_IMAGE_A && area != LAYOUT_IMAGE_B)
                        restore(area);
        made_power(&device, 0);
        device.boot = started;
        attacks[data[0] % ROWS(attacks)](span_of(data + 1, size - 1));
        return 0;
}
