/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "policy/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#define MAPPED_PREFIX (UINT64_C(0xffff) << 32) /* ::ffff:0:0/96 */

static uint64_t load_big_endian(const uint8_t *bytes, size_t size)
{
        uint64_t value = 0;

        for (size_t i = 0; i < size; i++)
                value = value << 8 | bytes[i];
        return value;
}

static void store_big_endian(uint8_t *bytes, size_t size, uint64_t value)
{
        for (size_t i = size; i-- > 0; value >>= 8)
                bytes[i] = (uint8_t)value;
}

bool address_from_bytes(struct address *out, struct span bytes)
{
        if (bytes.size == 4) {
                *out = (struct address){ ADDRESS_IPV4, 0, load_big_endian(bytes.data, 4) };
                return true;
        }
        if (bytes.size != 16)
                return false;
        uint64_t high = load_big_endian(bytes.data, 8), low = load_big_endian(bytes.data + 8, 8);
        if (high == 0 && (low & ~UINT64_C(0xffffffff)) == MAPPED_PREFIX)
                *out = (struct address){ ADDRESS_IPV4, 0, low & UINT32_MAX };
        else
                *out = (struct address){ ADDRESS_IPV6, high, low };
        return true;
}

size_t address_to_bytes(const struct address *address, uint8_t out[16])
{
        if (address->family == ADDRESS_IPV4) {
                store_big_endian(out, 4, address->low);
                return 4;
        }
        store_big_endian(out, 8, address->high);
        store_big_endian(out + 8, 8, address->low);
        return 16;
}

bool address_from_sockaddr(struct address *out, const struct sockaddr *name)
{
        if (name->sa_family == AF_INET) {
                struct sockaddr_in v4;
                memcpy(&v4, name, sizeof v4);
                return address_from_bytes(out, span_of(&v4.sin_addr, 4));
        }
        if (name->sa_family == AF_INET6) {
                struct sockaddr_in6 v6;
                memcpy(&v6, name, sizeof v6);
                return address_from_bytes(out, span_of(&v6.sin6_addr, 16));
        }
        return false;
}

bool address_parse(struct address *out, const char *text)
{
        uint8_t bytes[16];

        if (inet_pton(AF_INET, text, bytes) == 1)
                return address_from_bytes(out, span_of(bytes, 4));
        return inet_pton(AF_INET6, text, bytes) == 1 && address_from_bytes(out, span_of(bytes, 16));
}

static bool parse_port(uint16_t *port, struct span text)
{
        unsigned value = 0;

        if (text.size < 1 || text.size > 5)
                return false;
        for (size_t i = 0; i < text.size; i++) {
                if (text.data[i] < '0' || text.data[i] > '9')
                        return false;
                value = value * 10 + text.data[i] - '0';
        }
        *port = (uint16_t)value;
        return value <= UINT16_MAX;
}

bool address_parse_endpoint(struct address *out, uint16_t *port, struct span text)
{
        char host[ADDRESS_TEXT_SIZE];
        struct address address;
        uint16_t number;
        size_t colon = text.size;

        while (colon > 0 && text.data[colon - 1] != ':')
                colon--;
        if (colon < 2)
                return false;
        struct span name = span_slice(text, 0, colon - 1);
        bool brackets = name.size >= 2 && name.data[0] == '[' && name.data[name.size - 1] == ']';
        if (brackets)
                name = span_slice(name, 1, name.size - 2);
        if (!span_to_string(name, host, sizeof host) || (strchr(host, ':') != NULL) != brackets)
                return false;
        if (!address_parse(&address, host) || !parse_port(&number, span_slice(text, colon, text.size)))
                return false;
        *out = address;
        if (port)
                *port = number;
        return true;
}

const char *address_format(const struct address *address, char out[ADDRESS_TEXT_SIZE])
{
        uint8_t bytes[16];
        int family = address_to_bytes(address, bytes) == 4 ? AF_INET : AF_INET6;

        if (!inet_ntop(family, bytes, out, ADDRESS_TEXT_SIZE))
                out[0] = '\0';
        return out;
}

