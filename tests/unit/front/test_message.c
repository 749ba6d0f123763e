/* SPDX-License-Identifier: GPL-2.0-or-later */
/* channel/message: every type there and back, every limit, every cut; signing requests and answers */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <string.h>

#include "channel/message.h"
#include "relay/crypto.h"

#define A64 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static const uint8_t filler[CHANNEL_PAYLOAD_MAX + 1];
static uint8_t buffer[2 * CHANNEL_DATAGRAM_MAX];

static const struct channel_message good[] = {
        { .type = CHANNEL_HELLO, .hello = { 1, 4711, CHANNEL_DATAGRAM_MAX } },
        { .type = CHANNEL_OPEN,
          .session = 1,
          .open = { { (const uint8_t *)"[::1]:40112", 11 }, 0, 1, { { filler, 300 } } } },
        { .type = CHANNEL_OPEN,
          .session = UINT32_MAX,
          .token = 9,
          .open = { { (const uint8_t *)"192.0.2.7:1", 11 },
                    0x8001,
                    4,
                    { { filler, 1 }, { filler, 2 }, { filler, 3 }, { filler, 4 } } } },
        { .type = CHANNEL_ADMIT, .session = 2, .admit = { { (const uint8_t *)A64, 64 }, CHANNEL_PEER_DEVICE } },
        { .type = CHANNEL_ADMIT, .session = 2, .admit = { { (const uint8_t *)"a", 1 }, CHANNEL_PEER_APPLICATION } },
        { .type = CHANNEL_REFUSE, .session = 3, .refuse = { 0x87, { (const uint8_t *)"unknown-device", 14 } } },
        { .type = CHANNEL_PACKET, .session = 4, .packet = { (const uint8_t *)"\xc0\0", 2 } },
        { .type = CHANNEL_PACKET, .session = 4, .packet = { filler, CHANNEL_PAYLOAD_MAX } },
        { .type = CHANNEL_CLOSE, .session = 5, .close = { 0x8b, CHANNEL_CLOSE_BY_HUB } },
        { .type = CHANNEL_CREDIT, .session = 0, .credit = UINT32_MAX },
        { .type = CHANNEL_CREDIT, .session = 6, .credit = 0 },
        { .type = CHANNEL_STOP },
};
#define GOOD_COUNT (sizeof(good) / sizeof(good[0]))

static void assert_same(const struct channel_message *a, const struct channel_message *b)
{
        uint8_t first[CHANNEL_DATAGRAM_MAX], second[CHANNEL_DATAGRAM_MAX];
        struct writer w1, w2;

        writer_init(&w1, first, sizeof(first));
        writer_init(&w2, second, sizeof(second));
        assert_int_equal(channel_encode(&w1, a), RELAY_OK);
        assert_int_equal(channel_encode(&w2, b), RELAY_OK);
        assert_int_equal(w1.at, w2.at);
        assert_memory_equal(first, second, w1.at);
}

static void there_and_back(void **state)
{
        (void)state;
        for (size_t i = 0; i < GOOD_COUNT; i++) {
                struct channel_message m = { 0 };
                struct writer w;
                struct reader r;
                writer_init(&w, buffer, sizeof(buffer));
                assert_int_equal(channel_encode(&w, &good[i]), RELAY_OK);
                reader_init(&r, writer_span(&w));
                assert_int_equal(channel_decode(&r, &m), RELAY_OK);
                assert_int_equal(reader_left(&r), 0);
                assert_int_equal(m.type, good[i].type);
                assert_int_equal(m.session, good[i].session);
                assert_int_equal(m.token, good[i].token);
                assert_same(&m, &good[i]);
        }
}

static void fields_arrive(void **state)
{
        struct channel_message m;
        struct writer w;
        struct reader r;

        (void)state;
        writer_init(&w, buffer, sizeof(buffer));
        assert_int_equal(channel_encode(&w, &good[1]), RELAY_OK);
        reader_init(&r, writer_span(&w));
        assert_int_equal(channel_decode(&r, &m), RELAY_OK);
        assert_true(span_equal_string(m.open.peer, "[::1]:40112"));
        assert_int_equal(m.open.certificate_count, 1);
        assert_int_equal(m.open.certificates[0].size, 300);

        static const uint8_t expected[] = { 1, 7, 0, 0, 0, 0, 0, 6, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0 };
        writer_init(&w, buffer, sizeof(buffer));
        assert_int_equal(channel_encode(&w, &good[10]), RELAY_OK);
        assert_true(span_equal(writer_span(&w), SPAN_OF(expected)));
}

static void a_batch_and_its_end(void **state)
{
        struct channel_message m;
        struct writer w;
        struct reader r;
        size_t count = 0;

        (void)state;
        writer_init(&w, buffer, CHANNEL_DATAGRAM_MAX);
        int result;
        while ((result = channel_encode(&w, &good[count % GOOD_COUNT])) == RELAY_OK)
                count++;
        assert_int_equal(result, RELAY_E_SPACE);
        assert_int_equal(writer_finish(&w), RELAY_OK); /* as it was before */
        reader_init(&r, writer_span(&w));
        for (size_t i = 0; i < count; i++) {
                assert_int_equal(channel_decode(&r, &m), RELAY_OK);
                assert_int_equal(m.type, good[i % GOOD_COUNT].type);
        }
        assert_int_equal(reader_left(&r), 0);
}

