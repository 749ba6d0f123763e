/* SPDX-License-Identifier: GPL-2.0-or-later */
/* record: TLS 1.3 records between two ends in memory; what a peer may not send, and the answer to it */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "tls/record.h"

static const enum record_suite suites[] = { RECORD_CHACHA20_POLY1305, RECORD_AES_128_GCM };

static struct record client, server;
static uint8_t wire[2 * RECORD_SIZE_MAX], plain[RECORD_PLAIN_MAX + 300];

static void fresh(enum record_suite suite)
{
        uint8_t client_secret[RECORD_SECRET_SIZE], server_secret[RECORD_SECRET_SIZE];

        memset(client_secret, 0x11, sizeof(client_secret));
        memset(server_secret, 0x22, sizeof(server_secret));
        assert_int_equal(record_init(&client, suite, false, server_secret, client_secret), 0);
        assert_int_equal(record_init(&server, suite, true, client_secret, server_secret), 0);
}

/* one record of this type from one end to the other */
static int pass(struct record *from, struct record *to, int type, struct span content, struct span *data)
{
        size_t consumed = 0;
        int size = record_seal(from, (enum record_type)type, content, wire);

        assert_true(size > 0);
        int r = record_open(to, wire, (size_t)size, &consumed, data);
        assert_int_equal(consumed, r < 0 ? 0 : size);
        return r;
}

static void assert_data_passes(struct record *from, struct record *to, const char *text)
{
        struct span data = SPAN_EMPTY;

        assert_int_equal(pass(from, to, RECORD_DATA, span_of_string(text), &data), 0);
        assert_true(span_equal_string(data, text));
}

static void data_both_ways(void **state)
{
        static const size_t sizes[] = { 1, 2, 63, 64, 1000, RECORD_PLAIN_MAX };
        struct span data;

        (void)state;
        for (size_t i = 0; i < sizeof(plain); i++)
                plain[i] = (uint8_t)(i * 7);
        for (size_t s = 0; s < 2; s++) {
                fresh(suites[s]);
                for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
                        assert_int_equal(pass(&client, &server, RECORD_DATA, span_of(plain, sizes[i]), &data), 0);
                        assert_true(span_equal(data, span_of(plain, sizes[i])));
                        assert_int_equal(pass(&server, &client, RECORD_DATA, span_of(plain, sizes[i]), &data), 0);
                        assert_true(span_equal(data, span_of(plain, sizes[i])));
                }
                assert_int_equal(pass(&client, &server, RECORD_DATA, SPAN_EMPTY, &data), 0);
                assert_int_equal(data.size, 0);
        }
}

/* RFC 8448 section 3: the server's application traffic secret and the keys made of it */
static void published_keys(void **state)
{
        uint8_t secret[RECORD_SECRET_SIZE], expected[16];
        struct record r;

        (void)state;
        assert_true(span_from_hex(SPAN_LITERAL("a11af9f05531f856ad47116b45a950328204b4f44bfb6b3a4b4f1f3fcb631643"),
                                  secret, sizeof(secret)));
        assert_int_equal(record_init(&r, RECORD_AES_128_GCM, true, secret, secret), 0);
        assert_true(span_from_hex(SPAN_LITERAL("9f02283b6c9c07efc26bb9f2ac92e356"), expected, 16));
        assert_memory_equal(r.out.key, expected, 16);
        assert_true(span_from_hex(SPAN_LITERAL("cf782b88dd83549aadf1e984"), expected, 12));
        assert_memory_equal(r.out.iv, expected, 12);
}

static void padding_is_dropped(void **state)
{
        struct span data;

        (void)state;
        fresh(RECORD_CHACHA20_POLY1305);
        /* sealed with type 0: the last byte that is not 0 is the real type */
        assert_int_equal(pass(&client, &server, 0, SPAN_LITERAL("abc\x17\0\0\0\0"), &data), 0);
        assert_true(span_equal_string(data, "abc"));
        assert_int_equal(pass(&client, &server, 0, SPAN_LITERAL("\0\0\0"), &data), -EPROTO);
        assert_int_equal(server.alert, ALERT_UNEXPECTED_MESSAGE);
}

