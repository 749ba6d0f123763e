/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/cursor.h"
#include "unit.h"

static void test_slices_never_leave_their_span(void **state)
{
        static const struct {
                size_t from, size;
                const char *expected;
        } rows[] = {
                { 0, 5, "abcde" }, { 1, 2, "bc" },      { 4, 9, "e" },          { 5, 1, "" },
                { 9, 1, "" },      { SIZE_MAX, 1, "" }, { 2, SIZE_MAX, "cde" },
        };

        (void)state;
        for (size_t i = 0; i < ROWS(rows); i++)
                assert_true(span_equal_string(span_slice(SPAN_LITERAL("abcde"), rows[i].from, rows[i].size),
                                              rows[i].expected));
}

static void test_order(void **state)
{
        (void)state;
        assert_true(span_compare(SPAN_LITERAL("a"), SPAN_LITERAL("b")) < 0);
        assert_true(span_compare(SPAN_LITERAL("a"), SPAN_LITERAL("aa")) < 0);
        assert_true(span_compare(SPAN_LITERAL("b"), SPAN_LITERAL("aa")) > 0);
        assert_int_equal(span_compare(SPAN_EMPTY, SPAN_EMPTY), 0);
        assert_true(span_equal_constant_time(SPAN_LITERAL("abc"), SPAN_LITERAL("abc")));
        assert_false(span_equal_constant_time(SPAN_LITERAL("abc"), SPAN_LITERAL("abd")));
        assert_false(span_equal_constant_time(SPAN_LITERAL("abc"), SPAN_LITERAL("ab")));
}

static void test_strings(void **state)
{
        char out[4];

        (void)state;
        assert_true(span_to_string(SPAN_LITERAL("abc"), out, sizeof(out)));
        assert_string_equal(out, "abc");
        assert_false(span_to_string(SPAN_LITERAL("abcd"), out, sizeof(out)));
        assert_string_equal(out, "");
        assert_false(span_to_string(SPAN_LITERAL("a\0b"), out, sizeof(out)));
        assert_string_equal(out, "");
}

static void test_hexadecimal(void **state)
{
        uint8_t bytes[2];
        char text[5];

        (void)state;
        assert_true(span_from_hex(SPAN_LITERAL("0aFf"), bytes, 2));
        assert_string_equal(span_to_hex(SPAN_OF(bytes), text, sizeof(text)), "0aff");
        assert_false(span_from_hex(SPAN_LITERAL("0aF"), bytes, 2));
        assert_false(span_from_hex(SPAN_LITERAL("0aFf0"), bytes, 2));
        assert_false(span_from_hex(SPAN_LITERAL("0aFg"), bytes, 2));
        assert_false(span_from_hex(SPAN_LITERAL("0aFf00"), bytes, 2));
}

/* wherever the odd byte stands: eight bytes are looked at together */
static void test_utf8_at_every_place(void **state)
{
        (void)state;
        static const uint8_t bad[] = { 0x00, 0x80, 0xC3, 0xFF };
        uint8_t text[20];
        for (size_t at = 0; at + 1 < sizeof(text); at++) {
                for (size_t i = 0; i < sizeof(bad); i++) {
                        memset(text, 'a', sizeof(text));
                        text[at] = bad[i];
                        assert_false(span_is_utf8(SPAN_OF(text)));
                }
                memcpy(text + at, "\xC3\xA9", 2);
                assert_true(span_is_utf8(SPAN_OF(text)));
                memset(text, 0x01, sizeof(text));
                assert_true(span_is_utf8(SPAN_OF(text)));
        }
}

static void test_utf8(void **state)
{
        static const struct {
                const char *hex;
                bool valid;
        } rows[] = {
                { "", true },
                { "61", true },
                { "c3bc", true },
                { "e6b0b4", true },
                { "f0908591", true },
                { "f48fbfbf", true },
                { "ed9fbf", true },
                /* a NUL, lone and missing continuation, shorter form exists, surrogate, above U+10FFFF */
                { "6100", false },
                { "80", false },
                { "c3", false },
                { "c328", false },
                { "c080", false },
                { "c1bf", false },
                { "e08080", false },
                { "f0808080", false },
                { "eda080", false },
                { "f4908080", false },
                { "f5808080", false },
                { "e6b0", false },
        };
        uint8_t bytes[8];

        (void)state;
        for (size_t i = 0; i < ROWS(rows); i++)
                assert_int_equal(span_is_utf8(unhex(rows[i].hex, bytes, sizeof(bytes))), rows[i].valid);
}

static void test_reader_error_sticks(void **state)
{
        static const uint8_t bytes[] = { 1, 2, 3, 4, 5 };
        struct reader r;

        (void)state;
        reader_init(&r, SPAN_OF(bytes));
        assert_int_equal(reader_u16(&r), 0x0102);
        assert_int_equal(reader_u32(&r), 0);
        assert_int_equal(r.result, RELAY_E_TRUNCATED);
        assert_int_equal(reader_u8(&r), 0);
        assert_int_equal(reader_left(&r), 0);
        reader_fail(&r, RELAY_E_RANGE);
        assert_int_equal(reader_finish(&r), RELAY_E_TRUNCATED);
        reader_init(&r, SPAN_OF(bytes));
        assert_int_equal(reader_finish(&r), RELAY_E_MALFORMED);
        reader_init(&r, SPAN_EMPTY);
        assert_int_equal(reader_finish(&r), RELAY_OK);
}

static void test_writer_measures_and_stops(void **state)
{
        uint8_t out[4] = { 0xee, 0xee, 0xee, 0xee };
        struct writer w;

        (void)state;
        writer_init(&w, out, 3);
        writer_u8(&w, 1);
        writer_u32(&w, 2);
        writer_u8(&w, 3);
        assert_int_equal(writer_needed(&w), 6);
        assert_int_equal(writer_finish(&w), RELAY_E_SPACE);
        assert_int_equal(writer_span(&w).size, 0);
        assert_int_equal(out[1], 0xee);
        assert_int_equal(out[3], 0xee);
        writer_init(&w, out, 4);
        writer_u32(&w, 0x01020304);
        assert_memory_equal(writer_span(&w).data, "\1\2\3\4", 4);
        writer_fail(&w, RELAY_E_KEY);
        assert_int_equal(writer_finish(&w), RELAY_E_KEY);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_slices_never_leave_their_span),
                cmocka_unit_test(test_order),
                cmocka_unit_test(test_strings),
                cmocka_unit_test(test_hexadecimal),
                cmocka_unit_test(test_utf8),
                cmocka_unit_test(test_utf8_at_every_place),
                cmocka_unit_test(test_reader_error_sticks),
                cmocka_unit_test(test_writer_measures_and_stops),
        };
        return cmocka_run_group_tests_name("span", tests, NULL, NULL);
}
