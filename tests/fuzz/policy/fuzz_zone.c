/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files of the time zone database: any bytes give an offset of at most a day and a bit, or none, at any time. */

#include <stdlib.h>

#include "util/zone.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        static const uint64_t times[] = { 0, 1711846800, 1763800000, 1774746000, 4102444800, UINT32_MAX, UINT64_MAX };

        for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++) {
                int32_t offset = 0;
                if (zone_offset(span_of(data, size), times[i], &offset) != 0 && offset != 0)
                        abort();
                if (offset > 27 * 3600 || offset < -27 * 3600 || zone_minute_of_week(times[i], offset) > 10079)
                        abort();
        }
        return 0;
}
