/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The boot stage: never bricked, never the wrong image, whatever is in flash and whenever the power goes. */
#include "made.h"

static struct made_device device;
static struct made_image first, second, third;

static int setup(void **state)
{
        (void)state;
        made_image(&first, 1, 10);
        made_image(&second, 2, 11);
        made_image(&third, 3, 12);
        made_device(&device, &first);
        return 0;
}

static void assert_runs(const struct made_image *image)
{
        struct boot_outcome outcome;
        assert_int_equal(made_start(&device, &outcome), BOOT_RUN);
        assert_memory_equal(device.executed, image->digest, SHA256_SIZE);
        assert_memory_equal(device.boot.image.digest, image->digest, SHA256_SIZE);
}

static enum reason stage(void)
{
        enum reason refusal = REASON_COUNT;
        assert_int_equal(boot_stage(&device.boot, &refusal), 0);
        return refusal;
}

static void install(const struct made_image *image, unsigned slot)
{
        assert_int_equal(made_write(&device, slot, image, 2), 0);
        assert_int_equal(stage(), REASON_NONE);
        assert_runs(image);
        assert_int_equal(boot_confirm(&device.boot), 0);
}

static void test_factory_image_runs(void **state)
{
        struct port_boot_status status;

        (void)state;
        assert_runs(&first);
        boot_status(&device.boot, &status);
        assert_true(status.confirmed);
        assert_int_equal(status.boot, 1);
        assert_int_equal(status.floor, 10);
        assert_runs(&first);
        boot_status(&device.boot, &status);
        assert_int_equal(status.boot, 2);
}

static void test_try_and_confirm(void **state)
{
        struct port_boot_status status;

        (void)state;
        assert_runs(&first);
        assert_int_equal(made_write(&device, 1, &second, 2), 0);
        assert_int_equal(stage(), REASON_NONE);
        assert_runs(&second);
        boot_status(&device.boot, &status);
        assert_false(status.confirmed);
        assert_int_equal(status.floor, 10);
        assert_int_equal(stage(), REASON_NOT_CONFIRMED);
        assert_int_equal(boot_confirm(&device.boot), 0);
        boot_status(&device.boot, &status);
        assert_true(status.confirmed);
        assert_int_equal(status.floor, 11);
        assert_runs(&second);
        install(&third, 0);
        assert_runs(&third);
}

static void test_back_without_confirmation_three_times(void **state)
{
        struct port_boot_status status;

        (void)state;
        assert_runs(&first);
        assert_int_equal(made_write(&device, 1, &second, 2), 0);
        for (unsigned i = 1; i <= PORT_BOOT_TRIES_MAX; i++) {
                assert_int_equal(stage(), REASON_NONE);
                assert_runs(&second); /* does not confirm */
                assert_runs(&first);
                boot_status(&device.boot, &status);
                assert_int_equal(status.tries, i);
                assert_int_equal(status.tried_reason, REASON_NOT_CONFIRMED);
                assert_memory_equal(status.tried_manifest, second.manifest, SHA256_SIZE);
        }
        assert_int_equal(stage(), REASON_TRIES_EXHAUSTED);
        assert_runs(&first);
        install(&third, 1); /* another manifest has its own tries */
        assert_runs(&third);
}

struct refusal_row {
        const char *name;
        enum who signers[2];
        size_t signer_count, approvals;
        uint64_t sequence;
        uint8_t class_id;
        size_t damage; /* this byte of the image in flash is wrong; 0: none */
        enum reason expected;
};

static void test_refusals(void **state)
{
        static const struct refusal_row rows[] = {
                { "everything right", { ORGANISATION, DEVELOPER }, 2, 2, 11, 0xc1, 0, REASON_NONE },
                { "organisation only", { ORGANISATION }, 1, 2, 11, 0xc1, 0, REASON_DEVELOPER_SIGNATURE },
                { "developer only", { DEVELOPER }, 1, 2, 11, 0xc1, 0, REASON_ORGANISATION_SIGNATURE },
                { "organisation twice", { ORGANISATION, ORGANISATION }, 2, 2, 11, 0xc1, 0, REASON_DEVELOPER_SIGNATURE },
                { "strangers", { STRANGER, STRANGER }, 2, 2, 11, 0xc1, 0, REASON_ORGANISATION_SIGNATURE },
                { "no approval", { ORGANISATION, DEVELOPER }, 2, 0, 11, 0xc1, 0, REASON_NOT_APPROVED },
                { "one approval of two", { ORGANISATION, DEVELOPER }, 2, 1, 11, 0xc1, 0, REASON_NOT_APPROVED },
                { "at the floor", { ORGANISATION, DEVELOPER }, 2, 2, 10, 0xc1, 0, REASON_OLD_SEQUENCE },
                { "below the floor", { ORGANISATION, DEVELOPER }, 2, 2, 9, 0xc1, 0, REASON_OLD_SEQUENCE },
                { "another class", { ORGANISATION, DEVELOPER }, 2, 2, 11, 0xc2, 0, REASON_WRONG_CLASS },
                { "image damaged", { ORGANISATION, DEVELOPER }, 2, 2, 11, 0xc1, 5000, REASON_IMAGE_DIGEST },
        };

        for (size_t i = 0; i < ROWS(rows); i++) {
                const struct refusal_row *row = &rows[i];
                setup(state);
                second.fields.sequence = row->sequence;
                memset(second.fields.class_id, row->class_id, CLASS_ID_SIZE);
                if (row->signer_count == 2 && row->signers[0] == row->signers[1])
                        made_sign(&second, row->signers, 1); /* the library signs once for each key */
                else
                        made_sign(&second, row->signers, row->signer_count);
                assert_runs(&first);
                assert_int_equal(made_write(&device, 1, &second, row->approvals), 0);
                if (row->damage > 0)
                        made_area(&device, LAYOUT_IMAGE_B)[row->damage] ^= 1;
                enum reason refusal = stage();
                if (refusal != row->expected)
                        fail_msg("%s: %s", row->name, reason_name(refusal));
                assert_runs(row->expected == REASON_NONE ? &second : &first);
        }
}

