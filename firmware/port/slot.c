/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A slot's manifest area: written by the application, read by the boot stage. */

#include "port/slot.h"

#define MAGIC UINT32_C(0x736c6f74) /* "slot" */

int slot_invalidate(const struct flash_area *area)
{
        return bundle_invalidate(area);
}

int slot_write(const struct flash_area *area, struct span envelope, const struct span *approvals, size_t count)
{
        struct span parts[BUNDLE_PARTS_MAX];

        if (count > SITE_APPROVERS_MAX)
                return RELAY_E_RANGE;
        parts[0] = envelope;
        for (size_t i = 0; i < count; i++)
                parts[1 + i] = approvals[i];
        return bundle_write(area, MAGIC, parts, 1 + count);
}

int slot_read(const struct flash_area *area, struct slot_manifest *out)
{
        struct span parts[BUNDLE_PARTS_MAX];
        size_t count;

        int r = bundle_read(area, MAGIC, out->buffer, sizeof(out->buffer), parts, &count);
        if (r < 0)
                return r == RELAY_E_SPACE ? RELAY_E_MALFORMED : r;
        if (count == 0)
                return RELAY_E_MALFORMED;
        out->envelope = parts[0];
        out->approval_count = count - 1;
        for (size_t i = 1; i < count; i++)
                out->approvals[i - 1] = parts[i];
        return 0;
}
