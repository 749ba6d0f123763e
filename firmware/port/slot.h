/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * What an image slot's manifest area holds: the manifest's envelope and the approvals, as a bundle. The application
 * writes it when the image is complete, the boot stage reads and verifies it.
 */

#include "port/bundle.h"
#include "relay/approval.h"

#define SLOT_APPROVALS_SIZE 8192 /* bytes for all approvals */

/* a slot's manifest area as read; spans point into buffer */
struct slot_manifest {
        struct span envelope;
        struct span approvals[SITE_APPROVERS_MAX];
        size_t approval_count;
        uint8_t buffer[MANIFEST_MAX + SLOT_APPROVALS_SIZE];
};

/* Makes the slot invalid (one erase). */
int slot_invalidate(const struct flash_area *area);
/* RELAY_E_SPACE, RELAY_E_RANGE if it does not fit; flash errors. count: at most SITE_APPROVERS_MAX. */
int slot_write(const struct flash_area *area, struct span envelope, const struct span *approvals, size_t count);
/* 0; RELAY_E_STATE: empty or never finished; RELAY_E_MALFORMED: damaged; or the flash's error. */
int slot_read(const struct flash_area *area, struct slot_manifest *out);
