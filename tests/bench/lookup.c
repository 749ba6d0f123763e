/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Look-ups in the compiled database beside libmaxminddb, which gets the same ranges as an MMDB file (24-bit records,
 * the layout of a country database). usage: lookup DATABASE MMDB-TO-WRITE. Prints one JSON line, nanoseconds a look-up.
 */

#include <maxminddb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "country/country.h"
#include "util/time.h"

#define ADDRESSES 1000000
#define ROUNDS    3
#define NODES_MAX (8U << 20)
#define EMPTY     UINT32_MAX
#define DATA      (UINT32_C(1) << 31) /* with an offset in the data section */

/* ---- the MMDB file */

struct tree {
        uint32_t (*nodes)[2];
        uint32_t count;
        uint8_t data[64 * 1024];
        size_t data_size;
        uint32_t offsets[COUNTRY_CODES]; /* of a country's record, EMPTY if it has none yet */
};

static void put(struct tree *tree, const void *bytes, size_t size)
{
        if (tree->data_size + size > sizeof tree->data)
                abort();
        memcpy(tree->data + tree->data_size, bytes, size);
        tree->data_size += size;
}

/* {"country": {"iso_code": "FI"}, "continent": {"code": "EU"}}: the order of real files, the country comes second */
static uint32_t record_of(struct tree *tree, country_code code)
{
        char text[COUNTRY_TEXT_SIZE];

        static const char before[] = "\xe2"
                                     "\x49"
                                     "continent"
                                     "\xe1\x44"
                                     "code"
                                     "\x42"
                                     "EU"
                                     "\x47"
                                     "country"
                                     "\xe1\x48"
                                     "iso_code"
                                     "\x42";

        if (tree->offsets[code] == EMPTY) {
                tree->offsets[code] = (uint32_t)tree->data_size;
                put(tree, before, sizeof before - 1);
                put(tree, country_code_text(code, text), 2);
        }
        return tree->offsets[code];
}

static unsigned bit_of(uint64_t high, uint64_t low, unsigned at)
{
        return at < 64 ? high >> (63 - at) & 1 : low >> (127 - at) & 1;
}

static void add_network(struct tree *tree, uint64_t high, uint64_t low, unsigned prefix, uint32_t entry)
{
        uint32_t node = 0;

        for (unsigned at = 0; at + 1 < prefix; at++) {
                uint32_t *next = &tree->nodes[node][bit_of(high, low, at)];
                if (*next == EMPTY) {
                        if (tree->count == NODES_MAX)
                                abort();
                        *next = tree->count;
                        tree->nodes[tree->count][0] = tree->nodes[tree->count][1] = EMPTY;
                        tree->count++;
                }
                node = *next;
        }
        tree->nodes[node][bit_of(high, low, prefix - 1)] = entry;
}

static unsigned trailing_zeros(uint64_t high, uint64_t low)
{
        if (low)
                return (unsigned)__builtin_ctzll(low);
        return high ? 64 + (unsigned)__builtin_ctzll(high) : 127;
}

/* The host mask of this many bits. */
static struct address plus_mask(struct address first, unsigned bits)
{
        first.low |= bits >= 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1;
        first.high |= bits > 64 ? (UINT64_C(1) << (bits - 64)) - 1 : 0;
        return first;
}

/* A range is cut into networks. */
static void add_range(struct tree *tree, const struct country_range *range)
{
        struct address first = range->range.first, last;
        bool more = true;

        while (more) {
                unsigned bits = trailing_zeros(first.high, first.low);
                if (first.family == ADDRESS_IPV4 && bits > 31)
                        bits = 31;
                for (last = plus_mask(first, bits); address_compare(&last, &range->range.last) > 0;)
                        last = plus_mask(first, --bits);
                add_network(tree, first.high, first.low, 128 - bits, DATA | record_of(tree, range->code));
                more = address_compare(&last, &range->range.last) < 0;
                first = last;
                address_next(&first);
        }
}