static void parts_of_a_record_wait(void **state)
{
        struct span data;
        size_t consumed = 0;

        (void)state;
        fresh(RECORD_CHACHA20_POLY1305);
        size_t size = (size_t)record_seal(&client, RECORD_DATA, SPAN_LITERAL("whole"), wire);
        for (size_t part = 0; part < size; part++)
                assert_int_equal(record_open(&server, wire, part, &consumed, &data), RECORD_MORE);
        assert_int_equal(consumed, 0);
        assert_int_equal(record_open(&server, wire, size, &consumed, &data), 0);
        assert_int_equal(consumed, size);
}

static void every_flipped_bit_is_seen(void **state)
{
        uint8_t copy[64];
        struct span data;
        size_t consumed;

        (void)state;
        for (size_t s = 0; s < 2; s++) {
                fresh(suites[s]);
                size_t size = (size_t)record_seal(&client, RECORD_DATA, SPAN_LITERAL("flip"), wire);
                for (size_t bit = 8 * RECORD_HEADER_SIZE; bit < 8 * size; bit++) {
                        memcpy(copy, wire, size);
                        copy[bit / 8] ^= (uint8_t)(1 << bit % 8);
                        assert_int_equal(record_open(&server, copy, size, &consumed, &data), -EPROTO);
                        assert_int_equal(server.alert, ALERT_BAD_RECORD_MAC);
                }
        }
}

static void order_matters(void **state)
{
        struct span data;
        size_t consumed;

        (void)state;
        fresh(RECORD_CHACHA20_POLY1305);
        size_t first = (size_t)record_seal(&client, RECORD_DATA, SPAN_LITERAL("one"), wire);
        size_t second = (size_t)record_seal(&client, RECORD_DATA, SPAN_LITERAL("two"), wire + first);
        assert_int_equal(record_open(&server, wire + first, second, &consumed, &data), -EPROTO);
        fresh(RECORD_CHACHA20_POLY1305);
        assert_data_passes(&client, &server, "one");
        size_t size = (size_t)record_seal(&server, RECORD_DATA, SPAN_LITERAL("mirror"), wire);
        assert_int_equal(record_open(&server, wire, size, &consumed, &data), -EPROTO);
}

static void bad_headers(void **state)
{
        static const struct {
                uint8_t header[5];
                uint8_t alert;
        } rows[] = {
                { { 22, 3, 3, 0, 40 }, ALERT_UNEXPECTED_MESSAGE }, /* not protected */
                { { 21, 3, 3, 0, 2 }, ALERT_UNEXPECTED_MESSAGE },
                { { 20, 3, 3, 0, 1 }, ALERT_UNEXPECTED_MESSAGE },
                { { 0, 0, 0, 0, 0 }, ALERT_UNEXPECTED_MESSAGE },
                { { 23, 3, 3, 0x41, 0x01 }, ALERT_RECORD_OVERFLOW },
                { { 23, 3, 3, 0xff, 0xff }, ALERT_RECORD_OVERFLOW },
                { { 23, 3, 3, 0, 16 }, ALERT_DECODE_ERROR },
                { { 23, 3, 3, 0, 0 }, ALERT_DECODE_ERROR },
        };
        struct span data;
        size_t consumed = 0;

        (void)state;
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                fresh(RECORD_CHACHA20_POLY1305);
                memcpy(wire, rows[i].header, 5); /* no body needed: the header says enough */
                assert_int_equal(record_open(&server, wire, 5, &consumed, &data), -EPROTO);
                assert_int_equal(server.alert, rows[i].alert);
                assert_int_equal(consumed, 0);
        }
        /* a content of 2^14 + 1 bytes inside a record that is not too large */
        fresh(RECORD_CHACHA20_POLY1305);
        memset(plain, 1, sizeof(plain));
        assert_int_equal(pass(&client, &server, RECORD_DATA, span_of(plain, RECORD_PLAIN_MAX + 1), &data), -EPROTO);
        assert_int_equal(server.alert, ALERT_RECORD_OVERFLOW);
}

