/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "objects.h"

static uint8_t scratch[1024];

static struct span write_sign1(uint8_t *out, size_t size, enum who signer, const char *aad, bool detached)
{
        struct signer s = who(signer);
        struct writer w;

        writer_init(&w, out, size);
        assert_int_equal(cose_sign1_write(&w, &s, span_of_string(aad), SPAN_LITERAL("payload"), detached, scratch,
                                          sizeof(scratch)),
                         RELAY_OK);
        assert_true(w.at <= COSE_SIGN1_OVERHEAD + strlen("payload"));
        return writer_span(&w);
}

static void test_sign_and_verify(void **state)
{
        struct public_key key = key_of(APPROVER_1), other = key_of(APPROVER_2), p256 = { .type = KEY_P256 };
        uint8_t bytes[256], id[KEY_ID_SIZE];
        struct cose_sign1 sign1;
        struct span payload = SPAN_LITERAL("payload"), aad = SPAN_LITERAL("aad/1");

        (void)state;
        for (int detached = 0; detached < 2; detached++) {
                struct span in = write_sign1(bytes, sizeof(bytes), APPROVER_1, "aad/1", detached);
                assert_int_equal(cose_sign1_decode(in, &sign1), RELAY_OK);
                assert_int_equal(sign1.alg, -8);
                assert_int_equal(key_id(&key, id), RELAY_OK);
                assert_span_equal(sign1.key_id, SPAN_OF(id));
                assert_int_equal(sign1.detached, detached);
                assert_int_equal(cose_sign1_verify(&sign1, &key, aad, payload, scratch, sizeof(scratch)), RELAY_OK);
                assert_int_equal(
                        cose_sign1_verify(&sign1, &key, SPAN_LITERAL("aad/2"), payload, scratch, sizeof(scratch)),
                        RELAY_E_SIGNATURE);
                assert_int_equal(cose_sign1_verify(&sign1, &key, SPAN_EMPTY, payload, scratch, sizeof(scratch)),
                                 RELAY_E_SIGNATURE);
                /* another payload matters only if the object has none of its own */
                assert_int_equal(cose_sign1_verify(&sign1, &key, aad, SPAN_LITERAL("other"), scratch, sizeof(scratch)),
                                 detached ? RELAY_E_SIGNATURE : RELAY_OK);
                assert_int_equal(cose_sign1_verify(&sign1, &other, aad, payload, scratch, sizeof(scratch)),
                                 RELAY_E_SIGNATURE);
                assert_int_equal(cose_sign1_verify(&sign1, &p256, aad, payload, scratch, sizeof(scratch)),
                                 RELAY_E_UNSUPPORTED);
                assert_int_equal(
                        cose_sign1_verify(&sign1, &(struct public_key){ 0 }, aad, payload, scratch, sizeof(scratch)),
                        RELAY_E_KEY);
                assert_int_equal(cose_sign1_verify(&sign1, &key, aad, payload, scratch, 20), RELAY_E_SPACE);
                assert_int_equal(cose_sign1_verify(&sign1, &key, aad, payload, scratch,
                                                   payload.size + aad.size + COSE_SCRATCH_EXTRA),
                                 RELAY_OK);
        }
}

static int refuse_to_sign(void *context, struct span message, uint8_t sig[SIGNATURE_SIZE])
{
        (void)context, (void)message, (void)sig;
        return -13;
}

static void test_signer_errors_travel(void **state)
{
        struct signer signer = who(APPROVER_1);
        uint8_t bytes[256];
        struct writer w;

        (void)state;
        signer.sign = refuse_to_sign;
        writer_init(&w, bytes, sizeof(bytes));
        assert_int_equal(cose_sign1_write(&w, &signer, SPAN_EMPTY, SPAN_EMPTY, true, scratch, sizeof(scratch)), -13);
        assert_int_equal(w.at, 0);
        signer.key.type = KEY_NONE;
        assert_int_equal(cose_sign1_write(&w, &signer, SPAN_EMPTY, SPAN_EMPTY, true, scratch, sizeof(scratch)),
                         RELAY_E_KEY);
        signer = who(APPROVER_1);
        writer_init(&w, bytes, 50);
        assert_int_equal(cose_sign1_write(&w, &signer, SPAN_EMPTY, SPAN_EMPTY, true, scratch, sizeof(scratch)),
                         RELAY_E_SPACE);
}

