/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages between hub and guard: each comes back as it went out, and nothing else is taken.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "guard/message.h"
#include "relay/cbor.h"

#define TEXT(text)                                        \
        {                                                 \
                (const uint8_t *)(text), sizeof(text) - 1 \
        }

static const struct guard_message samples[] = {
        { .type = GUARD_READY, .ready = { 93, TEXT("no nf_tables"), 1782000000, 7, 8, 60 } },
        { .type = GUARD_POLICY, .policy = { 1, TEXT("\xa0\x01"), 3600 } },
        { .type = GUARD_CONFIRM, .confirm = UINT64_MAX },
        { .type = GUARD_UPLINK, .air_gapped = true },
        { .type = GUARD_RELOAD },
        { .type = GUARD_COUNT },
        { .type = GUARD_APPLIED, .applied = { 9, 0, TEXT(""), 290000, 64238, 42908, 5326096 } },
        { .type = GUARD_ROLLED_BACK, .rolled_back = { 2, 0 } },
        { .type = GUARD_RESTORED, .restored = 3 },
        { .type = GUARD_REFUSED, .refused = { 0, TEXT("\xc0\x00\x02\x07"), 8883, "RU", 12 } },
        { .type = GUARD_REFUSED, .refused = { 1, TEXT("\x20\x01\x0d\xb8            "), 443, "\?\?", 1 } },
        { .type = GUARD_COUNTERS,
          .counters = { 1, 2, { { TEXT("flood"), 5, 300 } }, { { "FI", 1 }, { "\?\?", UINT64_MAX } } } },
        { .type = GUARD_LINK, .link = { GUARD_LINK_INTERFACE, TEXT("eth0"), true, true, false } },
};
#define SAMPLES (sizeof(samples) / sizeof(samples[0]))

static struct span encode(const struct guard_message *m, uint8_t *out, size_t size)
{
        struct writer w;

        writer_init(&w, out, size);
        assert_int_equal(guard_message_encode(&w, m), RELAY_OK);
        return writer_span(&w);
}

static void test_every_message_comes_back(void **state)
{
        static uint8_t first[GUARD_MESSAGE_MAX], second[GUARD_MESSAGE_MAX];

        (void)state;
        for (size_t i = 0; i < SAMPLES; i++) {
                struct guard_message m;
                struct span bytes = encode(&samples[i], first, sizeof(first));
                assert_int_equal(guard_message_decode(bytes, &m), RELAY_OK);
                assert_int_equal(m.type, samples[i].type);
                struct span again = encode(&m, second, sizeof(second));
                assert_true(span_equal(bytes, again));
        }
}

static void test_fields_come_back(void **state)
{
        uint8_t bytes[256];
        struct guard_message m;

        (void)state;
        assert_int_equal(guard_message_decode(encode(&samples[0], bytes, sizeof(bytes)), &m), RELAY_OK);
        assert_int_equal(m.ready.result, 93);
        assert_true(span_equal(m.ready.sentence, samples[0].ready.sentence));
        assert_int_equal(m.ready.database_date, 1782000000);
        assert_int_equal(m.ready.active_token, 7);
        assert_int_equal(m.ready.pending_token, 8);
        assert_int_equal(m.ready.seconds_left, 60);
        assert_int_equal(guard_message_decode(encode(&samples[9], bytes, sizeof(bytes)), &m), RELAY_OK);
        assert_int_equal(m.refused.port, 8883);
        assert_string_equal(m.refused.country, "RU");
        assert_int_equal(m.refused.count, 12);
}

static void test_cut_and_lengthened_messages_are_refused(void **state)
{
        static uint8_t bytes[GUARD_MESSAGE_MAX];
        struct guard_message m;

        (void)state;
        for (size_t i = 0; i < SAMPLES; i++) {
                struct span whole = encode(&samples[i], bytes, sizeof(bytes) - 1);
                for (size_t size = 0; size < whole.size; size++)
                        assert_int_not_equal(guard_message_decode(span_of(bytes, size), &m), RELAY_OK);
                bytes[whole.size] = 0;
                assert_int_not_equal(guard_message_decode(span_of(bytes, whole.size + 1), &m), RELAY_OK);
        }
}

