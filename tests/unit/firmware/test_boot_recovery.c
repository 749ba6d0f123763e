/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Recovery: whatever happens to both slots, the device comes back, by itself, and never to something older. */
#include "trust_lab.h"

static struct made_image rescue;

static int setup_recovery(void **state)
{
        made_image(&rescue, 9, 3); /* as old as the device, below every floor */
        made_recovery(&rescue);
        return setup(state);
}

static void damage(enum layout_area area)
{
        made_area(&device, area)[LAYOUT_SECTOR_SIZE + 7] ^= 0x20;
}

static void assert_recovers(void)
{
        assert_int_equal(made_start(&device, &outcome), BOOT_RECOVERY);
        assert_memory_equal(device.executed, rescue.digest, SHA256_SIZE);
        assert_int_equal(outcome.recovery, REASON_NONE);
        boot_status(&device.boot, &status);
        assert_true(status.recovery);
        assert_true(status.confirmed);
        assert_int_equal(status.slot, 1 - device.boot.record.confirmed_slot);
        assert_memory_equal(status.image, rescue.digest, SHA256_SIZE);
        assert_memory_equal(status.manifest, rescue.manifest, SHA256_SIZE);
}

static void install_second(void)
{
        assert_int_equal(write_and_stage(&second), REASON_NONE);
        assert_runs(&second);
        assert_int_equal(boot_confirm(&device.boot), 0);
}

/* as recovery does: into the slot that the status names */
static enum reason fill_and_stage(const struct made_image *image, size_t approvals)
{
        boot_status(&device.boot, &status);
        assert_int_equal(made_write(&device, status.slot, image, approvals), 0);
        return stage();
}

static void test_what_is_damaged_and_what_runs(void **state)
{
        static const struct {
                const char *name;
                bool updated; /* to second, approved; the first image lies below the floor */
                enum layout_area areas[4];
                size_t count;
                int answer;
        } rows[] = {
                { "nothing", false, { 0 }, 0, BOOT_RUN },
                { "the factory image", false, { LAYOUT_IMAGE_A }, 1, BOOT_RECOVERY },
                { "its manifest", false, { LAYOUT_MANIFEST_A }, 1, BOOT_RECOVERY },
                { "the other slot", true, { LAYOUT_IMAGE_A, LAYOUT_MANIFEST_A }, 2, BOOT_RUN },
                { "the newest", true, { LAYOUT_IMAGE_B }, 1, BOOT_RECOVERY },
                { "the newest's manifest", true, { LAYOUT_MANIFEST_B }, 1, BOOT_RECOVERY },
                { "both", true, { LAYOUT_IMAGE_A, LAYOUT_IMAGE_B }, 2, BOOT_RECOVERY },
                { "all of both",
                  true,
                  { LAYOUT_IMAGE_A, LAYOUT_IMAGE_B, LAYOUT_MANIFEST_A, LAYOUT_MANIFEST_B },
                  4,
                  BOOT_RECOVERY },
                { "the recovery image", true, { LAYOUT_RECOVERY_IMAGE }, 1, BOOT_RUN },
                { "all three", true, { LAYOUT_IMAGE_A, LAYOUT_IMAGE_B, LAYOUT_RECOVERY_IMAGE }, 3, BOOT_STUCK },
                { "both, and recovery's manifest",
                  true,
                  { LAYOUT_IMAGE_A, LAYOUT_IMAGE_B, LAYOUT_RECOVERY_MANIFEST },
                  3,
                  BOOT_STUCK },
        };

        for (size_t i = 0; i < ROWS(rows); i++) {
                setup_recovery(state);
                if (rows[i].updated)
                        install_second();
                for (size_t area = 0; area < rows[i].count; area++)
                        damage(rows[i].areas[area]);
                int answer = made_start(&device, &outcome);
                if (answer != rows[i].answer)
                        fail_msg("%s: %d", rows[i].name, answer);
                if (answer == BOOT_RUN)
                        assert_memory_equal(device.executed, rows[i].updated ? second.digest : first.digest,
                                            SHA256_SIZE);
                if (answer == BOOT_STUCK)
                        assert_int_not_equal(outcome.recovery, REASON_NONE);
        }
}

/* No byte of what the application can write keeps it from coming back. */
static void test_application_scribbles_over_all_it_can_write(void **state)
{
        size_t first_byte = LAYOUT_SECURE_SECTORS * LAYOUT_SECTOR_SIZE;

        (void)state;
        for (unsigned fill = 0; fill < 256; fill += 51) {
                memset(device.memory + first_byte, (int)fill, sizeof(device.memory) - first_byte);
                assert_recovers();
        }
        for (size_t i = first_byte; i < sizeof(device.memory); i++)
                device.memory[i] = (uint8_t)(i * 2654435761u >> 13);
        assert_recovers();
        assert_int_equal(fill_and_stage(&first, 0), REASON_NONE);
        assert_runs(&first);
}

