/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whose signatures make a manifest. What a manifest may say is tests/system/test_objects.py's. */
#include "objects.h"

static void test_vendor_roles(void **state)
{
        static const struct {
                enum who organisation, developer, command;
                int result;
        } rows[] = {
                { ORGANISATION, DEVELOPER, COMMAND, RELAY_OK },
                { ORGANISATION, ORGANISATION, COMMAND, RELAY_E_RANGE },
                { ORGANISATION, DEVELOPER, DEVELOPER, RELAY_E_RANGE },
                { ORGANISATION, DEVELOPER, ORGANISATION, RELAY_E_RANGE },
        };

        (void)state;
        for (size_t i = 0; i < ROWS(rows); i++) {
                struct vendor_keys keys = sample_vendor();
                uint8_t bytes[1024];
                struct writer w;

                keys.organisation[0] = key_of(rows[i].organisation);
                keys.developer[0] = key_of(rows[i].developer);
                keys.command[0] = key_of(rows[i].command);
                writer_init(&w, bytes, sizeof(bytes));
                assert_int_equal(vendor_keys_encode(&w, &keys), rows[i].result);
        }
}

/* Two roles need two keys, even under a key set that no decoder has seen. */
static void test_manifest_roles(void **state)
{
        static const enum who orders[][2] = { { ORGANISATION, DEVELOPER }, { DEVELOPER, ORGANISATION } };
        struct manifest_unverified in;
        struct manifest_verified out;
        struct vendor_keys keys = sample_vendor(), both = sample_vendor();
        uint8_t bytes[MANIFEST_MAX];

        (void)state;
        for (size_t i = 0; i < ROWS(orders); i++) {
                assert_int_equal(manifest_decode(write_manifest(bytes, sizeof(bytes), orders[i], 2), &in), REASON_NONE);
                assert_int_equal(manifest_verify(&in, &keys, &out), REASON_NONE);
        }
        both.developer[0] = both.organisation[0];
        assert_int_equal(manifest_verify(&in, &both, &out), REASON_DEVELOPER_SIGNATURE);
        keys.vendor_id[0] ^= 1;
        assert_int_equal(manifest_verify(&in, &keys, &out), REASON_WRONG_VENDOR);
        keys.vendor_id[0] ^= 1;
        assert_int_equal(manifest_decode(write_manifest(bytes, sizeof(bytes), orders[0], 1), &in), REASON_NONE);
        assert_int_equal(manifest_verify(&in, &keys, &out), REASON_DEVELOPER_SIGNATURE);
        assert_int_equal(manifest_decode(write_manifest(bytes, sizeof(bytes), orders[1], 1), &in), REASON_NONE);
        assert_int_equal(manifest_verify(&in, &keys, &out), REASON_ORGANISATION_SIGNATURE);
}

static void test_manifest_fields_survive(void **state)
{
        struct manifest_fields fields = sample_manifest();
        struct manifest_unverified in;
        uint8_t bytes[MANIFEST_MAX];

        (void)state;
        assert_int_equal(manifest_decode(write_manifest(bytes, sizeof(bytes), NULL, 0), &in), REASON_NONE);
        assert_int_equal(in.fields.sequence, fields.sequence);
        assert_int_equal(in.fields.image_size, fields.image_size);
        assert_memory_equal(in.fields.image_digest, fields.image_digest, SHA256_SIZE);
        assert_memory_equal(in.fields.block_list_digest, fields.block_list_digest, SHA256_SIZE);
        assert_span_equal(in.fields.version, fields.version);
        assert_span_equal(in.fields.urgency, fields.urgency);
        assert_span_equal(in.fields.description, fields.description);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_vendor_roles),
                cmocka_unit_test(test_manifest_roles),
                cmocka_unit_test(test_manifest_fields_survive),
        };
        return cmocka_run_group_tests_name("vendor", tests, NULL, NULL);
}
