/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keys of a start: they follow from secret and measurement, are certified by the identity key, and the secret is gone.
 */
#include "trust_lab.h"

static struct public_key identity_key(uint32_t rotations)
{
        struct public_key key;
        assert_int_equal(keys_identity(made_secret, rotations, &key), 0);
        return key;
}

static struct dice_evidence evidence(uint32_t rotations)
{
        const struct boot_keys *keys = &device.boot.keys;
        struct public_key identity = identity_key(rotations);
        struct dice_evidence out;

        assert_int_equal(dice_read_certificate(span_of(keys->certificate, keys->certificate_size), &identity, &out),
                         RELAY_OK);
        assert_true(key_equal(&out.key, &keys->key));
        return out;
}

static void restart(void)
{
        assert_int_equal(made_start(&device, &outcome), BOOT_RUN);
        assert_int_equal(outcome.keys, 0);
}

static void test_certificate_says_what_was_measured(void **state)
{
        (void)state;
        struct dice_evidence said = evidence(0);
        assert_memory_equal(said.measurement.image, first.digest, SHA256_SIZE);
        assert_memory_equal(said.measurement.manifest, first.manifest, SHA256_SIZE);
        assert_memory_equal(said.measurement.class_id, first.fields.class_id, CLASS_ID_SIZE);
        assert_int_equal(said.measurement.sequence, 10);
        assert_memory_equal(said.measurement.vendor, device.boot.vendor.digest, SHA256_SIZE);
        assert_int_equal(said.measurement.mode, DICE_MODE_NORMAL);
        assert_true(device.boot.keys.leaf_size > 0);
        assert_int_equal(device.boot.keys.rotation_size, 0);
}

static void test_another_image_has_another_key(void **state)
{
        struct public_key key = device.boot.keys.key;

        (void)state;
        restart();
        assert_true(key_equal(&key, &device.boot.keys.key)); /* the same again */
        assert_int_equal(write_and_stage(&second), REASON_NONE);
        assert_true(key_equal(&key, &device.boot.keys.key)); /* nothing changes while it runs */
        restart();
        assert_false(key_equal(&key, &device.boot.keys.key));
        assert_memory_equal(evidence(0).measurement.image, second.digest, SHA256_SIZE);
        restart(); /* not confirmed */
        assert_true(key_equal(&key, &device.boot.keys.key));

        struct vendor_keys next = rotated_vendor();
        assert_int_equal(hand_over(PORT_BOOT_VENDOR, vendor_successor(&next)), REASON_NONE);
        restart();
        assert_false(key_equal(&key, &device.boot.keys.key)); /* another owner of trust */
}

static bool memory_holds(const void *memory, size_t size, const uint8_t secret[32])
{
        for (size_t i = 0; i + 32 <= size; i++)
                if (memcmp((const uint8_t *)memory + i, secret, 32) == 0)
                        return true;
        return false;
}

static void test_secret_is_gone(void **state)
{
        uint8_t seed[ED25519_SEED_SIZE];

        (void)state;
        assert_int_equal(dice_key_seed(made_secret, seed), 0);
        assert_true(memory_holds(device.memory, LAYOUT_SECURE_SECTORS * LAYOUT_SECTOR_SIZE, made_secret));
        assert_false(memory_holds(&device.boot, sizeof(device.boot), made_secret));
        assert_false(memory_holds(&device.boot, sizeof(device.boot), seed));
        assert_true(
                memory_holds(&device.boot, sizeof(device.boot), device.boot.keys.seed)); /* the search finds things */
        for (size_t i = LAYOUT_SECURE_SECTORS * LAYOUT_SECTOR_SIZE; i + 32 <= sizeof(device.memory); i++)
                assert_memory_not_equal(device.memory + i, made_secret, 32);
}

/* ---- use */

