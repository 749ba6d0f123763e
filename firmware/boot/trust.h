/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Whom a device believes, as kept in flash. Vendor key set and site policy lie together in each of two areas: a
 * successor is written into the one that is not in use, counts when the boot journal says so, by naming the area and
 * the digests of both, and goes into the other area then. If one of them is damaged the other one will do.
 */

#include "port/bundle.h"
#include "relay/manifest.h"
#include "relay/sitepolicy.h"
#include "relay/vendor.h"

#define TRUST_OBJECT_MAX SITE_POLICY_MAX /* bytes of the larger of both signed sets */

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
