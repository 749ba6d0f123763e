/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whom the device believes: claiming, successors, revocations, and what they change for images new and old. */
#include "made.h"

static const enum who old_pair[] = { APPROVER_1, APPROVER_2 };
static const enum who all_four[] = { APPROVER_1, APPROVER_2, APPROVER_3, APPROVER_4 };

static struct made_device device;
static struct made_image first, second, third;
static struct boot_outcome outcome;
static struct port_boot_status status;

static int setup(void **state)
{
        (void)state;
        made_image(&first, 1, 10);
        made_image(&second, 2, 11);
        made_image(&third, 3, 12);
        made_device(&device, &first);
        assert_int_equal(made_start(&device, &outcome), BOOT_RUN);
        return 0;
}

static void assert_runs(const struct made_image *image)
{
        assert_int_equal(made_start(&device, &outcome), BOOT_RUN);
        assert_memory_equal(device.executed, image->digest, SHA256_SIZE);
        boot_status(&device.boot, &status);
}

static enum reason stage(void)
{
        enum reason refusal = REASON_COUNT;
        assert_int_equal(boot_stage(&device.boot, &refusal), 0);
        return refusal;
}

static enum reason write_and_stage(const struct made_image *image)
{
        assert_int_equal(made_write(&device, 1u - device.boot.record.confirmed_slot, image, 2), 0);
        return stage();
}

static enum reason accept(enum port_boot_object object, struct span set)
{
        enum reason refusal = REASON_COUNT;
        assert_int_equal(boot_accept(&device.boot, object, set, &refusal), 0);
        return refusal;
}

static void revoke(uint64_t epoch, uint64_t issued)
{
        assert_int_equal(accept(PORT_BOOT_REVOCATION, made_revocation("site-1", epoch, issued, old_pair, 2)),
                         REASON_NONE);
}

/* approvers 2 to 4 instead of 1 to 3 */
static struct site_policy rotated(void)
{
        struct site_policy next = made_next_policy(&device.boot.policy);

        for (size_t i = 0; i < 3; i++)
                next.approvers[i] = key_of(APPROVER_2 + (enum who)i);
        return next;
}

static struct vendor_keys rotated_vendor(void)
{
        struct vendor_keys next = made_next_vendor(&device.boot.vendor);

        next.organisation[0] = key_of(ORGANISATION_2);
        next.developer[0] = key_of(DEVELOPER_2);
        return next;
}

static struct span vendor_successor(const struct vendor_keys *keys)
{
        static const enum who signers[] = { ORGANISATION, DEVELOPER, APPROVER_1, APPROVER_2 };
        return made_vendor_set(keys, signers, 4);
}

/* ---- site policies */

static void test_policy_successor_is_in_force_and_stays(void **state)
{
        struct public_key newest = key_of(APPROVER_4);
        struct site_policy next = rotated();

        (void)state;
        next.approval_epoch = 1;
        next.issued = 1700000000;
        assert_int_equal(accept(PORT_BOOT_POLICY, made_policy_set(&next, all_four, 4)), REASON_NONE);
        for (unsigned i = 0; i < 2; i++) {
                boot_status(&device.boot, &status);
                assert_int_equal(status.policy_epoch, 2);
                assert_int_equal(status.vendor_epoch, 1);
                assert_int_equal(status.approval_epoch, 1);
                assert_int_equal(status.time_floor, 1700000000);
                assert_int_equal(device.boot.policy.approver_count, 3);
                assert_true(key_equal(&device.boot.policy.approvers[2], &newest));
                assert_runs(&first);
        }
        /* and the next one, into the area where the first policy was */
        next = made_next_policy(&device.boot.policy);
        assert_int_equal(accept(PORT_BOOT_POLICY, made_policy_set(&next, all_four + 1, 2)), REASON_NONE);
        assert_runs(&first);
        assert_int_equal(status.policy_epoch, 3);
}

struct policy_row {
        const char *name;
        enum reason expected;
        void (*change)(struct site_policy *next);
        size_t first, count; /* of all_four: who signs */
};