static void test_statement(void **state)
{
        struct attest_challenge challenge = { { 1, 2, 3 }, { 4, 5, 6 } };
        uint8_t statement[ATTEST_STATEMENT_MAX], scratch[ATTEST_STATEMENT_MAX + 128];
        struct public_key identity = identity_key(0);
        struct attest_statement said;
        struct dice_evidence seen;
        struct writer w;

        (void)state;
        for (uint32_t start = 1; start < 4; start++, restart()) {
                writer_init(&w, statement, sizeof(statement));
                assert_int_equal(boot_attest(&device.boot, &challenge, &w), 0);
                assert_int_equal(attest_check(writer_span(&w), &challenge, "device-1", &identity, &said, &seen, scratch,
                                              sizeof(scratch)),
                                 REASON_NONE);
                assert_int_equal(said.boot, start);
                assert_memory_equal(seen.measurement.image, first.digest, SHA256_SIZE);
                assert_true(span_equal(said.device_certificate, made_certificate("device-1", &identity)));
                assert_int_equal(said.rotation.size, 0);
        }
        writer_init(&w, statement, 100);
        assert_int_equal(boot_attest(&device.boot, &challenge, &w), RELAY_E_SPACE);
}

static void test_chain_is_leaf_and_device_certificate(void **state)
{
        struct public_key identity = identity_key(0);
        uint8_t bytes[3 * IDENTITY_CERTIFICATE_SIZE];
        struct writer w;

        (void)state;
        writer_init(&w, bytes, sizeof(bytes));
        assert_int_equal(boot_put_chain(&device.boot, &w), 0);
        struct span chain = writer_span(&w), above = made_certificate("device-1", &identity);
        assert_int_equal(chain.size, device.boot.keys.leaf_size + above.size);
        assert_true(span_equal(span_slice(chain, device.boot.keys.leaf_size, chain.size), above));
        assert_true(identity_is_named(span_slice(chain, 0, device.boot.keys.leaf_size), "device-1"));
}

/* ---- locking */

static unsigned locked;
static int lock_result;

static int lock(void *context)
{
        (void)context;
        locked++;
        return lock_result;
}

static void test_secret_is_locked_in_every_start(void **state)
{
        enum reason trust;

        (void)state;
        device.board.lock = lock;
        locked = 0;
        lock_result = 0;
        assert_int_equal(made_start(&device, &outcome), BOOT_RUN);
        assert_int_equal(locked, 1);
        assert_int_equal(boot_open(&device.boot, &device.board, &trust), 0);
        assert_int_equal(locked, 1); /* the local port comes before */
        made_area(&device, LAYOUT_IMAGE_A)[100] ^= 1;
        assert_int_equal(made_start(&device, &outcome), BOOT_STUCK);
        assert_int_equal(locked, 2);
        assert_int_equal(boot_unclaim(&device.boot), 0);
        assert_int_equal(made_start(&device, &outcome), BOOT_UNCLAIMED);
        assert_int_equal(locked, 3);
        lock_result = PORT_E_IO;
        assert_int_equal(made_start(&device, &outcome), PORT_E_IO);
}

/* ---- certificates */

static void test_certificates_by_the_local_port(void **state)
{
        static const struct {
                const char *name;
                uint32_t of_key; /* rotations */
                bool rotate;     /* is due */
                int expected;
        } rows[] = {
                { "device-1", 0, false, 0 },
                { "device-1", 0, true, 0 },
                { "device-1", 1, true, 0 },
                { "device-1", 1, false, RELAY_E_KEY },
                { "device-1", 2, true, RELAY_E_KEY },
                { "device-2", 0, false, RELAY_E_RANGE },
                { "device-11", 0, false, RELAY_E_RANGE },
        };

        for (size_t i = 0; i < ROWS(rows); i++) {
                setup(state);
                struct public_key key = identity_key(rows[i].of_key);
                struct span certificate = made_certificate(rows[i].name, &key);
                if (rows[i].rotate)
                        assert_int_equal(boot_rotate(&device.boot), 0);
                uint8_t area = device.boot.record.identity_area;
                assert_int_equal(boot_certify(&device.boot, &certificate, 1), rows[i].expected);
                assert_int_equal(device.boot.record.identity_area == area, rows[i].expected != 0);
                restart();
                assert_true(device.boot.keys.leaf_size > 0);
        }
        struct span rubbish[] = { SPAN_LITERAL("rubbish"), SPAN_EMPTY, SPAN_EMPTY };
        assert_int_equal(boot_certify(&device.boot, rubbish, 1), RELAY_E_RANGE);
        assert_int_equal(boot_certify(&device.boot, rubbish, 0), RELAY_E_RANGE);
        assert_int_equal(boot_certify(&device.boot, rubbish, 3), RELAY_E_RANGE);
}

