/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/crypto.h"
#include "unit.h"

static void test_sha512(void **state)
{
        const struct span parts[] = { SPAN_LITERAL("a"), SPAN_EMPTY, SPAN_LITERAL("bc") };
        uint8_t digest[SHA512_SIZE];
        char hex[2 * SHA512_SIZE + 1];

        (void)state;
        assert_int_equal(crypto_sha512(parts, 3, digest), RELAY_OK);
        assert_string_equal(span_to_hex(SPAN_OF(digest), hex, sizeof(hex)), /* FIPS 180-4's example */
                            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
                            "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
        assert_int_equal(crypto_sha512(NULL, 0, digest), RELAY_OK);
        assert_int_equal(digest[0], 0xcf);
}

/* The inputs of RFC 5869 appendix A.1 to A.3, and a salt longer than a block; outputs by python3-cryptography. */
static void test_hkdf(void **state)
{
        static const struct {
                const char *key, *salt, *info, *out;
        } rows[] = {
                { "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "000102030405060708090a0b0c", "f0f1f2f3f4f5f6f7f8f9",
                  "832390086cda71fb47625bb5ceb168e4c8e26a1a16ed34d9fc7fe92c1481579338da362cb8d9f925d7cb" },
                { "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f30"
                  "3132333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f",
                  "606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f808182838485868788898a8b8c8d8e8f90"
                  "9192939495969798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeaf",
                  "b0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedfe0"
                  "e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff",
                  "ce6c97192805b346e6161e821ed165673b84f400a2b514b2fe23d84cd189ddf1b695b48cbd1c8388441137b3ce28f16aa6"
                  "4ba33ba466b24df6cfcb021ecff235f6a2056ce3af1de44d572097a8505d9e7a93" },
                { "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "", "",
                  "f5fa02b18298a72a8c23898a8703472c6eb179dc204c03425c970e3b164bf90fff22d04836d0e2343bac" },
        };

        (void)state;
        for (size_t i = 0; i < ROWS(rows); i++) {
                uint8_t key[128], salt[128], info[128], wanted[128], out[128];
                struct span expected = unhex(rows[i].out, wanted, sizeof(wanted));

                assert_int_equal(crypto_hkdf_sha512(unhex(rows[i].key, key, sizeof(key)),
                                                    unhex(rows[i].salt, salt, sizeof(salt)),
                                                    unhex(rows[i].info, info, sizeof(info)), out, expected.size),
                                 RELAY_OK);
                assert_span_equal(span_of(out, expected.size), expected);
        }
}

static void test_long_salt(void **state)
{
        uint8_t salt[200], out[100], wanted[100];

        (void)state;
        for (size_t i = 0; i < sizeof(salt); i++)
                salt[i] = (uint8_t)i;
        assert_int_equal(crypto_hkdf_sha512(SPAN_LITERAL("k"), SPAN_OF(salt), SPAN_LITERAL("x"), out, sizeof(out)),
                         RELAY_OK);
        unhex("131af30452f91747f9753bfe7d431e0bc55a2bc208a9ab010a69f232dce02e8cb778e2105e824196c2076040379703b0cc971d81"
              "15e368813878f8cb047294b6671d033f7ddcb08dda5480a5a1bb72af8323df2dd53e22b23f9f8095dec5a8106b5fbc19",
              wanted, sizeof(wanted));
        assert_memory_equal(out, wanted, sizeof(out));
}

static void test_sizes(void **state)
{
        static uint8_t out[255 * SHA512_SIZE + 1];

        (void)state;
        assert_int_equal(crypto_hkdf_sha512(SPAN_LITERAL("k"), SPAN_EMPTY, SPAN_EMPTY, out, sizeof(out) - 1), RELAY_OK);
        assert_int_equal(crypto_hkdf_sha512(SPAN_LITERAL("k"), SPAN_EMPTY, SPAN_EMPTY, out, sizeof(out)),
                         RELAY_E_RANGE);
        memset(out, 0x5a, 2);
        assert_int_equal(crypto_hkdf_sha512(SPAN_EMPTY, SPAN_EMPTY, SPAN_EMPTY, out, 1), RELAY_OK);
        assert_int_equal(out[1], 0x5a);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_sha512),
                cmocka_unit_test(test_hkdf),
                cmocka_unit_test(test_long_salt),
                cmocka_unit_test(test_sizes),
        };
        return cmocka_run_group_tests_name("hkdf", tests, NULL, NULL);
}