static const struct {
        const char *name;
        struct span bytes;
} bad[] = {
        { "no array", TEXT("\x01") },
        { "type 0", TEXT("\x81\x00") },
        { "unknown type", TEXT("\x81\x0d") },
        { "too many fields", TEXT("\x82\x05\x00") },
        { "too few fields", TEXT("\x81\x03") },
        { "token 0", TEXT("\x82\x03\x00") },
        { "a number for a bool", TEXT("\x82\x04\x01") },
        { "confirm too long", TEXT("\x84\x02\x01\x40\x19\x0e\x11") },
        { "text for a policy", TEXT("\x84\x02\x01\x60\x00") },
        { "direction 3", TEXT("\x86\x0a\x03\x44\x01\x02\x03\x04\x01\x62RU\x01") },
        { "address of 5 bytes", TEXT("\x86\x0a\x00\x45\x01\x02\x03\x04\x05\x01\x62RU\x01") },
        { "port 65536", TEXT("\x86\x0a\x00\x44\x01\x02\x03\x04\x1a\x00\x01\x00\x00\x62RU\x01") },
        { "country in small letters", TEXT("\x86\x0a\x00\x44\x01\x02\x03\x04\x01\x62ru\x01") },
        { "country of three", TEXT("\x86\x0a\x00\x44\x01\x02\x03\x04\x01\x63RUS\x01") },
        { "count 0", TEXT("\x86\x0a\x00\x44\x01\x02\x03\x04\x01\x62RU\x00") },
        { "33 counters", TEXT("\x83\x0b\x98\x21\x80") },
        { "link kind 3", TEXT("\x86\x0c\x03\x60\xf4\xf4\xf4") },
        { "interface of 17", TEXT("\x86\x0c\x00\x71"
                                  "abcdefghijklmnopq\xf4\xf4\xf4") },
};

static void test_bad_messages_are_refused(void **state)
{
        struct guard_message m;

        (void)state;
        for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
                if (guard_message_decode(bad[i].bytes, &m) == RELAY_OK)
                        fail_msg("%s was taken", bad[i].name);
}

static void test_fields_out_of_range_are_not_written(void **state)
{
        static const struct guard_message wrong[] = {
                { .type = (enum guard_type)0 },
                { .type = (enum guard_type)13 },
                { .type = GUARD_CONFIRM, .confirm = 0 },
                { .type = GUARD_POLICY, .policy = { 1, TEXT(""), GUARD_CONFIRM_MAX + 1 } },
                { .type = GUARD_REFUSED, .refused = { 0, TEXT("abc"), 1, "RU", 1 } },
                { .type = GUARD_REFUSED, .refused = { 0, TEXT("abcd"), 1, "R", 1 } },
                { .type = GUARD_COUNTERS, .counters = { .count = GUARD_COUNTERS_MAX + 1 } },
                { .type = GUARD_LINK, .link = { .kind = (enum guard_link_kind)3 } },
        };
        uint8_t bytes[256];
        struct writer w;

        (void)state;
        for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
                writer_init(&w, bytes, sizeof(bytes));
                assert_int_equal(guard_message_encode(&w, &wrong[i]), RELAY_E_RANGE);
        }
        writer_init(&w, bytes, 3);
        assert_int_equal(guard_message_encode(&w, &samples[0]), RELAY_E_SPACE);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_every_message_comes_back),
                cmocka_unit_test(test_fields_come_back),
                cmocka_unit_test(test_cut_and_lengthened_messages_are_refused),
                cmocka_unit_test(test_bad_messages_are_refused),
                cmocka_unit_test(test_fields_out_of_range_are_not_written),
        };
        return cmocka_run_group_tests_name("guard message", tests, NULL, NULL);
}