static void add_family(struct tree *tree, const struct country *country, enum address_family family)
{
        struct country_walk walk;
        struct country_range range;

        country_walk_start(&walk, country, family);
        while (walk.source.next(&walk.source, &range))
                if (range.code != COUNTRY_UNKNOWN)
                        add_range(tree, &range);
}

static void write_record(FILE *out, const struct tree *tree, uint32_t entry)
{
        uint32_t value = entry == EMPTY ? tree->count : entry & DATA ? tree->count + 16 + (entry & ~DATA) : entry;

        putc((int)(value >> 16 & 0xff), out);
        putc((int)(value >> 8 & 0xff), out);
        putc((int)(value & 0xff), out);
}

static void write_file(const struct tree *tree, const char *path)
{
        static const char zeros[16], marker[] = "\xab\xcd\xef"
                                                "MaxMind.com";
        static const char metadata[] = "\xe9"
                                       "\x5b"
                                       "binary_format_major_version"
                                       "\xa1\x02"
                                       "\x5b"
                                       "binary_format_minor_version"
                                       "\xa0"
                                       "\x4b"
                                       "build_epoch"
                                       "\x04\x02\x6a\x00\x00\x00"
                                       "\x4d"
                                       "database_type"
                                       "\x47"
                                       "Country"
                                       "\x4b"
                                       "description"
                                       "\xe0"
                                       "\x4a"
                                       "ip_version"
                                       "\xa1\x06"
                                       "\x49"
                                       "languages"
                                       "\x00\x04"
                                       "\x4b"
                                       "record_size"
                                       "\xa1\x18"
                                       "\x4a"
                                       "node_count"
                                       "\xc4";
        FILE *out = fopen(path, "we");

        if (!out)
                abort();
        for (uint32_t i = 0; i < tree->count; i++) {
                write_record(out, tree, tree->nodes[i][0]);
                write_record(out, tree, tree->nodes[i][1]);
        }
        fwrite(zeros, 1, sizeof zeros, out);
        fwrite(tree->data, 1, tree->data_size, out);
        fwrite(marker, 1, sizeof marker - 1, out);
        fwrite(metadata, 1, sizeof metadata - 1, out);
        for (int shift = 24; shift >= 0; shift -= 8)
                putc((int)(tree->count >> shift & 0xff), out);
        if (ferror(out) || fclose(out) != 0)
                abort();
}

