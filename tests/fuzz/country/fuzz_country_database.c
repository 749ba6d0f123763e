/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Compiled databases: what passes the check is read without leaving it, and look-ups agree with the walk. The checksum
 * is mended first, so that it does not keep the fuzzer out. The file is mostly index: the input is a list of changes
 * (u32 offset, u8 value) to a valid one, or, if it begins with the magic, a file.
 */

#include <stdlib.h>
#include <string.h>

#include "country/format.h"
#include "country/starts.h"
#include "util/crc32c.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t *example, *copy;
static size_t example_size;

static void make_example(void)
{
        struct country_build *build;
        struct country_info info = { .source = "fuzz", .date = 1, .compiled = 2 };

        if (country_build_new(&build) < 0)
                abort();
        for (uint64_t i = 0; i < 300; i++) {
                struct address_range v4 = { { ADDRESS_IPV4, 0, i << 12 }, { ADDRESS_IPV4, 0, (i << 12) + 99 } };
                struct address_range v6 = { { ADDRESS_IPV6, UINT64_C(0x2a) << 56 | i << 20, i & 3 },
                                            { ADDRESS_IPV6, UINT64_C(0x2a) << 56 | i << 20, 9 } };
                if (country_build_add(build, &v4, (country_code)(i % 9), NULL) < 0 ||
                    country_build_add(build, &v6, (country_code)(i % 7), NULL) < 0)
                        abort();
        }
        if (country_build_image(build, &info, &example, &example_size, NULL) < 0 || !(copy = malloc(example_size)))
                abort();
        country_build_free(build);
}

static void check(struct span file)
{
        struct country_header *header = (void *)(uintptr_t)file.data;
        struct country_view view;
        char error[COUNTRY_ERROR_MAX] = "";

        if (file.size >= sizeof *header)
                header->crc = crc32c(0, span_slice(file, COUNTRY_CRC_FROM, file.size));
        if (country_view_open(&view, file, error) < 0) {
                if (!error[0])
                        abort();
                return;
        }
        for (uint64_t i = 0; i < 4096; i++) {
                uint64_t spread = i * UINT64_C(0x9e3779b97f4a7c15);
                if (country_view_lookup4(&view, (uint32_t)(spread >> 40)) > COUNTRY_UNKNOWN ||
                    country_view_lookup6(&view, UINT64_C(0x2a) << 56 | (spread >> 40 & ~UINT64_C(0xff)), i & 15) >
                            COUNTRY_UNKNOWN ||
                    country_view_lookup6(&view, spread, spread) > COUNTRY_UNKNOWN)
                        abort();
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        if (!example)
                make_example();
        if (size >= 8 && memcmp(data, COUNTRY_MAGIC, 8) == 0) {
                uint8_t *file = malloc(size);
                if (!file)
                        abort();
                memcpy(file, data, size);
                check(span_of(file, size));
                free(file);
                return 0;
        }
        memcpy(copy, example, example_size);
        for (size_t at = 0; at + 5 <= size; at += 5) {
                uint32_t offset;
                memcpy(&offset, data + at, sizeof offset);
                copy[offset % example_size] = data[at + 4];
        }
        check(span_of(copy, example_size));
        return 0;
}
