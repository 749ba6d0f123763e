/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Revocations, windows, rules, and staging that a power cut takes back. */
#include "trust_lab.h"

static void test_revoked_epoch_starts_no_new_try(void **state)
{
        struct approval renewed = sample_approval(second.manifest);

        (void)state;
        revoke_to(2, 1700000000);
        assert_int_equal(write_and_stage(&second), REASON_REVOKED_EPOCH);
        assert_runs(&first);
        assert_int_equal(status.approval_epoch, 2);
        assert_int_equal(status.time_floor, 1700000000);
        renewed.epoch = 2;
        made_approve(&second, renewed, old_pair);
        assert_int_equal(write_and_stage(&second), REASON_NONE);
        /* revoked between the staging and the start */
        revoke_to(3, 1700000000);
        assert_runs(&first);
        assert_int_equal(outcome.reasons[1], REASON_REVOKED_EPOCH);
        assert_int_equal(status.tried_reason, REASON_REVOKED_EPOCH);
}

static void test_confirmed_image_survives_a_revocation(void **state)
{
        (void)state;
        assert_int_equal(write_and_stage(&second), REASON_NONE);
        assert_runs(&second);
        revoke_to(2, 1700000000); /* while it is on trial */
        assert_int_equal(boot_confirm(&device.boot), 0);
        assert_runs(&second);
        revoke_to(9, 1700000001);
        assert_runs(&second);
        assert_true(status.confirmed);
}

static void test_unconfirmed_image_is_not_tried_again_after_a_revocation(void **state)
{
        (void)state;
        assert_int_equal(write_and_stage(&second), REASON_NONE);
        assert_runs(&second);
        revoke_to(2, 1700000000);
        assert_runs(&first); /* it did not confirm */
        assert_int_equal(stage(), REASON_REVOKED_EPOCH);
}

static void test_epoch_and_time_never_fall(void **state)
{
        struct site_policy next = made_next_policy(&device.boot.policy);

        (void)state;
        revoke_to(5, 1800000000);
        assert_int_equal(hand_over(PORT_BOOT_REVOCATION, made_revocation("site-1", 5, 1900000000, old_pair, 2)),
                         REASON_OLD_EPOCH);
        assert_int_equal(hand_over(PORT_BOOT_REVOCATION, made_revocation("site-1", 4, 1900000000, old_pair, 2)),
                         REASON_OLD_EPOCH);
        assert_int_equal(hand_over(PORT_BOOT_REVOCATION, made_revocation("site-1", 6, 1900000000, old_pair, 1)),
                         REASON_UNDER_SIGNED);
        assert_int_equal(hand_over(PORT_BOOT_REVOCATION, made_revocation("site-2", 6, 1900000000, old_pair, 2)),
                         REASON_WRONG_SITE);
        next.approval_epoch = 3;
        next.issued = 1700000000;
        assert_int_equal(hand_over(PORT_BOOT_POLICY, made_policy_set(&next, old_pair, 2)), REASON_NONE);
        revoke_to(6, 1750000000);
        assert_runs(&first);
        assert_int_equal(status.approval_epoch, 6);
        assert_int_equal(status.time_floor, 1800000000);
}

/* No clock here: that a window is over is sure when people signed something later; that it began never is. */
static void test_windows_against_the_time_floor(void **state)
{
        struct approval window = sample_approval(second.manifest);

        (void)state;
        window.epoch = 9;
        window.has_not_before = window.has_not_after = true;
        window.not_before = 1700000100;
        window.not_after = 1700000200;
        made_approve(&second, window, old_pair);
        assert_int_equal(write_and_stage(&second), REASON_NONE);
        revoke_to(2, 1700000200);
        assert_int_equal(stage(), REASON_NONE);
        revoke_to(3, 1700000201);
        assert_int_equal(stage(), REASON_OUTSIDE_WINDOW);
        assert_runs(&first);
        assert_int_equal(outcome.reasons[1], REASON_OUTSIDE_WINDOW);
}

static void test_confirmed_image_survives_the_end_of_its_window(void **state)
{
        struct approval window = sample_approval(second.manifest);

        (void)state;
        window.epoch = 9;
        window.has_not_after = true;
        window.not_after = 1700000200;
        made_approve(&second, window, old_pair);
        assert_int_equal(write_and_stage(&second), REASON_NONE);
        assert_runs(&second);
        assert_int_equal(boot_confirm(&device.boot), 0);
        revoke_to(2, 1800000000);
        assert_runs(&second);
}

static void add_rule(struct site_policy *policy, const char *urgency)
{
        policy->rule_count = 1;
        policy->rules[0] = (struct site_rule){ .urgency_count = 1, .scope = { .kind = SCOPE_CLASS } };
        strcpy(policy->rules[0].urgencies[0], urgency);
        memset(policy->rules[0].scope.class_id, 0xc1, CLASS_ID_SIZE);
}