static void skip_one(struct site_policy *next)
{
        next->epoch = 3;
}

static void fall_back(struct site_policy *next)
{
        next->epoch = 1;
        next->has_predecessor = false;
}

static void fork_it(struct site_policy *next)
{
        next->predecessor[5] ^= 1;
}

static void move_away(struct site_policy *next)
{
        strcpy(next->site, "site-2");
}

static void name_vendor_key(struct site_policy *next)
{
        next->approvers[1] = key_of(DEVELOPER);
}

static void lower_time(struct site_policy *next)
{
        next->issued = 0;
}

static void test_policies_that_change_nothing(void **state)
{
        static const struct policy_row rows[] = {
                { "everything right", REASON_NONE, NULL, 0, 4 },
                { "one old approver", REASON_UNDER_SIGNED, NULL, 2, 2 },
                { "one new approver", REASON_BAD_SIGNATURE, NULL, 0, 2 },
                { "an epoch is missing", REASON_POLICY_GAP, skip_one, 0, 4 },
                { "another first policy", REASON_POLICY_FORK, fall_back, 0, 4 },
                { "another predecessor", REASON_POLICY_FORK, fork_it, 0, 4 },
                { "another site", REASON_WRONG_SITE, move_away, 0, 4 },
                { "a vendor's key approves", REASON_POLICY_INVALID, name_vendor_key, 0, 4 },
                { "issued before its predecessor", REASON_POLICY_INVALID, lower_time, 0, 4 },
        };
        static uint8_t before[LAYOUT_MANIFEST_A * LAYOUT_SECTOR_SIZE];
        struct site_policy start;

        /* from a policy of epoch 1 that was issued some time */
        setup(state);
        assert_int_equal(boot_unclaim(&device.boot), 0);
        start = made_policy();
        start.issued = 1600000000;
        enum reason refusal = REASON_COUNT;
        assert_int_equal(boot_claim(&device.boot, made_policy_set(&start, old_pair, 2), &refusal), 0);
        assert_int_equal(refusal, REASON_NONE);
        for (size_t i = ROWS(rows); i-- > 0;) {
                struct site_policy next = rotated();
                if (rows[i].change)
                        rows[i].change(&next);
                memcpy(before, device.memory, sizeof(before));
                refusal = accept(PORT_BOOT_POLICY, made_policy_set(&next, all_four + rows[i].first, rows[i].count));
                if (refusal != rows[i].expected)
                        fail_msg("%s: %s", rows[i].name, reason_name(refusal));
                if (refusal != REASON_NONE)
                        assert_memory_equal(before, device.memory, sizeof(before));
        }
        /* told again */
        struct site_policy same = device.boot.policy;
        assert_int_equal(accept(PORT_BOOT_POLICY, made_policy_set(&same, all_four, 4)), REASON_OLD_POLICY);
        assert_int_equal(accept(PORT_BOOT_POLICY, SPAN_LITERAL("rubbish")), REASON_MALFORMED);
        assert_int_equal(accept(PORT_BOOT_POLICY, SPAN_EMPTY), REASON_MALFORMED);
        assert_runs(&first);
        assert_int_equal(status.policy_epoch, 2);
}

static void test_rotated_approver_no_longer_counts(void **state)
{
        struct site_policy next = rotated();

        (void)state;
        assert_int_equal(accept(PORT_BOOT_POLICY, made_policy_set(&next, all_four, 4)), REASON_NONE);
        assert_int_equal(write_and_stage(&second), REASON_NOT_APPROVED);
        made_approve(&second, sample_approval(second.manifest), all_four + 2);
        assert_int_equal(write_and_stage(&second), REASON_NONE);
        assert_runs(&second);
}

static void test_confirmed_image_survives_rotation_of_its_approvers(void **state)
{
        struct site_policy next = rotated();

        (void)state;
        assert_int_equal(write_and_stage(&second), REASON_NONE);
        assert_runs(&second);
        assert_int_equal(boot_confirm(&device.boot), 0);
        for (size_t i = 0; i < 3; i++) {
                assert_int_equal(accept(PORT_BOOT_POLICY, made_policy_set(&next, all_four, 4)), REASON_NONE);
                assert_runs(&second);
                assert_true(status.confirmed);
                next = made_next_policy(&device.boot.policy);
        }
}

