/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Records of updates in the store, and the JSON devices publish. */
#include "updater_host.h"

#include "hub/flat_json.h"
#include "hub/refusals.h"
#include "hub/update_record.h"

static void update_records_come_back(void **state)
{
        const struct update_record record = { SPAN_LITERAL("envelope"), 1763800000, true,
                                              SPAN_LITERAL("not in winter") };
        uint8_t out[UPDATE_RECORD_MAX];
        struct update_record back;
        struct writer w;

        (void)state;
        writer_init(&w, out, sizeof(out));
        update_record_encode(&w, &record);
        assert_int_equal(update_record_decode(writer_span(&w), &back), RELAY_OK);
        assert_span_equal(back.envelope, record.envelope);
        assert_int_equal(back.received, record.received);
        assert_true(back.denied);
        assert_span_equal(back.why, record.why);
        for (size_t size = 0; size < w.at; size++) /* cut anywhere */
                assert_int_not_equal(update_record_decode(span_of(out, size), &back), RELAY_OK);
        out[w.at] = 0;
        assert_int_not_equal(update_record_decode(span_of(out, w.at + 1), &back), RELAY_OK);
}

static void device_records_come_back(void **state)
{
        const struct update_device_record record = { UPDATE_STATUS_REFUSED, 40, REASON_APPLICATION_BUSY, false, true };
        uint8_t out[UPDATE_DEVICE_RECORD_MAX];
        struct update_device_record back;
        struct writer w;

        (void)state;
        writer_init(&w, out, sizeof(out));
        update_device_record_encode(&w, &record);
        assert_int_equal(update_device_record_decode(writer_span(&w), &back), RELAY_OK);
        assert_int_equal(back.status, record.status);
        assert_int_equal(back.progress, record.progress);
        assert_int_equal(back.reason, record.reason);
        assert_false(back.installed);
        assert_true(back.shown);
        for (size_t size = 0; size < w.at; size++)
                assert_int_not_equal(update_device_record_decode(span_of(out, size), &back), RELAY_OK);
}

static void bad_records_are_refused(void **state)
{
        static const char *const rows[] = {
                "",
                "a0",                       /* nothing in it */
                "a500020140020003f40460",   /* version 2 */
                "a500010140020003f4046201", /* cut in the text */
                "a500010140020003050460",   /* denied is a number */
                "a6000101646e6f6e65021865"
                "03646e6f6e6504f405f4", /* progress 101 */
                "a6000101646e6f706502000364"
                "6e6f6e6504f405f4", /* a status nobody knows */
                "a6000101646e6f6e6502000364"
                "6e6f706504f405f4", /* a reason nobody knows */
        };
        uint8_t bytes[64];
        struct update_record update;
        struct update_device_record device;

        (void)state;
        for (size_t i = 0; i < ROWS(rows); i++) {
                size_t size = strlen(rows[i]) / 2;
                assert_true(span_from_hex(span_of_string(rows[i]), bytes, size));
                assert_int_not_equal(update_record_decode(span_of(bytes, size), &update), RELAY_OK);
                assert_int_not_equal(update_device_record_decode(span_of(bytes, size), &device), RELAY_OK);
        }
}

static void json_is_read(void **state)
{
        struct flat_json json;

        (void)state;
        assert_int_equal(flat_json_decode(SPAN_LITERAL("{\"online\":true,\"version\":\"1.0.0\",\"boot\":12}"), &json),
                         RELAY_OK);
        assert_true(span_equal_string(flat_json_string(&json, "version"), "1.0.0"));
        assert_int_equal(flat_json_number(&json, "boot", 0), 12);
        assert_int_equal(flat_json_number(&json, "session", 99), 99);
        assert_int_equal(flat_json_string(&json, "boot").size, 0); /* of another type */
        assert_int_equal(flat_json_decode(SPAN_LITERAL(" { \"a\" : 18446744073709551615 , \"b\":false } \n"), &json),
                         RELAY_OK);
        assert_true(flat_json_number(&json, "a", 0) == UINT64_MAX);
        assert_int_equal(flat_json_decode(SPAN_LITERAL("{}"), &json), RELAY_OK);
        assert_int_equal(json.count, 0);
}

