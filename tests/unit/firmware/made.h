/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* A provisioned device in memory, images and signed objects for it. */
#include "../librelay/objects.h"
#include "unit.h"

#include "boot/boot.h"
#include "ports/common/flash_ram.h"
#include "relay/image.h"
#include "relay/revocation.h"

#define MADE_IMAGE_SIZE 9000 /* three blocks, the last one shorter */

struct made_image {
        uint8_t bytes[MADE_IMAGE_SIZE];
        uint8_t list[3 * SHA256_SIZE];
        uint8_t digest[SHA256_SIZE];
        struct manifest_fields fields;
        uint8_t manifest[SHA256_SIZE]; /* manifest digest */
        uint8_t envelope_bytes[MANIFEST_MAX];
        struct span envelope;
        uint8_t approval_bytes[2][APPROVAL_MAX];
        struct span approvals[2]; /* of approvers 1 and 2, for the whole site */
};

/* content depends on tag; signed by organisation and developer */
void made_image(struct made_image *image, uint8_t tag, uint64_t sequence);
/* signs fields again, by these; digest, envelope and approvals are made anew */
void made_sign(struct made_image *image, const enum who *signers, size_t count);

/* approvals like this one (of the image's manifest) by two approvers, instead of those that are there */
void made_approve(struct made_image *image, struct approval approval, const enum who approvers[2]);

struct made_device {
        uint8_t memory[LAYOUT_SECTORS * LAYOUT_SECTOR_SIZE];
        struct flash_ram ram;
        struct port_flash flash;
        struct boot boot;
        struct boot_board board;
        bool power_on;                 /* the next starts follow a loss of power */
        uint8_t executed[SHA256_SIZE]; /* digest of the image in memory */
};

/* The device certificate of this name and key as a boot stage reads it (nothing of it is verified there). DER; the
 * buffer is reused by the next call. */
struct span made_certificate(const char *name, const struct public_key *key);
extern const uint8_t made_secret[DICE_SECRET_SIZE]; /* of every device made here */

struct site_policy made_policy(void); /* site-1, 2 of 3 approvers */
/* their direct successors: epoch and predecessor; the caller changes what else it likes and signs */
struct site_policy made_next_policy(const struct site_policy *current);
struct vendor_keys made_next_vendor(const struct vendor_keys *current);
/* signed sets of them, each in a buffer of its own that the next call reuses */
struct span made_policy_set(const struct site_policy *policy, const enum who *signers, size_t count);
struct span made_vendor_set(const struct vendor_keys *keys, const enum who *signers, size_t count);
struct span made_revocation(const char *site, uint64_t epoch, uint64_t issued, const enum who *signers, size_t count);
/* a device "device-1" of class c1.. with this image in slot A, that no site owns yet */
void made_unclaimed_device(struct made_device *d, const struct made_image *image);
/* the recovery image of devices made from now on, its manifest not approved by anybody; NULL (as at first): none */
void made_recovery(const struct made_image *image);
/* the same, owned by site-1 */
void made_device(struct made_device *d, const struct made_image *image);
/* the device's flash where this area begins */
uint8_t *made_area(struct made_device *d, enum layout_area area);
/* power comes back; what is in flash stays. cut_after counts from now. */
void made_power(struct made_device *d, uint64_t cut_after);
/* what the application does: image and manifest into a slot. 0 or the flash's error. */
int made_write(struct made_device *d, unsigned slot, const struct made_image *image, size_t approvals);
int made_start(struct made_device *d, struct boot_outcome *outcome);