/* An application that was taken over rewrites the slot between staging and the start. */
static void test_swap_after_staging(void **state)
{
        struct boot_outcome outcome;

        (void)state;
        assert_runs(&first);
        assert_int_equal(made_write(&device, 1, &second, 2), 0);
        assert_int_equal(stage(), REASON_NONE);
        made_area(&device, LAYOUT_IMAGE_B)[100] ^= 0x80;
        assert_int_equal(made_start(&device, &outcome), BOOT_RUN);
        assert_memory_equal(device.executed, first.digest, SHA256_SIZE);
        assert_int_equal(outcome.reasons[1], REASON_IMAGE_DIGEST);
        assert_runs(&first);

        /* with a manifest that is signed but not approved */
        assert_int_equal(made_write(&device, 1, &second, 2), 0);
        assert_int_equal(stage(), REASON_NONE);
        assert_int_equal(made_write(&device, 1, &third, 0), 0);
        assert_int_equal(made_start(&device, &outcome), BOOT_RUN);
        assert_memory_equal(device.executed, first.digest, SHA256_SIZE);
        assert_int_equal(outcome.reasons[1], REASON_NOT_APPROVED);
}

/*
 * The confirmed slot is in the application's flash too. Somebody who writes there, with both vendor keys but without
 * the site's approvals, gets nothing executed, and the device goes back to what it may run.
 */
static void test_confirmed_slot_rewritten(void **state)
{
        struct boot_outcome outcome;

        (void)state;
        assert_runs(&first);
        assert_int_equal(made_write(&device, 0, &second, 0), 0);
        assert_int_equal(made_start(&device, &outcome), BOOT_STUCK);
        assert_int_equal(outcome.reasons[0], REASON_NOT_CONFIRMED);

        /* after an update, and with the right number of approvals: it was not tried, so it is not what was confirmed */
        setup(state);
        assert_runs(&first);
        install(&second, 1);
        assert_int_equal(made_write(&device, 1, &third, 2), 0);
        assert_int_equal(made_start(&device, &outcome), BOOT_STUCK);
        assert_int_equal(outcome.reasons[1], REASON_NOT_CONFIRMED);
        assert_int_equal(made_write(&device, 1, &second, 0), 0);
        assert_runs(&second);
}

static void test_no_way_back_below_the_floor(void **state)
{
        struct boot_outcome outcome;

        (void)state;
        assert_runs(&first);
        install(&second, 1);
        /* the newer image is damaged: the older one is good, and old */
        made_area(&device, LAYOUT_IMAGE_B)[100] ^= 1;
        assert_int_equal(made_start(&device, &outcome), BOOT_STUCK);
        assert_int_equal(outcome.reasons[1], REASON_IMAGE_DIGEST);
        assert_int_equal(outcome.reasons[0], REASON_OLD_SEQUENCE);
}

static void test_damaged_newest_falls_back_to_approved(void **state)
{
        struct boot_outcome outcome;

        (void)state;
        assert_runs(&first);
        assert_int_equal(made_write(&device, 1, &second, 2), 0);
        made_area(&device, LAYOUT_IMAGE_A)[100] ^= 1; /* the confirmed image */
        assert_int_equal(made_start(&device, &outcome), BOOT_RUN);
        assert_memory_equal(device.executed, second.digest, SHA256_SIZE);
        assert_true(outcome.trying);
}

static void test_both_damaged_is_recovery(void **state)
{
        struct boot_outcome outcome;

        (void)state;
        made_area(&device, LAYOUT_IMAGE_A)[100] ^= 1;
        for (unsigned i = 0; i < 3; i++) {
                assert_int_equal(made_start(&device, &outcome), BOOT_STUCK);
                assert_int_equal(outcome.reasons[0], REASON_IMAGE_DIGEST);
                assert_int_equal(outcome.reasons[1], REASON_MALFORMED);
        }
}

