/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guard's pure parts: policies on trial, what a hub may ask for, refused packets and their sums.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "guard/confirm.h"
#include "guard/droplog.h"
#include "guard/permit.h"

static struct country_policy with_mode(enum country_mode mode)
{
        return (struct country_policy){ .rules = { [COUNTRY_INBOUND] = { .mode = mode } } };
}

static void test_trial_goes_back_to_the_committed_one(void **state)
{
        struct country_policy a = with_mode(COUNTRY_OFF), b = with_mode(COUNTRY_ALLOW), c = with_mode(COUNTRY_DENY);
        struct confirm confirm = { 0 };

        (void)state;
        assert_null(confirm_active(&confirm));
        assert_int_equal(confirm_active_token(&confirm), 0);
        confirm_offer(&confirm, 1, &a, 0, 1000);
        confirm_offer(&confirm, 2, &b, 60, 1000);
        confirm_offer(&confirm, 3, &c, 60, 30000); /* replaces the pending one, with time of its own */
        assert_int_equal(confirm_active(&confirm)->rules[0].mode, COUNTRY_DENY);
        assert_int_equal(confirm_expire(&confirm, 61000), 0);
        assert_int_equal(confirm_seconds_left(&confirm, 89001), 1);
        assert_int_equal(confirm_expire(&confirm, 90000), 3);
        assert_int_equal(confirm_active_token(&confirm), 1);
        assert_int_equal(confirm_active(&confirm)->rules[0].mode, COUNTRY_OFF);
        assert_int_equal(confirm_expire(&confirm, 1000000), 0);
}

static void test_only_the_pending_one_can_be_confirmed(void **state)
{
        struct country_policy a = with_mode(COUNTRY_OFF), b = with_mode(COUNTRY_ALLOW);
        struct confirm confirm = { 0 };

        (void)state;
        assert_int_equal(confirm_accept(&confirm, 0), -ESTALE);
        confirm_offer(&confirm, 1, &a, 0, 0);
        assert_int_equal(confirm_accept(&confirm, 1), -ESTALE);
        confirm_offer(&confirm, 2, &b, 1, 0);
        assert_int_equal(confirm_accept(&confirm, 1), -ESTALE);
        assert_int_equal(confirm_accept(&confirm, 2), 0);
        assert_int_equal(confirm_accept(&confirm, 2), -ESTALE);
        assert_int_equal(confirm_expire(&confirm, 100000), 0);
        assert_int_equal(confirm_active(&confirm)->rules[0].mode, COUNTRY_ALLOW);
        confirm_offer(&confirm, 3, &a, 1, 0);
        confirm_offer(&confirm, 4, &b, 0, 0); /* at once: nothing is pending any more */
        assert_int_equal(confirm_active_token(&confirm), 4);
        assert_int_equal(confirm_accept(&confirm, 3), -ESTALE);
}

static void test_lockdown_is_the_guards_word(void **state)
{
        static const struct {
                enum lockdown_rule rule;
                bool lockdown;
                uint16_t port;
                int result;
        } table[] = {
                { LOCKDOWN_NO, false, 0, 0 },
                { LOCKDOWN_NO, true, 0, -EACCES },
                { LOCKDOWN_NO, false, 23, 0 },
                { LOCKDOWN_ALLOWED, false, 0, 0 },
                { LOCKDOWN_ALLOWED, true, 0, 0 },
                { LOCKDOWN_ALLOWED, true, 22, 0 },
                { LOCKDOWN_ALLOWED, true, 23, -EACCES },
                { LOCKDOWN_REQUIRED, false, 0, -EACCES },
                { LOCKDOWN_REQUIRED, true, 22, 0 },
                { LOCKDOWN_REQUIRED, true, 23, -EACCES },
        };
        char sentence[200];

        (void)state;
        for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
                struct server_options options = { .admin_ports = { 22, 2222 },
                                                  .admin_port_count = 2,
                                                  .lockdown = table[i].rule };
                struct country_policy policy = { .lockdown = table[i].lockdown,
                                                 .lockdown_ports = { table[i].port },
                                                 .lockdown_port_count = table[i].port ? 1 : 0 };
                assert_int_equal(permit_policy(&options, &policy, sentence, sizeof(sentence)), table[i].result);
        }
}

#define BYTES(text)                                       \
        {                                                 \
                (const uint8_t *)(text), sizeof(text) - 1 \
        }
#define IPV4_HEAD "\x45\0\0\x3c\0\0\0\0\x40\x06\0\0\xc0\x00\x02\x0a\xc0\x00\x02\x01"
#define IPV6_HEAD                                    \
        "\x60\0\0\0\0\x14\x06\x40"                   \
        "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x0a" \
        "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"

