/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Identity and trusted objects in flash. */

#include "boot/trust.h"

#include <string.h>

#include "boot/layout.h"
#include "port/bundle.h"

#define IDENTITY_MAGIC UINT32_C(0x6964656e) /* "iden" */
#define TRUST_MAGIC    UINT32_C(0x74727573) /* "trus" */

int trust_write_identity(const struct port_flash *flash, const struct device_identity *identity)
{
        struct flash_area area = layout_area(flash, LAYOUT_IDENTITY);
        struct span parts[] = {
                span_of_string(identity->name),
                SPAN_OF(identity->class_id),
                SPAN_OF(identity->seed),
                span_of(identity->certificates, identity->certificates_size),
        };
        return bundle_write(&area, IDENTITY_MAGIC, parts, 4);
}

/* reads the parts and checks their sizes; parts point into buffer */
static int read_parts(const struct port_flash *flash, uint8_t *buffer, size_t size, struct span *parts)
{
        struct flash_area area = layout_area(flash, LAYOUT_IDENTITY);
        size_t count;

        int r = bundle_read(&area, IDENTITY_MAGIC, buffer, size, parts, &count);
        if (r < 0)
                return r;
        if (count != 4 || !identity_is_device(parts[0]) || parts[1].size != CLASS_ID_SIZE ||
            parts[2].size != ED25519_SEED_SIZE || parts[3].size > TRUST_CERTIFICATES_MAX)
                return RELAY_E_MALFORMED;
        return 0;
}

int trust_read_name(const struct port_flash *flash, char name[IDENTITY_MAX + 1], uint8_t class_id[CLASS_ID_SIZE],
                    uint8_t *scratch, size_t scratch_size)
{
        struct span parts[BUNDLE_PARTS_MAX];

        int r = read_parts(flash, scratch, scratch_size, parts);
        if (r == 0) {
                (void)span_to_string(parts[0], name, IDENTITY_MAX + 1);
                memcpy(class_id, parts[1].data, CLASS_ID_SIZE);
        }
        crypto_wipe(scratch, scratch_size);
        return r;
}

int trust_read_identity(const struct port_flash *flash, struct device_identity *out)
{
        uint8_t buffer[TRUST_CERTIFICATES_MAX + 256];
        struct span parts[BUNDLE_PARTS_MAX];

        int r = read_parts(flash, buffer, sizeof(buffer), parts);
        if (r == 0) {
                (void)span_to_string(parts[0], out->name, sizeof(out->name));
                memcpy(out->class_id, parts[1].data, CLASS_ID_SIZE);
                memcpy(out->seed, parts[2].data, ED25519_SEED_SIZE);
                memcpy(out->certificates, parts[3].data, parts[3].size);
                out->certificates_size = parts[3].size;
        }
        crypto_wipe(buffer, sizeof(buffer));
        return r;
}

int trust_write_objects(const struct port_flash *flash, struct span vendor_set, struct span policy_set)
{
        struct flash_area area = layout_area(flash, LAYOUT_TRUST);
        struct span parts[] = { vendor_set, policy_set };
        return bundle_write(&area, TRUST_MAGIC, parts, 2);
}

enum reason trust_read_objects(const struct port_flash *flash, struct vendor_keys *vendor, struct site_policy *policy,
                               uint8_t *scratch, size_t scratch_size)
{
        struct flash_area area = layout_area(flash, LAYOUT_TRUST);
        struct span parts[BUNDLE_PARTS_MAX];
        size_t count;

        if (scratch_size <= LAYOUT_TRUST_BUFFER ||
            bundle_read(&area, TRUST_MAGIC, scratch, LAYOUT_TRUST_BUFFER, parts, &count) < 0 || count != 2)
                return REASON_MALFORMED;
        scratch += LAYOUT_TRUST_BUFFER;
        scratch_size -= LAYOUT_TRUST_BUFFER;
        if (vendor_keys_accept_first(parts[0], vendor, scratch, scratch_size) != REASON_NONE)
                return REASON_VENDOR_KEYS_INVALID;
        if (site_policy_accept_first(parts[1], policy, scratch, scratch_size) != REASON_NONE ||
            site_policy_shares_key(policy, vendor))
                return REASON_POLICY_INVALID;
        return REASON_NONE;
}
