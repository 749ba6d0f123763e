/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/* What tests of the country database share: made-up databases as files. */

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "country/build.h"
#include "util/files.h"

static inline struct address_range range4(uint32_t first, uint32_t last)
{
        return (struct address_range){ { ADDRESS_IPV4, 0, first }, { ADDRESS_IPV4, 0, last } };
}

static inline struct address_range range6(uint64_t high, uint64_t low, uint64_t last_high, uint64_t last_low)
{
        return (struct address_range){ { ADDRESS_IPV6, high, low }, { ADDRESS_IPV6, last_high, last_low } };
}

/* A small valid image: one country a family. */
static inline int small_image(uint8_t **data, size_t *size)
{
        _cleanup_(country_build_freep) struct country_build *build = NULL;
        struct country_info info = { .source = "test", .date = 1782362039, .compiled = 1782362040 };
        struct address_range v4 = range4(0x01000000, 0x01ffffff);
        struct address_range v6 = range6(UINT64_C(0x20010db8) << 32, 0, UINT64_C(0x20010db8) << 32, 7);
        int r = country_build_new(&build);

        if (r == 0)
                r = country_build_add(build, &v4, COUNTRY_CODE('F', 'I'), NULL);
        if (r == 0)
                r = country_build_add(build, &v6, COUNTRY_CODE('S', 'E'), NULL);
        return r < 0 ? r : country_build_image(build, &info, data, size, NULL);
}

/* Writes the bytes to a file that has no name any more and opens it as a database. */
static inline int open_bytes(struct country **ret, const void *data, size_t size, char *error)
{
        char path[] = "/tmp/relay-country-XXXXXX";
        _cleanup_close_ int fd = mkstemp(path);

        if (fd < 0)
                return -errno;
        int r = file_write(path, data, size, 0600);
        if (r == 0)
                r = country_open(ret, path, error);
        unlink(path);
        return r;
}