/* a command's answer may be JSON itself */
static void strings_without_their_escapes(void **state)
{
        static const char text[] =
                "{\"value\":\"{\\\"dry\\\":300}\\\\\\u000a\\u001f\\u0000 \xc3\xa5\",\"plain\":\"a b\"}";
        uint8_t out[64];
        struct flat_json json;

        (void)state;
        assert_int_equal(flat_json_decode(span_of_string(text), &json), RELAY_OK);
        size_t size = flat_json_text(&json, "value", out, sizeof(out));
        assert_true(span_equal(span_of(out, size), SPAN_LITERAL("{\"dry\":300}\\\n\x1f\0 \xc3\xa5")));
        assert_int_equal(flat_json_string(&json, "value").size, 0); /* who does not expect escapes gets none */
        assert_int_equal(flat_json_text(&json, "value", out, 3), 3);
        assert_int_equal(flat_json_text(&json, "plain", out, sizeof(out)), 3);
        assert_int_equal(flat_json_text(&json, "none", out, sizeof(out)), 0);
}

static void bad_json_is_refused_whole(void **state)
{
        static const char *const rows[] = {
                "",
                "{",
                "}",
                "[]",
                "null",
                "{\"a\"}",
                "{\"a\":}",
                "{\"a\":1,}",
                "{,}",
                "{\"a\":1 \"b\":2}",
                "{\"a\":01}",
                "{\"a\":-1}",
                "{\"a\":1.5}",
                "{\"a\":18446744073709551616}",
                "{\"a\":tru}",
                "{\"a\":null}",
                "{\"a\":{}}",
                "{\"a\":[1]}",
                "{\"a\":\"\\n\"}",
                "{\"a\":\"\\\"}",
                "{\"a\":\"\\u0020\"}",
                "{\"a\":\"\\u00g0\"}",
                "{\"a\":\"\\u001F\"}",
                "{\"a\":\"\\u0a00\"}",
                "{\"a\":\"\\u00",
                "{\"a\\\"\":1}",
                "{\"a\":\"\n\"}",
                "{\"a\":\"\xff\"}",
                "{\"a\":1,\"a\":2}",
                "{\"a\":1}x",
                "{\"a\":\"",
                "{\"a",
                "{a:1}",
                "{\"a\":'x'}",
                "{\"0\":0,\"1\":0,\"2\":0,\"3\":0,\"4\":0,\"5\":0,\"6\":0,\"7\":0,\"8\":0,\"9\":0,\"a\":0,\"b\":0,"
                "\"c\":0,"
                "\"d\":0,\"e\":0,\"f\":0,\"g\":0}",
        };
        struct flat_json json;
        char large[FLAT_JSON_MAX + 3];

        (void)state;
        for (size_t i = 0; i < ROWS(rows); i++)
                if (flat_json_decode(span_of_string(rows[i]), &json) == RELAY_OK)
                        fail_msg("accepted: %s", rows[i]);
        memset(large, ' ', sizeof(large));
        large[0] = '{';
        large[sizeof(large) - 2] = '}';
        assert_int_not_equal(flat_json_decode(span_of(large, sizeof(large) - 1), &json), RELAY_OK);
}

static void refusals_survive_a_clock_set_back(void **state)
{
        static struct refusals refusals;
        uint8_t digest[SHA256_SIZE] = { 1 };

        (void)state;
        assert_int_equal(refusals_note(&refusals, "device-1", digest, 1000000), REFUSALS_TELL);
        assert_int_equal(refusals_note(&refusals, "device-1", digest, 1000001), REFUSALS_QUIET);
        assert_int_equal(refusals_note(&refusals, "device-1", digest, 5), REFUSALS_TELL);
        assert_int_equal(refusals_note(&refusals, "device-1", digest, 0), REFUSALS_TELL); /* no clock at all */
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(update_records_come_back),          cmocka_unit_test(device_records_come_back),
                cmocka_unit_test(bad_records_are_refused),           cmocka_unit_test(json_is_read),
                cmocka_unit_test(strings_without_their_escapes),     cmocka_unit_test(bad_json_is_refused_whole),
                cmocka_unit_test(refusals_survive_a_clock_set_back),
        };
        return cmocka_run_group_tests(tests, NULL, NULL);
}