int address_compare(const struct address *a, const struct address *b)
{
        if (a->family != b->family)
                return a->family < b->family ? -1 : 1;
        if (a->high != b->high)
                return a->high < b->high ? -1 : 1;
        return a->low < b->low ? -1 : a->low > b->low;
}

struct address address_first(enum address_family family)
{
        return (struct address){ family, 0, 0 };
}

struct address address_last(enum address_family family)
{
        if (family == ADDRESS_IPV4)
                return (struct address){ family, 0, UINT32_MAX };
        return (struct address){ family, UINT64_MAX, UINT64_MAX };
}

bool address_next(struct address *address)
{
        struct address last = address_last(address->family);

        if (address_compare(address, &last) >= 0)
                return false;
        if (++address->low == 0)
                address->high++;
        return true;
}

bool address_previous(struct address *address)
{
        if (address->high == 0 && address->low == 0)
                return false;
        if (address->low-- == 0)
                address->high--;
        return true;
}

static unsigned family_bits(enum address_family family)
{
        return family == ADDRESS_IPV4 ? 32 : 128;
}

/* the host part's bits of an IPv6 or (in low) IPv4 address */
static void host_mask(const struct network *network, uint64_t *high, uint64_t *low)
{
        unsigned bits = family_bits(network->first.family) - network->prefix;

        *low = bits >= 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1;
        *high = bits >= 128 ? UINT64_MAX : bits > 64 ? (UINT64_C(1) << (bits - 64)) - 1 : 0;
}

int network_parse(struct network *out, const char *text)
{
        char host[ADDRESS_TEXT_SIZE];
        const char *slash = strchr(text, '/');
        struct network network;
        uint16_t prefix;
        uint64_t high, low;

        if (!span_to_string(span_of(text, slash ? (size_t)(slash - text) : strlen(text)), host, sizeof host) ||
            !address_parse(&network.first, host))
                return -EINVAL;
        network.prefix = family_bits(network.first.family);
        if (slash) {
                if (!parse_port(&prefix, span_of_string(slash + 1)) || prefix > network.prefix ||
                    (network.first.family == ADDRESS_IPV4 && strchr(host, ':')))
                        return -EINVAL;
                network.prefix = prefix;
        }
        host_mask(&network, &high, &low);
        bool exact = (network.first.high & high) == 0 && (network.first.low & low) == 0;
        network.first.high &= ~high;
        network.first.low &= ~low;
        *out = network;
        return exact ? 0 : -ERANGE;
}

const char *network_format(const struct network *network, char out[NETWORK_TEXT_SIZE])
{
        char host[ADDRESS_TEXT_SIZE];

        snprintf(out, NETWORK_TEXT_SIZE, "%s/%u", address_format(&network->first, host), network->prefix);
        return out;
}

bool network_is_valid(const struct network *network)
{
        enum address_family family = network->first.family;
        uint64_t high, low;

        if ((family != ADDRESS_IPV4 && family != ADDRESS_IPV6) || network->prefix > family_bits(family))
                return false;
        if (family == ADDRESS_IPV4 && (network->first.high != 0 || network->first.low > UINT32_MAX))
                return false;
        host_mask(network, &high, &low);
        return (network->first.high & high) == 0 && (network->first.low & low) == 0;
}

struct address_range network_range(const struct network *network)
{
        struct address last = network->first;
        uint64_t high, low;

        host_mask(network, &high, &low);
        last.high |= high;
        last.low |= low;
        return (struct address_range){ network->first, last };
}

bool network_contains(const struct network *network, const struct address *address)
{
        uint64_t high, low;

        if (network->first.family != address->family)
                return false;
        host_mask(network, &high, &low);
        return (address->high & ~high) == network->first.high && (address->low & ~low) == network->first.low;
}
