/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Refused packets: first byte the direction, then the bytes that nflog copied.
 */
#include <stdlib.h>
#include <string.h>

#include "guard/droplog.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct droplog_packet packet;

        if (size == 0)
                return 0;
        const char *name = country_direction_name((enum country_direction)(data[0] % COUNTRY_DIRECTIONS));
        if (droplog_parse(&packet, span_of(name, strlen(name) + 1), span_of(data + 1, size - 1)) &&
            packet.address.family == ADDRESS_NONE)
                abort();
        return 0;
}
