/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * The compiled address database: a read-only mapped file that answers which country an address belongs to.
 *
 * File, all numbers little-endian, sections aligned to 8 bytes with zero bytes between them; country/format.h has it as
 * structures:
 *   header (128 bytes): magic "RLYCNTRY" | u32 version 1 | u32 CRC-32C of all behind this field | u64 file size |
 *     i64 source date, i64 compile date (seconds since 1970; 0: not known) | u32 counts: countries, IPv4 starts,
 *     IPv6 starts, lower halves, tables | u32 0 | source name, 48 bytes, NUL-filled | zero bytes
 *   countries: u16 per id; id 0 is 676 (unknown), the others ascend below 676
 *   IPv4: u32 index[65537]: number of starts below i << 16 | u32 start: lower 16 bits << 16, country id
 *   IPv6: u32 index[65537]: number of starts below i << 112 | u16 table number of each /16, from 1, or 0 |
 *     tables of u32[256] for the next 8 bits, wherever 64 starts or more share their upper bits: number of a table
 * below (top bit set), or first start << 8, how many (255: search the whole /16) | u64 start: bits 16 to 63 of the
 * address << 16, bit 15: has a lower half, country id | lower halves that are not 0: u64 each, then u32 position of
 * each start
 *
 * A start holds up to the next one; the first is 0, neighbours differ in their country. The whole file is checked when
 * it is opened, so that a look-up reads nothing outside, whatever the file held.
 */

#include <stdint.h>

#include "policy/country_intervals.h"
#include "util/cleanup.h"

#define COUNTRY_FILE_DEFAULT "/var/lib/relayd-country/country.db"
#define COUNTRY_FILE_MAX     (64U << 20) /* bytes; larger files are refused */
#define COUNTRY_SOURCE_SIZE  48          /* bytes of a source's name, with NUL */

struct country;

/*
 * Opens and checks a compiled file. 0; -ENOENT and other -errno of open(2); -EBADMSG: not such a file, damaged or cut
 * (COUNTRY_ERROR_MAX bytes of error say what; may be NULL); -ENOTSUP: of another version; -ENOMEM.
 * A file that is replaced (renamed over) while it is open goes on being read as it was; open it again to see the new.
 */
int country_open(struct country **ret, const char *path, char *error);
struct country *country_free(struct country *country);
CLEANUP_DEFINE(struct country, country_free)

/* The country of an address, COUNTRY_UNKNOWN if the database does not say; country == NULL: COUNTRY_NO_DATABASE */
country_code country_lookup(const struct country *country, const struct address *address);
country_code country_lookup4(const struct country *country, uint32_t address); /* host byte order */
country_code country_lookup6(const struct country *country, uint64_t high, uint64_t low);

struct country_info {
        char source[COUNTRY_SOURCE_SIZE]; /* "tor-geoipdb", an MMDB's database_type */
        int64_t date;                     /* of the source's data, seconds since 1970; 0: not known */
        int64_t compiled;                 /* of this file */
        uint32_t ranges4, ranges6;        /* merged, with those of unknown country */
        uint32_t countries;               /* that have an address */
        uint64_t size;                    /* bytes of the file */
};
void country_info(const struct country *country, struct country_info *info);

/* Every range of a family in order, unknown ones too, without gaps: for country_intervals_start(&..., &walk.source). */
struct country_walk {
        struct country_source source; /* first member */
        const struct country *country;
        enum address_family family;
        uint32_t at;          /* next start to give out */
        uint32_t bucket, low; /* its upper 16 bits; the next lower half */
        struct address start;
};
void country_walk_start(struct country_walk *walk, const struct country *country, enum address_family family);