static void test_bad_forms(void **state)
{
#define SIG                                                                                                            \
        "5840"                                                                                                         \
        "000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000" \
        "00000000000000000000"
        static const struct {
                const char *hex;
                int result;
        } rows[] = {
                { "d28443a10127a0f6" SIG, RELAY_OK },
                { "8443a10127a0f6" SIG, RELAY_OK },            /* untagged */
                { "8443a10127a104420102f6" SIG, RELAY_OK },    /* unprotected header with a key id of its own */
                { "8440a0f6" SIG, RELAY_E_TRUNCATED },         /* protected header of zero length holds no map */
                { "8441a0a0f6" SIG, RELAY_OK },                /* no algorithm: fits no key */
                { "d18443a10127a0f6" SIG, RELAY_E_MALFORMED }, /* COSE_Mac0 */
                { "8343a10127a0f6", RELAY_E_MALFORMED },
                { "8543a10127a0f6" SIG "00", RELAY_E_MALFORMED },
                { "8443a1012780f6" SIG, RELAY_E_MALFORMED }, /* unprotected header is no map */
                { "8443a10127f6f6" SIG, RELAY_E_MALFORMED },
                { "84a10127a0f6" SIG, RELAY_E_MALFORMED },           /* protected header not wrapped */
                { "8443a10127a000" SIG, RELAY_E_MALFORMED },         /* payload is a number */
                { "8443a10127a0f600", RELAY_E_MALFORMED },           /* signature is a number */
                { "8444a1012700a0f6" SIG, RELAY_E_MALFORMED },       /* more after the protected map */
                { "8446a20127028101a0f6" SIG, RELAY_E_UNSUPPORTED }, /* crit */
                { "8445a201270126a0f6" SIG, RELAY_E_MALFORMED },     /* algorithm twice */
                { "8445a204410101a0f6" SIG, RELAY_E_MALFORMED },
                { "8443a10127a201000100f6" SIG, RELAY_E_MALFORMED },
                { "8444a101182700a0f6" SIG, RELAY_E_MALFORMED },
        };

        (void)state;
        for (size_t i = 0; i < ROWS(rows); i++) {
                uint8_t bytes[128];
                struct cose_sign1 sign1;
                int result = cose_sign1_decode(unhex(rows[i].hex, bytes, sizeof(bytes)), &sign1);
                if (result != rows[i].result)
                        fail_msg("row %zu: %d, expected %d", i, result, rows[i].result);
        }
}

static void test_signature_of_another_size(void **state)
{
        struct public_key key = key_of(APPROVER_1);
        uint8_t bytes[128];
        struct cose_sign1 sign1;

        (void)state;
        assert_int_equal(cose_sign1_decode(unhex("8443a10127a0f640", bytes, sizeof(bytes)), &sign1), RELAY_OK);
        assert_int_equal(cose_sign1_verify(&sign1, &key, SPAN_EMPTY, SPAN_EMPTY, scratch, sizeof(scratch)),
                         RELAY_E_SIGNATURE);
}

static void test_sets_count_keys_not_signatures(void **state)
{
        static const struct {
                enum who signers[4];
                size_t count, valid;
        } rows[] = {
                { { APPROVER_1 }, 1, 1 },
                { { APPROVER_1, APPROVER_2, APPROVER_3 }, 3, 3 },
                { { APPROVER_1, APPROVER_1, APPROVER_1 }, 3, 1 },
                { { STRANGER, APPROVER_2, STRANGER, APPROVER_2 }, 4, 1 },
                { { STRANGER, GATE }, 2, 0 },
        };
        struct public_key keys[] = { key_of(APPROVER_1), key_of(APPROVER_2), key_of(APPROVER_3), key_of(APPROVER_1) };
        struct span aad = SPAN_LITERAL("aad/1");

        (void)state;
        for (size_t i = 0; i < ROWS(rows); i++) {
                uint8_t bytes[1024];
                struct cose_set set;

                assert_int_equal(cose_set_decode(sign_set(bytes, sizeof(bytes), aad, SPAN_LITERAL("payload"),
                                                          rows[i].signers, rows[i].count),
                                                 &set),
                                 RELAY_OK);
                assert_int_equal(set.count, rows[i].count);
                assert_int_equal(cose_set_count_valid(&set, aad, keys, 4, scratch, sizeof(scratch)), rows[i].valid);
                assert_int_equal(cose_set_count_valid(&set, SPAN_EMPTY, keys, 4, scratch, sizeof(scratch)), 0);
                set.payload.size--;
                assert_int_equal(cose_set_count_valid(&set, aad, keys, 4, scratch, sizeof(scratch)), 0);
        }
}

