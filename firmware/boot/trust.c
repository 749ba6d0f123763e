/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Trusted objects in flash. */

#include "boot/trust.h"

#include <string.h>

#include "boot/layout.h"

#define TRUST_MAGIC UINT32_C(0x74727573) /* "trus" */

static struct flash_area trust_area(const struct port_flash *flash, unsigned area)
{
        return layout_area(flash, area == 0 ? LAYOUT_TRUST : LAYOUT_TRUST_SPARE);
}

int trust_write(const struct port_flash *flash, unsigned area, struct span vendor_set, struct span policy_set)
{
        struct flash_area where = trust_area(flash, area);
        struct span parts[] = { [TRUST_VENDOR] = vendor_set, [TRUST_POLICY] = policy_set };
        struct bundle_head head;

        int r = bundle_write(&where, TRUST_MAGIC, parts, 2);
        if (r < 0)
                return r;
        /* the other area is given up for this one next: a cell that does not hold must be found now */
        return bundle_check(&where, TRUST_MAGIC, &head) == 0 ? 0 : PORT_E_IO;
}

int trust_erase(const struct port_flash *flash, unsigned area)
{
        struct flash_area where = trust_area(flash, area);
        int r = 0;

        for (uint32_t sector = 0; sector < where.count && r == 0; sector++)
                r = flash_area_erase(&where, sector);
        return r;
}

int trust_read_set(const struct port_flash *flash, unsigned area, enum trust_object object, uint8_t *buffer,
                   size_t size, struct span *set)
{
        struct flash_area where = trust_area(flash, area);
        struct bundle_head head;

        int r = bundle_check(&where, TRUST_MAGIC, &head);
        if (r < 0)
                return r;
        if (head.count != 2)
                return RELAY_E_MALFORMED;
        r = bundle_read_part(&where, &head, object, buffer, size, set);
        return r == RELAY_E_SPACE ? RELAY_E_MALFORMED : r;
}

enum reason trust_read(const struct port_flash *flash, unsigned area, const uint8_t vendor_digest[SHA256_SIZE],
                       const uint8_t *policy_digest, struct vendor_keys *vendor, struct site_policy *policy,
                       uint8_t *buffer, uint8_t *scratch)
{
        struct span set;

        if (trust_read_set(flash, area, TRUST_VENDOR, buffer, TRUST_OBJECT_MAX, &set) < 0)
                return REASON_MALFORMED;
        if (vendor_keys_read(set, vendor) != REASON_NONE || memcmp(vendor->digest, vendor_digest, SHA256_SIZE) != 0)
                return REASON_VENDOR_KEYS_INVALID;
        if (!policy_digest)
                return REASON_NONE;
        if (trust_read_set(flash, area, TRUST_POLICY, buffer, TRUST_OBJECT_MAX, &set) < 0)
                return REASON_MALFORMED;
        if (site_policy_read(set, policy, scratch, TRUST_OBJECT_MAX) != REASON_NONE ||
            memcmp(policy->digest, policy_digest, SHA256_SIZE) != 0 || site_policy_shares_key(policy, vendor))
                return REASON_POLICY_INVALID;
        return REASON_NONE;
}
