/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * What a device is and whom it believes, as kept in flash: written when it is made and claimed, read at every start.
 */

#include "port/flash.h"
#include "relay/sitepolicy.h"
#include "relay/vendor.h"
#include "relay/manifest.h"

#define TRUST_CERTIFICATES_MAX 6144 /* bytes of PEM */

struct device_identity {
        char name[IDENTITY_MAX + 1];
        uint8_t class_id[CLASS_ID_SIZE];
        uint8_t seed[ED25519_SEED_SIZE]; /* private key; wipe after use */
        size_t certificates_size;
        uint8_t certificates[TRUST_CERTIFICATES_MAX]; /* PEM, leaf first */
};

/* At manufacture. 0, RELAY_E_SPACE (does not fit), or the flash's error */
int trust_write_identity(const struct port_flash *flash, const struct device_identity *identity);
/* Only name and class, for whoever needs no more; scratch: LAYOUT_TRUST_BUFFER bytes. Results as below. */
int trust_read_name(const struct port_flash *flash, char name[IDENTITY_MAX + 1], uint8_t class_id[CLASS_ID_SIZE],
                    uint8_t *scratch, size_t scratch_size);
/* 0, RELAY_E_STATE (never provisioned), RELAY_E_MALFORMED, flash errors */
int trust_read_identity(const struct port_flash *flash, struct device_identity *out);

/* vendor_set, policy_set: signed sets as they travel */
int trust_write_objects(const struct port_flash *flash, struct span vendor_set, struct span policy_set);
/*
 * Reads and verifies both again. REASON_NONE, VENDOR_KEYS_INVALID, POLICY_INVALID, MALFORMED (not readable).
 * scratch: LAYOUT_TRUST_BUFFER bytes and as many again for the signatures.
 */
enum reason trust_read_objects(const struct port_flash *flash, struct vendor_keys *vendor, struct site_policy *policy,
                               uint8_t *scratch, size_t scratch_size);