static void test_recovery_has_keys_of_its_own(void **state)
{
        struct public_key identity, key = device.boot.keys.key;
        struct dice_evidence said;

        (void)state;
        damage(LAYOUT_IMAGE_A);
        assert_recovers();
        assert_int_equal(outcome.keys, 0);
        assert_false(key_equal(&key, &device.boot.keys.key));
        assert_int_equal(keys_identity(made_secret, 0, &identity), 0);
        assert_int_equal(dice_read_certificate(span_of(device.boot.keys.certificate, device.boot.keys.certificate_size),
                                               &identity, &said),
                         RELAY_OK);
        assert_int_equal(said.measurement.mode, DICE_MODE_RECOVERY);
        assert_memory_equal(said.measurement.image, rescue.digest, SHA256_SIZE);
}

/* The confirmed image was approved once; the journal knows, though every approval is gone. */
static void test_repair(void **state)
{
        (void)state;
        install_second();
        damage(LAYOUT_IMAGE_A);
        damage(LAYOUT_IMAGE_B);
        assert_recovers();
        assert_int_equal(status.slot, 0);
        assert_memory_equal(status.confirmed_manifest, second.manifest, SHA256_SIZE);
        assert_int_equal(fill_and_stage(&second, 0), REASON_NONE);
        assert_runs(&second);
        assert_false(status.recovery);
        assert_true(status.confirmed); /* no try: it was confirmed before */
        assert_int_equal(status.slot, 0);
        assert_int_equal(status.floor, 11);
        assert_int_equal(status.tries, 0);
        assert_runs(&second);
        /* and after that updates go on */
        assert_int_equal(write_and_stage(&third), REASON_NONE);
        assert_runs(&third);
}

/* also when approvers were rotated and its approvals revoked meanwhile */
static void test_repair_after_a_rotation(void **state)
{
        struct site_policy next;

        (void)state;
        install_second();
        next = rotated();
        assert_int_equal(hand_over(PORT_BOOT_POLICY, made_policy_set(&next, all_four, 4)), REASON_NONE);
        damage(LAYOUT_IMAGE_B);
        assert_recovers();
        assert_int_equal(fill_and_stage(&second, 2), REASON_NONE);
        assert_runs(&second);
}

struct repair_row {
        const char *name;
        const struct made_image *image;
        size_t approvals, at; /* of the image in flash this byte is wrong; 0: none */
        enum reason expected;
};

static void test_what_recovery_may_stage(void **state)
{
        static struct made_image other;
        const struct repair_row rows[] = {
                { "the confirmed image", &second, 0, 0, REASON_NONE },
                { "the confirmed image, a byte of it wrong", &second, 2, 5000, REASON_OLD_SEQUENCE },
                { "a newer one, approved", &third, 2, 0, REASON_NONE },
                { "a newer one, not approved", &third, 1, 0, REASON_NOT_APPROVED },
                { "a newer one, a byte of it wrong", &third, 2, 5000, REASON_IMAGE_DIGEST },
                { "the older one, approved", &first, 2, 0, REASON_OLD_SEQUENCE },
                { "another of the same sequence", &other, 0, 0, REASON_OLD_SEQUENCE },
                { "the recovery image, approved", &rescue, 2, 0, REASON_OLD_SEQUENCE },
        };

        for (size_t i = 0; i < ROWS(rows); i++) {
                setup_recovery(state);
                made_image(&other, 77, 11);
                install_second();
                damage(LAYOUT_IMAGE_B);
                assert_recovers();
                assert_int_equal(made_write(&device, status.slot, rows[i].image, rows[i].approvals), 0);
                if (rows[i].at > 0)
                        made_area(&device, LAYOUT_IMAGE_A)[rows[i].at] ^= 1;
                enum reason refusal = stage();
                if (refusal != rows[i].expected)
                        fail_msg("%s: %s", rows[i].name, reason_name(refusal));
                if (refusal == REASON_NONE)
                        assert_runs(rows[i].image);
                else
                        assert_recovers();
        }
}

static void test_newer_image_is_on_trial_as_ever(void **state)
{
        (void)state;
        damage(LAYOUT_IMAGE_A);
        assert_recovers();
        for (unsigned i = 1; i <= PORT_BOOT_TRIES_MAX; i++) {
                assert_int_equal(fill_and_stage(&second, 2), REASON_NONE);
                assert_runs(&second);
                assert_false(status.confirmed);
                made_area(&device, LAYOUT_MANIFEST_B)[2] ^= 0x40; /* or it would run as a fallback */
                assert_recovers();
                assert_int_equal(status.tries, i);
                assert_int_equal(status.tried_reason, REASON_NOT_CONFIRMED);
        }
        assert_int_equal(fill_and_stage(&second, 2), REASON_TRIES_EXHAUSTED);
        assert_int_equal(fill_and_stage(&third, 2), REASON_NONE);
        assert_runs(&third);
        assert_int_equal(boot_confirm(&device.boot), 0);
        assert_runs(&third);
}

