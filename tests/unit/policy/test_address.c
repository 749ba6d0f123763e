/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addresses and networks: what is one, and what is none. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "policy/address.h"

static void test_text(void **state)
{
        static const struct {
                const char *text, *back; /* back NULL: no address */
        } rows[] = {
                { "0.0.0.0", "0.0.0.0" },
                { "255.255.255.255", "255.255.255.255" },
                { "192.0.2.7", "192.0.2.7" },
                { "::", "::" },
                { "2001:DB8:0:0::1", "2001:db8::1" },
                { "::ffff:192.0.2.1", "192.0.2.1" },
                { "::ffff:c000:201", "192.0.2.1" },
                { "::192.0.2.1", "::192.0.2.1" },
                { "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
                { "", NULL },
                { "1.2.3", NULL },
                { "1.2.3.4.5", NULL },
                { "256.1.1.1", NULL },
                { "1.2.3.4 ", NULL },
                { "01.2.3.4", NULL },
                { "fe80::1%eth0", NULL },
                { "[::1]", NULL },
                { "12345::", NULL },
                { "example.org", NULL },
        };
        char text[ADDRESS_TEXT_SIZE];
        (void)state;

        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
                struct address address = { 0 };
                assert_int_equal(address_parse(&address, rows[i].text), rows[i].back != NULL);
                if (rows[i].back)
                        assert_string_equal(address_format(&address, text), rows[i].back);
                else
                        assert_int_equal(address.family, ADDRESS_NONE);
        }
}

static void test_endpoints(void **state)
{
        static const struct {
                const char *text, *host;
                uint16_t port;
        } rows[] = {
                { "192.0.2.7:8883", "192.0.2.7", 8883 },
                { "[2001:db8::1]:0", "2001:db8::1", 0 },
                { "[::ffff:192.0.2.7]:65535", "192.0.2.7", 65535 },
                { "192.0.2.7", NULL, 0 },
                { "192.0.2.7:", NULL, 0 },
                { "192.0.2.7:65536", NULL, 0 },
                { "192.0.2.7:-1", NULL, 0 },
                { "192.0.2.7:123456", NULL, 0 },
                { "[192.0.2.7]:1", NULL, 0 },
                { "2001:db8::1:8883", NULL, 0 },
                { "[2001:db8::1]", NULL, 0 },
                { "[]:1", NULL, 0 },
                { ":1", NULL, 0 },
                { "", NULL, 0 },
        };
        char text[ADDRESS_TEXT_SIZE];
        (void)state;

        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
                struct address address = { 0 };
                uint16_t port = 7;
                assert_int_equal(address_parse_endpoint(&address, &port, span_of_string(rows[i].text)),
                                 rows[i].host != NULL);
                assert_int_equal(port, rows[i].host ? rows[i].port : 7);
                if (rows[i].host)
                        assert_string_equal(address_format(&address, text), rows[i].host);
        }
}

static void test_socket_names(void **state)
{
        struct sockaddr_in6 v6 = { .sin6_family = AF_INET6 };
        struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0xc0000207) };
        struct sockaddr other = { .sa_family = AF_UNIX };
        struct address address, parsed;
        uint8_t bytes[16];
        (void)state;

        assert_int_equal(inet_pton(AF_INET6, "::ffff:192.0.2.7", &v6.sin6_addr), 1);
        assert_true(address_from_sockaddr(&address, (struct sockaddr *)&v4));
        assert_true(address_from_sockaddr(&parsed, (struct sockaddr *)&v6));
        assert_int_equal(address_compare(&address, &parsed), 0);
        assert_false(address_from_sockaddr(&address, &other));
        assert_int_equal(address_to_bytes(&address, bytes), 4);
        assert_memory_equal(bytes, "\xc0\x00\x02\x07", 4);
        assert_false(address_from_bytes(&address, span_of(bytes, 5)));
}

static void test_next_and_previous(void **state)
{
        struct address a = { ADDRESS_IPV6, 1, UINT64_MAX }, last = address_last(ADDRESS_IPV4);
        struct address first = address_first(ADDRESS_IPV6);
        (void)state;

        assert_true(address_next(&a));
        assert_true(a.high == 2 && a.low == 0);
        assert_true(address_previous(&a));
        assert_true(a.high == 1 && a.low == UINT64_MAX);
        assert_false(address_next(&last));
        assert_int_equal(last.low, UINT32_MAX);
        assert_false(address_previous(&first));
        assert_true(address_compare(&last, &first) < 0);
}

static void test_networks(void **state)
{
        static const struct {
                const char *text;
                int result;
                const char *back, *last;
        } rows[] = {
                { "192.0.2.0/24", 0, "192.0.2.0/24", "192.0.2.255" },
                { "0.0.0.0/0", 0, "0.0.0.0/0", "255.255.255.255" },
                { "192.0.2.7", 0, "192.0.2.7/32", "192.0.2.7" },
                { "::/0", 0, "::/0", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
                { "2001:db8::/32", 0, "2001:db8::/32", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff" },
                { "2001:db8::/64", 0, "2001:db8::/64", "2001:db8::ffff:ffff:ffff:ffff" },
                { "2001:db8::8/125", 0, "2001:db8::8/125", "2001:db8::f" },
                { "192.0.2.7/24", -ERANGE, "192.0.2.0/24", "192.0.2.255" },
                { "2001:db8::1/64", -ERANGE, "2001:db8::/64", "2001:db8::ffff:ffff:ffff:ffff" },
                { "192.0.2.0/33", -EINVAL, NULL, NULL },
                { "2001:db8::/129", -EINVAL, NULL, NULL },
                { "192.0.2.0/", -EINVAL, NULL, NULL },
                { "192.0.2.0/a", -EINVAL, NULL, NULL },
                { "/8", -EINVAL, NULL, NULL },
                { "192.0.2/24", -EINVAL, NULL, NULL },
                { "::ffff:192.0.2.0/24", -EINVAL, NULL, NULL },
        };
        (void)state;

        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
                struct network network;
                char text[NETWORK_TEXT_SIZE];
                assert_int_equal(network_parse(&network, rows[i].text), rows[i].result);
                if (!rows[i].back)
                        continue;
                struct address_range range = network_range(&network);
                assert_true(network_is_valid(&network));
                assert_string_equal(network_format(&network, text), rows[i].back);
                assert_string_equal(address_format(&range.last, text), rows[i].last);
                assert_true(network_contains(&network, &range.first) && network_contains(&network, &range.last));
                assert_true(!address_next(&range.last) || !network_contains(&network, &range.last));
                assert_true(!address_previous(&range.first) || !network_contains(&network, &range.first));
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_text),         cmocka_unit_test(test_endpoints),
                cmocka_unit_test(test_socket_names), cmocka_unit_test(test_next_and_previous),
                cmocka_unit_test(test_networks),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
