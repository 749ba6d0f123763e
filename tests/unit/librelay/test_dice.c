/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "dice_objects.h"

/*
 * Examples that google/open-dice publishes for its Ed25519 X.509 certificates (known_test_values.h): "zero input" and
 * "hash only input". identity_id and cdi_id stand in the certificates as serial numbers and names, key as the
 * subject's.
 */
static const struct {
        const char *uds, *code, *configuration, *authority, *cdi, *identity_id, *key, *cdi_id;
} published[] = {
#define ZERO_32 "0000000000000000000000000000000000000000000000000000000000000000"
        { ZERO_32, ZERO_32 ZERO_32, ZERO_32 ZERO_32, ZERO_32 ZERO_32,
          "fbfc679771342eeacb908659ce49d6b63b4535da2c51433d7f04efa6319e0c19",
          "7a06eee41b789f4863d86b8778b1a201a6fedd56",
          "0d14e5de292eb1c8b31beae43ab55d8e9dc014b73eaa83b925a0788cc62e5c8d",
          "67c22a8859062b986818e8e72b0bcd9f59349c89" },
        { "326b7af456fd2c702a76392e8dee3c355bd48d35438c0ffbca2d9484c9f695d4",
          "b7d40ccb225ba5788f98ff9e869375f690ac50cf9ebd0afeb1d9c24e5219e4de29e561f3f929e840877add174805897e2bcb5479cc66"
          "f1b313290c6896b2bb8f",
          "cf997bea2e2c86a07b5209c8b53c411229281a820d499c95cb0b1b311a019cf2661ad9b5ce5259cbf4819b21af325d07a01e91596f06"
          "55108e2e08885228867f",
          "22526017ef2ca1f6cbed39d5e2aa6520fbad8293e578232297c16e6a4e36d76a61390821d4fe925f362deb5dbb328be3944fbe1b21f9"
          "cc237341b6b9b698d0bc",
          "084ef406c69ba74b1e24d062f9ab8a8d89da6e03e4c6b122857cf74fd6a4bee5",
          "475708eb3b426f386cfce8f3baf5439046278dfa",
          "5a3949678cd30e88ab1cddf71555d5bfd3f0b84725a958e1b9da4eb5f1389a5a",
          "0d040e2f460052a5311c1b91dbf9b4408332ec29" },
};

static void assert_hex(struct span bytes, const char *hex)
{
        char text[4096];

        assert_string_equal(span_to_hex(bytes, text, sizeof(text)), hex);
}

static void assert_key_of_secret(const uint8_t secret[DICE_SECRET_SIZE], const char *key_hex, const char *id_hex)
{
        uint8_t seed[ED25519_SEED_SIZE], id[DICE_ID_SIZE];
        struct public_key key;

        assert_int_equal(dice_key_seed(secret, seed), RELAY_OK);
        assert_int_equal(crypto_ed25519_public(seed, &key), RELAY_OK);
        if (key_hex)
                assert_hex(span_of(key.bytes, 32), key_hex);
        assert_int_equal(dice_id(&key, id), RELAY_OK);
        assert_hex(SPAN_OF(id), id_hex);
}

static void test_published_examples(void **state)
{
        (void)state;
        for (size_t i = 0; i < ROWS(published); i++) {
                uint8_t uds[DICE_SECRET_SIZE], cdi[DICE_SECRET_SIZE];
                struct dice_inputs inputs = { 0 };

                unhex(published[i].uds, uds, sizeof(uds));
                unhex(published[i].code, inputs.code, sizeof(inputs.code));
                unhex(published[i].configuration, inputs.configuration, sizeof(inputs.configuration));
                unhex(published[i].authority, inputs.authority, sizeof(inputs.authority));
                assert_int_equal(dice_cdi_attest_of(uds, &inputs, cdi), RELAY_OK);
                assert_hex(SPAN_OF(cdi), published[i].cdi);
                assert_key_of_secret(uds, NULL, published[i].identity_id);
                assert_key_of_secret(cdi, published[i].key, published[i].cdi_id);
        }
}

