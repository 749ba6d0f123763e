/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * MaxMind databases. The tree is walked here node by node with a bounded stack and a mark on every node, so that a
 * cyclic or shared tree is noticed instead of followed; libmaxminddb reads nodes and records.
 */

#include <errno.h>
#include <maxminddb.h>
#include <string.h>
#include <sys/stat.h>

#include "country/build.h"

#define FILE_SIZE_MAX (1LL << 30)
#define NODES_MAX     (32U << 20)
#define DEPTH_MAX     128
#define IPV4_DEPTH    96 /* IPv4 stands in ::/96 */
#define CACHE_SIZE    4096

struct walk {
        struct country_build *build;
        MMDB_s *mmdb;
        uint8_t *seen;       /* a bit a node */
        uint32_t ipv4_start; /* node that IPv4 begins at; aliases (6to4, Teredo) lead there again */
        char *error;
        uint64_t countries; /* records with a country */
        struct {
                uint64_t record;
                country_code code;
                bool used;
        } cache[CACHE_SIZE];
};

/* a node and the bits that lead to it */
struct place {
        uint32_t node;
        uint8_t depth;
        uint64_t high, low;
};

static const char *place_text(const struct place *place, char out[NETWORK_TEXT_SIZE])
{
        struct network network = { { ADDRESS_IPV6, place->high, place->low }, place->depth };

        if (place->high == 0 && place->low >> 32 == 0 && place->depth >= IPV4_DEPTH)
                network = (struct network){ { ADDRESS_IPV4, 0, place->low }, place->depth - IPV4_DEPTH };
        return network_format(&network, out);
}

/* The places where databases keep the code of a country. */
static const char *const *const paths[] = {
        (const char *const[]){ "country", "iso_code", NULL },
        (const char *const[]){ "country_code", NULL },
        (const char *const[]){ "country", NULL },
        (const char *const[]){ "registered_country", "iso_code", NULL },
};

static int find_code(MMDB_entry_s *entry, country_code *code)
{
        *code = COUNTRY_UNKNOWN;
        for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
                MMDB_entry_data_s value;
                int r = MMDB_aget_value(entry, &value, paths[i]);
                if (r == MMDB_LOOKUP_PATH_DOES_NOT_MATCH_DATA_ERROR || (r == MMDB_SUCCESS && !value.has_data) ||
                    (r == MMDB_SUCCESS && value.type == MMDB_DATA_TYPE_MAP))
                        continue;
                if (r != MMDB_SUCCESS || value.type != MMDB_DATA_TYPE_UTF8_STRING || value.data_size != 2)
                        return -EINVAL;
                *code = country_code_from_letters(value.utf8_string[0], value.utf8_string[1]);
                return *code == COUNTRY_UNKNOWN ? -EINVAL : 0;
        }
        return 0;
}

static int record_code(struct walk *walk, const struct place *place, uint64_t record, MMDB_entry_s *entry,
                       country_code *code)
{
        size_t slot = record * UINT64_C(0x9e3779b97f4a7c15) >> 52;
        char text[NETWORK_TEXT_SIZE];

        if (!walk->cache[slot].used || walk->cache[slot].record != record) {
                if (find_code(entry, code) < 0)
                        return country_fail(walk->error, -EINVAL, "the record of %s has no country code of two letters",
                                            place_text(place, text));
                walk->cache[slot].record = record;
                walk->cache[slot].code = *code;
                walk->cache[slot].used = true;
        }
        *code = walk->cache[slot].code;
        walk->countries += *code != COUNTRY_UNKNOWN;
        return 0;
}

static int add(struct walk *walk, struct address first, uint64_t host_high, uint64_t host_low, country_code code)
{
        struct address last = { first.family, first.high | host_high, first.low | host_low };

        return country_build_add(walk->build, &(struct address_range){ first, last }, code, walk->error);
}

/* In a tree of both families ::/96 is IPv4. A record above it holds for both. */
static int add_network(struct walk *walk, const struct place *place, country_code code)
{
        unsigned bits = DEPTH_MAX - place->depth;
        uint64_t host_low = bits >= 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1;
        uint64_t host_high = bits >= 128 ? UINT64_MAX : bits > 64 ? (UINT64_C(1) << (bits - 64)) - 1 : 0;

        if (place->high == 0 && place->low >> 32 == 0) {
                struct address first = { ADDRESS_IPV4, 0, place->low };
                int r = add(walk, first, 0, host_low & UINT32_MAX, code);
                if (r < 0 || place->depth >= IPV4_DEPTH)
                        return r;
        }
        return add(walk, (struct address){ ADDRESS_IPV6, place->high, place->low }, host_high, host_low, code);
}

static int visit(struct walk *walk, const struct place *place, uint64_t record, uint8_t type, MMDB_entry_s *entry,
                 struct place *stack, size_t *stacked)
{
        country_code code;
        char text[NETWORK_TEXT_SIZE];

