/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "relay/key.h"
#include "unit.h"

/* RFC 8032 section 7.1 */
static const struct {
        const char *seed, *key, *message, *sig;
} ed25519[] = {
        { "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
          "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
          "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595b"
          "be24655141438e7a100b" },
        { "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
          "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
          "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb430"
          "2aeeb00d291612bb0c00" },
        { "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
          "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
          "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716e"
          "d28dc027beceea1ec40a" },
};

/* RFC 6979 appendix A.2.5, P-256 with SHA-256 */
#define P256_KEY                                                           \
        "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6" \
        "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299"
static const struct {
        const char *message, *sig;
} es256[] = {
        { "sample", "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
                    "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8" },
        { "test", "f1abb023518351cd71d881567b1ea663ed3efcf6c5132b354f28d3b0b7d38367"
                  "019f4113742a2b14bd25926b49c649155f267e60d3814b4c0cc84250e46f0083" },
};

static struct public_key public_key(enum key_type type, const char *hex)
{
        struct public_key key = { .type = type };

        unhex(hex, key.bytes, sizeof(key.bytes));
        return key;
}

static void test_sha256(void **state)
{
        uint8_t digest[SHA256_SIZE], expected[SHA256_SIZE];
        struct sha256 h;

        (void)state;
        /* FIPS 180-4 example */
        unhex("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", expected, sizeof(expected));
        assert_int_equal(crypto_sha256(SPAN_LITERAL("abc"), digest), RELAY_OK);
        assert_memory_equal(digest, expected, sizeof(digest));
        assert_int_equal(crypto_sha256_init(&h), RELAY_OK);
        assert_int_equal(crypto_sha256_update(&h, SPAN_LITERAL("a")), RELAY_OK);
        assert_int_equal(crypto_sha256_update(&h, SPAN_EMPTY), RELAY_OK);
        assert_int_equal(crypto_sha256_update(&h, SPAN_LITERAL("bc")), RELAY_OK);
        assert_int_equal(crypto_sha256_final(&h, digest), RELAY_OK);
        assert_memory_equal(digest, expected, sizeof(digest));
}

static void test_ed25519_vectors(void **state)
{
        (void)state;
        for (size_t i = 0; i < ROWS(ed25519); i++) {
                uint8_t seed[32], message[8], sig[64], made[64];
                struct public_key key = public_key(KEY_ED25519, ed25519[i].key), derived;
                struct span m = unhex(ed25519[i].message, message, sizeof(message));

                unhex(ed25519[i].seed, seed, sizeof(seed));
                unhex(ed25519[i].sig, sig, sizeof(sig));
                assert_int_equal(crypto_ed25519_public(seed, &derived), RELAY_OK);
                assert_true(key_equal(&key, &derived));
                assert_int_equal(crypto_ed25519_sign(seed, m, made), RELAY_OK);
                assert_memory_equal(made, sig, sizeof(sig));
                assert_int_equal(crypto_verify(&key, m, sig), RELAY_OK);
                assert_int_equal(crypto_verify(&key, SPAN_LITERAL("other"), sig), RELAY_E_SIGNATURE);
                for (size_t bit = 0; bit < 512; bit += 37) {
                        sig[bit / 8] ^= (uint8_t)(1u << bit % 8);
                        assert_int_equal(crypto_verify(&key, m, sig), RELAY_E_SIGNATURE);
                        sig[bit / 8] ^= (uint8_t)(1u << bit % 8);
                }
        }
}

/* s + L is another signature by the same key over the same message; RFC 8032 section 5.1.7 refuses it */
static void test_ed25519_second_form_is_refused(void **state)
{
        static const uint8_t order[32] = { 0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58,       0xd6,
                                           0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, [31] = 0x10 };
        struct public_key key = public_key(KEY_ED25519, ed25519[0].key);
        uint8_t sig[64];
        unsigned carry = 0;

        (void)state;
        unhex(ed25519[0].sig, sig, sizeof(sig));
        for (size_t i = 0; i < 32; i++, carry >>= 8) {
                carry += sig[32 + i] + (unsigned)order[i];
                sig[32 + i] = (uint8_t)carry;
        }
        assert_int_equal(crypto_verify(&key, SPAN_EMPTY, sig), RELAY_E_SIGNATURE);
}

static void test_unusable_keys(void **state)
{
        static const struct {
                enum key_type type;
                const char *hex;
        } rows[] = {
                { KEY_NONE, "" },
                { KEY_ED25519, "0000000000000000000000000000000000000000000000000000000000000000" },
                { KEY_ED25519, "0000000000000000000000000000000000000000000000000000000000000080" },
                { KEY_ED25519, "0100000000000000000000000000000000000000000000000000000000000000" },
                { KEY_ED25519, "0100000000000000000000000000000000000000000000000000000000000080" },
                { KEY_ED25519, "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05" },
                { KEY_ED25519, "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85" },
                { KEY_ED25519, "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a" },
                { KEY_ED25519, "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa" },
                { KEY_ED25519, "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f" },
                { KEY_ED25519, "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f" },
                { KEY_ED25519, "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff" },
                { KEY_P256, "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
                            "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462298" },
                { KEY_P256, "0000000000000000000000000000000000000000000000000000000000000000"
                            "0000000000000000000000000000000000000000000000000000000000000000" },
        };
        uint8_t sig[64] = { 1 };

        (void)state;
        for (size_t i = 0; i < ROWS(rows); i++) {
                struct public_key key = public_key(rows[i].type, rows[i].hex);
                assert_int_equal(crypto_verify(&key, SPAN_LITERAL("m"), sig), RELAY_E_KEY);
        }
}

