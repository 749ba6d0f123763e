/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/cbor.h"
#include "unit.h"

/* RFC 8949 appendix A, in its order; refused: floats, other simple values, indefinite lengths */
static const struct {
        const char *hex;
        bool ours;
} appendix_a[] = {
        { "00", true },
        { "01", true },
        { "0a", true },
        { "17", true },
        { "1818", true },
        { "1819", true },
        { "1864", true },
        { "1903e8", true },
        { "1a000f4240", true },
        { "1b000000e8d4a51000", true },
        { "1bffffffffffffffff", true },
        { "c249010000000000000000", true },
        { "3bffffffffffffffff", true },
        { "c349010000000000000000", true },
        { "20", true },
        { "29", true },
        { "3863", true },
        { "3903e7", true },
        { "f90000", false },
        { "f98000", false },
        { "f93c00", false },
        { "fb3ff199999999999a", false },
        { "f93e00", false },
        { "f97bff", false },
        { "fa47c35000", false },
        { "fa7f7fffff", false },
        { "fb7e37e43c8800759c", false },
        { "f90001", false },
        { "f90400", false },
        { "f9c400", false },
        { "fbc010666666666666", false },
        { "f97c00", false },
        { "f97e00", false },
        { "f9fc00", false },
        { "fa7f800000", false },
        { "fa7fc00000", false },
        { "faff800000", false },
        { "fb7ff0000000000000", false },
        { "fb7ff8000000000000", false },
        { "fbfff0000000000000", false },
        { "f4", true },
        { "f5", true },
        { "f6", true },
        { "f7", false },
        { "f0", false },
        { "f8ff", false },
        { "c074323031332d30332d32315432303a30343a30305a", true },
        { "c11a514b67b0", true },
        { "c1fb41d452d9e8000000", false }, /* 1(1363896240.5) */
        { "d74401020304", true },
        { "d818456449455446", true },
        { "d82076687474703a2f2f7777772e6578616d706c652e636f6d", true },
        { "40", true },
        { "4401020304", true },
        { "60", true },
        { "6161", true },
        { "6449455446", true },
        { "62225c", true },
        { "62c3bc", true },
        { "63e6b0b4", true },
        { "64f0908591", true },
        { "80", true },
        { "83010203", true },
        { "8301820203820405", true },
        { "98190102030405060708090a0b0c0d0e0f101112131415161718181819", true },
        { "a0", true },
        { "a201020304", true },
        { "a26161016162820203", true },
        { "826161a161626163", true },
        { "a56161614161626142616361436164614461656145", true },
        { "5f42010243030405ff", false },
        { "7f657374726561646d696e67ff", false },
        { "9fff", false },
        { "9f018202039f0405ffff", false },
        { "9f01820203820405ff", false },
        { "83018202039f0405ff", false },
        { "83019f0203ff820405", false },
        { "9f0102030405060708090a0b0c0d0e0f101112131415161718181819ff", false },
        { "bf61610161629f0203ffff", false },
        { "826161bf61626163ff", false },
        { "bf6346756ef563416d7421ff", false },
};

/* Decodes an item by its getters and writes it again by the putters. */
static void transcode(struct reader *r, struct writer *w)
{
        size_t items = 0;

        switch (cbor_peek(r)) {
        case CBOR_UINT:
                cbor_put_uint(w, cbor_get_uint(r));
                break;
        case CBOR_NINT:
                if (span_slice(r->in, r->at, 9).size == 9 && r->in.data[r->at] == 0x3b)
                        writer_bytes(w, cbor_skip(r)); /* below INT64_MIN */
                else
                        cbor_put_int(w, cbor_get_int(r));
                break;
        case CBOR_BSTR:
                cbor_put_bstr(w, cbor_get_bstr(r));
                break;
        case CBOR_TSTR:
                cbor_put_tstr(w, cbor_get_tstr(r));
                break;
        case CBOR_ARRAY:
                items = cbor_get_array(r);
                cbor_put_array(w, items);
                break;
        case CBOR_MAP:
                items = cbor_get_map(r);
                cbor_put_map(w, items);
                items *= 2;
                break;
        case CBOR_TAG:
                cbor_put_tag(w, cbor_get_tag(r));
                items = 1;
                break;
        case CBOR_SIMPLE:
                if (cbor_try_null(r))
                        cbor_put_null(w);
                else
                        cbor_put_bool(w, cbor_get_bool(r));
                break;
        case CBOR_NONE:
                fail();
        }
        for (size_t i = 0; i < items && r->result == RELAY_OK; i++)
                transcode(r, w);
}

