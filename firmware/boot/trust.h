/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * What a device is and whom it believes, as kept in flash. The identity is written when the device is made. Vendor key
 * set and site policy lie together in one of two areas by turns: a successor is written into the other one, and counts
 * when the boot journal says so, by naming the area and the digests of both.
 */

#include "port/bundle.h"
#include "relay/manifest.h"
#include "relay/sitepolicy.h"
#include "relay/vendor.h"

#define TRUST_CERTIFICATES_MAX 3072                           /* bytes of PEM */
#define TRUST_IDENTITY_BUFFER  (TRUST_CERTIFICATES_MAX + 256) /* contents of the identity bundle */
#define TRUST_OBJECT_MAX       SITE_POLICY_MAX                /* bytes of the larger of both signed sets */

struct device_identity {
        char name[IDENTITY_MAX + 1];
        uint8_t class_id[CLASS_ID_SIZE];
        uint8_t seed[ED25519_SEED_SIZE]; /* private key; wipe after use */
        size_t certificates_size;
        uint8_t certificates[TRUST_CERTIFICATES_MAX]; /* PEM, leaf first */
};

/* At manufacture. 0, RELAY_E_SPACE (does not fit), or the flash's error */
int trust_write_identity(const struct port_flash *flash, const struct device_identity *identity);
/* Only name and class, for whoever needs no more; scratch: TRUST_IDENTITY_BUFFER bytes. Results as below. */
int trust_read_name(const struct port_flash *flash, char name[IDENTITY_MAX + 1], uint8_t class_id[CLASS_ID_SIZE],
                    uint8_t *scratch, size_t scratch_size);
/* 0, RELAY_E_STATE (never provisioned), RELAY_E_MALFORMED, flash errors */
int trust_read_identity(const struct port_flash *flash, struct device_identity *out);

/*
 * Writes an area (0 or 1) whole. Signed sets as they travel; an empty policy_set: unclaimed. Read back before it
 * returns. 0, RELAY_E_SPACE, PORT_E_IO.
 */
int trust_write(const struct port_flash *flash, unsigned area, struct span vendor_set, struct span policy_set);
/* Makes an area unreadable, all of it. 0 or PORT_E_IO. */
int trust_erase(const struct port_flash *flash, unsigned area);

enum trust_object { TRUST_VENDOR = 0, TRUST_POLICY = 1 };
/*
 * One signed set of an area into buffer; TRUST_OBJECT_MAX bytes are always enough. 0 and *set, which points into
 * buffer; RELAY_E_STATE, RELAY_E_MALFORMED, flash errors.
 */
int trust_read_set(const struct port_flash *flash, unsigned area, enum trust_object object, uint8_t *buffer,
                   size_t size, struct span *set);
/*
 * Reads what the journal says is in force; both digests are compared. policy_digest NULL: unclaimed, *policy stays.
 * REASON_NONE, VENDOR_KEYS_INVALID, POLICY_INVALID, MALFORMED (not readable).
 * buffer, scratch: TRUST_OBJECT_MAX bytes each.
 */
enum reason trust_read(const struct port_flash *flash, unsigned area, const uint8_t vendor_digest[SHA256_SIZE],
                       const uint8_t *policy_digest, struct vendor_keys *vendor, struct site_policy *policy,
                       uint8_t *buffer, uint8_t *scratch);