static void test_packets(void **state)
{
        static const struct {
                const char *name;
                struct span prefix, bytes;
                const char *address; /* NULL: nothing to learn */
                uint16_t port;
        } table[] = {
                { "TCP, IPv4", BYTES("inbound\0"), BYTES(IPV4_HEAD "\x9c\x40\x22\xb3"), "192.0.2.10", 8883 },
                { "uplink: the other end", BYTES("uplink\0"), BYTES(IPV4_HEAD "\x9c\x40\x22\xb3"), "192.0.2.1", 8883 },
                { "TCP, IPv6", BYTES("admin\0"), BYTES(IPV6_HEAD "\x9c\x40\0\x16"), "2001:db8::a", 22 },
                { "options", BYTES("inbound\0"),
                  BYTES("\x46\0\0\x3c\0\0\0\0\x40\x06\0\0\xc0\x00\x02\x0a\xc0\x00\x02\x01"
                        "abcd\0\1\0\2"),
                  "192.0.2.10", 2 },
                { "options beyond the copy", BYTES("inbound\0"),
                  BYTES("\x4f\0\0\x3c\0\0\0\0\x40\x06\0\0\xc0\x00\x02\x0a\xc0\x00\x02\x01"
                        "abcd"),
                  "192.0.2.10", 0 },
                { "no ports in it", BYTES("inbound\0"), BYTES(IPV4_HEAD "\x9c\x40\x22"), "192.0.2.10", 0 },
                { "ICMP", BYTES("inbound\0"),
                  BYTES("\x45\0\0\x3c\0\0\0\0\x40\x01\0\0\xc0\x00\x02\x0a\xc0\x00\x02\x01"
                        "abcdef"),
                  "192.0.2.10", 0 },
                { "header length 4", BYTES("inbound\0"),
                  BYTES("\x44\0\0\x3c\0\0\0\0\x40\x06\0\0\xc0\x00\x02\x0a\xc0\x00\x02\x01"
                        "abcd"),
                  NULL, 0 },
                { "cut IPv4", BYTES("inbound\0"), BYTES("\x45\0\0\x3c\0\0\0\0\x40\x06\0\0\xc0\x00\x02\x0a\xc0\x00\x02"),
                  NULL, 0 },
                { "cut IPv6", BYTES("inbound\0"), BYTES("\x60\0\0\0\0\x14\x06\x40\x20\x01\x0d\xb8"), NULL, 0 },
                { "version 5", BYTES("inbound\0"),
                  BYTES("\x55\0\0\x3c\0\0\0\0\x40\x06\0\0\xc0\x00\x02\x0a\xc0\x00\x02\x01"), NULL, 0 },
                { "nothing", BYTES("inbound\0"), BYTES(""), NULL, 0 },
                { "another's prefix", BYTES("other\0"), BYTES(IPV4_HEAD "\x9c\x40\x22\xb3"), NULL, 0 },
                { "prefix without end", BYTES("inbound"), BYTES(IPV4_HEAD "\x9c\x40\x22\xb3"), NULL, 0 },
        };

        (void)state;
        for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
                struct droplog_packet packet;
                char text[ADDRESS_TEXT_SIZE];
                bool ok = droplog_parse(&packet, table[i].prefix, table[i].bytes);
                if (ok != (table[i].address != NULL))
                        fail_msg("%s: %d", table[i].name, ok);
                if (!ok)
                        continue;
                assert_string_equal(address_format(&packet.address, text), table[i].address);
                assert_int_equal(packet.port, table[i].port);
        }
}

static void test_sums_are_bounded_and_complete(void **state)
{
        static struct droplog_sums sums;
        struct droplog_packet packet = { .direction = COUNTRY_INBOUND };
        struct droplog_report report;
        uint64_t reported = 0;
        unsigned at_once = 0;

        (void)state;
        for (int i = 0; i < 1000; i++)
                if (droplog_note(&sums, &packet, COUNTRY_CODE('R', 'U'), 5000, &report)) {
                        at_once++;
                        reported += report.count;
                }
        assert_int_equal(at_once, 1);
        assert_false(droplog_next(&sums, 5999, &report));
        assert_true(droplog_next(&sums, 6000, &report));
        assert_int_equal(reported + report.count, 1000);
        assert_false(droplog_next(&sums, 6000, &report));
        assert_false(droplog_next(&sums, 7000, &report)); /* quiet: forgotten */
        assert_int_equal(sums.count, 0);
        assert_true(droplog_note(&sums, &packet, COUNTRY_CODE('R', 'U'), 8000, &report));
        assert_int_equal(sums.refused[COUNTRY_CODE('R', 'U')], 1001);
}

static void test_more_countries_than_kinds_are_still_counted(void **state)
{
        static struct droplog_sums sums;
        struct droplog_packet packet = { .direction = COUNTRY_INBOUND };
        struct droplog_report report;
        unsigned at_once = 0;

        (void)state;
        for (country_code code = 0; code <= COUNTRY_NO_DATABASE; code++)
                at_once += droplog_note(&sums, &packet, code, 0, &report);
        assert_int_equal(at_once, DROPLOG_KINDS);
        for (country_code code = 0; code <= COUNTRY_NO_DATABASE; code++)
                assert_int_equal(sums.refused[code], 1);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_trial_goes_back_to_the_committed_one),
                cmocka_unit_test(test_only_the_pending_one_can_be_confirmed),
                cmocka_unit_test(test_lockdown_is_the_guards_word),
                cmocka_unit_test(test_packets),
                cmocka_unit_test(test_sums_are_bounded_and_complete),
                cmocka_unit_test(test_more_countries_than_kinds_are_still_counted),
        };
        return cmocka_run_group_tests_name("guard policy side", tests, NULL, NULL);
}
