/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The text of tor-geoipdb. First byte: the family. What is read, compiles. */

#include <stdlib.h>

#include "country/build.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        _cleanup_(country_build_freep) struct country_build *build = NULL;
        char error[COUNTRY_ERROR_MAX] = "";
        int64_t date = 0;

        if (size < 2 || country_build_new(&build) < 0)
                return 0;
        _cleanup_fclose_ FILE *in = fmemopen((void *)(uintptr_t)(data + 1), size - 1, "r");
        if (!in)
                return 0;
        int r = country_read_tor(build, in, "geoip", data[0] & 1 ? ADDRESS_IPV6 : ADDRESS_IPV4, &date, error);
        if ((r < 0) != (error[0] != '\0'))
                abort();
        return 0;
}