static void test_damaged_trust_is_recovery(void **state)
{
        struct boot_outcome outcome;

        (void)state;
        made_area(&device, LAYOUT_TRUST)[LAYOUT_SECTOR_SIZE + 10] ^= 1;
        made_area(&device, LAYOUT_TRUST_SPARE)[LAYOUT_SECTOR_SIZE + 10] ^= 1;
        assert_int_equal(made_start(&device, &outcome), BOOT_STUCK);
        memset(device.memory, 0xff, sizeof(device.memory)); /* never provisioned */
        assert_true(made_start(&device, &outcome) < 0);
}

/* ---- power cuts: a whole update, cut at each of its flash operations */

/* 0 when all of it went through, else where the power went: 1 before the confirmation came back, 2 at it or after */
static int update_until_cut(void)
{
        struct boot_outcome outcome;
        enum reason refusal;

        if (made_start(&device, &outcome) != BOOT_RUN || made_write(&device, 1, &second, 2) != 0 ||
            boot_stage(&device.boot, &refusal) != 0)
                return 1;
        assert_int_equal(refusal, REASON_NONE);
        if (made_start(&device, &outcome) != BOOT_RUN)
                return 1;
        assert_memory_equal(device.executed, second.digest, SHA256_SIZE);
        if (boot_confirm(&device.boot) != 0)
                return 2;
        return made_start(&device, &outcome) == BOOT_RUN ? 0 : 2;
}

static void test_power_cut_everywhere(void **state)
{
        for (uint64_t cut = 1;; cut++) {
                struct boot_outcome outcome;
                setup(state);
                made_power(&device, cut);
                int where = update_until_cut();
                if (where == 0)
                        break;
                made_power(&device, 0);
                assert_int_equal(made_start(&device, &outcome), BOOT_RUN);
                bool old = memcmp(device.executed, first.digest, SHA256_SIZE) == 0;
                bool new = memcmp(device.executed, second.digest, SHA256_SIZE) == 0;
                assert_true(old || new);
                /* and the update can be done again to its end, unless it is done */
                if (old || outcome.trying) {
                        if (outcome.trying)
                                assert_runs(&first);
                        install(&second, 1);
                }
                assert_runs(&second);
                assert_int_equal(device.boot.record.floor, 11);
        }
}

/* the same with the journal about to change sectors */
static void test_power_cut_everywhere_late(void **state)
{
        for (uint64_t cut = 1; cut < 40; cut++) {
                struct boot_outcome outcome;
                setup(state);
                for (unsigned i = 0; i < 17 + cut % 3; i++)
                        assert_runs(&first);
                uint32_t boots = device.boot.record.boot;
                made_power(&device, cut);
                (void)update_until_cut();
                made_power(&device, 0);
                assert_int_equal(made_start(&device, &outcome), BOOT_RUN);
                assert_true(device.boot.record.boot > boots);
        }
}

static void test_random_flash_never_runs_unverified(void **state)
{
        uint32_t random = 99;

        for (unsigned round = 0; round < 300; round++) {
                struct boot_outcome outcome;
                setup(state);
                assert_int_equal(made_write(&device, 1, &second, 2), 0);
                for (unsigned i = 0; i < 1 + round % 50; i++) {
                        random = random * 1103515245 + 12345;
                        uint32_t at = (random >> 4) % (sizeof(device.memory) / 8);
                        device.memory[at] ^= (uint8_t)(1u << (random & 7));
                }
                if (made_start(&device, &outcome) != BOOT_RUN)
                        continue;
                assert_true(memcmp(device.executed, first.digest, SHA256_SIZE) == 0 ||
                            memcmp(device.executed, second.digest, SHA256_SIZE) == 0);
        }
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(test_factory_image_runs, setup),
                cmocka_unit_test_setup(test_try_and_confirm, setup),
                cmocka_unit_test_setup(test_back_without_confirmation_three_times, setup),
                cmocka_unit_test_setup(test_refusals, setup),
                cmocka_unit_test_setup(test_swap_after_staging, setup),
                cmocka_unit_test_setup(test_confirmed_slot_rewritten, setup),
                cmocka_unit_test_setup(test_no_way_back_below_the_floor, setup),
                cmocka_unit_test_setup(test_damaged_newest_falls_back_to_approved, setup),
                cmocka_unit_test_setup(test_both_damaged_is_recovery, setup),
                cmocka_unit_test_setup(test_damaged_trust_is_recovery, setup),
                cmocka_unit_test_setup(test_power_cut_everywhere, setup),
                cmocka_unit_test_setup(test_power_cut_everywhere_late, setup),
                cmocka_unit_test_setup(test_random_flash_never_runs_unverified, setup),
        };
        return cmocka_run_group_tests_name("boot", tests, NULL, NULL);
}
