/* SPDX-License-Identifier: GPL-2.0-or-later */
/* CRC-32C, reflected, polynomial 0x1EDC6F41. */

#include "util/crc32c.h"

#include <pthread.h>
#include <string.h>

#define POLYNOMIAL 0x82f63b78u /* bits reversed */

static uint32_t tables[8][256];
static pthread_once_t tables_once = PTHREAD_ONCE_INIT;

static void make_tables(void)
{
        for (uint32_t i = 0; i < 256; i++) {
                uint32_t crc = i;
                for (int bit = 0; bit < 8; bit++)
                        crc = (crc >> 1) ^ (crc & 1 ? POLYNOMIAL : 0);
                tables[0][i] = crc;
        }
        for (int slice = 1; slice < 8; slice++)
                for (uint32_t i = 0; i < 256; i++)
                        tables[slice][i] = (tables[slice - 1][i] >> 8) ^ tables[0][tables[slice - 1][i] & 0xff];
}

uint32_t crc32c_portable(uint32_t crc, struct span data)
{
        pthread_once(&tables_once, make_tables);
        const uint8_t *p = data.data;
        size_t left = data.size;
        crc = ~crc;
        for (; left >= 8; p += 8, left -= 8)
                crc = tables[7][(crc ^ p[0]) & 0xff] ^ tables[6][((crc >> 8) ^ p[1]) & 0xff] ^
                      tables[5][((crc >> 16) ^ p[2]) & 0xff] ^ tables[4][((crc >> 24) ^ p[3]) & 0xff] ^
                      tables[3][p[4]] ^ tables[2][p[5]] ^ tables[1][p[6]] ^ tables[0][p[7]];
        for (; left > 0; p++, left--)
                crc = (crc >> 8) ^ tables[0][(crc ^ *p) & 0xff];
        return ~crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t crc32c_sse42(uint32_t crc, struct span data)
{
        const uint8_t *p = data.data;
        size_t left = data.size;
        uint64_t state = ~crc;
        for (; left >= 8; p += 8, left -= 8) {
                uint64_t word;
                memcpy(&word, p, sizeof(word));
                state = __builtin_ia32_crc32di(state, word);
        }
        uint32_t tail = (uint32_t)state;
        for (; left > 0; p++, left--)
                tail = __builtin_ia32_crc32qi(tail, *p);
        return ~tail;
}

uint32_t crc32c(uint32_t crc, struct span data)
{
        return __builtin_cpu_supports("sse4.2") ? crc32c_sse42(crc, data) : crc32c_portable(crc, data);
}
#elif defined(__ARM_FEATURE_CRC32)
#        include <arm_acle.h>

uint32_t crc32c(uint32_t crc, struct span data)
{
        const uint8_t *p = data.data;
        size_t left = data.size;
        crc = ~crc;
        for (; left >= 8; p += 8, left -= 8) {
                uint64_t word;
                memcpy(&word, p, sizeof(word));
                crc = __crc32cd(crc, word);
        }
        for (; left > 0; p++, left--)
                crc = __crc32cb(crc, *p);
        return ~crc;
}
#else
uint32_t crc32c(uint32_t crc, struct span data)
{
        return crc32c_portable(crc, data);
}
#endif