static void test_rule_approves(void **state)
{
        struct site_policy next = made_next_policy(&device.boot.policy);

        (void)state;
        add_rule(&next, "routine");
        assert_int_equal(hand_over(PORT_BOOT_POLICY, made_policy_set(&next, old_pair, 2)), REASON_NONE);
        assert_int_equal(made_write(&device, 1, &second, 0), 0);
        assert_int_equal(stage(), REASON_NOT_APPROVED); /* it is marked "security" */

        next = made_next_policy(&device.boot.policy);
        add_rule(&next, "security");
        assert_int_equal(hand_over(PORT_BOOT_POLICY, made_policy_set(&next, old_pair, 2)), REASON_NONE);
        assert_int_equal(stage(), REASON_NONE);
        assert_runs(&second);
        assert_int_equal(boot_confirm(&device.boot), 0);

        /* the rule goes, and the image stays */
        next = made_next_policy(&device.boot.policy);
        next.rule_count = 0;
        assert_int_equal(hand_over(PORT_BOOT_POLICY, made_policy_set(&next, old_pair, 2)), REASON_NONE);
        assert_runs(&second);
        assert_int_equal(made_write(&device, 0, &third, 0), 0);
        assert_int_equal(stage(), REASON_NOT_APPROVED);
}

/* Nobody asked a gate for what the boot stage falls back to. */
static void test_rule_is_no_way_back_from_damage(void **state)
{
        struct site_policy next = made_next_policy(&device.boot.policy);

        (void)state;
        add_rule(&next, "security");
        assert_int_equal(hand_over(PORT_BOOT_POLICY, made_policy_set(&next, old_pair, 2)), REASON_NONE);
        assert_int_equal(made_write(&device, 1, &second, 0), 0);
        made_area(&device, LAYOUT_IMAGE_A)[100] ^= 1;
        assert_int_equal(made_start(&device, &outcome), BOOT_STUCK);
        assert_int_equal(outcome.reasons[1], REASON_NOT_APPROVED);
}

static void test_power_cut_takes_the_staging_back(void **state)
{
        (void)state;
        assert_int_equal(write_and_stage(&second), REASON_NONE);
        device.power_on = true;
        assert_runs(&first);
        device.power_on = false;
        assert_runs(&first);
        assert_int_equal(status.tries, 0);
        assert_int_equal(stage(), REASON_NONE);
        assert_runs(&second);
}

/* What is carried to the device needs k approvals without windows, and a policy that demands no ticket. */
static void test_carried_image(void **state)
{
        struct approval window = sample_approval(second.manifest);
        struct site_policy next = made_next_policy(&device.boot.policy);
        enum reason refusal = REASON_COUNT;

        (void)state;
        window.has_not_before = true;
        made_approve(&second, window, old_pair);
        assert_int_equal(made_write(&device, 1, &second, 2), 0);
        assert_int_equal(boot_carry(&device.boot, &refusal), 0);
        assert_int_equal(refusal, REASON_NO_TRUSTED_TIME);
        made_approve(&second, sample_approval(second.manifest), old_pair);
        assert_int_equal(made_write(&device, 1, &second, 2), 0);
        assert_int_equal(boot_carry(&device.boot, &refusal), 0);
        assert_int_equal(refusal, REASON_NONE);
        device.power_on = true;
        assert_runs(&second);
        assert_runs(&first); /* it did not confirm */
        assert_int_equal(status.tries, 1);

        assert_int_equal(boot_carry(&device.boot, &refusal), 0);
        assert_int_equal(refusal, REASON_NONE);
        next.ticket_needed = true;
        add_rule(&next, "security");
        assert_int_equal(hand_over(PORT_BOOT_POLICY, made_policy_set(&next, old_pair, 2)), REASON_NONE);
        assert_runs(&first);
        assert_int_equal(outcome.reasons[1], REASON_TICKET_REQUIRED);
        assert_int_equal(boot_carry(&device.boot, &refusal), 0);
        assert_int_equal(refusal, REASON_TICKET_REQUIRED);
        assert_int_equal(made_write(&device, 1, &second, 0), 0);
        assert_int_equal(boot_carry(&device.boot, &refusal), 0);
        assert_int_equal(refusal, REASON_NOT_APPROVED);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(test_revoked_epoch_starts_no_new_try, setup),
                cmocka_unit_test_setup(test_confirmed_image_survives_a_revocation, setup),
                cmocka_unit_test_setup(test_unconfirmed_image_is_not_tried_again_after_a_revocation, setup),
                cmocka_unit_test_setup(test_epoch_and_time_never_fall, setup),
                cmocka_unit_test_setup(test_windows_against_the_time_floor, setup),
                cmocka_unit_test_setup(test_confirmed_image_survives_the_end_of_its_window, setup),
                cmocka_unit_test_setup(test_rule_approves, setup),
                cmocka_unit_test_setup(test_rule_is_no_way_back_from_damage, setup),
                cmocka_unit_test_setup(test_power_cut_takes_the_staging_back, setup),
                cmocka_unit_test_setup(test_carried_image, setup),
        };
        return cmocka_run_group_tests_name("boot_revoked", tests, NULL, NULL);
}