static void test_without_certificate_it_runs_and_says_so(void **state)
{
        struct device_identity identity = { .name = "device-1" };
        struct public_key key = identity_key(0);

        (void)state;
        memcpy(identity.class_id, device.boot.class_id, CLASS_ID_SIZE);
        assert_int_equal(identity_write(&device.flash, 0, &identity), 0);
        assert_int_equal(made_start(&device, &outcome), BOOT_RUN);
        assert_int_equal(outcome.keys, RELAY_E_STATE);
        assert_int_equal(device.boot.keys.leaf_size, 0);
        struct span certificate = made_certificate("device-1", &key);
        assert_int_equal(boot_certify(&device.boot, &certificate, 1), 0);
        restart();
}

static int certify(void)
{
        struct public_key key = identity_key(0);
        struct span certificate = made_certificate("device-1", &key);
        return boot_certify(&device.boot, &certificate, 1);
}

static void test_cut_at_every_operation_of_certifying(void **state)
{
        for (uint64_t cut = 1;; cut++) {
                setup(state);
                made_power(&device, cut);
                bool done = certify() == 0 && !device.ram.off;
                made_power(&device, 0);
                restart();
                assert_true(device.boot.keys.leaf_size > 0);
                if (done)
                        break;
                assert_int_equal(certify(), 0);
                restart();
        }
}

/* ---- rotation */

static enum reason check_rotation(uint32_t number)
{
        const struct boot_keys *keys = &device.boot.keys;
        struct public_key before = identity_key(number - 1), after = identity_key(number);
        struct rotation rotation;

        enum reason reason = rotation_check(span_of(keys->rotation, keys->rotation_size), "device-1", &before,
                                            &rotation);
        if (reason == REASON_NONE) {
                assert_int_equal(rotation.number, number);
                assert_true(key_equal(&rotation.new_key, &after));
        }
        return reason;
}

static void test_rotation(void **state)
{
        struct public_key key = device.boot.keys.key;

        (void)state;
        assert_int_equal(boot_rotate(&device.boot), 0);
        assert_true(device.boot.record.rotate);
        assert_int_equal(device.boot.record.rotations, 0);
        for (uint32_t number = 1; number < 4; number++) {
                restart();
                assert_int_equal(device.boot.record.rotations, number);
                assert_false(device.boot.record.rotate);
                assert_int_equal(check_rotation(number), REASON_NONE);
                assert_false(key_equal(&key, &device.boot.keys.key));
                (void)evidence(number);
                /* of an earlier key the certificate still is, and signs the leaf */
                assert_true(device.boot.keys.leaf_size > 0);
                key = device.boot.keys.key;
                restart(); /* and once is once */
                assert_int_equal(device.boot.record.rotations, number);
                assert_true(key_equal(&key, &device.boot.keys.key));
                assert_int_equal(check_rotation(number), REASON_NONE);
                assert_int_equal(boot_rotate(&device.boot), 0);
        }
}

static void test_statement_carries_the_rotation(void **state)
{
        uint8_t statement[ATTEST_STATEMENT_MAX], scratch[ATTEST_STATEMENT_MAX + 128];
        struct attest_challenge challenge = { { 1 }, { 2 } };
        struct public_key identity = identity_key(1);
        struct attest_statement said;
        struct dice_evidence seen;
        struct writer w;

        (void)state;
        assert_int_equal(boot_rotate(&device.boot), 0);
        restart();
        writer_init(&w, statement, sizeof(statement));
        assert_int_equal(boot_attest(&device.boot, &challenge, &w), 0);
        assert_int_equal(attest_check(writer_span(&w), &challenge, "device-1", &identity, &said, &seen, scratch,
                                      sizeof(scratch)),
                         REASON_NONE);
        assert_true(span_equal(said.rotation, span_of(device.boot.keys.rotation, device.boot.keys.rotation_size)));
}