static void test_appendix_a(void **state)
{
        (void)state;
        for (size_t i = 0; i < ROWS(appendix_a); i++) {
                uint8_t bytes[64], again[64];
                struct span in = unhex(appendix_a[i].hex, bytes, sizeof(bytes));
                struct reader r;
                struct writer w;

                reader_init(&r, in);
                cbor_skip(&r);
                if (!appendix_a[i].ours) {
                        assert_int_equal(reader_finish(&r), RELAY_E_MALFORMED);
                        continue;
                }
                assert_int_equal(reader_finish(&r), RELAY_OK);
                reader_init(&r, in);
                writer_init(&w, again, sizeof(again));
                transcode(&r, &w);
                assert_int_equal(reader_finish(&r), RELAY_OK);
                assert_span_equal(writer_span(&w), in);
        }
}

static void test_every_prefix_is_truncated(void **state)
{
        (void)state;
        for (size_t i = 0; i < ROWS(appendix_a); i++) {
                uint8_t bytes[64];
                struct span in = unhex(appendix_a[i].hex, bytes, sizeof(bytes));
                for (size_t size = 0; appendix_a[i].ours && size < in.size; size++) {
                        struct reader r;
                        reader_init(&r, span_slice(in, 0, size));
                        cbor_skip(&r);
                        assert_int_equal(reader_finish(&r), RELAY_E_TRUNCATED);
                }
        }
}

static void test_bad_items(void **state)
{
        static const struct {
                const char *hex;
                int result;
        } rows[] = {
                { "1800", RELAY_E_MALFORMED },
                { "1817", RELAY_E_MALFORMED },
                { "190018", RELAY_E_MALFORMED },
                { "1900ff", RELAY_E_MALFORMED },
                { "1a0000ffff", RELAY_E_MALFORMED },
                { "1b00000000ffffffff", RELAY_E_MALFORMED },
                { "3817", RELAY_E_MALFORMED },
                { "5801aa", RELAY_E_MALFORMED },
                { "980101", RELAY_E_MALFORMED },
                { "b8010101", RELAY_E_MALFORMED },
                { "d81200", RELAY_E_MALFORMED },
                { "1c", RELAY_E_MALFORMED },
                { "3d", RELAY_E_MALFORMED },
                { "5e", RELAY_E_MALFORMED },
                { "ff", RELAY_E_MALFORMED },
                { "61ff", RELAY_E_MALFORMED },       /* no UTF-8 */
                { "a201000100", RELAY_E_MALFORMED }, /* key twice */
                { "a202000100", RELAY_E_MALFORMED }, /* keys out of order */
                { "a2200018180100", RELAY_E_MALFORMED },
                { "a182a2020001000000", RELAY_E_MALFORMED }, /* order inside a key */
                { "81a201000100", RELAY_E_MALFORMED },       /* order inside an array */
                { "0000", RELAY_E_MALFORMED },               /* trailing byte */
                { "9a7fffffff00", RELAY_E_TRUNCATED },       /* huge counts */
                { "bb7fffffffffffffff0000", RELAY_E_TRUNCATED },
                { "9bffffffffffffffff00", RELAY_E_TRUNCATED },
                { "5bffffffffffffffff00", RELAY_E_TRUNCATED },
                { "7a0000ffff61", RELAY_E_MALFORMED },
                { "7a0001000061", RELAY_E_TRUNCATED },
                { "818181818181818181818180", RELAY_OK },   /* depth 12, the last one empty */
                { "81818181818181818181818100", RELAY_OK }, /* depth 12 */
                { "8181818181818181818181818100", RELAY_E_MALFORMED },
                { "c1c1c1c1c1c1c1c1c1c1c1c1c100", RELAY_E_MALFORMED }, /* tags nest, too */
        };

        (void)state;
        for (size_t i = 0; i < ROWS(rows); i++) {
                uint8_t bytes[32];
                struct reader r;
                reader_init(&r, unhex(rows[i].hex, bytes, sizeof(bytes)));
                cbor_skip(&r);
                assert_int_equal(reader_finish(&r), rows[i].result);
        }
}