static void make_mmdb(const struct country *country, const char *path)
{
        struct tree *tree = calloc(1, sizeof *tree);
        tree->nodes = mmap(NULL, NODES_MAX * sizeof *tree->nodes, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

        memset(tree->offsets, 0xff, sizeof tree->offsets);
        tree->nodes[0][0] = tree->nodes[0][1] = EMPTY;
        tree->count = 1;
        add_family(tree, country, ADDRESS_IPV4);
        add_family(tree, country, ADDRESS_IPV6);
        write_file(tree, path);
        munmap(tree->nodes, NODES_MAX * sizeof *tree->nodes);
        free(tree);
}

/* ---- the look-ups */

static uint64_t random_state = 88172645463325252u;

static uint64_t random_u64(void)
{
        random_state ^= random_state << 13;
        random_state ^= random_state >> 7;
        random_state ^= random_state << 17;
        return random_state;
}

static struct address inside(const struct address_range *range)
{
        uint64_t high = range->last.high - range->first.high, low = range->last.low - range->first.low;
        struct address address = range->first;

        if (high > 0) {
                address.high += random_u64() % high;
                address.low = random_u64();
        } else {
                address.low += low == UINT64_MAX ? random_u64() : random_u64() % (low + 1);
        }
        return address;
}

/* Random addresses in random ranges that have a country. */
static void choose(struct address *out, const struct country *country, enum address_family family)
{
        struct country_range *ranges = calloc(1U << 20, sizeof *ranges);
        struct country_walk walk;
        size_t count = 0;

        country_walk_start(&walk, country, family);
        while (count < 1U << 20 && walk.source.next(&walk.source, &ranges[count]))
                count += ranges[count].code != COUNTRY_UNKNOWN;
        for (size_t i = 0; i < ADDRESSES; i++)
                out[i] = inside(&ranges[random_u64() % count].range);
        free(ranges);
}

static void name_of(const struct address *address, struct sockaddr_storage *out)
{
        uint8_t bytes[16];

        memset(out, 0, sizeof *out);
        if (address_to_bytes(address, bytes) == 4) {
                out->ss_family = AF_INET;
                memcpy(&((struct sockaddr_in *)out)->sin_addr, bytes, 4);
        } else {
                out->ss_family = AF_INET6;
                memcpy(&((struct sockaddr_in6 *)out)->sin6_addr, bytes, 16);
        }
}

static country_code peer_lookup(const MMDB_s *mmdb, const struct sockaddr *name)
{
        int error;
        MMDB_lookup_result_s result = MMDB_lookup_sockaddr(mmdb, name, &error);
        MMDB_entry_data_s value;

        if (error != MMDB_SUCCESS || !result.found_entry ||
            MMDB_get_value(&result.entry, &value, "country", "iso_code", NULL) != MMDB_SUCCESS || !value.has_data)
                return COUNTRY_UNKNOWN;
        return country_code_from_letters(value.utf8_string[0], value.utf8_string[1]);
}

static uint64_t now_ns(void)
{
        struct timespec now;

        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
        return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

struct times {
        double ours, tree_only, peer;
};

static void lesser(double *best, uint64_t began)
{
        double took = (double)(now_ns() - began) / ADDRESSES;

        if (*best == 0 || took < *best)
                *best = took;
}

static void measure(struct times *times, const struct country *country, const MMDB_s *mmdb,
                    const struct address *addresses, const struct sockaddr_storage *names)
{
        uint64_t ours = 0, peers = 0, found = 0, began = now_ns();
        int error;

        for (size_t i = 0; i < ADDRESSES; i++)
                ours += country_lookup(country, &addresses[i]);
        lesser(&times->ours, began);
        began = now_ns();
        for (size_t i = 0; i < ADDRESSES; i++)
                found += MMDB_lookup_sockaddr(mmdb, (const struct sockaddr *)&names[i], &error).found_entry;
        lesser(&times->tree_only, began);
        began = now_ns();
        for (size_t i = 0; i < ADDRESSES; i++)
                peers += peer_lookup(mmdb, (const struct sockaddr *)&names[i]);
        lesser(&times->peer, began);
        if (ours != peers || found != ADDRESSES) {
                fprintf(stderr, "the two databases differ\n");
                exit(1);
        }
}

int main(int argc, char **argv)
{
        struct country *country;
        char error[COUNTRY_ERROR_MAX] = "";
        struct address *addresses = calloc(ADDRESSES, sizeof *addresses);
        struct sockaddr_storage *names = calloc(ADDRESSES, sizeof *names);
        struct times times[2] = { 0 };
        struct country_info info;
        MMDB_s mmdb;

        if (argc != 3 || country_open(&country, argv[1], error) < 0) {
                fprintf(stderr, "usage: lookup DATABASE MMDB-TO-WRITE %s\n", error);
                return 2;
        }
        make_mmdb(country, argv[2]);
        if (MMDB_open(argv[2], MMDB_MODE_MMAP, &mmdb) != MMDB_SUCCESS)
                abort();
        for (int family = 0; family < 2; family++) {
                choose(addresses, country, family ? ADDRESS_IPV6 : ADDRESS_IPV4);
                for (size_t i = 0; i < ADDRESSES; i++)
                        name_of(&addresses[i], &names[i]);
                for (int round = 0; round < ROUNDS; round++)
                        measure(&times[family], country, &mmdb, addresses, names);
        }
        country_info(country, &info);
        printf("{\"ours4\":%.1f,\"tree4\":%.1f,\"peer4\":%.1f,\"ours6\":%.1f,\"tree6\":%.1f,\"peer6\":%.1f,\"bytes\":%"
               "llu}\n",
               times[0].ours, times[0].tree_only, times[0].peer, times[1].ours, times[1].tree_only, times[1].peer,
               (unsigned long long)info.size);
        MMDB_close(&mmdb);
        country_free(country);
        free(addresses);
        free(names);
        return 0;
}