/* The old key or the new one, never none; and a mark is not lost once it was set. */
static void test_cut_at_every_operation_of_a_rotation(void **state)
{
        for (uint64_t cut = 1;; cut++) {
                setup(state);
                made_power(&device, cut);
                bool marked = boot_rotate(&device.boot) == 0;
                bool started = made_start(&device, &outcome) == BOOT_RUN && !device.ram.off;
                made_power(&device, 0);
                restart();
                uint32_t rotations = device.boot.record.rotations;
                assert_true(rotations <= 1 && (!marked || rotations == 1));
                (void)evidence(rotations);
                if (rotations == 1)
                        assert_int_equal(check_rotation(1), REASON_NONE);
                if (started)
                        break;
        }
}

/* ---- damage */

static void test_damaged_identity(void **state)
{
        static const struct {
                const char *name;
                enum layout_area areas[2];
                size_t count, at;
                int start, keys; /* keys: is there one */
        } rows[] = {
                { "in force", { LAYOUT_IDENTITY }, 1, LAYOUT_SECTOR_SIZE + 100, BOOT_RUN, 1 },
                { "in force, its header", { LAYOUT_IDENTITY }, 1, 6, BOOT_RUN, 1 },
                { "the spare one", { LAYOUT_IDENTITY_SPARE }, 1, LAYOUT_SECTOR_SIZE + 100, BOOT_RUN, 1 },
                { "both", { LAYOUT_IDENTITY, LAYOUT_IDENTITY_SPARE }, 2, LAYOUT_SECTOR_SIZE + 2, RELAY_E_MALFORMED, 0 },
                { "the secret", { LAYOUT_SECRET }, 1, LAYOUT_SECTOR_SIZE + 5, BOOT_RUN, 0 },
        };

        for (size_t i = 0; i < ROWS(rows); i++) {
                setup(state);
                for (size_t area = 0; area < rows[i].count; area++)
                        made_area(&device, rows[i].areas[area])[rows[i].at] ^= 0x10;
                if (made_start(&device, &outcome) != rows[i].start)
                        fail_msg("%s", rows[i].name);
                if (rows[i].start != BOOT_RUN)
                        continue;
                assert_int_equal(outcome.keys == 0, rows[i].keys);
                assert_int_equal(device.boot.keys.key.type == KEY_ED25519, rows[i].keys);
                assert_int_equal(certify() == 0, rows[i].keys); /* which mends a damaged area */
                assert_memory_equal(device.executed, first.digest, SHA256_SIZE);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(test_certificate_says_what_was_measured, setup),
                cmocka_unit_test_setup(test_another_image_has_another_key, setup),
                cmocka_unit_test_setup(test_secret_is_gone, setup),
                cmocka_unit_test_setup(test_statement, setup),
                cmocka_unit_test_setup(test_chain_is_leaf_and_device_certificate, setup),
                cmocka_unit_test_setup(test_secret_is_locked_in_every_start, setup),
                cmocka_unit_test_setup(test_certificates_by_the_local_port, setup),
                cmocka_unit_test_setup(test_without_certificate_it_runs_and_says_so, setup),
                cmocka_unit_test(test_cut_at_every_operation_of_certifying),
                cmocka_unit_test_setup(test_rotation, setup),
                cmocka_unit_test_setup(test_statement_carries_the_rotation, setup),
                cmocka_unit_test(test_cut_at_every_operation_of_a_rotation),
                cmocka_unit_test(test_damaged_identity),
        };
        return cmocka_run_group_tests_name("boot_keys", tests, NULL, NULL);
}