static void alerts(void **state)
{
        static const struct {
                struct span alert;
                int result, number;
        } rows[] = {
                { { (const uint8_t *)"\x01\x00", 2 }, RECORD_CLOSED, 0 },
                { { (const uint8_t *)"\x02\x00", 2 }, RECORD_CLOSED, 0 },
                { { (const uint8_t *)"\x01\x5a", 2 }, 0, 0 }, /* user_canceled */
                { { (const uint8_t *)"\x02\x2a", 2 }, -ECONNABORTED, 42 },
                { { (const uint8_t *)"\x01\x2a", 2 }, -ECONNABORTED, 42 },
                { { (const uint8_t *)"\x02", 1 }, -EPROTO, ALERT_DECODE_ERROR },
                { { (const uint8_t *)"", 0 }, -EPROTO, ALERT_DECODE_ERROR },
                { { (const uint8_t *)"\x02\x00\x00", 3 }, -EPROTO, ALERT_DECODE_ERROR },
        };
        struct span data;

        (void)state;
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                fresh(RECORD_CHACHA20_POLY1305);
                assert_int_equal(pass(&client, &server, RECORD_ALERT, rows[i].alert, &data), rows[i].result);
                assert_int_equal(server.alert, rows[i].number);
        }
        assert_string_equal(record_alert_name(42), "bad certificate");
        assert_string_equal(record_alert_name(255), "unknown");
}

#define UPDATE(request) SPAN_LITERAL("\x18\0\0\x01" request)

static void key_update(void **state)
{
        struct span data;
        size_t consumed;

        (void)state;
        for (size_t s = 0; s < 2; s++) {
                fresh(suites[s]);
                assert_data_passes(&client, &server, "before");
                assert_false(record_update_due(&client));
                int size = record_update(&client, wire);
                assert_int_equal(size, RECORD_UPDATE_SIZE);
                assert_int_equal(record_open(&server, wire, (size_t)size, &consumed, &data), 0);
                assert_int_equal(data.size, 0);
                assert_int_equal(server.in.sequence, 0);
                assert_false(record_update_due(&server)); /* it was not asked */
                assert_data_passes(&client, &server, "after");
                assert_data_passes(&server, &client, "the other way");

                /* asked: the answer is due before the next data */
                server.update_due = false;
                uint8_t secret[RECORD_SECRET_SIZE];
                memcpy(secret, server.in.secret, sizeof(secret));
                assert_int_equal(pass(&client, &server, RECORD_HANDSHAKE, UPDATE("\x01"), &data), 0);
                assert_memory_not_equal(server.in.secret, secret, sizeof(secret));
                assert_true(record_update_due(&server));
                size = record_update(&server, wire);
                assert_int_equal(record_open(&client, wire, (size_t)size, &consumed, &data), 0);
                assert_false(record_update_due(&server));
                assert_data_passes(&server, &client, "new keys");
        }
}

/* the sender's keys stay as they were in these, so that one wrong message is all that is wrong */
static void bad_messages(void **state)
{
        static const struct {
                const char *what;
                struct span bytes;
                uint8_t alert;
        } rows[] = {
                { "request 2", { (const uint8_t *)"\x18\0\0\x01\x02", 5 }, ALERT_ILLEGAL_PARAMETER },
                { "KeyUpdate of 2 bytes", { (const uint8_t *)"\x18\0\0\x02\0\0", 6 }, ALERT_DECODE_ERROR },
                { "KeyUpdate of 0 bytes", { (const uint8_t *)"\x18\0\0\0", 4 }, ALERT_DECODE_ERROR },
                { "KeyUpdate and more", { (const uint8_t *)"\x18\0\0\x01\0\x18", 6 }, ALERT_UNEXPECTED_MESSAGE },
                { "empty", { (const uint8_t *)"", 0 }, ALERT_UNEXPECTED_MESSAGE },
                { "ClientHello", { (const uint8_t *)"\x01\0\0\x01\0", 5 }, ALERT_UNEXPECTED_MESSAGE },
                { "CertificateRequest", { (const uint8_t *)"\x0d\0\0\x01\0", 5 }, ALERT_UNEXPECTED_MESSAGE },
                { "ticket to a server", { (const uint8_t *)"\x04\0\0\x01\0", 5 }, ALERT_UNEXPECTED_MESSAGE },
        };
        struct span data;

        (void)state;
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                fresh(RECORD_CHACHA20_POLY1305);
                if (pass(&client, &server, RECORD_HANDSHAKE, rows[i].bytes, &data) != -EPROTO ||
                    server.alert != rows[i].alert)
                        fail_msg("%s: alert %u", rows[i].what, server.alert);
        }
        fresh(RECORD_CHACHA20_POLY1305);
        assert_int_equal(pass(&client, &server, 20, SPAN_LITERAL("\x01"), &data), -EPROTO);
        assert_int_equal(server.alert, ALERT_UNEXPECTED_MESSAGE);
        fresh(RECORD_CHACHA20_POLY1305);
        assert_int_equal(pass(&client, &server, RECORD_HANDSHAKE, SPAN_LITERAL("\x18\0"), &data), 0);
        assert_int_equal(pass(&client, &server, RECORD_DATA, SPAN_LITERAL("between"), &data), -EPROTO);
        assert_int_equal(server.alert, ALERT_UNEXPECTED_MESSAGE);
}

