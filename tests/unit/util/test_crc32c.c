/* SPDX-License-Identifier: GPL-2.0-or-later */
/* CRC-32C against RFC 3720 appendix B.4, and the instruction against the tables. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "util/crc32c.h"

static void test_vectors(void **state)
{
        (void)state;
        uint8_t zeros[32] = { 0 }, ones[32], up[32], down[32];
        memset(ones, 0xff, sizeof(ones));
        for (uint8_t i = 0; i < 32; i++) {
                up[i] = i;
                down[i] = 31 - i;
        }
        const struct {
                struct span data;
                uint32_t crc;
        } rows[] = {
                { SPAN_OF(zeros), 0x8a9136aa },
                { SPAN_OF(ones), 0x62a8ab43 },
                { SPAN_OF(up), 0x46dd794e },
                { SPAN_OF(down), 0x113fdb5c },
                { SPAN_EMPTY, 0 },
                { SPAN_LITERAL("123456789"), 0xe3069283 },
        };
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                assert_int_equal(crc32c(0, rows[i].data), rows[i].crc);
                assert_int_equal(crc32c_portable(0, rows[i].data), rows[i].crc);
        }
}

static void test_both_ways_and_pieces(void **state)
{
        (void)state;
        uint8_t data[300];
        for (size_t i = 0; i < sizeof(data); i++)
                data[i] = (uint8_t)(i * 167 + 13);
        for (size_t from = 0; from < 9; from++)
                for (size_t size = 0; size + from < sizeof(data); size++) {
                        struct span all = span_of(data + from, size);
                        uint32_t crc = crc32c(0, all);
                        assert_int_equal(crc, crc32c_portable(0, all));
                        uint32_t first = crc32c(0, span_slice(all, 0, size / 3));
                        assert_int_equal(crc, crc32c(first, span_slice(all, size / 3, size)));
                }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_vectors),
                cmocka_unit_test(test_both_ways_and_pieces),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