static void every_cut(void **state)
{
        (void)state;
        for (size_t i = 0; i < GOOD_COUNT; i++) {
                struct channel_message m;
                struct writer w;
                writer_init(&w, buffer, sizeof(buffer));
                assert_int_equal(channel_encode(&w, &good[i]), RELAY_OK);
                for (size_t size = 0; size < w.at; size = size < 400 ? size + 1 : size + 1009) {
                        struct reader r;
                        reader_init(&r, span_of(buffer, size));
                        assert_int_equal(channel_decode(&r, &m), RELAY_E_TRUNCATED);
                }
        }
}

static void not_encoded(void **state)
{
        static const struct channel_message bad[] = {
                { .type = (enum channel_type)0, .session = 1 },
                { .type = (enum channel_type)9, .session = 1 },
                { .type = CHANNEL_HELLO, .session = 1 },
                { .type = CHANNEL_STOP, .session = 1 },
                { .type = CHANNEL_PACKET, .session = 0, .packet = { filler, 2 } },
                { .type = CHANNEL_PACKET, .session = 1, .packet = { filler, 1 } },
                { .type = CHANNEL_PACKET, .session = 1, .packet = { filler, CHANNEL_PAYLOAD_MAX + 1 } },
                { .type = CHANNEL_OPEN, .session = 1, .open = { { filler, 0 }, 0, 1, { { filler, 1 } } } },
                { .type = CHANNEL_OPEN, .session = 1, .open = { { filler, 65 }, 0, 1, { { filler, 1 } } } },
                { .type = CHANNEL_OPEN, .session = 1, .open = { { filler, 1 }, 0, 0, { { filler, 1 } } } },
                { .type = CHANNEL_OPEN, .session = 1, .open = { { filler, 1 }, 0, 5, { { filler, 1 } } } },
                { .type = CHANNEL_OPEN, .session = 1, .open = { { filler, 1 }, 0, 1, { { filler, 0 } } } },
                { .type = CHANNEL_ADMIT, .session = 1, .admit = { { filler, 0 }, CHANNEL_PEER_DEVICE } },
                { .type = CHANNEL_ADMIT, .session = 1, .admit = { { filler, 65 }, CHANNEL_PEER_DEVICE } },
                { .type = CHANNEL_ADMIT, .session = 1, .admit = { { filler, 1 }, (enum channel_peer_kind)3 } },
                { .type = CHANNEL_REFUSE, .session = 1, .refuse = { 0x87, { filler, 0 } } },
                { .type = CHANNEL_CLOSE, .session = 1, .close = { 0, (enum channel_close_how)3 } },
        };

        (void)state;
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
                struct writer w;
                writer_init(&w, buffer, sizeof(buffer));
                if (channel_encode(&w, &bad[i]) != RELAY_E_RANGE)
                        fail_msg("row %zu was encoded", i);
                assert_int_equal(w.at, 0);
        }
}

