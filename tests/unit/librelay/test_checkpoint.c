/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the audit log stood, signed by the gate's key. */
#include "objects.h"
#include "relay/checkpoint.h"

static uint8_t bytes[CHECKPOINT_MAX];

static struct checkpoint sample(void)
{
        struct checkpoint checkpoint = {
                .site = "site-1", .relay = "relay.s1", .count = 1000, .time = 1763800000, .has_previous = true
        };

        memset(checkpoint.head, 0x4e, SHA256_SIZE);
        memset(checkpoint.previous, 0x9e, SHA256_SIZE);
        return checkpoint;
}

static struct span sign(const struct checkpoint *checkpoint, enum who w, int expected)
{
        struct signer signer = who(w);
        struct writer out;

        writer_init(&out, bytes, sizeof(bytes));
        assert_int_equal(checkpoint_sign(&out, checkpoint, &signer), expected);
        return writer_span(&out);
}

static void test_whose(void **state)
{
        struct public_key keys[2] = { key_of(GATE), key_of(GATE_2) };
        struct checkpoint checkpoint = sample(), out;

        (void)state;
        assert_int_equal(checkpoint_check(sign(&checkpoint, GATE, RELAY_OK), keys, 2, &out), REASON_NONE);
        assert_string_equal(out.site, "site-1");
        assert_string_equal(out.relay, "relay.s1");
        assert_int_equal(out.count, 1000);
        assert_int_equal(out.time, 1763800000);
        assert_memory_equal(out.head, checkpoint.head, SHA256_SIZE);
        assert_memory_equal(out.previous, checkpoint.previous, SHA256_SIZE);
        assert_int_equal(checkpoint_check(sign(&checkpoint, GATE_2, RELAY_OK), keys, 2, &out), REASON_NONE);
        assert_int_equal(checkpoint_check(sign(&checkpoint, GATE_2, RELAY_OK), keys, 1, &out), REASON_BAD_SIGNATURE);
        assert_int_equal(checkpoint_check(sign(&checkpoint, APPROVER_1, RELAY_OK), keys, 2, &out),
                         REASON_BAD_SIGNATURE);
        assert_int_equal(checkpoint_check(sign(&checkpoint, GATE, RELAY_OK), keys, 0, &out), REASON_BAD_SIGNATURE);
        assert_int_equal(checkpoint_check(span_of(bytes, 20), keys, 2, &out), REASON_MALFORMED);
        checkpoint.has_previous = false; /* the first one */
        assert_int_equal(checkpoint_check(sign(&checkpoint, GATE, RELAY_OK), keys, 2, &out), REASON_NONE);
        assert_false(out.has_previous);
}

static void test_what_cannot_be_written(void **state)
{
        struct checkpoint checkpoint = sample();

        (void)state;
        strcpy(checkpoint.relay, "device-1");
        sign(&checkpoint, GATE, RELAY_E_RANGE);
        checkpoint = sample();
        strcpy(checkpoint.site, "site.1");
        sign(&checkpoint, GATE, RELAY_E_RANGE);
}

#define HEAD   \
        "00"   \
        "01"   \
        "01"   \
        "6173" \
        "02"   \
        "63722e73"
#define DIGEST \
        "5820" \
        "dddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd"
static void test_form(void **state)
{
        static const struct {
                const char *hex;
                int result;
        } rows[] = {
                { "a6" HEAD "0300"
                  "04" DIGEST "0505",
                  RELAY_OK },
                { "a7" HEAD "0300"
                  "04" DIGEST "0505"
                  "06" DIGEST,
                  RELAY_OK },
                { "a6" HEAD "0300"
                  "044111"
                  "0505",
                  RELAY_E_RANGE },
                { "a5" HEAD "0300"
                  "04" DIGEST,
                  RELAY_E_MALFORMED },
                { "a5" HEAD "04" DIGEST "0505", RELAY_E_MALFORMED },
                { "a7" HEAD "0300"
                  "04" DIGEST "0505"
                  "0600",
                  RELAY_E_MALFORMED },
                { "a7" HEAD "0300"
                  "04" DIGEST "0505"
                  "0700",
                  RELAY_E_MALFORMED },
                { "a6"
                  "0002"
                  "016173"
                  "0263722e73"
                  "0300"
                  "04" DIGEST "0505",
                  RELAY_E_UNSUPPORTED },
                { "a6"
                  "0001"
                  "016173"
                  "026172"
                  "0300"
                  "04" DIGEST "0505",
                  RELAY_E_RANGE }, /* no dot */
                { "a6" HEAD "0300"
                  "04" DIGEST "05",
                  RELAY_E_TRUNCATED },
        };

        (void)state;
        for (size_t i = 0; i < ROWS(rows); i++) {
                struct checkpoint out;
                uint8_t buffer[128];
                int result = checkpoint_decode(unhex(rows[i].hex, buffer, sizeof(buffer)), &out);
                if (result != rows[i].result)
                        fail_msg("row %zu: %d", i, result);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_whose),
                cmocka_unit_test(test_what_cannot_be_written),
                cmocka_unit_test(test_form),
        };
        return cmocka_run_group_tests_name("checkpoint", tests, NULL, NULL);
}