static void test_staged_image_needs_the_new_approvers(void **state)
{
        struct site_policy next = rotated();

        (void)state;
        assert_int_equal(write_and_stage(&second), REASON_NONE);
        assert_int_equal(accept(PORT_BOOT_POLICY, made_policy_set(&next, all_four, 4)), REASON_NONE);
        assert_runs(&first);
        assert_int_equal(outcome.reasons[1], REASON_NOT_APPROVED);
}

/* ---- vendor key sets */

static void test_vendor_successor_is_in_force_and_stays(void **state)
{
        static const enum who new_signers[] = { ORGANISATION_2, DEVELOPER_2 };
        struct vendor_keys next = rotated_vendor();

        (void)state;
        assert_int_equal(accept(PORT_BOOT_VENDOR, vendor_successor(&next)), REASON_NONE);
        assert_runs(&first); /* signed by the old keys: it was tried and confirmed under them */
        assert_int_equal(status.vendor_epoch, 2);
        assert_int_equal(status.policy_epoch, 1);
        assert_int_equal(write_and_stage(&second), REASON_ORGANISATION_SIGNATURE);
        made_sign(&second, new_signers, 2);
        assert_int_equal(write_and_stage(&second), REASON_NONE);
        assert_runs(&second);
}

static void test_staged_image_needs_the_new_vendor_keys(void **state)
{
        struct vendor_keys next = rotated_vendor();

        (void)state;
        assert_int_equal(write_and_stage(&second), REASON_NONE);
        assert_int_equal(accept(PORT_BOOT_VENDOR, vendor_successor(&next)), REASON_NONE);
        assert_runs(&first);
        assert_int_equal(outcome.reasons[1], REASON_ORGANISATION_SIGNATURE);
}

struct vendor_row {
        const char *name;
        enum reason expected;
        enum who signers[4];
        size_t count;
        uint64_t epoch;
        enum who command;
};

static void test_vendor_sets_that_change_nothing(void **state)
{
        static const struct vendor_row rows[] = {
                { "no organisation", REASON_ORGANISATION_SIGNATURE, { DEVELOPER, APPROVER_1, APPROVER_2 }, 3, 2, COMMAND },
                { "new organisation only",
                  REASON_ORGANISATION_SIGNATURE,
                  { ORGANISATION_2, DEVELOPER_2, APPROVER_1, APPROVER_2 },
                  4,
                  2,
                  COMMAND },
                { "no developer", REASON_DEVELOPER_SIGNATURE, { ORGANISATION, APPROVER_1, APPROVER_2 }, 3, 2, COMMAND },
                { "one approver", REASON_UNDER_SIGNED, { ORGANISATION, DEVELOPER, APPROVER_3 }, 3, 2, COMMAND },
                { "no approver", REASON_UNDER_SIGNED, { ORGANISATION, DEVELOPER }, 2, 2, COMMAND },
                { "an epoch is missing",
                  REASON_VENDOR_KEYS_GAP,
                  { ORGANISATION, DEVELOPER, APPROVER_1, APPROVER_2 },
                  4,
                  3,
                  COMMAND },
                { "an approver's key commands",
                  REASON_VENDOR_KEYS_INVALID,
                  { ORGANISATION, DEVELOPER, APPROVER_1, APPROVER_2 },
                  4,
                  2,
                  APPROVER_3 },
        };
        static uint8_t before[LAYOUT_MANIFEST_A * LAYOUT_SECTOR_SIZE];

        (void)state;
        for (size_t i = 0; i < ROWS(rows); i++) {
                struct vendor_keys next = rotated_vendor();
                next.epoch = rows[i].epoch;
                next.command[0] = key_of(rows[i].command);
                memcpy(before, device.memory, sizeof(before));
                enum reason refusal = accept(PORT_BOOT_VENDOR, made_vendor_set(&next, rows[i].signers, rows[i].count));
                if (refusal != rows[i].expected)
                        fail_msg("%s: %s", rows[i].name, reason_name(refusal));
                assert_memory_equal(before, device.memory, sizeof(before));
        }
        assert_runs(&first);
        assert_int_equal(status.vendor_epoch, 1);
}

