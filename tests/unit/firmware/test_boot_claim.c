/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From the factory to a site, and back by somebody who stands before the device. */
#include "trust_lab.h"

static void open_unclaimed(void)
{
        enum reason reason = REASON_COUNT;

        made_unclaimed_device(&device, &first);
        assert_int_equal(boot_open(&device.boot, &device.board, &reason), 0);
        assert_int_equal(reason, REASON_NONE);
}

static enum reason claim(const struct site_policy *policy, size_t signers)
{
        enum reason refusal = REASON_COUNT;
        assert_int_equal(boot_claim(&device.boot, made_policy_set(policy, old_pair, signers), &refusal), 0);
        return refusal;
}

static void test_unclaimed_device_waits(void **state)
{
        struct site_policy policy = made_policy();

        (void)state;
        open_unclaimed();
        for (unsigned i = 0; i < 2; i++) {
                assert_int_equal(made_start(&device, &outcome), BOOT_UNCLAIMED);
                assert_int_equal(hand_over(PORT_BOOT_POLICY, made_policy_set(&policy, old_pair, 2)),
                                 REASON_NOT_AUTHORISED);
                assert_int_equal(hand_over(PORT_BOOT_REVOCATION, made_revocation("site-1", 3, 0, old_pair, 2)),
                                 REASON_NOT_AUTHORISED);
        }
        assert_int_equal(claim(&policy, 2), REASON_NONE);
        assert_runs(&first);
        assert_int_equal(status.boot, 3);
        assert_int_equal(status.policy_epoch, 1);
}

static void test_claims_that_change_nothing(void **state)
{
        struct site_policy policy = made_policy();

        (void)state;
        open_unclaimed();
        assert_int_equal(claim(&policy, 1), REASON_BAD_SIGNATURE);
        policy.approvers[2] = key_of(ORGANISATION);
        assert_int_equal(claim(&policy, 2), REASON_POLICY_INVALID);
        policy = made_policy();
        policy.epoch = 2;
        policy.has_predecessor = true;
        assert_int_equal(claim(&policy, 2), REASON_POLICY_INVALID);
        assert_int_equal(made_start(&device, &outcome), BOOT_UNCLAIMED);
        policy = made_policy();
        assert_int_equal(claim(&policy, 2), REASON_NONE);
        assert_int_equal(claim(&policy, 2), REASON_OLD_POLICY);
        strcpy(policy.site, "site-2");
        assert_int_equal(claim(&policy, 2), REASON_OLD_POLICY);
        assert_runs(&first);
        assert_string_equal(device.boot.policy.site, "site-1");
}

static bool holds_text(const char *text)
{
        size_t size = strlen(text);
        for (size_t i = 0; i + size <= LAYOUT_SECURE_SECTORS * LAYOUT_SECTOR_SIZE; i++)
                if (memcmp(device.memory + i, text, size) == 0)
                        return true;
        return false;
}

static void test_unclaimed_again(void **state)
{
        struct site_policy policy = made_policy();

        (void)state;
        assert_int_equal(write_and_stage(&second), REASON_NONE);
        assert_runs(&second);
        assert_int_equal(boot_confirm(&device.boot), 0);
        revoke_to(7, 1800000000);
        struct vendor_keys keys = rotated_vendor();
        assert_int_equal(hand_over(PORT_BOOT_VENDOR, vendor_successor(&keys)), REASON_NONE);
        assert_true(holds_text("cloud.example"));
        assert_int_equal(boot_unclaim(&device.boot), 0);
        assert_false(holds_text("cloud.example"));
        assert_int_equal(made_start(&device, &outcome), BOOT_UNCLAIMED);

        /* another site, with an approval epoch and a clock of its own */
        strcpy(policy.site, "site-2");
        policy.issued = 1600000000;
        assert_int_equal(claim(&policy, 2), REASON_NONE);
        assert_runs(&second);
        assert_int_equal(status.floor, 11);
        assert_int_equal(status.boot, 4);
        assert_int_equal(status.vendor_epoch, 2);
        assert_int_equal(status.approval_epoch, 0);
        assert_int_equal(status.time_floor, 1600000000);
        assert_int_equal(made_write(&device, 0, &third, 2), 0);
        assert_int_equal(stage(), REASON_ORGANISATION_SIGNATURE);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(test_unclaimed_device_waits, setup),
                cmocka_unit_test_setup(test_claims_that_change_nothing, setup),
                cmocka_unit_test_setup(test_unclaimed_again, setup),
        };
        return cmocka_run_group_tests_name("boot_claim", tests, NULL, NULL);
}