static void test_es256_vectors(void **state)
{
        struct public_key key = public_key(KEY_P256, P256_KEY);

        (void)state;
        for (size_t i = 0; i < ROWS(es256); i++) {
                uint8_t sig[64];

                unhex(es256[i].sig, sig, sizeof(sig));
                assert_int_equal(crypto_verify(&key, span_of_string(es256[i].message), sig), RELAY_OK);
                assert_int_equal(crypto_verify(&key, SPAN_LITERAL("Sample"), sig), RELAY_E_SIGNATURE);
                sig[63] ^= 1;
                assert_int_equal(crypto_verify(&key, span_of_string(es256[i].message), sig), RELAY_E_SIGNATURE);
                memset(sig, 0, sizeof(sig));
                assert_int_equal(crypto_verify(&key, span_of_string(es256[i].message), sig), RELAY_E_SIGNATURE);
                memset(sig, 0xff, sizeof(sig));
                assert_int_equal(crypto_verify(&key, span_of_string(es256[i].message), sig), RELAY_E_SIGNATURE);
        }
}

static void test_random_and_wipe(void **state)
{
        uint8_t a[32] = { 0 }, b[32] = { 0 };

        (void)state;
        assert_int_equal(crypto_random(a, sizeof(a)), RELAY_OK);
        assert_int_equal(crypto_random(b, sizeof(b)), RELAY_OK);
        assert_memory_not_equal(a, b, sizeof(a));
        crypto_wipe(a, sizeof(a));
        memset(b, 0, sizeof(b));
        assert_memory_equal(a, b, sizeof(a));
}

static void test_spki_both_ways(void **state)
{
        struct public_key keys[2] = { public_key(KEY_ED25519, ed25519[0].key), public_key(KEY_P256, P256_KEY) }, back;
        uint8_t der[KEY_SPKI_MAX + 1] = { 0 };

        (void)state;
        for (size_t i = 0; i < ROWS(keys); i++) {
                size_t size = key_to_spki(&keys[i], der);

                assert_int_equal(size, i == 0 ? 44 : 91);
                assert_int_equal(key_from_spki(span_of(der, size), &back), RELAY_OK);
                assert_true(key_equal(&keys[i], &back));
                for (size_t cut = 0; cut < size; cut++)
                        assert_true(key_from_spki(span_of(der, cut), &back) < 0);
                assert_true(key_from_spki(span_of(der, size + 1), &back) < 0);
                der[5] ^= 1;
                assert_int_equal(key_from_spki(span_of(der, size), &back), RELAY_E_UNSUPPORTED);
        }
        assert_int_equal(key_to_spki(&(struct public_key){ 0 }, der), 0);
        assert_int_equal(key_fingerprint(&(struct public_key){ 0 }, der), RELAY_E_KEY);
}

static void test_cose_keys(void **state)
{
        static const struct {
                const char *hex;
                int result;
        } rows[] = {
#define X32 "5820d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
                { "a3010120062158"
                  "20d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
                  RELAY_OK },
                { "a40102200121" X32 "22" X32, RELAY_OK },
                { "a40101200621" X32 "22" X32, RELAY_E_KEY }, /* Ed25519 with y */
                { "a30102200121" X32, RELAY_E_KEY },          /* P-256 without y */
                { "a30101200421" X32, RELAY_E_KEY },          /* X25519 */
                { "a22006"
                  "21" X32,
                  RELAY_E_KEY },                 /* no kty */
                { "a2010121" X32, RELAY_E_KEY }, /* no curve */
                { "a201012006", RELAY_E_KEY },   /* no x */
                { "a40101032720"
                  "0621" X32,
                  RELAY_E_MALFORMED }, /* alg */
                { "a4010120062158"
                  "20d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a23" X32,
                  RELAY_E_MALFORMED }, /* a private key where a public one belongs */
                { "a3010120062141aa", RELAY_E_RANGE },
                { "80", RELAY_E_MALFORMED },
        };

        (void)state;
        for (size_t i = 0; i < ROWS(rows); i++) {
                uint8_t bytes[128], again[128];
                struct span in = unhex(rows[i].hex, bytes, sizeof(bytes));
                struct public_key key;
                struct reader r;
                struct writer w;

                reader_init(&r, in);
                key_get_cose(&r, &key);
                assert_int_equal(reader_finish(&r), rows[i].result);
                assert_int_equal(key.type == KEY_NONE, rows[i].result != RELAY_OK);
                if (rows[i].result != RELAY_OK)
                        continue;
                writer_init(&w, again, sizeof(again));
                key_put_cose(&w, &key);
                assert_span_equal(writer_span(&w), in);
        }
}

static void test_key_lists(void **state)
{
        struct public_key a = public_key(KEY_ED25519, ed25519[0].key), b = public_key(KEY_ED25519, ed25519[1].key);
        struct public_key none = { 0 }, list[3] = { a, b, a };

        (void)state;
        assert_int_equal(key_find(list, 3, &b), 1);
        assert_int_equal(key_find(list, 1, &b), -1);
        assert_true(key_list_repeats(list, 3));
        assert_false(key_list_repeats(list, 2));
        assert_false(key_equal(&none, &none));
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_sha256),
                cmocka_unit_test(test_ed25519_vectors),
                cmocka_unit_test(test_ed25519_second_form_is_refused),
                cmocka_unit_test(test_unusable_keys),
                cmocka_unit_test(test_es256_vectors),
                cmocka_unit_test(test_random_and_wipe),
                cmocka_unit_test(test_spki_both_ways),
                cmocka_unit_test(test_cose_keys),
                cmocka_unit_test(test_key_lists),
        };
        return cmocka_run_group_tests_name("crypto", tests, NULL, NULL);
}