/* each input value changes the CDI: by it a key belongs to one image, one mode, one owner of trust */
static void test_every_input_counts(void **state)
{
        uint8_t uds[DICE_SECRET_SIZE] = { 7 }, seen[10][DICE_SECRET_SIZE];
        struct dice_measurement variants[] = {
                { .mode = DICE_MODE_NORMAL },
                { .mode = DICE_MODE_DEBUG },
                { .mode = DICE_MODE_RECOVERY },
                { .mode = DICE_MODE_NOT_CONFIGURED },
                { .mode = DICE_MODE_NORMAL, .image = { 1 } },
                { .mode = DICE_MODE_NORMAL, .manifest = { 1 } },
                { .mode = DICE_MODE_NORMAL, .class_id = { 1 } },
                { .mode = DICE_MODE_NORMAL, .sequence = 1 },
                { .mode = DICE_MODE_NORMAL, .vendor = { 1 } },
        };

        (void)state;
        for (size_t i = 0; i < ROWS(variants); i++)
                assert_int_equal(dice_cdi_attest(uds, &variants[i], seen[i]), RELAY_OK);
        uds[31] = 1;
        assert_int_equal(dice_cdi_attest(uds, &variants[0], seen[9]), RELAY_OK);
        for (size_t i = 0; i < ROWS(seen); i++)
                for (size_t j = 0; j < i; j++)
                        assert_memory_not_equal(seen[i], seen[j], DICE_SECRET_SIZE);
}

static void test_rotated_secrets(void **state)
{
        uint8_t uds[DICE_SECRET_SIZE], secrets[4][DICE_SECRET_SIZE], wanted[DICE_SECRET_SIZE];

        (void)state;
        memset(uds, 0x11, sizeof(uds));
        for (uint32_t i = 0; i < 3; i++)
                assert_int_equal(dice_rotated_secret(uds, i, secrets[i]), RELAY_OK);
        assert_int_equal(dice_rotated_secret(uds, UINT32_MAX, secrets[3]), RELAY_OK);
        assert_memory_equal(secrets[0], uds, sizeof(uds));
        for (size_t i = 0; i < ROWS(secrets); i++)
                for (size_t j = 0; j < i; j++)
                        assert_memory_not_equal(secrets[i], secrets[j], DICE_SECRET_SIZE);
        assert_int_equal(crypto_hkdf_sha512(SPAN_OF(uds), SPAN_EMPTY, SPAN_LITERAL("rotation 2"), wanted, 32),
                         RELAY_OK);
        assert_memory_equal(secrets[2], wanted, sizeof(wanted));
        assert_int_equal(crypto_hkdf_sha512(SPAN_OF(uds), SPAN_EMPTY, SPAN_LITERAL("rotation 4294967295"), wanted, 32),
                         RELAY_OK);
        assert_memory_equal(secrets[3], wanted, sizeof(wanted));
}

static void test_ids_are_of_ed25519_keys(void **state)
{
        struct public_key key = { .type = KEY_P256, .bytes = { 1 } };
        uint8_t id[DICE_ID_SIZE];

        (void)state;
        assert_int_equal(dice_id(&key, id), RELAY_E_KEY);
        key.type = KEY_NONE;
        assert_int_equal(dice_id(&key, id), RELAY_E_KEY);
}

/* ---- certificates */

static void assert_same_measurement(const struct dice_measurement *a, const struct dice_measurement *b)
{
        assert_memory_equal(a->image, b->image, sizeof(a->image));
        assert_memory_equal(a->manifest, b->manifest, sizeof(a->manifest));
        assert_memory_equal(a->class_id, b->class_id, sizeof(a->class_id));
        assert_memory_equal(a->vendor, b->vendor, sizeof(a->vendor));
        assert_true(a->sequence == b->sequence && a->mode == b->mode);
}

static void test_certificate_both_ways(void **state)
{
        static const uint64_t sequences[] = { 0, 23, 24, 70000, UINT64_MAX };

        (void)state;
        for (size_t i = 0; i < ROWS(sequences); i++) {
                struct dice_device device = dice_device(DICE_MODE_NORMAL);
                struct dice_evidence evidence;
                uint8_t der[DICE_CERTIFICATE_MAX], again[DICE_CERTIFICATE_MAX];
                struct writer w;

                device.measurement.sequence = sequences[i];
                device.measurement.mode = (enum dice_mode)(i % 4);
                struct span in = dice_certificate(&device, der);
                assert_int_equal(dice_read_certificate(in, &device.identity, &evidence), RELAY_OK);
                assert_true(key_equal(&evidence.key, &device.key));
                assert_same_measurement(&evidence.measurement, &device.measurement);
                writer_init(&w, again, in.size - 1);
                assert_int_equal(dice_write_certificate(&w, device.identity_seed, &device.key, &device.measurement),
                                 RELAY_E_SPACE);
        }
}