static void test_rubbish_in_a_set_does_no_harm(void **state)
{
        struct public_key key = key_of(APPROVER_1);
        uint8_t bytes[512], attached[256];
        const enum who one = APPROVER_1;
        struct span aad = SPAN_LITERAL("aad/1");
        struct cose_set set;

        (void)state;
        assert_int_equal(cose_set_decode(sign_set(bytes, sizeof(bytes), aad, SPAN_LITERAL("payload"), &one, 1), &set),
                         RELAY_OK);
        set.signatures[1] = set.signatures[0];
        set.signatures[0] = SPAN_LITERAL("\xf6");
        set.count = 2;
        assert_int_equal(cose_set_count_valid(&set, aad, &key, 1, scratch, sizeof(scratch)), 1);
        /* a signature that brings a payload of its own says nothing about the set's */
        set.signatures[0] = write_sign1(attached, sizeof(attached), APPROVER_1, "aad/1", false);
        set.count = 1;
        assert_int_equal(cose_set_count_valid(&set, aad, &key, 1, scratch, sizeof(scratch)), 0);
        struct writer w;
        writer_init(&w, bytes, sizeof(bytes));
        set.count = COSE_SET_SIGNATURES_MAX + 1;
        assert_int_equal(cose_set_write(&w, &set), RELAY_E_RANGE);
        /* a proposal is a set nobody signed yet; where signatures count it is none */
        set.count = 0;
        assert_int_equal(cose_set_write(&w, &set), RELAY_OK);
        assert_int_equal(cose_set_decode(writer_span(&w), &set), RELAY_E_RANGE);
        assert_int_equal(cose_set_decode_proposal(writer_span(&w), &set), RELAY_OK);
        assert_int_equal(set.count, 0);
        assert_int_equal(cose_set_count_valid(&set, aad, &key, 1, scratch, sizeof(scratch)), 0);
}

static void test_bad_sets(void **state)
{
        static const struct {
                const char *hex;
                int result;
        } rows[] = {
                { "8240"
                  "81f6",
                  RELAY_OK },
                { "8240"
                  "9820"
                  "f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6",
                  RELAY_OK },
                { "8240"
                  "9821"
                  "f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6f6",
                  RELAY_E_RANGE },
                { "8240"
                  "80",
                  RELAY_E_RANGE },
                { "8140", RELAY_E_MALFORMED },
                { "8360"
                  "81f6",
                  RELAY_E_MALFORMED },
                { "8260"
                  "81f6",
                  RELAY_E_MALFORMED },
                { "8240"
                  "a1f6f6",
                  RELAY_E_MALFORMED },
                { "8240"
                  "81f600",
                  RELAY_E_MALFORMED },
                { "8240"
                  "81f7",
                  RELAY_E_MALFORMED },
                { "8240"
                  "82f6",
                  RELAY_E_TRUNCATED },
        };

        (void)state;
        for (size_t i = 0; i < ROWS(rows); i++) {
                uint8_t bytes[64];
                struct cose_set set;
                int result = cose_set_decode(unhex(rows[i].hex, bytes, sizeof(bytes)), &set);
                if (result != rows[i].result)
                        fail_msg("row %zu: %d, expected %d", i, result, rows[i].result);
        }
}

/* RFC 9052 appendix C.2.1: single ECDSA signature; the key id "11" stands in the unprotected header */
static void test_rfc_9052_example(void **state)
{
        struct public_key key = { .type = KEY_P256 };
        uint8_t bytes[128];
        struct cose_sign1 sign1;

        (void)state;
        unhex("bac5b11cad8f99f9c72b05cf4b9e26d244dc189f745228255a219a86d6a09eff"
              "20138bf82dc1b6d562be0fa54ab7804a3a64b6d72ccfed6b6fb6ed28bbfc117e",
              key.bytes, sizeof(key.bytes));
        struct span in = unhex("d28443a10126a10442313154546869732069732074686520636f6e74656e742e5840"
                               "8eb33e4ca31d1c465ab05aac34cc6b23d58fef5c083106c4d25a91aef0b0117e"
                               "2af9a291aa32e14ab834dc56ed2a223444547e01f11d3b0916e5a4c345cacb36",
                               bytes, sizeof(bytes));
        assert_int_equal(cose_sign1_decode(in, &sign1), RELAY_OK);
        assert_true(span_equal_string(sign1.payload, "This is the content."));
        assert_int_equal(sign1.key_id.size, 0);
        assert_int_equal(cose_sign1_verify(&sign1, &key, SPAN_EMPTY, SPAN_EMPTY, scratch, sizeof(scratch)), RELAY_OK);
        assert_int_equal(cose_sign1_verify(&sign1, &key, SPAN_LITERAL("x"), SPAN_EMPTY, scratch, sizeof(scratch)),
                         RELAY_E_SIGNATURE);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_sign_and_verify),
                cmocka_unit_test(test_signer_errors_travel),
                cmocka_unit_test(test_bad_forms),
                cmocka_unit_test(test_signature_of_another_size),
                cmocka_unit_test(test_sets_count_keys_not_signatures),
                cmocka_unit_test(test_rubbish_in_a_set_does_no_harm),
                cmocka_unit_test(test_bad_sets),
                cmocka_unit_test(test_rfc_9052_example),
        };
        return cmocka_run_group_tests_name("cose", tests, NULL, NULL);
}
