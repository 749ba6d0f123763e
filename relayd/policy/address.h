/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once
/*
 * Internet addresses as numbers, ranges and networks of them. Pure. IPv4-mapped IPv6 addresses (::ffff:192.0.2.1)
 * become IPv4 in every function that makes an address, so that one host is judged once.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "relay/span.h"

struct sockaddr;

#define ADDRESS_TEXT_SIZE 48 /* "ffff:....:ffff" with NUL */
#define NETWORK_TEXT_SIZE 56 /* the same with "/128" */

enum address_family { ADDRESS_NONE = 0, ADDRESS_IPV4 = 4, ADDRESS_IPV6 = 6 };

/* IPv4: high is 0, low below 2^32. */
struct address {
        enum address_family family;
        uint64_t high;
        uint64_t low;
};

/* both ends included, of one family, first <= last */
struct address_range {
        struct address first;
        struct address last;
};

/* bits below the prefix are zero; prefix at most 32 or 128 */
struct network {
        struct address first;
        unsigned prefix;
};

/* "192.0.2.7", "2001:db8::1", no brackets, port or zone; true, or false and *out untouched */
bool address_parse(struct address *out, const char *text);
/* The same with a port behind it: "192.0.2.7:8883", "[2001:db8::1]:8883". port may be NULL. */
bool address_parse_endpoint(struct address *out, uint16_t *port, struct span text);
/* network byte order: 4 or 16 bytes; false for any other size */
bool address_from_bytes(struct address *out, struct span bytes);
/* AF_INET, AF_INET6; false for any other family. The port is not looked at. */
bool address_from_sockaddr(struct address *out, const struct sockaddr *name);
/* network byte order; the number of bytes written: 4 or 16 */
size_t address_to_bytes(const struct address *address, uint8_t out[16]);
/* RFC 5952; returns out */
const char *address_format(const struct address *address, char out[ADDRESS_TEXT_SIZE]);
/* < 0, 0, > 0; every IPv4 address is less than every IPv6 address */
int address_compare(const struct address *a, const struct address *b);
/* the address behind; false (and untouched) if it is the family's last */
bool address_next(struct address *address);
/* the address before; false (and untouched) if it is the family's first */
bool address_previous(struct address *address);
struct address address_first(enum address_family family);
struct address address_last(enum address_family family);

/*
 * "192.0.2.0/24", "2001:db8::/32", or an address alone (a network of one). 0; -EINVAL: no network; -ERANGE: bits are
 * set below the prefix (*out has them cleared, so that the caller can name what was meant).
 */
int network_parse(struct network *out, const char *text);
const char *network_format(const struct network *network, char out[NETWORK_TEXT_SIZE]);
bool network_is_valid(const struct network *network);
struct address_range network_range(const struct network *network);
bool network_contains(const struct network *network, const struct address *address);