/* ---- revocations, windows, rules */

static void test_revoked_epoch_starts_no_new_try(void **state)
{
        struct approval renewed = sample_approval(second.manifest);

        (void)state;
        revoke(2, 1700000000);
        assert_int_equal(write_and_stage(&second), REASON_REVOKED_EPOCH);
        assert_runs(&first);
        assert_int_equal(status.approval_epoch, 2);
        assert_int_equal(status.time_floor, 1700000000);
        renewed.epoch = 2;
        made_approve(&second, renewed, old_pair);
        assert_int_equal(write_and_stage(&second), REASON_NONE);
        /* revoked between the staging and the start */
        revoke(3, 1700000000);
        assert_runs(&first);
        assert_int_equal(outcome.reasons[1], REASON_REVOKED_EPOCH);
}

static void test_confirmed_image_survives_a_revocation(void **state)
{
        (void)state;
        assert_int_equal(write_and_stage(&second), REASON_NONE);
        assert_runs(&second);
        revoke(2, 1700000000); /* while it is on trial */
        assert_int_equal(boot_confirm(&device.boot), 0);
        assert_runs(&second);
        revoke(9, 1700000001);
        assert_runs(&second);
        assert_true(status.confirmed);
}

static void test_unconfirmed_image_is_not_tried_again_after_a_revocation(void **state)
{
        (void)state;
        assert_int_equal(write_and_stage(&second), REASON_NONE);
        assert_runs(&second);
        revoke(2, 1700000000);
        assert_runs(&first); /* it did not confirm */
        assert_int_equal(stage(), REASON_REVOKED_EPOCH);
}