        switch (type) {
        case MMDB_RECORD_TYPE_EMPTY:
                return 0;
        case MMDB_RECORD_TYPE_DATA: {
                int r = record_code(walk, place, record, entry, &code);
                return r < 0 ? r : add_network(walk, place, code);
        }
        case MMDB_RECORD_TYPE_SEARCH_NODE:
                break;
        default:
                return country_fail(walk->error, -EINVAL, "the search tree is damaged at %s", place_text(place, text));
        }
        bool seen = walk->seen[record / 8] >> record % 8 & 1;
        if (seen && record == walk->ipv4_start)
                return 0;
        if (seen || place->depth == DEPTH_MAX)
                return country_fail(walk->error, -EINVAL, "the search tree goes in a circle, or too deep, at %s",
                                    place_text(place, text));
        walk->seen[record / 8] |= (uint8_t)(1U << record % 8);
        stack[*stacked] = *place;
        stack[(*stacked)++].node = (uint32_t)record;
        return 0;
}

static struct place child(const struct place *parent, unsigned bit)
{
        struct place place = *parent;

        if (bit && place.depth < 64)
                place.high |= UINT64_C(1) << (63 - place.depth);
        else if (bit)
                place.low |= UINT64_C(1) << (127 - place.depth);
        place.depth++;
        return place;
}

/* In order of addresses: the stack holds a node's right side until its left side is done. */
static int walk_tree(struct walk *walk, struct place root)
{
        struct place stack[DEPTH_MAX + 2];
        bool right[DEPTH_MAX + 2] = { false };
        size_t depth = 1;

        stack[0] = root;
        walk->seen[0] |= 1;
        while (depth > 0) {
                size_t at = depth - 1;
                bool bit = right[at];
                MMDB_search_node_s node;
                struct place place = child(&stack[at], bit);
                if (MMDB_read_node(walk->mmdb, stack[at].node, &node) != MMDB_SUCCESS)
                        return country_fail(walk->error, -EINVAL, "node %u of the search tree cannot be read",
                                            stack[at].node);
                right[at] = true;
                if (bit)
                        depth--;
                right[depth] = false;
                size_t stacked = depth;
                int r = bit ? visit(walk, &place, node.right_record, node.right_record_type, &node.right_record_entry,
                                    stack, &stacked)
                            : visit(walk, &place, node.left_record, node.left_record_type, &node.left_record_entry,
                                    stack, &stacked);
                if (r < 0)
                        return r;
                depth = stacked;
        }
        return 0;
}

static int check_metadata(const MMDB_s *mmdb, char *error)
{
        if (mmdb->metadata.ip_version != 6 && mmdb->metadata.ip_version != 4)
                return country_fail(error, -EINVAL, "IP version %u in the metadata", mmdb->metadata.ip_version);
        if (mmdb->metadata.node_count == 0 || mmdb->metadata.node_count > NODES_MAX)
                return country_fail(error, -E2BIG, "%u nodes; at most %u are read", mmdb->metadata.node_count,
                                    NODES_MAX);
        return 0;
}

static int read_open(struct country_build *build, MMDB_s *mmdb, char *error)
{
        _cleanup_free_ struct walk *walk = calloc(1, sizeof *walk);
        _cleanup_free_ uint8_t *seen = calloc(1, mmdb->metadata.node_count / 8 + 1);
        struct place root = { .depth = mmdb->metadata.ip_version == 4 ? IPV4_DEPTH : 0 };

        if (!walk || !seen)
                return country_fail(error, -ENOMEM, "not enough memory");
        walk->build = build;
        walk->mmdb = mmdb;
        walk->seen = seen;
        walk->ipv4_start = mmdb->ipv4_start_node.node_value;
        walk->error = error;
        int r = walk_tree(walk, root);
        if (r == 0 && walk->countries == 0)
                return country_fail(error, -ENODATA, "no record names a country: use a country or city database");
        return r;
}

static int check_size(const char *path, char *error)
{
        struct stat status;

        if (stat(path, &status) < 0)
                return country_fail(error, -errno, "%s", strerror(errno));
        if (!S_ISREG(status.st_mode) || status.st_size > FILE_SIZE_MAX)
                return country_fail(error, -E2BIG, "no regular file of at most %lld MiB", FILE_SIZE_MAX >> 20);
        return 0;
}

int country_read_mmdb(struct country_build *build, const char *path, struct country_info *info, char *error)
{
        char what[COUNTRY_ERROR_MAX] = "";
        MMDB_s mmdb;
        int r = check_size(path, what);

        if (r == 0) {
                int status = MMDB_open(path, MMDB_MODE_MMAP, &mmdb);
                if (status != MMDB_SUCCESS)
                        return country_fail(error, -EINVAL, "%.100s: %s", path, MMDB_strerror(status));
                r = check_metadata(&mmdb, what);
                if (r == 0)
                        r = read_open(build, &mmdb, what);
                if (r == 0) {
                        snprintf(info->source, sizeof info->source, "%s", mmdb.metadata.database_type);
                        info->date = (int64_t)mmdb.metadata.build_epoch;
                }
                MMDB_close(&mmdb);
        }
        return r < 0 ? country_fail(error, r, "%.100s: %.140s", path, what) : 0;
}
