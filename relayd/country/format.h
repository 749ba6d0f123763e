/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The compiled file as structures (country.h describes it), and a checked view of it in memory.
 */

#include <stdint.h>

#include "country/country.h"
#include "relay/span.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the file is mapped as it is");

#define COUNTRY_MAGIC      "RLYCNTRY"
#define COUNTRY_VERSION    1
#define COUNTRY_IDS_MAX    (COUNTRY_CODES + 1)
#define COUNTRY_BUCKETS    65536
#define COUNTRY_TABLE_SIZE 256
#define COUNTRY_TABLES_MAX 8192
#define COUNTRY_CROWDED    64         /* starts that share their upper bits: from here on they get a table */
#define COUNTRY_STARTS_MAX (4U << 20) /* per family */
#define COUNTRY_SHIFT_TOP  40         /* a /16's table is indexed by bits 40 to 47 of the upper half */

/* A slot of a table: another table's number, or the first start and how many there are; MANY: search the whole /16. */
#define COUNTRY_SLOT_TABLE (UINT32_C(1) << 31)
#define COUNTRY_SLOT_MANY  255
#define COUNTRY_SLOT(first, count) \
        ((uint32_t)(first) << 8 | ((count) < COUNTRY_SLOT_MANY ? (count) : COUNTRY_SLOT_MANY))

/* In an IPv6 start: its lower half is not 0 (and in the list). */
#define COUNTRY_START_LOW UINT64_C(0x8000)
#define COUNTRY_START_ID  UINT64_C(0x7fff)

struct country_header {
        char magic[8];
        uint32_t version;
        uint32_t crc;
        uint64_t size;
        int64_t date;
        int64_t compiled;
        uint32_t countries;
        uint32_t starts4;
        uint32_t starts6;
        uint32_t lows;
        uint32_t tables;
        uint32_t zero;
        char source[COUNTRY_SOURCE_SIZE];
        uint8_t zeros[16];
};
_Static_assert(sizeof(struct country_header) == 128, "as described");

#define COUNTRY_CRC_FROM 16 /* first byte that the CRC covers */

struct country_view {
        const struct country_header *header;
        const uint16_t *countries;
        const uint32_t *index4;  /* COUNTRY_BUCKETS + 1 */
        const uint32_t *starts4; /* lower 16 bits << 16 | id */
        const uint32_t *index6;
        const uint16_t *table_of; /* COUNTRY_BUCKETS */
        const uint32_t *tables;   /* header->tables * COUNTRY_TABLE_SIZE */
        const uint64_t *starts6;  /* bits 16 to 63 << 16 | COUNTRY_START_LOW | id */
        const uint64_t *lows;
        const uint32_t *low_at;
};

/* Sets the pointers from the header's counts; the bytes the file must have. data: aligned to 8 bytes */
uint64_t country_view_lay_out(struct country_view *view, const void *data, const struct country_header *header);
/* Checks everything. 0, -EBADMSG, -ENOTSUP and a sentence in error (may be NULL). */
int country_view_open(struct country_view *ret, struct span file, char *error);

country_code country_view_lookup4(const struct country_view *view, uint32_t address);
country_code country_view_lookup6(const struct country_view *view, uint64_t high, uint64_t low);