static void test_epoch_and_time_never_fall(void **state)
{
        struct site_policy next = made_next_policy(&device.boot.policy);

        (void)state;
        revoke(5, 1800000000);
        assert_int_equal(accept(PORT_BOOT_REVOCATION, made_revocation("site-1", 5, 1900000000, old_pair, 2)),
                         REASON_OLD_EPOCH);
        assert_int_equal(accept(PORT_BOOT_REVOCATION, made_revocation("site-1", 4, 1900000000, old_pair, 2)),
                         REASON_OLD_EPOCH);
        assert_int_equal(accept(PORT_BOOT_REVOCATION, made_revocation("site-1", 6, 1900000000, old_pair, 1)),
                         REASON_UNDER_SIGNED);
        assert_int_equal(accept(PORT_BOOT_REVOCATION, made_revocation("site-2", 6, 1900000000, old_pair, 2)),
                         REASON_WRONG_SITE);
        next.approval_epoch = 3;
        next.issued = 1700000000;
        assert_int_equal(accept(PORT_BOOT_POLICY, made_policy_set(&next, old_pair, 2)), REASON_NONE);
        revoke(6, 1750000000);
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
        revoke(2, 1700000200);
        assert_int_equal(stage(), REASON_NONE);
        revoke(3, 1700000201);
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
        revoke(2, 1800000000);
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
        assert_int_equal(accept(PORT_BOOT_POLICY, made_policy_set(&next, old_pair, 2)), REASON_NONE);
        assert_int_equal(made_write(&device, 1, &second, 0), 0);
        assert_int_equal(stage(), REASON_NOT_APPROVED); /* it is marked "security" */

        next = made_next_policy(&device.boot.policy);
        add_rule(&next, "security");
        assert_int_equal(accept(PORT_BOOT_POLICY, made_policy_set(&next, old_pair, 2)), REASON_NONE);
        assert_int_equal(stage(), REASON_NONE);
        assert_runs(&second);
        assert_int_equal(boot_confirm(&device.boot), 0);

        /* the rule goes, and the image stays */
        next = made_next_policy(&device.boot.policy);
        next.rule_count = 0;
        assert_int_equal(accept(PORT_BOOT_POLICY, made_policy_set(&next, old_pair, 2)), REASON_NONE);
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
        assert_int_equal(accept(PORT_BOOT_POLICY, made_policy_set(&next, old_pair, 2)), REASON_NONE);
        assert_int_equal(made_write(&device, 1, &second, 0), 0);
        device.memory[18 * LAYOUT_SECTOR_SIZE + 100] ^= 1;
        assert_int_equal(made_start(&device, &outcome), BOOT_RECOVERY);
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

/* ---- claiming */

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
                assert_int_equal(accept(PORT_BOOT_POLICY, made_policy_set(&policy, old_pair, 2)),
                                 REASON_NOT_AUTHORISED);
                assert_int_equal(accept(PORT_BOOT_REVOCATION, made_revocation("site-1", 3, 0, old_pair, 2)),
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
        for (size_t i = 0; i + size <= LAYOUT_MANIFEST_A * LAYOUT_SECTOR_SIZE + 10 * LAYOUT_SECTOR_SIZE; i++)
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
        revoke(7, 1800000000);
        struct vendor_keys keys = rotated_vendor();
        assert_int_equal(accept(PORT_BOOT_VENDOR, vendor_successor(&keys)), REASON_NONE);
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

static void test_old_trust_is_no_way_back(void **state)
{
        struct site_policy next = rotated();

        (void)state;
        assert_int_equal(accept(PORT_BOOT_POLICY, made_policy_set(&next, all_four, 4)), REASON_NONE);
        struct flash_area area = layout_area(&device.flash,
                                             device.boot.record.trust_area == 0 ? LAYOUT_TRUST : LAYOUT_TRUST_SPARE);
        device.memory[(area.first + 1) * LAYOUT_SECTOR_SIZE + 20] ^= 1;
        assert_int_equal(made_start(&device, &outcome), BOOT_RECOVERY);
        assert_int_equal(outcome.reasons[0], REASON_MALFORMED);
        device.memory[(area.first + 1) * LAYOUT_SECTOR_SIZE + 20] ^= 1;
        assert_runs(&first);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup(test_policy_successor_is_in_force_and_stays, setup),
                cmocka_unit_test_setup(test_policies_that_change_nothing, setup),
                cmocka_unit_test_setup(test_rotated_approver_no_longer_counts, setup),
                cmocka_unit_test_setup(test_confirmed_image_survives_rotation_of_its_approvers, setup),
                cmocka_unit_test_setup(test_staged_image_needs_the_new_approvers, setup),
                cmocka_unit_test_setup(test_vendor_successor_is_in_force_and_stays, setup),
                cmocka_unit_test_setup(test_staged_image_needs_the_new_vendor_keys, setup),
                cmocka_unit_test_setup(test_vendor_sets_that_change_nothing, setup),
                cmocka_unit_test_setup(test_revoked_epoch_starts_no_new_try, setup),
                cmocka_unit_test_setup(test_confirmed_image_survives_a_revocation, setup),
                cmocka_unit_test_setup(test_unconfirmed_image_is_not_tried_again_after_a_revocation, setup),
                cmocka_unit_test_setup(test_epoch_and_time_never_fall, setup),
                cmocka_unit_test_setup(test_windows_against_the_time_floor, setup),
                cmocka_unit_test_setup(test_confirmed_image_survives_the_end_of_its_window, setup),
                cmocka_unit_test_setup(test_rule_approves, setup),
                cmocka_unit_test_setup(test_rule_is_no_way_back_from_damage, setup),
                cmocka_unit_test_setup(test_power_cut_takes_the_staging_back, setup),
                cmocka_unit_test_setup(test_unclaimed_device_waits, setup),
                cmocka_unit_test_setup(test_claims_that_change_nothing, setup),
                cmocka_unit_test_setup(test_unclaimed_again, setup),
                cmocka_unit_test_setup(test_old_trust_is_no_way_back, setup),
        };
        return cmocka_run_group_tests_name("boot_trust", tests, NULL, NULL);
}