/* no byte can be other, none missing, none added, and nothing is read beyond */
static void test_every_byte_of_a_certificate_counts(void **state)
{
        struct dice_device device = dice_device(DICE_MODE_NORMAL);
        uint8_t der[DICE_CERTIFICATE_MAX], copy[DICE_CERTIFICATE_MAX];
        struct span in = dice_certificate(&device, der);
        struct dice_evidence evidence, untouched;

        (void)state;
        memset(&evidence, 0xa5, sizeof(evidence));
        untouched = evidence;
        for (size_t i = 0; i < in.size; i++) {
                memcpy(copy, der, in.size);
                copy[i] ^= 1u << i % 8;
                assert_true(dice_read_certificate(span_of(copy, in.size), &device.identity, &evidence) < 0);
                assert_true(dice_read_certificate(span_of(der, i), &device.identity, &evidence) < 0);
        }
        memcpy(copy, der, in.size);
        copy[in.size] = 0;
        assert_true(dice_read_certificate(span_of(copy, in.size + 1), &device.identity, &evidence) < 0);
        assert_memory_equal(&evidence, &untouched, sizeof(evidence));
}

static void test_wrong_identity_key(void **state)
{
        struct dice_device device = dice_device(DICE_MODE_NORMAL);
        struct public_key other = key_of(STRANGER), none = { 0 };
        uint8_t der[DICE_CERTIFICATE_MAX];
        struct span in = dice_certificate(&device, der);
        struct dice_evidence evidence;

        (void)state;
        assert_int_equal(dice_read_certificate(in, &other, &evidence), RELAY_E_SIGNATURE);
        assert_int_equal(dice_read_certificate(in, &none, &evidence), RELAY_E_SIGNATURE);
        assert_int_equal(dice_read_certificate(in, &device.key, &evidence), RELAY_E_SIGNATURE);
}

/* What the identity key itself signed, in another form than the boot stage's: a certificate is taken as a whole. */
static struct span resigned(const struct dice_device *device, struct span in, uint8_t *out, size_t at, uint8_t value)
{
        size_t tbs_end = in.size - 2 - 5 - 3 - SIGNATURE_SIZE; /* algorithm, BIT STRING */

        memcpy(out, in.data, in.size);
        out[at] = value;
        assert_int_equal(crypto_ed25519_sign(device->identity_seed, span_of(out + 4, tbs_end - 4),
                                             out + in.size - SIGNATURE_SIZE),
                         RELAY_OK);
        return span_of(out, in.size);
}

static size_t find(struct span in, struct span part)
{
        for (size_t i = 0; i + part.size <= in.size; i++)
                if (memcmp(in.data + i, part.data, part.size) == 0)
                        return i;
        fail_msg("not found");
        return 0;
}

static void test_forms_that_only_look_signed(void **state)
{
        struct dice_device device = dice_device(DICE_MODE_NORMAL);
        uint8_t der[DICE_CERTIFICATE_MAX], other[DICE_CERTIFICATE_MAX];
        struct span in = dice_certificate(&device, der);
        size_t image = find(in, SPAN_OF(device.measurement.image)), mode = find(in, SPAN_LITERAL("\xa6\x03\x0a\x01"));
        const struct {
                size_t at;
                uint8_t value;
                int result;
        } rows[] = {
                { image, 0xee, RELAY_E_MALFORMED },      /* the descriptor is not the hash's */
                { image - 70, 0xee, RELAY_E_MALFORMED }, /* nor the hash the descriptor's */
                { mode + 4, 2, RELAY_OK },               /* a truth that its signer may tell */
                { mode + 4, 4, RELAY_E_MALFORMED },
                { mode, 0xa7, RELAY_E_MALFORMED },
                { find(in, SPAN_LITERAL("9999")), '8', RELAY_E_MALFORMED },
                { find(in, SPAN_LITERAL("\x55\x1d\x13")) + 2, 0x14, RELAY_E_MALFORMED },
                { find(in, SPAN_LITERAL("\xa5\x22\x04\x20")), 0xa7, RELAY_E_UNSUPPORTED },
        };
        struct dice_evidence evidence;

        (void)state;
        for (size_t i = 0; i < ROWS(rows); i++)
                assert_int_equal(dice_read_certificate(resigned(&device, in, other, rows[i].at, rows[i].value),
                                                       &device.identity, &evidence),
                                 rows[i].result);
}