/* Only in recovery: else a damaged spare slot could be made the confirmed one without a try. */
static void test_no_repair_while_all_is_well(void **state)
{
        (void)state;
        assert_int_equal(made_write(&device, 1, &first, 2), 0);
        assert_int_equal(stage(), REASON_OLD_SEQUENCE);
        assert_runs(&first);
        assert_int_equal(status.slot, 0);
}

/* What recovery runs is pinned; both vendor keys do not help who has a flash programmer, but no journal. */
static void test_recovery_image_is_pinned(void **state)
{
        struct flash_area manifests = layout_area(&device.flash, LAYOUT_RECOVERY_MANIFEST),
                          images = layout_area(&device.flash, LAYOUT_RECOVERY_IMAGE);

        (void)state;
        assert_int_equal(slot_write(&manifests, third.envelope, third.approvals, 2), 0);
        assert_int_equal(flash_area_erase(&images, 0), 0);
        for (uint32_t i = 0; i < 3; i++) {
                assert_int_equal(flash_area_erase(&images, i), 0);
                assert_int_equal(flash_area_program(
                                         &images, i * LAYOUT_SECTOR_SIZE,
                                         span_slice(SPAN_OF(third.bytes), i * LAYOUT_SECTOR_SIZE, LAYOUT_SECTOR_SIZE)),
                                 0);
        }
        damage(LAYOUT_IMAGE_A);
        assert_int_equal(made_start(&device, &outcome), BOOT_STUCK);
        assert_int_equal(outcome.recovery, REASON_NOT_CONFIRMED);
}

static void test_unclaimed_device_recovers_nothing(void **state)
{
        (void)state;
        damage(LAYOUT_IMAGE_A);
        assert_int_equal(boot_unclaim(&device.boot), 0);
        assert_int_equal(made_start(&device, &outcome), BOOT_UNCLAIMED);
}

static void test_trust_is_taken_in_recovery(void **state)
{
        struct site_policy next = rotated();

        (void)state;
        damage(LAYOUT_IMAGE_A);
        assert_recovers();
        assert_int_equal(hand_over(PORT_BOOT_POLICY, made_policy_set(&next, all_four, 4)), REASON_NONE);
        assert_recovers();
        assert_int_equal(status.policy_epoch, 2);
}

/* Power goes at any operation of a repair: recovery again, or the repaired image. */
static void test_cut_at_every_operation_of_a_repair(void **state)
{
        for (uint64_t cut = 1;; cut++) {
                setup_recovery(state);
                damage(LAYOUT_IMAGE_A);
                made_power(&device, cut);
                int answer = made_start(&device, &outcome);
                enum reason refusal = REASON_COUNT;
                if (answer == BOOT_RECOVERY && made_write(&device, 1, &first, 0) == 0)
                        (void)boot_stage(&device.boot, &refusal);
                bool cut_off = device.ram.off;
                made_power(&device, 0);
                answer = made_start(&device, &outcome);
                assert_true(answer == BOOT_RECOVERY || answer == BOOT_RUN);
                assert_memory_equal(device.executed, answer == BOOT_RUN ? first.digest : rescue.digest, SHA256_SIZE);
                if (refusal == REASON_NONE)
                        assert_int_equal(answer, BOOT_RUN);
                if (!cut_off)
                        break;
                if (answer == BOOT_RECOVERY)
                        assert_int_equal(fill_and_stage(&first, 0), REASON_NONE);
                assert_runs(&first);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_what_is_damaged_and_what_runs),
                cmocka_unit_test_setup(test_application_scribbles_over_all_it_can_write, setup_recovery),
                cmocka_unit_test_setup(test_recovery_has_keys_of_its_own, setup_recovery),
                cmocka_unit_test_setup(test_repair, setup_recovery),
                cmocka_unit_test_setup(test_repair_after_a_rotation, setup_recovery),
                cmocka_unit_test(test_what_recovery_may_stage),
                cmocka_unit_test_setup(test_newer_image_is_on_trial_as_ever, setup_recovery),
                cmocka_unit_test_setup(test_no_repair_while_all_is_well, setup_recovery),
                cmocka_unit_test_setup(test_recovery_image_is_pinned, setup_recovery),
                cmocka_unit_test_setup(test_unclaimed_device_recovers_nothing, setup_recovery),
                cmocka_unit_test_setup(test_trust_is_taken_in_recovery, setup_recovery),
                cmocka_unit_test(test_cut_at_every_operation_of_a_repair),
        };
        return cmocka_run_group_tests_name("boot_recovery", tests, NULL, NULL);
}