static void test_getters_check_type_and_range(void **state)
{
        uint8_t bytes[16], two[2] = { 9, 9 };
        struct reader r;

        (void)state;
        reader_init(&r, unhex("20", bytes, sizeof(bytes)));
        assert_int_equal(cbor_get_uint(&r), 0);
        assert_int_equal(r.result, RELAY_E_MALFORMED);
        reader_init(&r, unhex("1bffffffffffffffff", bytes, sizeof(bytes)));
        assert_int_equal(cbor_get_int(&r), 0);
        assert_int_equal(r.result, RELAY_E_RANGE);
        reader_init(&r, unhex("3b7fffffffffffffff", bytes, sizeof(bytes)));
        assert_true(cbor_get_int(&r) == INT64_MIN);
        assert_int_equal(r.result, RELAY_OK);
        reader_init(&r, unhex("3b8000000000000000", bytes, sizeof(bytes)));
        cbor_get_int(&r);
        assert_int_equal(r.result, RELAY_E_RANGE);
        reader_init(&r, unhex("05", bytes, sizeof(bytes)));
        assert_int_equal(cbor_get_uint_max(&r, 4), 0);
        assert_int_equal(r.result, RELAY_E_RANGE);
        reader_init(&r, unhex("43010203", bytes, sizeof(bytes)));
        cbor_get_bstr_exact(&r, two, 2);
        assert_int_equal(r.result, RELAY_E_RANGE);
        assert_int_equal(two[0], 0);
        reader_init(&r, unhex("f6", bytes, sizeof(bytes)));
        assert_false(cbor_get_bool(&r));
        assert_int_equal(r.result, RELAY_E_MALFORMED);
        reader_init(&r, unhex("00", bytes, sizeof(bytes)));
        assert_false(cbor_try_null(&r));
        assert_int_equal(cbor_get_array(&r), 0);
        assert_int_equal(r.result, RELAY_E_MALFORMED);
        assert_int_equal(cbor_peek(&r), CBOR_NONE);
}

static void test_maps(void **state)
{
        static const struct {
                const char *hex;
                int result;
                size_t keys; /* seen before the end or the error */
        } rows[] = {
                { "a0", RELAY_OK, 0 },
                { "a301000a002000", RELAY_OK, 3 },
                { "a2010001", RELAY_E_TRUNCATED, 0 },
                { "a201000100", RELAY_E_MALFORMED, 1 },
                { "a220000100", RELAY_E_MALFORMED, 1 },
                { "a2181800"
                  "0100",
                  RELAY_E_MALFORMED, 1 },
                { "a1616100", RELAY_E_MALFORMED, 0 },
                { "a11b800000000000000000", RELAY_E_RANGE, 0 },
                { "80", RELAY_E_MALFORMED, 0 },
        };

        (void)state;
        for (size_t i = 0; i < ROWS(rows); i++) {
                uint8_t bytes[32];
                struct cbor_map m;
                struct reader r;
                int64_t key;
                size_t keys = 0;

                reader_init(&r, unhex(rows[i].hex, bytes, sizeof(bytes)));
                cbor_map_enter(&m, &r);
                for (; cbor_map_next(&m, &key); keys++)
                        cbor_skip(&r);
                assert_int_equal(reader_finish(&r), rows[i].result);
                assert_int_equal(keys, rows[i].keys);
        }
}