static void messages_in_parts(void **state)
{
        static const char update[] = "\x18\0\0\x01\x01";
        uint8_t ticket[4 + 300] = { 4, 0, 300 >> 8, 300 & 0xff };
        struct span data;

        (void)state;
        fresh(RECORD_CHACHA20_POLY1305);
        for (size_t i = 0; i < sizeof(update) - 1; i++)
                assert_int_equal(pass(&client, &server, RECORD_HANDSHAKE, span_of(update + i, 1), &data), 0);
        assert_true(record_update_due(&server));

        /* a client passes over tickets, two of them in three records */
        memcpy(plain, ticket, sizeof(ticket));
        memcpy(plain + sizeof(ticket), ticket, sizeof(ticket));
        fresh(RECORD_AES_128_GCM);
        assert_int_equal(pass(&server, &client, RECORD_HANDSHAKE, span_of(plain, 3), &data), 0);
        assert_int_equal(pass(&server, &client, RECORD_HANDSHAKE, span_of(plain + 3, 400), &data), 0);
        assert_int_equal(
                pass(&server, &client, RECORD_HANDSHAKE, span_of(plain + 403, 2 * sizeof(ticket) - 403), &data), 0);
        assert_data_passes(&server, &client, "data again");
        assert_int_equal(pass(&server, &client, RECORD_HANDSHAKE, SPAN_LITERAL("\x04\0\0\0"), &data), -EPROTO);
        assert_int_equal(client.alert, ALERT_DECODE_ERROR);
}

static void sequence_numbers_end(void **state)
{
        struct span data;
        size_t consumed;

        (void)state;
        fresh(RECORD_AES_128_GCM);
        client.out.sequence = server.in.sequence = RECORD_UPDATE_AFTER - 1;
        assert_false(record_update_due(&client));
        assert_data_passes(&client, &server, "the last one");
        assert_true(record_update_due(&client));
        int size = record_update(&client, wire);
        assert_int_equal(record_open(&server, wire, (size_t)size, &consumed, &data), 0);
        assert_int_equal(client.out.sequence, 0);
        assert_data_passes(&client, &server, "and on");

        client.out.sequence = server.in.sequence = UINT64_MAX - 1;
        assert_data_passes(&client, &server, "the very last");
        assert_true(record_seal(&client, RECORD_DATA, SPAN_LITERAL("x"), wire) < 0);
        assert_true(record_update(&client, wire) < 0);
        size = record_seal(&server, RECORD_DATA, SPAN_LITERAL("x"), wire);
        assert_int_equal(record_open(&server, wire, (size_t)size, &consumed, &data), -EPROTO);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(data_both_ways),
                cmocka_unit_test(published_keys),
                cmocka_unit_test(padding_is_dropped),
                cmocka_unit_test(parts_of_a_record_wait),
                cmocka_unit_test(every_flipped_bit_is_seen),
                cmocka_unit_test(order_matters),
                cmocka_unit_test(bad_headers),
                cmocka_unit_test(alerts),
                cmocka_unit_test(key_update),
                cmocka_unit_test(bad_messages),
                cmocka_unit_test(messages_in_parts),
                cmocka_unit_test(sequence_numbers_end),
        };
        return cmocka_run_group_tests_name("record", tests, NULL, NULL);
}
