/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* What is asked of an image before it may run. Manifests are read into b->room. */

#include "boot/boot.h"

/* why a new image is looked at */
enum attempt {
        ATTEMPT_STAGED,   /* the application asked, with a ticket if the policy needs one */
        ATTEMPT_CARRIED,  /* somebody at the local port asked */
        ATTEMPT_FALLBACK, /* the confirmed image is damaged */
};

/* Everything but the image, and tries left. In a fallback the sequence may also equal the floor. */
enum reason verify_new(struct boot *b, unsigned slot, enum attempt attempt, struct manifest_verified *manifest);
/* Measures an image where it was written. NONE or IMAGE_DIGEST */
enum reason verify_written(const struct flash_area *area, const struct manifest_fields *fields);
/* Is this slot's the confirmed manifest, and its image whole? Written in recovery, to repair what was damaged. */
enum reason verify_repair(struct boot *b, unsigned slot);

/* Brings an image where it would be executed and measures it there; NONE: b->image says what it is. */
enum reason load_image(struct boot *b, const struct flash_area *area, const uint8_t manifest[SHA256_SIZE],
                       const struct manifest_fields *fields);
/* The confirmed image, the recovery image: verified and loaded. */
enum reason verify_confirmed(struct boot *b, unsigned slot);
enum reason verify_recovery(struct boot *b);