/* The published certificate is the profile's, and not of our inputs: hashes without descriptors. */
static void test_certificates_of_other_devices(void **state)
{
        static const char hex[] =
                "3082027a3082022ca003020102021467c22a8859062b986818e8e72b0bcd9f59349c89300506032b6570303331"
                "31302f060355040513283761303665656534316237383966343836336438366238373738623161323031613666"
                "656464353630"
                "20170d3138303332323233353935395a180f39393939313233313233353935395a303331"
                "31302f060355040513283637633232613838353930363262393836383138653865373262306263643966353933"
                "3439633839302a300506032b65700321000d14e5de292eb1c8b31beae43ab55d8e9dc014b73eaa83b925a0788c"
                "c62e5c8da382014e3082014a301f0603551d230418301680147a06eee41b789f4863d86b8778b1a201a6fedd56"
                "301d0603551d0e0416041467c22a8859062b986818e8e72b0bcd9f59349c89300e0603551d0f0101ff04040302"
                "0204300f0603551d130101ff040530030101ff3081e6060a2b06010401d6790201180101ff0481d43081d1a042"
                "0440" ZERO_32 ZERO_32 "a3420440" ZERO_32 ZERO_32 "a4420440" ZERO_32 ZERO_32
                "a6030a0100300506032b65700341007023a8a378fe5f8c8d834995ffeee612399c4da049f64b4ff7021e9f970c"
                "bd3b7f94782609fef2917ca4dd9007cc95a8bc4af48469ec24a49eb7010e813aa30a";
        uint8_t der[DICE_CERTIFICATE_MAX], uds[DICE_SECRET_SIZE] = { 0 }, seed[ED25519_SEED_SIZE];
        struct dice_evidence evidence;
        struct public_key identity;
        struct span in = unhex(hex, der, sizeof(der));

        (void)state;
        assert_int_equal(in.size, 638);
        assert_int_equal(dice_key_seed(uds, seed), RELAY_OK);
        assert_int_equal(crypto_ed25519_public(seed, &identity), RELAY_OK);
        /* the identity key that is derived here is the one that signed there */
        assert_int_equal(crypto_verify(&identity, span_of(der + 4, 0x22c + 4), der + 638 - SIGNATURE_SIZE), RELAY_OK);
        assert_int_equal(dice_read_certificate(in, &identity, &evidence), RELAY_E_UNSUPPORTED);
}

static void test_leaf(void **state)
{
        struct dice_device device = dice_device(DICE_MODE_NORMAL);
        uint8_t ca[DICE_CERTIFICATE_MAX], der[DICE_CERTIFICATE_MAX], seed[ED25519_SEED_SIZE] = { 9 };
        struct span issuer = unhex(SAMPLE_DEVICE_CERTIFICATE, ca, sizeof(ca));
        struct dice_evidence evidence;
        struct writer w;

        (void)state;
        writer_init(&w, der, sizeof(der));
        assert_int_equal(dice_write_leaf(&w, device.identity_seed, issuer, &device.key, &device.measurement), RELAY_OK);
        assert_true(writer_needed(&w) <= DICE_CERTIFICATE_MAX);
        /* subject and issuer are the device certificate's name */
        assert_int_not_equal(find(writer_span(&w), SPAN_LITERAL("device-1")), 0);
        /* it is no CDI certificate, though the same key signed it over the same measurement */
        assert_int_equal(dice_read_certificate(writer_span(&w), &device.identity, &evidence), RELAY_E_MALFORMED);

        writer_init(&w, der, sizeof(der));
        assert_int_equal(dice_write_leaf(&w, seed, issuer, &device.key, &device.measurement), RELAY_E_KEY);
        for (size_t cut = 0; cut < issuer.size; cut++) {
                writer_init(&w, der, sizeof(der));
                assert_true(dice_write_leaf(&w, device.identity_seed, span_slice(issuer, 0, cut), &device.key,
                                            &device.measurement) < 0);
        }
        struct span without = dice_certificate(&device, ca); /* a certificate, and of another key */
        writer_init(&w, der, sizeof(der));
        assert_int_equal(dice_write_leaf(&w, device.identity_seed, without, &device.key, &device.measurement),
                         RELAY_E_KEY);
        writer_init(&w, der, 200);
        issuer = unhex(SAMPLE_DEVICE_CERTIFICATE, ca, sizeof(ca));
        assert_int_equal(dice_write_leaf(&w, device.identity_seed, issuer, &device.key, &device.measurement),
                         RELAY_E_SPACE);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_published_examples),
                cmocka_unit_test(test_every_input_counts),
                cmocka_unit_test(test_rotated_secrets),
                cmocka_unit_test(test_ids_are_of_ed25519_keys),
                cmocka_unit_test(test_certificate_both_ways),
                cmocka_unit_test(test_every_byte_of_a_certificate_counts),
                cmocka_unit_test(test_wrong_identity_key),
                cmocka_unit_test(test_forms_that_only_look_signed),
                cmocka_unit_test(test_certificates_of_other_devices),
                cmocka_unit_test(test_leaf),
        };
        return cmocka_run_group_tests_name("dice", tests, NULL, NULL);
}