static void test_required_keys(void **state)
{
        static const struct {
                const char *hex;
                uint32_t required;
                int result;
        } rows[] = {
                { "a0", 0, RELAY_OK },
                { "a0", 1, RELAY_E_MALFORMED },
                { "a300000100181f00", 0x80000003, RELAY_OK },
                { "a300000100181f00", 0x80000007, RELAY_E_MALFORMED },
                { "a200001820" /* 32 */
                  "00",
                  1, RELAY_OK },
                { "a11820" /* 32 is not 0 */
                  "00",
                  1, RELAY_E_MALFORMED },
                { "a12000", 1, RELAY_E_MALFORMED },       /* nor is -1 */
                { "a200000a", 0x401, RELAY_E_TRUNCATED }, /* the first error stays */
        };

        (void)state;
        for (size_t i = 0; i < ROWS(rows); i++) {
                uint8_t bytes[32];
                struct cbor_map m;
                struct reader r;
                int64_t key;

                reader_init(&r, unhex(rows[i].hex, bytes, sizeof(bytes)));
                cbor_map_enter(&m, &r);
                while (cbor_map_next(&m, &key))
                        cbor_skip(&r);
                cbor_map_require(&m, rows[i].required);
                assert_int_equal(reader_finish(&r), rows[i].result);
        }
}

static bool is_short(struct span text)
{
        return text.size < 3;
}

static void test_checked_text_and_version(void **state)
{
        static const struct {
                const char *hex, *text;
                int result;
        } rows[] = {
                { "626162", "ab", RELAY_OK },        { "60", "", RELAY_OK },
                { "63616263", "", RELAY_E_RANGE }, /* by is_valid() */
                { "426162", "", RELAY_E_MALFORMED }, { "626100", "", RELAY_E_MALFORMED },
        };
        uint8_t bytes[8];
        struct reader r;

        (void)state;
        for (size_t i = 0; i < ROWS(rows); i++) {
                char text[3] = "";

                reader_init(&r, unhex(rows[i].hex, bytes, sizeof(bytes)));
                cbor_get_text(&r, is_short, text, sizeof(text));
                assert_int_equal(reader_finish(&r), rows[i].result);
                assert_string_equal(text, rows[i].text);
        }
        reader_init(&r, unhex("626162", bytes, sizeof(bytes)));
        cbor_get_text(&r, is_short, (char[2]){ 0 }, 2); /* no room for the 0 */
        assert_int_equal(r.result, RELAY_E_RANGE);
        reader_init(&r, unhex("01", bytes, sizeof(bytes)));
        cbor_get_version(&r, 1);
        assert_int_equal(reader_finish(&r), RELAY_OK);
        reader_init(&r, unhex("02", bytes, sizeof(bytes)));
        cbor_get_version(&r, 1);
        assert_int_equal(r.result, RELAY_E_UNSUPPORTED);
}

static void test_writer_refuses_text_that_is_none(void **state)
{
        uint8_t out[8];
        struct writer w;

        (void)state;
        writer_init(&w, out, sizeof(out));
        cbor_put_tstr(&w, SPAN_LITERAL("\xff"));
        assert_int_equal(writer_finish(&w), RELAY_E_MALFORMED);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_appendix_a),
                cmocka_unit_test(test_every_prefix_is_truncated),
                cmocka_unit_test(test_bad_items),
                cmocka_unit_test(test_getters_check_type_and_range),
                cmocka_unit_test(test_maps),
                cmocka_unit_test(test_required_keys),
                cmocka_unit_test(test_checked_text_and_version),
                cmocka_unit_test(test_writer_refuses_text_that_is_none),
        };
        return cmocka_run_group_tests_name("cbor", tests, NULL, NULL);
}