static void not_decoded(void **state)
{
        static const struct {
                const char *bytes;
                size_t size;
                int result;
        } rows[] = {
                { "\2\x8\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16, RELAY_E_RANGE },              /* version */
                { "\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16, RELAY_E_RANGE },               /* type 0 */
                { "\1\x9\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16, RELAY_E_RANGE },              /* type 9 */
                { "\1\x8\0\1\0\0\0\0\0\0\0\0\0\0\0\0", 16, RELAY_E_RANGE },              /* flags */
                { "\1\x8\0\0\0\0\0\1\0\0\0\0\0\0\0\0", 16, RELAY_E_RANGE },              /* STOP of a session */
                { "\1\x5\0\0\0\0\0\0\0\0\0\2\0\0\0\0\xc0\0", 18, RELAY_E_RANGE },        /* PACKET of none */
                { "\1\x8\0\0\0\0\0\0\0\0\0\1\0\0\0\0\0", 17, RELAY_E_MALFORMED },        /* STOP with payload */
                { "\1\x5\0\0\0\0\0\1\0\1\0\1\0\0\0\0", 16, RELAY_E_RANGE },              /* 65,537 bytes */
                { "\1\x6\0\0\0\0\0\1\0\0\0\2\0\0\0\0\0\3", 18, RELAY_E_RANGE },          /* CLOSE how */
                { "\1\x6\0\0\0\0\0\1\0\0\0\3\0\0\0\0\0\1\0", 19, RELAY_E_MALFORMED },    /* CLOSE + 1 byte */
                { "\1\x6\0\0\0\0\0\1\0\0\0\1\0\0\0\0\0", 17, RELAY_E_TRUNCATED },        /* CLOSE - 1 byte */
                { "\1\x3\0\0\0\0\0\1\0\0\0\3\0\0\0\0\1a\0", 19, RELAY_E_RANGE },         /* ADMIT kind 0 */
                { "\1\x3\0\0\0\0\0\1\0\0\0\2\0\0\0\0\0\1", 18, RELAY_E_RANGE },          /* ADMIT nobody */
                { "\1\x2\0\0\0\0\0\1\0\0\0\5\0\0\0\0\1a\0\0\0", 21, RELAY_E_RANGE },     /* OPEN without certificate */
                { "\1\x2\0\0\0\0\0\1\0\0\0\7\0\0\0\0\1a\0\0\1\0\0", 23, RELAY_E_RANGE }, /* an empty one */
                { "\1\x2\0\0\0\0\0\1\0\0\0\7\0\0\0\0\1a\0\0\1\0\2", 23, RELAY_E_TRUNCATED },   /* one past the end */
                { "\1\x2\0\0\0\0\0\1\0\0\0\x8\0\0\0\0\1\x1b\0\0\1\0\1\0", 24, RELAY_E_RANGE }, /* peer ESC */
                { "\1\x2\0\0\0\0\0\1\0\0\0\x8\0\0\0\0\1\xff\0\0\1\0\1\0", 24, RELAY_E_RANGE }, /* no UTF-8 */
                { "\1\x2\0\0\0\0\0\1\0\0\0\x8\0\0\0\0\1a\0\0\1\0\1\0", 24, RELAY_OK }, /* the same, as it should be */
        };

        (void)state;
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                struct channel_message m = { .token = 77 };
                struct reader r;
                reader_init(&r, span_of(rows[i].bytes, rows[i].size));
                int result = channel_decode(&r, &m);
                if (result != rows[i].result)
                        fail_msg("row %zu: %d, not %d", i, result, rows[i].result);
                if (result == RELAY_OK)
                        continue;
                assert_int_equal(m.token, 77);
                assert_int_equal(channel_decode(&r, &m), rows[i].result); /* the error stays */
        }
}

static void sign_requests(void **state)
{
        static const struct {
                size_t hash_size;
                int result;
        } rows[] = {
                { 32, RELAY_OK }, { 48, RELAY_OK }, { 0, RELAY_E_RANGE }, { 31, RELAY_E_RANGE }, { 64, RELAY_E_RANGE }
        };

        (void)state;
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
                struct channel_sign_request request = { 5, { filler, rows[i].hash_size } }, back = { 0 };
                struct writer w;
                writer_init(&w, buffer, sizeof(buffer));
                assert_int_equal(channel_sign_request_encode(&w, &request), rows[i].result);
                if (rows[i].result != RELAY_OK)
                        continue;
                assert_int_equal(channel_sign_request_decode(writer_span(&w), &back), RELAY_OK);
                assert_int_equal(back.token, 5);
                assert_int_equal(back.hash.size, rows[i].hash_size);
                for (size_t size = 0; size < w.at; size++)
                        assert_int_not_equal(channel_sign_request_decode(span_of(buffer, size), &back), RELAY_OK);
                assert_int_not_equal(channel_sign_request_decode(span_of(buffer, w.at + 1), &back), RELAY_OK);
                buffer[0] = 2;
                assert_int_equal(channel_sign_request_decode(span_of(buffer, w.at), &back), RELAY_E_RANGE);
        }
}

static void sign_answers(void **state)
{
        struct channel_sign_answer good_answer = { 6, 0, { filler, 64 } }, refusal = { 7, 1, SPAN_EMPTY }, back;
        struct channel_sign_answer short_one = { 6, 0, { filler, 63 } }, odd = { 7, 1, { filler, 64 } };
        struct writer w;

        (void)state;
        writer_init(&w, buffer, sizeof(buffer));
        assert_int_equal(channel_sign_answer_encode(&w, &short_one), RELAY_E_RANGE);
        assert_int_equal(channel_sign_answer_encode(&w, &odd), RELAY_E_RANGE);
        assert_int_equal(channel_sign_answer_encode(&w, &good_answer), RELAY_OK);
        assert_int_equal(channel_sign_answer_decode(writer_span(&w), &back), RELAY_OK);
        assert_int_equal(back.token, 6);
        assert_int_equal(back.signature.size, 64);
        assert_int_equal(channel_sign_answer_decode(span_of(buffer, w.at - 1), &back), RELAY_E_TRUNCATED);
        writer_init(&w, buffer, sizeof(buffer));
        assert_int_equal(channel_sign_answer_encode(&w, &refusal), RELAY_OK);
        assert_int_equal(channel_sign_answer_decode(writer_span(&w), &back), RELAY_OK);
        assert_int_equal(back.status, 1);
        assert_int_equal(back.signature.size, 0);
        assert_int_equal(channel_sign_answer_decode(span_of(buffer, w.at + 64), &back), RELAY_E_MALFORMED);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(there_and_back),      cmocka_unit_test(fields_arrive),
                cmocka_unit_test(a_batch_and_its_end), cmocka_unit_test(every_cut),
                cmocka_unit_test(not_encoded),         cmocka_unit_test(not_decoded),
                cmocka_unit_test(sign_requests),       cmocka_unit_test(sign_answers),
        };
        return cmocka_run_group_tests_name("message", tests, NULL, NULL);
}
